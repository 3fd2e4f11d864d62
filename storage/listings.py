"""Statements that list what happened: intervals, stops, alerts, rejected events."""

from storage.selection import Selection, instant, text

_MOST_NAMES = 1_000
_SHOWN = 'account, category, reason, product, "order", shift'


def timeline_sql(conditions: list[str], selection: Selection) -> str:
    """Intervals that nothing cuts but a change of what they show, where they overlap the time selected.

    They are whole where `conditions` leave in what is joined to them.
    """
    where = " AND ".join(["e > s", *conditions])
    values = ", ".join(f"any_value({name}) AS {name}" for name in _SHOWN.split(", "))
    return f"""
        WITH shown AS (
            SELECT equipment, "start", "end", account, category, reason, product, "order",
                production_date || '/' || shift AS shift
            FROM intervals_now WHERE {where}
        ), cut AS (
            SELECT *, ({_SHOWN}) IS DISTINCT FROM
                lag(({_SHOWN})) OVER (PARTITION BY equipment ORDER BY "start") AS changes
            FROM shown
        ), numbered AS (
            SELECT *, sum(changes::INTEGER) OVER (PARTITION BY equipment ORDER BY "start") AS piece FROM cut
        ), joined AS (
            SELECT equipment, min("start") AS "start", max("end") AS "end", {values}
            FROM numbered GROUP BY equipment, piece
        )
        SELECT * FROM joined WHERE {_overlapping(selection)} ORDER BY equipment, "start"
    """


def stops_sql(conditions: list[str], selection: Selection) -> str:
    """Stops that overlap the time selected, with how long they took in all."""
    where = " AND ".join([_overlapping(selection), *conditions])
    return f"""
        SELECT equipment, "start", "end", epoch_us("end") - epoch_us("start") AS duration_us, us, t.category,
            t.reason, r.label AS reason_label, minor, open, production_date || '/' || shift AS shift, "order", product
        FROM stops_now t LEFT JOIN reasons r ON r.reason = t.reason WHERE {where} ORDER BY "start", equipment
    """


def alerts_sql(
    conditions: list[str], selection: Selection, state: str | None, rule: str | None, severity: str | None
) -> str:
    """Alerts whose condition began to hold in the time selected; without a state all but withdrawn ones."""
    chosen = [
        f"{name} = {text(value)}" for name, value in (("rule", rule), ("severity", severity)) if value is not None
    ]
    chosen.append("state <> 'withdrawn'" if state is None else f"state = {text(state)}")
    where = " AND ".join([_within("since", selection), *conditions, *chosen])
    return f"SELECT * FROM alerts WHERE {where} ORDER BY since, alert"


def rejected_sql(selection: Selection) -> str:
    """Rejected events that were rejected in the time selected, naming the equipment or one of a pattern.

    Beside equipment that the plant did not know the detail says what it may be: which name is a typing error away can
    be told best now, since the plant file may have changed.
    """
    where = _within("rejected_at", selection)
    if selection.equipment is not None:
        where += f" AND equipment {'GLOB' if '*' in selection.equipment else '='} {text(selection.equipment)}"
    return f"""
        WITH chosen AS (SELECT * FROM rejected_events WHERE {where}),
        unknown AS (
            SELECT DISTINCT equipment FROM chosen WHERE reason = 'unknown_equipment' ORDER BY ALL LIMIT {_MOST_NAMES}
        ), near AS (
            SELECT u.equipment, e.equipment AS other,
                damerau_levenshtein(lower(u.equipment), lower(e.equipment)) AS errors
            FROM unknown u CROSS JOIN equipment e WHERE errors <= length(u.equipment) // 3
            QUALIFY row_number() OVER (PARTITION BY u.equipment ORDER BY u.equipment <> other, errors, other) = 1
        )
        SELECT c.* REPLACE (c.detail || CASE WHEN c.reason <> 'unknown_equipment' OR n.other IS NULL THEN ''
            WHEN n.other = c.equipment THEN '; by now it does: `oeeflow rejected --retry` takes the event in'
            ELSE '; did you mean "' || n.other || '"?' END AS detail)
        FROM chosen c LEFT JOIN near n USING (equipment) ORDER BY rejected_at, source, line, digest
    """


def _overlapping(selection: Selection) -> str:
    conditions = ["true"]
    if selection.start is not None:
        conditions.append(f'"end" > {instant(selection.start)}')
    if selection.end is not None:
        conditions.append(f'"start" < {instant(selection.end)}')
    return " AND ".join(conditions)


def _within(column: str, selection: Selection) -> str:
    conditions = ["true"]
    if selection.start is not None:
        conditions.append(f"{column} >= {instant(selection.start)}")
    if selection.end is not None:
        conditions.append(f"{column} < {instant(selection.end)}")
    return " AND ".join(conditions)
