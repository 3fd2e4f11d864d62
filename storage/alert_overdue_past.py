"""Orders that were overdue: what the engine would have found, had it asked at every whole minute of the past."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import polars as pl

from kpis.alert_scope import in_scope
from kpis.alert_watch import Episode, Held, Key, Watching
from kpis.plant import Plant
from kpis.wanted import planned_accounts
from kpis.work import MINUTE_US
from storage.alert_overdue import TOLD_BEFORE_US, due_us
from storage.alert_rows import Row
from storage.alert_silences import Query
from storage.alert_watching import row_of
from storage.selection import instant, text, texts

_RUNS: Final = """
    SELECT a.equipment, a.timed, i."order", i.product, epoch_us(i.run_start) AS run_start,
        max(least(i.e, {end})) AS run_end,
        sum(CASE WHEN i.account IN {accounts} THEN least(i.e, {end}) - i.s ELSE 0 END)::BIGINT AS planned_us
    FROM (
        SELECT equipment, any_value(contributor) AS timed FROM contributors
        WHERE gives_time AND equipment IN {paths} GROUP BY equipment HAVING count(*) = 1
    ) a JOIN intervals_now i ON i.equipment = a.timed
    WHERE i.run_start IS NOT NULL AND i.s < {end} GROUP BY ALL HAVING max(i.e) > {start}
    ORDER BY a.equipment, run_start
"""
_TOLD: Final = """
    SELECT epoch_us(e.ts) AS "at", e.quantity FROM events e
    WHERE e.type = 'order' AND e.action = 'start' AND e.quantity IS NOT NULL AND e."order" = {order}
      AND (e.equipment = {timed} OR starts_with({timed}, e.equipment || '/'))
      AND e.ts >= {first} AND e.ts < {last}
      AND NOT EXISTS (FROM corrections c WHERE c.type = 'retract' AND c.equipment = e.equipment
                      AND (c.details->>'$.target') = e.id)
    ORDER BY e.ts
"""
_TIME: Final = """
    SELECT s, e, account IN {accounts} AS planned FROM intervals_now
    WHERE equipment = {timed} AND run_start = {first} AND e > s ORDER BY s
"""
_MADE: Final = """
    SELECT epoch_us(c.window_start) + {minute} AS "at", sum(c.pieces)::BIGINT AS good
    FROM contributors k JOIN count_elements c ON c.equipment = k.contributor
    WHERE k.equipment = {path} AND k.gives_pieces AND c.quality = 'good' AND c."order" = {order}
      AND c.window_start >= {first} AND c.window_start < {last} GROUP BY 1 ORDER BY 1
"""


class _Run(NamedTuple):
    equipment: str
    timed: str
    order: str
    product: str | None
    begin: int
    end: int
    planned_us: int


def overdue_rows(query: Query, plant: Plant, start: int, end: int) -> Iterator[Row]:
    """The alerts on overdue orders that would have fired from one instant (µs) on and before another."""
    for number, rule in enumerate(plant.alerts):
        if rule.when.overdue is None:
            continue
        asked = _RUNS.format(
            paths=texts(in_scope(rule, plant)), accounts=texts(planned_accounts(plant)), start=start, end=end
        )
        runs = [_Run(*row) for row in query(asked).iter_rows() if row[0] in plant.equipment]
        held = [each for run in runs for each in _held(query, plant, number, rule.when.overdue, run)]
        for episode in _episodes(plant, number, held, end):
            if episode["fired_at"] is not None and start <= episode["fired_at"] < end:
                yield episode


def _held(query: Query, plant: Plant, number: int, limit: int, run: _Run) -> Iterator[tuple[int, Held]]:
    """The minutes at which the order of a run was overdue by more than a limit (µs)."""
    each = due_us(plant, run.equipment, run.timed, run.product, 1)
    if each is None or run.planned_us <= limit:
        return
    last = instant(run.end)
    told = query(
        _TOLD.format(order=text(run.order), timed=text(run.timed), first=instant(run.begin - TOLD_BEFORE_US), last=last)
    )
    if told.is_empty() or run.planned_us <= min(told["quantity"]) * each + limit:
        return
    accounts = texts(planned_accounts(plant))
    time = query(_TIME.format(accounts=accounts, timed=text(run.timed), first=instant(run.begin)))
    minute = instant(run.begin // MINUTE_US * MINUTE_US)
    made = query(
        _MADE.format(minute=MINUTE_US, path=text(run.equipment), order=text(run.order), first=minute, last=last)
    )
    length = pl.when("planned").then(pl.col("e") - pl.col("s")).otherwise(0)
    time = time.with_columns(before=length.cum_sum() - length)
    minutes = pl.int_range(-(-run.begin // MINUTE_US) * MINUTE_US, run.end, MINUTE_US, dtype=pl.Int64, eager=True)
    rows = (
        minutes.to_frame("at")
        .join_asof(time, left_on="at", right_on="s")
        .join_asof(made.with_columns(pl.col("good").cum_sum()), on="at")
        .join_asof(told, on="at")
        .with_columns(planned=pl.col("before") + pl.when("planned").then(pl.col("at") - pl.col("s")).otherwise(0))
        .with_columns(late=pl.col("planned") - pl.col("quantity") * each)
        .filter(pl.col("late") > limit, pl.col("good").fill_null(0) < pl.col("quantity"))
    )
    for at, late in rows.select("at", "late").iter_rows():
        yield at, Held(number, run.equipment, run.order, late)


def _episodes(plant: Plant, number: int, held: Iterable[tuple[int, Held]], end: int) -> Iterator[Row]:
    """What becomes of conditions that hold at some minutes, as rows of alerts."""
    minutes: dict[int, list[Held]] = {}
    for at, each in held:
        minutes.setdefault(at, []).append(each)
    kept = plant.alerts[number].keep_for
    over = {at + MINUTE_US for at in minutes}
    watching = Watching(plant.alerts)
    found: dict[tuple[Key, int], Episode] = {}
    for now in sorted({*minutes, *over, *(at + kept for at in over)}):
        if now < end:
            found |= {(key, episode.since): episode for key, episode in watching.look(minutes.get(now, ()), now)}
    for (key, _), episode in found.items():
        row = row_of(plant, key, episode)
        yield row if episode.resolved_at is None else row | {"state": "resolved", "resolved_at": episode.resolved_at}
