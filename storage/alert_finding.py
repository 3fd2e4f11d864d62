"""Alerts from what is remembered: the conditions of rules, what quiets them, and what is told of what they raise."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import polars as pl

from kpis.alert_conditions import (
    SPANS,
    minute_spans,
    quiet_marks,
    silence_due,
    silence_spans,
    state_spans,
    unheard_marks,
    unmeasured,
)
from kpis.alert_scope import KEY, Scope
from kpis.alerts import ALERTS, Topology, raise_alerts, worth
from kpis.work import BEGINNING, MINUTE_US
from storage.alert_memory import AlertMemory
from storage.alert_rows import Row, concerned, told

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


def valid_from(scope: Scope, memory: AlertMemory, accounted: Mapping[str, int], path: str) -> int | None:
    """From when on all is remembered that decides the alerts of an equipment; None: something of it is not at all."""
    parts = scope.contributors.get(path)
    if parts is None:
        return BEGINNING
    if path not in memory.measured or not memory.since.keys() >= parts:
        return None
    first, begun = max(memory.since[part] for part in parts), min(accounted[part] for part in parts)
    measured = memory.measured[path]
    return max(
        BEGINNING if measured <= begun else measured,
        BEGINNING if first <= begun else known_from(scope, first, begun),
    )


def look(
    scope: Scope,
    topology: Topology,
    memory: AlertMemory,
    accounted: Mapping[str, int],
    cuts: Mapping[str, int],
    moment: Moment,
    known: Mapping[str, Row],
) -> tuple[list[Row], dict[str, int]]:
    """The alerts of equipment that were not over before its cut, and when each has to be looked at again.

    `known` are the rows found before, by their ids; `accounted` tells since when equipment has time of its own.
    """
    # What is remembered of equipment whose time was taken back counts no more.
    paths = [path for path in cuts if path in scope.contributors]
    valid = {path: valid_from(scope, memory, accounted, path) or BEGINNING for path in paths}
    long_ago = [
        row for row in known.values() if concerned(row, cuts) and row["since"] < valid.get(row["equipment"], BEGINNING)
    ]
    carried = _alerts(scope, long_ago)
    until = pl.Series("known_until", [valid[path] for path in carried["equipment"]], dtype=pl.Int64)
    carried = carried.with_columns(until)
    others = _alerts(scope, (row for row in known.values() if not concerned(row, cuts)))
    return _find(scope, topology, memory, cuts, valid, moment, known, carried, others)


def _alerts(scope: Scope, rows: Iterable[Row]) -> pl.DataFrame:
    """Rows of rules that still are there as ALERTS."""
    numbers = scope.numbers
    found = [
        (numbers[row["rule"]], *(row[name] for name in ALERTS.names()[1:])) for row in rows if row["rule"] in numbers
    ]
    return pl.DataFrame(found, schema=ALERTS, orient="row")


def _find(
    scope: Scope,
    topology: Topology,
    memory: AlertMemory,
    cuts: Mapping[str, int],
    valid: Mapping[str, int],
    moment: Moment,
    known: Mapping[str, Row],
    carried: pl.DataFrame,
    others: pl.DataFrame,
) -> tuple[list[Row], dict[str, int]]:
    """The alerts of equipment that were not over before its cut, and when each has to be looked at again.

    `valid` tells from when on all is remembered that decides them; `known` rows are those found before, by their ids.
    For `carried` and `others` see kpis.alerts.raise_alerts.
    """
    mine = pl.col("equipment").is_in(pl.Series(list(valid), dtype=pl.String).implode())
    parts = {part for path in valid for part in scope.contributors[path]}
    intervals = memory.time_of(parts, moment.horizon)
    held = memory.held.filter(mine)
    silent = memory.silent(parts, moment.horizon)
    alike = [state_spans(scope, intervals), silence_spans(scope, silent), minute_spans(held)]
    # A condition may be remembered from longer ago than what quiets it.
    begun = pl.DataFrame(list(valid.items()), schema={"equipment": pl.String, "valid": pl.Int64}, orient="row")
    spans = pl.concat(alike).join(begun, on="equipment").with_columns(pl.max_horizontal("start", "valid"))
    spans = spans.filter(pl.col("start") < pl.col("end")).select(SPANS.names())
    spans, waiting = worth(scope, spans, carried, *moment)
    waiting = pl.concat([waiting, silence_due(scope, silent, moment.horizon).filter(mine)])
    waiting = waiting.group_by("equipment").agg(pl.col("due").min())
    keys = pl.concat([spans.select(KEY), carried.select(KEY)]).unique()
    if keys.is_empty():
        return [], dict(waiting.iter_rows())
    marks = pl.concat([quiet_marks(scope, keys, intervals), unmeasured(scope, keys, held)])
    if memory.lost.height:
        marks = pl.concat([marks, unheard_marks(scope, keys, memory.lost, moment.horizon)])
    found = raise_alerts(scope, topology, spans, marks, carried, others, cuts, *moment)
    rows = told(scope, found.alerts, intervals, memory.reasons, held, known, set(carried.select(KEY).iter_rows()))
    due = pl.concat([waiting, found.due]).group_by("equipment").agg(pl.col("due").min())
    return rows, dict(due.iter_rows())
