"""Six big losses: the waterfall's losses by the reasons that people gave, in SQL for any kind of window."""

from typing import Final

from storage.grains import Grain

SIX_BIG_LOSSES: Final = ("breakdown", "setup", "minor_stop", "reduced_speed", "process_defect", "startup_reject")

_LOST: Final = "('down', 'setup', 'minor_stop', 'idle')"
_DEFAULT: Final = "CASE i.account WHEN 'down' THEN 'breakdown' WHEN 'setup' THEN 'setup' ELSE 'minor_stop' END"
_NAMES: Final = ", ".join(f"({rank}, '{name}')" for rank, name in enumerate(SIX_BIG_LOSSES, start=1))


def six_big_losses_sql(grain: Grain, elements: str, *, history: bool = True) -> str:
    """Six rows for every window of every equipment, 0 where there was no such loss.

    Stopped time is a loss of the kind that its reason names, else of its account's own; speed is what the pieces made
    do not explain of producing time; rejected pieces cost their ideal time. So the six add up to planned production
    (standard definition) less the ideal time of good pieces. `elements` is the view or subquery that has the elements
    of these windows; `history`: they have a status. A run of an order on a line may be made of several on its machines.
    """
    parts = ", ".join(f's."{part}"' for part in grain.parts)
    own = ", ".join(f'i."{part}"' for part in grain.parts)
    run, same_run, joined_run, whole = "", "", "", ""
    if grain.name == "order":
        run = ', s."order", s.product'
        same_run = ' AND l."order" = e."order" AND l.product IS NOT DISTINCT FROM e.product'
        joined_run = ', e."order", e.product'
        whole = f"""), summed AS (
            SELECT e.equipment, e.window_start, e.window_end, e.shift AS label, l.loss, sum(l.us)::BIGINT AS us
                {joined_run}
            FROM windows e JOIN given l ON l.equipment = e.equipment AND l.window_start >= e.window_start
                AND l.window_end <= e.window_end{same_run} GROUP BY ALL
        """
    return f"""
        WITH windows AS (FROM {elements}), timed AS MATERIALIZED (
            SELECT i.equipment, {own}, i.account, i.reason, sum({grain.us}) AS us FROM {grain.time} i
            WHERE i.account IN {_LOST} OR i.account = 'producing' GROUP BY ALL
        ), counted AS MATERIALIZED (
            SELECT i.equipment, {own}, i.quality, i.reason, sum(i.ideal_us) AS us FROM {grain.pieces} i GROUP BY ALL
        ), lost AS (
            SELECT i.equipment, {own}, CASE WHEN i.account = 'producing' THEN 'reduced_speed'
                ELSE coalesce(r.loss, {_DEFAULT}) END AS loss, i.us
            FROM timed i LEFT JOIN reasons r ON r.reason = i.reason
            UNION ALL
            SELECT i.equipment, {own}, 'reduced_speed', -i.us FROM counted i
            UNION ALL
            SELECT i.equipment, {own},
                CASE WHEN r.loss = 'startup_reject' THEN 'startup_reject' ELSE 'process_defect' END, i.us
            FROM counted i LEFT JOIN reasons r ON r.reason = i.reason WHERE i.quality <> 'good'
        ), leaf AS (
            SELECT s.equipment, {parts}, s.loss, sum(s.us) AS us FROM lost s GROUP BY s.equipment, {parts}, s.loss
        ), dated AS (
            SELECT s.*, {grain.start} AS window_start, {grain.end} AS window_end, {grain.label} AS label
            FROM leaf s JOIN equipment q ON q.equipment = s.equipment {grain.joins}
        ), {"given" if whole else "summed"} AS (
            SELECT k.equipment, s.window_start, s.window_end, s.label, s.loss, sum(s.us)::BIGINT AS us{run}
            FROM dated s JOIN contributors k ON k.contributor = s.equipment
            WHERE k.gives_time GROUP BY ALL
        {whole})
        SELECT e.equipment, e.level, e.window_start, e.window_end, e.shift, e.production_date
            {", e.status" if history else ""}{joined_run}, n.loss, n.rank,
            coalesce(l.us, 0) AS us,
            CASE WHEN n.loss = 'reduced_speed' AND e.no_ideal <> 0 THEN 'no_ideal_cycle'
                WHEN n.loss = 'reduced_speed' AND l.us < 0 THEN 'ideal_cycle_too_long' END AS flag
        FROM windows e CROSS JOIN (VALUES {_NAMES}) n(rank, loss)
        LEFT JOIN summed l ON l.equipment = e.equipment AND l.window_start = e.window_start
            AND l.window_end = e.window_end AND l.label IS NOT DISTINCT FROM e.shift AND l.loss = n.loss{same_run}
    """
