"""Alerts from what is remembered: the conditions of rules, what quiets them, and what is told of what they raise.

Also for rules that are only tried out: how often would they have fired?
"""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import polars as pl

from kpis.alert_conditions import (
    HELD,
    minute_spans,
    quiet_marks,
    silence_due,
    silence_spans,
    state_spans,
    unheard_marks,
    unmeasured,
)
from kpis.alert_scope import KEY, Scope, scope_of
from kpis.alerts import ALERTS, Topology, raise_alerts, worth
from kpis.plant import Plant
from kpis.work import BEGINNING, MINUTE_US
from storage.alert_memory import AlertMemory
from storage.alert_rows import ROWS, Row, chattering, told
from storage.alert_silences import Query
from storage.database import instants

SETTLE_US: Final = 2_000_000
"""A minute is measured so long after its end: what is on its way then has come in."""


class Moment(NamedTuple):
    """Up to when all is known: the horizon, and the last minute that was measured."""

    horizon: int
    minute: int


def settled(horizon: int) -> int:
    """The last minute that is measured at a horizon."""
    return (horizon - SETTLE_US) // MINUTE_US * MINUTE_US


def after(at: int) -> int:
    """The first minute that may be measured differently when something changes at an instant."""
    return at // MINUTE_US * MINUTE_US + MINUTE_US


def known_from(scope: Scope, first: int, begun: int) -> int:
    """From which minute on all is known that decides alerts, if it is remembered from an instant (µs) on.

    `begun`: when there first was anything to know.
    """
    return after((first if first <= begun else first + scope.grace_us + scope.window_us) - 1)


def find(
    scope: Scope,
    topology: Topology,
    memory: AlertMemory,
    paths: Collection[str],
    moment: Moment,
    known: Mapping[str, Row],
    carried: pl.DataFrame,
    others: pl.DataFrame,
) -> tuple[list[Row], dict[str, int]]:
    """The alerts of equipment as far back as is remembered, and when each has to be looked at again.

    `known` rows are those found before, by their ids. For `carried` and `others` see kpis.alerts.raise_alerts.
    """
    mine = pl.col("equipment").is_in(pl.Series(list(paths), dtype=pl.String).implode())
    parts = {part for path in paths for part in scope.contributors.get(path, ())}
    intervals = memory.time_of(parts, moment.horizon)
    held = memory.held.filter(mine)
    silent = memory.silent(parts, moment.horizon)
    alike = [state_spans(scope, intervals), silence_spans(scope, silent), minute_spans(held)]
    spans, waiting = worth(scope, pl.concat(alike).filter(mine), carried, *moment)
    waiting = pl.concat([waiting, silence_due(scope, silent, moment.horizon).filter(mine)])
    waiting = waiting.group_by("equipment").agg(pl.col("due").min())
    keys = pl.concat([spans.select(KEY), carried.select(KEY)]).unique()
    if keys.is_empty():
        return [], dict(waiting.iter_rows())
    marks = pl.concat([quiet_marks(scope, keys, intervals), unmeasured(scope, keys, held)])
    if memory.lost.height:
        marks = pl.concat([marks, unheard_marks(scope, keys, memory.lost, moment.horizon)])
    found = raise_alerts(scope, topology, spans, marks, carried, others, *moment)
    rows = told(scope, found.alerts, intervals, held, known, set(carried.select(KEY).iter_rows()))
    due = pl.concat([waiting, found.due]).group_by("equipment").agg(pl.col("due").min())
    return rows, dict(due.iter_rows())


def tried(query: Query, plant: Plant, start: int | None, end: int | None) -> pl.DataFrame:
    """The alerts that the rules of a plant would have raised over the history of a store, by when they fired.

    What they would have been suppressed by counts in; nothing is written.
    """
    bounds = query("SELECT epoch_us(max(horizon)) AS horizon FROM horizons")
    begun = query("SELECT equipment, epoch_us(accounted_from) AS begun FROM equipment WHERE accounted_from IS NOT NULL")
    accounted = {path: at for path, at in begun.iter_rows() if path in plant.equipment}
    if bounds["horizon"].item() is None or not accounted:
        return instants(pl.DataFrame(schema=ROWS), "since", "fired_at", "resolved_at")
    horizon = min(at for at in (bounds["horizon"].item(), end) if at is not None)
    scope, memory = scope_of(plant, accounted), AlertMemory.empty()
    first = min(accounted.values())
    first = first if start is None else max(first, start - 2 * scope.back_us)
    line = query("SELECT epoch_us(max(line)) AS line FROM retentions")["line"].item()
    memory.heard_from = BEGINNING if line is None else line
    memory.load(query, list(scope.concerns), first, pieces=bool(scope.limits))
    least = [rule.when.silence for rule in plant.alerts if rule.when.silence]
    if least:
        memory.listen(query, list(scope.concerns), first, min(least))
    moment = Moment(horizon, settled(horizon))
    begin = known_from(scope, first, min(accounted.values()))
    nothing = pl.DataFrame(schema={name: HELD[name] for name in KEY})
    memory.measure(scope, scope.contributors, (begin, moment.minute), horizon, nothing)
    carried = pl.DataFrame(schema=[*ALERTS.items(), ("known_until", pl.Int64())])
    rows, _ = find(scope, Topology(plant), memory, scope.contributors, moment, {}, carried, pl.DataFrame(schema=ALERTS))
    chattering(rows, [])
    chosen = [
        {name: row.get(name) for name in ROWS.names()}
        for row in rows
        if start is None or (row["fired_at"] if row["fired_at"] is not None else row["since"]) >= start
    ]
    frame = pl.DataFrame(chosen, schema=ROWS).sort("since", "alert")
    return instants(frame, "since", "fired_at", "resolved_at")
