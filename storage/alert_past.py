"""Alerts of the past, found again a stretch of time at a time: what is in memory for that does not grow with history.

Each stretch is looked at as the engine would have looked at it then, with what is known now, and hands the alerts that
go on to the next one. Also for rules that are only tried out: how often would they have fired?
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from kpis.alert_conditions import HELD
from kpis.alert_scope import KEY, Scope, scope_of
from kpis.alerts import Topology
from kpis.plant import Plant
from kpis.work import BEGINNING, MINUTE_US
from storage.alert_finding import Moment, known_from, look, settled, valid_from
from storage.alert_memory import AlertMemory
from storage.alert_overdue_past import overdue_rows
from storage.alert_rows import ROWS, Row, chattering, concerned
from storage.alert_silences import Query
from storage.database import instants

STRETCH_US: Final = 7 * 1_440 * MINUTE_US
"""So much time is looked at at once, or as far as rules look back if that is more."""


@dataclass(frozen=True)
class Evidence:
    """Where what decides the alerts of a plant is read from.

    `accounted` tells since when equipment has time of its own.
    """

    query: Query
    plant: Plant
    accounted: Mapping[str, int]

    def load(
        self,
        memory: AlertMemory,
        scope: Scope,
        paths: Iterable[str],
        first: int,
        moment: Moment,
        known: Collection[Row],
        until: int | None = None,
    ) -> None:
        """Read what decides the alerts of equipment from an instant on, and measure it up to a moment.

        `known` are the rows of alerts, `until` is as in AlertMemory.load.
        """
        paths = sorted(paths)
        parts = sorted({part for path in paths for part in scope.contributors[path]})
        memory.load(self.query, parts, first, until, pieces=bool(scope.limits))
        lasting = [row for row in known if row["resolved_at"] is None or row["resolved_at"] >= first]
        reasoned = (row["since"] for row in lasting if row["reason"] is not None)
        memory.explain(self.query, parts, min(reasoned, default=first), first)
        if self.least is not None:
            memory.listen(self.query, parts, first, until, self.least)
        begins: dict[int, list[str]] = {}
        for path in paths:
            begun = min(self.accounted[part] for part in scope.contributors[path])
            begins.setdefault(begin := known_from(scope, first, begun), []).append(path)
            memory.measured[path] = BEGINNING if first <= begun else begin
        for begin, some in begins.items():
            keys = [(scope.numbers[row["rule"]], row["equipment"]) for row in known if _held(scope, row, begin)]
            holding = pl.DataFrame(keys, schema={name: HELD[name] for name in KEY}, orient="row")
            memory.measure(scope, some, (begin, moment.minute), moment.horizon, scope.firsts(holding))

    @cached_property
    def least(self) -> int | None:
        """The shortest silence that a rule is about (µs)."""
        return min((rule.when.silence for rule in self.plant.alerts if rule.when.silence), default=None)


def _held(scope: Scope, row: Row, at: int) -> bool:
    """Whether the condition of an alert held at an instant, as far as its row tells."""
    if row["rule"] not in scope.numbers or row["since"] >= at:
        return False
    kept = 0 if row["fired_at"] is None else scope.plant.alerts[scope.numbers[row["rule"]]].keep_for
    return row["resolved_at"] is None or bool(row["resolved_at"] - kept > at)


def forgotten(
    scope: Scope,
    memory: AlertMemory,
    accounted: Mapping[str, int],
    cuts: Mapping[str, int],
    known: Mapping[str, Row],
) -> set[str]:
    """The equipment of which not all alerts that were not over before its cut can be found from what is in memory."""
    valid = {path: valid_from(scope, memory, accounted, path) for path in cuts}
    long_ago = {path for path, at in valid.items() if at is None or at > max(cuts[path] - scope.lasting_us, BEGINNING)}
    # What had begun before memory does is taken as it was at the cut: not if it fired only afterwards.
    doubtful = {
        row["equipment"]
        for row in known.values()
        if concerned(row, cuts) and row["since"] < (valid[row["equipment"]] or BEGINNING) and _fired_after(row, cuts)
    }
    return long_ago | doubtful


def looked_back(
    evidence: Evidence,
    scope: Scope,
    topology: Topology,
    memory: AlertMemory,
    cuts: Mapping[str, int],
    moment: Moment,
    known: Mapping[str, Row],
    until: int | None = None,
) -> tuple[list[Row], dict[str, int]]:
    """What `look` finds, however long ago the cuts are; then `memory` goes back far enough for what comes next.

    The cuts are `before_doubt`, and `known` goes back from them twice as far as rules look back. `until` tells that
    more is known than up to the moment.
    """
    rows, due = dict(known), dict[str, int]()
    parts = {part for path in cuts for part in scope.contributors.get(path, ())}
    first = max(min(cuts.values()), min((evidence.accounted[part] for part in parts), default=moment.horizon))
    for begin, end in _stretches(scope, first, moment.horizon):
        last = end == moment.horizon
        # Up to when measured alerts are known at the end of the stretch before.
        known_to = settled(begin) if begin > first else BEGINNING
        here = {path: max(cut, known_to) for path, cut in cuts.items() if last or cut < end}
        now, mind = (moment, memory) if last else (Moment(end, settled(end)), AlertMemory.empty())
        mind.heard_from, mind.lost = memory.heard_from, memory.lost
        asked = forgotten(scope, mind, evidence.accounted, here, rows)
        # Also what memory has of others: minutes before the stretch may hold otherwise by now.
        asked |= {path for path in here if cuts[path] < begin}
        asked &= scope.contributors.keys()
        if asked:
            since = min(max(here[path], begin) for path in asked) - 2 * scope.back_us
            evidence.load(mind, scope, asked, since, now, rows.values(), until if last else end)
        found, due = look(scope, topology, mind, evidence.accounted, here, now, rows)
        rows = {name: row for name, row in rows.items() if not concerned(row, here)}
        rows |= {row["alert"]: row for row in found}
    return [row for row in rows.values() if concerned(row, cuts)], due


def before_doubt(cuts: Mapping[str, int], known: Mapping[str, Row]) -> dict[str, int]:
    """Cuts so early that whatever alert had begun by then had also fired by then, or never did."""
    cuts = dict(cuts)
    while True:
        waited = [row for row in known.values() if concerned(row, cuts) and _fired_after(row, cuts)]
        if not waited:
            return cuts
        for row in waited:
            cuts[row["equipment"]] = min(cuts[row["equipment"]], row["since"])


def _fired_after(row: Row, cuts: Mapping[str, int]) -> bool:
    """Whether an alert had begun before the cut of its equipment, and fired after it."""
    cut = cuts[row["equipment"]]
    return row["fired_at"] is not None and bool(row["since"] < cut < row["fired_at"])


def _stretches(scope: Scope, first: int, horizon: int) -> Iterator[tuple[int, int]]:
    length = max(STRETCH_US, scope.back_us)
    while horizon - first > length:
        yield first, first + length
        first += length
    yield first, horizon


def tried(query: Query, plant: Plant, start: int | None, end: int | None) -> pl.DataFrame:
    """The alerts that the rules of a plant would have raised over the history of a store, by when they fired.

    What they would have been suppressed by counts in; nothing is written.
    """
    bounds = query("SELECT epoch_us(max(horizon)) AS horizon FROM horizons")
    begun = query("SELECT equipment, epoch_us(accounted_from) AS begun FROM equipment WHERE accounted_from IS NOT NULL")
    accounted = {path: at for path, at in begun.iter_rows() if path in plant.equipment}
    if bounds["horizon"].item() is None or not accounted:
        return _framed([])
    horizon = min(at for at in (bounds["horizon"].item(), end) if at is not None)
    scope, memory = scope_of(plant, accounted), AlertMemory.empty()
    line = query("SELECT epoch_us(max(line)) AS line FROM retentions")["line"].item()
    memory.heard_from = BEGINNING if line is None else line
    first = BEGINNING if start is None else start - 2 * scope.back_us
    cuts, moment = dict.fromkeys(scope.contributors, first), Moment(horizon, settled(horizon))
    evidence = Evidence(query, plant, accounted)
    rows: list[Row] = []
    if cuts:
        rows, _ = looked_back(evidence, scope, Topology(plant), memory, cuts, moment, {}, horizon)
    rows += overdue_rows(query, plant, max(first, min(accounted.values())), horizon)
    chattering(rows, {}, {})
    return _framed(
        row
        for row in rows
        if start is None or (row["fired_at"] if row["fired_at"] is not None else row["since"]) >= start
    )


def overdue(query: Query, plant: Plant, until: int) -> pl.DataFrame:
    """The alerts on overdue orders that would have fired before an instant, as `tried` gives them."""
    return _framed(overdue_rows(query, plant, BEGINNING, until))


def _framed(rows: Iterable[Row]) -> pl.DataFrame:
    chosen = [{name: row.get(name) for name in ROWS.names()} for row in rows]
    frame = pl.DataFrame(chosen, schema=ROWS).sort("since", "alert")
    return instants(frame, "since", "fired_at", "resolved_at")
