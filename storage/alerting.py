"""Alerts as a part of every commit: what changed is looked at again, and what became of alerts is written with it.

Alerts are derived from what the commit itself writes, so they are the same however events come in. Only what changed,
and what is due because time went by, is looked at; see kpis.alerts for what an alert is.
"""

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from hashlib import sha256

import duckdb
import polars as pl

from kpis.alert_conditions import HELD
from kpis.alert_scope import KEY, Scope, measure_of, scope_of
from kpis.alert_watch import Held
from kpis.alerts import ALERTS, Topology
from kpis.plant import Plant
from kpis.plant_alerts import alerts_content
from kpis.work import BEGINNING, MINUTE_US, Accounts, Work
from storage.alert_finding import Moment, after, find, known_from, settled
from storage.alert_memory import AlertMemory
from storage.alert_rows import CHATTER_WITHIN_US, ROWS, Row, chattering, compared
from storage.alert_silences import CHANGES, signs_of
from storage.alert_watching import AlertWatching
from storage.database import instants, microseconds
from storage.ledger import Ledger
from storage.writer import Transaction


class Alerting:
    """Finds the alerts of a store that is open for writing."""

    def __init__(self, con: duckdb.DuckDBPyConnection, plant: Plant, clock: Callable[[], datetime]) -> None:
        self._con, self._plant, self._clock = con, plant, clock
        self._topology = Topology(plant)
        self._memory = AlertMemory.empty()
        self._numbers = {rule.name: number for number, rule in enumerate(plant.alerts)}
        self._scope: Scope | None = None
        self._accounted: dict[str, int] = {}
        self._known: dict[str, Row] = {}
        self._due: dict[str, int] = {}
        self._minute = BEGINNING
        self._transition = 0
        self._least = min((rule.when.silence for rule in plant.alerts if rule.when.silence), default=None)
        self._counting = any(measure_of(rule) for rule in plant.alerts)
        self._inhibiting = frozenset(rule.name for rule in plant.alerts if rule.inhibits)
        self._forgotten = BEGINNING
        self._beginning = BEGINNING
        self._watching = AlertWatching(con, plant, clock)

    def follow(
        self,
        transaction: Transaction,
        before: int | None,
        ledger: Ledger,
        events: pl.DataFrame,
        work: Work | None,
        accounts: Accounts | None,
        held: Iterable[Held] | None,
    ) -> None:
        """Write what became of alerts with what a transaction writes.

        `before` is the horizon before it; `ledger` already knows of its `events`. `held` are the conditions that hold
        by the clock of a running engine; None: it is not known.
        """
        horizon = ledger.horizon
        if horizon is None:
            return
        cuts: dict[str, int] = {}
        changes = self._take(work, accounts, events, before)
        scope = self._scope
        if scope is None:
            scope, cuts = self._begin(transaction, ledger, before, horizon)
        elif ledger.accounted != self._accounted:
            scope, cuts = self._widen(scope, ledger, horizon)
        if held is not None and self._watching.rules:
            changes.append((self._watch(transaction, held, horizon), True))
        if self._plant.alerts:
            changes.append((self._hear(scope, ledger, events, work), True))
            self._change(scope, changes, horizon, cuts)
            self._measure(scope, scope.measured, (self._minute + MINUTE_US, settled(horizon)), horizon, cuts)
            self._minute = max(self._minute, settled(horizon))
        for path, at in self._due.items():
            if at <= horizon:
                _lower(cuts, path, at - 1)
        if cuts:
            self._evaluate(transaction, scope, cuts, horizon)
            # What ends at the horizon itself shows only after it.
            for part in events.filter(pl.col("ts") >= horizon)["equipment"]:
                for path in scope.concerns.get(part, ()):
                    _lower(self._due, path, horizon + 1)
        self._forget(scope, horizon)

    def _begin(
        self, transaction: Transaction, ledger: Ledger, before: int | None, horizon: int
    ) -> tuple[Scope, dict[str, int]]:
        """Know what was known at the horizon before; if the rules are new, all that is not frozen is looked at."""
        if ledger.frozen is not None:
            self._beginning = self._memory.heard_from = ledger.frozen.before
        self._accounted = dict(ledger.accounted)
        self._scope = scope = scope_of(self._plant, self._accounted)
        self._forgotten = horizon
        fingerprint = _fingerprint(self._plant)
        rows = self._con.execute("SELECT DISTINCT fingerprint FROM alert_rules").fetchall()
        if not rows and not self._plant.alerts:
            return scope, {}
        last = self._con.execute("SELECT coalesce(max(transition), 0) FROM alert_transitions").fetchall()
        self._transition = int(last[0][0])
        anew = rows != [(fingerprint,)]
        reached = horizon if anew or before is None else before
        self._minute = settled(reached)
        first = reached - 2 * scope.back_us
        if anew:
            transaction.refill("alert_rules", _rules(self._plant, fingerprint))
            first = max(min(self._accounted.values(), default=horizon), self._beginning)
        self._recall(self._beginning if anew else first)
        self._watching.recall(self._beginning if anew else first)
        self._memory.lost = self._watching.lost
        self._load(scope, scope.contributors, first, horizon)
        known = {row["equipment"] for row in self._known.values()}
        return scope, dict.fromkeys(scope.contributors.keys() | known, self._beginning if anew else reached)

    def _widen(self, old: Scope, ledger: Ledger, horizon: int) -> tuple[Scope, dict[str, int]]:
        """Equipment has time of its own from another instant on: whom it concerns is looked at anew."""
        parts = {part for part, at in ledger.accounted.items() if self._accounted.get(part) != at}
        parts |= self._accounted.keys() - ledger.accounted.keys()
        self._accounted = dict(ledger.accounted)
        self._scope = scope = scope_of(self._plant, self._accounted, old)
        moved = [
            path
            for path, its in scope.contributors.items()
            if old.contributors.get(path) != its or not parts.isdisjoint(its)
        ]
        if moved:
            self._recall(self._beginning, moved)
            first = min(self._accounted[part] for path in moved for part in scope.contributors[path])
            first = max(first, self._beginning)
            self._load(scope, moved, first, horizon)
        gone = old.contributors.keys() - scope.contributors.keys()
        return scope, dict.fromkeys([*moved, *gone], self._beginning)

    def _query(self, statement: str) -> pl.DataFrame:
        return self._con.execute(statement).pl()

    def _recall(self, first: int, paths: Collection[str] | None = None) -> None:
        """Known alerts that were not over at an instant, or so late before that they may chatter, from the table."""
        found = microseconds(
            self._con.execute(
                "SELECT * FROM alerts WHERE state <> 'withdrawn' "
                "AND (resolved_at IS NULL OR epoch_us(resolved_at) >= $1)",
                [first - CHATTER_WITHIN_US],
            ).pl()
        )
        derived = found.filter(~pl.col("rule").is_in(list(self._watching.rules)))
        rows = derived.with_columns(pl.col("changed_at").cast(ROWS["changed_at"])).iter_rows(named=True)
        self._known |= {row["alert"]: row for row in rows if paths is None or row["equipment"] in paths}

    def _load(self, scope: Scope, paths: Iterable[str], first: int, horizon: int) -> None:
        """Read what decides the alerts of equipment, and measure it, from an instant on."""
        paths = sorted(paths)
        parts = sorted({part for path in paths for part in scope.contributors[path]})
        self._memory.load(self._query, parts, first, pieces=self._counting)
        if self._least is not None:
            self._memory.listen(self._query, parts, first, self._least)
        begin = known_from(scope, first, min((self._accounted[part] for part in parts), default=first))
        keys = [
            (self._numbers[row["rule"]], row["equipment"])
            for row in self._known.values()
            if row["resolved_at"] is None and row["since"] < begin and row["rule"] in self._numbers
        ]
        holding = pl.DataFrame(keys, schema={name: HELD[name] for name in KEY}, orient="row")
        self._memory.measure(scope, paths, (begin, self._minute), horizon, scope.firsts(holding))

    def _take(
        self, work: Work | None, accounts: Accounts | None, events: pl.DataFrame, before: int | None
    ) -> list[tuple[pl.DataFrame, bool]]:
        """What changed by new accounts, and whether conditions hold otherwise by that alone, without being measured."""
        if work is None or accounts is None or not self._plant.alerts:
            return []
        times, made = self._memory.take(work, accounts, before, pieces=self._counting)
        if self._scope is not None or self._least is None:
            return [(times, True), (made, False)]
        # Nothing is known yet of silences that these signs of life end.
        signs = events.group_by("equipment").agg(at=pl.col("ts").min()).rename({"equipment": "contributor"})
        return [(times, True), (made, False), (signs, True)]

    def _watch(self, transaction: Transaction, held: Iterable[Held], horizon: int) -> pl.DataFrame:
        """Follow what the engine sees by its clock; whose silence has another cause by that, and since when."""
        rows, became, explained = self._watching.look(held, horizon)
        if rows:
            self._write(transaction, rows, became)
            self._memory.lost = self._watching.lost
        return pl.DataFrame(list(explained.items()), schema=CHANGES, orient="row")

    def _hear(self, scope: Scope, ledger: Ledger, events: pl.DataFrame, work: Work | None) -> pl.DataFrame:
        """What changed by signs of life, and by those that are taken back."""
        if self._least is None or events.is_empty():
            return pl.DataFrame(schema=CHANGES)
        known = pl.Series(list(scope.concerns), dtype=pl.String)
        changes = self._memory.hear(signs_of(events, ledger.retracted), known, self._least)
        silenced = events.filter(pl.col("type") == "retract")["equipment"].unique()
        silenced = silenced.filter(silenced.is_in(known.implode()))
        if silenced.is_empty() or work is None:
            return changes
        first = min(self._memory.since.get(part, self._minute) for part in silenced)
        self._memory.listen(self._query, silenced.to_list(), first, self._least)
        spans = work.spans.filter(pl.col("equipment").is_in(silenced.implode()))
        return pl.concat([changes, spans.select(contributor="equipment", at=pl.min_horizontal("start", "count_start"))])

    def _change(
        self,
        scope: Scope,
        changes: list[tuple[pl.DataFrame, bool]],
        horizon: int,
        cuts: dict[str, int],
    ) -> None:
        """Whose alerts may change, and from when on; what is older than memory is read again."""
        late: dict[str, int] = {}
        for frame, direct in changes:
            # What is after the last minute that was measured is not measured differently.
            rows = frame if direct else frame.filter(pl.col("at") < self._minute)
            for part, changed in rows.iter_rows():
                at = max(changed, self._beginning)
                for path in scope.concerns.get(part, ()):
                    if direct:
                        _lower(cuts, path, at)
                    if at < self._minute and path in scope.measured:
                        _lower(late, path, at)
        reached = {path: min(frame.get(path, horizon) for frame in (late, cuts)) for path in late.keys() | cuts.keys()}
        old = {path: at for path, at in reached.items() if self._beginning < at < self._valid_from(scope, path)}
        if old:
            self._reread(scope, old, horizon)
            for path, at in old.items():
                _lower(cuts, path, at)
        late = {path: at for path, at in late.items() if path not in old}
        if late:
            self._measure(scope, late, (after(min(late.values())), self._minute), horizon, cuts)

    def _reread(self, scope: Scope, old: dict[str, int], horizon: int) -> None:
        """Read what decides the alerts of equipment from so far back that those which go on at an instant are whole."""
        first = min(old.values())
        self._recall(first)
        alive = [
            row["since"]
            for row in self._known.values()
            if row["equipment"] in old and (row["resolved_at"] is None or row["resolved_at"] >= first)
        ]
        first = min([first, *alive]) - scope.back_us
        self._recall(first)
        self._load(scope, old, first, horizon)

    def _valid_from(self, scope: Scope, path: str) -> int:
        """From when on all is known that decides the alerts of an equipment."""
        parts = scope.contributors.get(path)
        if parts is None:
            return BEGINNING
        first, begun = max(self._memory.since[part] for part in parts), min(self._accounted[part] for part in parts)
        return BEGINNING if first <= begun else known_from(scope, first, begun)

    def _measure(
        self, scope: Scope, paths: Collection[str], minutes: tuple[int, int], horizon: int, cuts: dict[str, int]
    ) -> None:
        """Measure equipment at the minutes from the first to the last, and note whose alerts may change by that."""
        first, last = minutes
        if not scope.limits or first > last:
            return
        before = self._memory.held.filter(pl.col("at") >= first - MINUTE_US)
        self._memory.measure(scope, paths, minutes, horizon)
        after = self._memory.held.filter(pl.col("at") >= first - MINUTE_US)
        for path in pl.concat([before, after])["equipment"].unique():
            if path in paths:
                _lower(cuts, path, first)

    def _evaluate(self, transaction: Transaction, scope: Scope, cuts: dict[str, int], horizon: int) -> None:
        """Find the alerts of equipment again that are not over before its cut, and write what is new."""
        own = dict(cuts)
        while True:
            others = self._alerts(row for row in self._known.values() if row["equipment"] not in cuts)
            moment = Moment(horizon, self._minute)
            carried = self._carried(scope, cuts)
            found, due = find(scope, self._topology, self._memory, cuts, moment, self._known, carried, others)
            found = [row for row in found if _concerned(row, cuts)]
            before = [row for row in self._known.values() if _concerned(row, cuts)]
            chattering(found, [row for row in self._known.values() if not _concerned(row, cuts)])
            rows, became = compared(before, found, horizon, self._clock())
            more: dict[str, int] = {}
            for by in {row["equipment"] for row in rows if row["rule"] in self._inhibiting}:
                for path in self._topology.hanging(by) & scope.contributors.keys():
                    if cuts[by] < cuts.get(path, horizon + 1):
                        _lower(more, path, cuts[by])
            if not more:
                break
            cuts |= more
        for path in cuts:
            self._due.pop(path, None)
        self._due |= due
        self._known |= {row["alert"]: row for row in rows}
        for row in rows:
            if row["state"] == "withdrawn":
                del self._known[row["alert"]]
        # Where the past was looked at anew, only what is open now is news.
        anew = {path for path, at in (cuts | own).items() if at == self._beginning}
        old = {row["alert"] for row in rows if row["equipment"] in anew and row["resolved_at"] is not None}
        self._write(transaction, rows, [step for step in became if step[0] not in old])

    def _carried(self, scope: Scope, cuts: dict[str, int]) -> pl.DataFrame:
        """Open alerts that began before all that is remembered."""
        valid = {path: self._valid_from(scope, path) for path in cuts if path in scope.contributors}
        rows = [
            row
            for row in self._known.values()
            if row["resolved_at"] is None and row["equipment"] in valid and row["since"] < valid[row["equipment"]]
        ]
        frame = self._alerts(rows)
        until = pl.Series("known_until", [valid[path] for path in frame["equipment"]], dtype=pl.Int64)
        return frame.with_columns(until)

    def _alerts(self, rows: Iterable[Row]) -> pl.DataFrame:
        found = [
            (self._numbers[row["rule"]], *(row[name] for name in ALERTS.names()[1:]))
            for row in rows
            if row["rule"] in self._numbers
        ]
        return pl.DataFrame(found, schema=ALERTS, orient="row")

    def _write(self, transaction: Transaction, rows: list[Row], became: list[tuple[str, str, int]]) -> None:
        frame = pl.DataFrame([{name: row[name] for name in ROWS.names()} for row in rows], schema=ROWS)
        transaction.replace("alerts", instants(frame, "since", "fired_at", "resolved_at"), "alert")
        steps = [
            {"transition": self._transition + number, "alert": name, "became": what, "at": at}
            for number, (name, what, at) in enumerate(became, start=1)
        ]
        self._transition += len(steps)
        if steps:
            now = pl.lit(self._clock()).cast(pl.Datetime("us", "UTC"))
            transaction.insert("alert_transitions", instants(pl.DataFrame(steps), "at").with_columns(committed_at=now))

    def _forget(self, scope: Scope, horizon: int) -> None:
        if horizon - self._forgotten < scope.back_us:
            return
        self._forgotten, before = horizon, horizon - 2 * scope.back_us
        self._memory.forget(before)
        self._watching.forget(before)
        last = before - CHATTER_WITHIN_US
        self._known = {
            name: row for name, row in self._known.items() if row["resolved_at"] is None or row["resolved_at"] >= last
        }


def _lower(instants_: dict[str, int], path: str, at: int) -> None:
    instants_[path] = min(instants_.get(path, at), at)


def _concerned(row: Row, cuts: dict[str, int]) -> bool:
    """Whether an alert was not over before the cut of its equipment."""
    cut = cuts.get(row["equipment"])
    return cut is not None and (row["resolved_at"] is None or row["resolved_at"] >= cut)


def _fingerprint(plant: Plant) -> str:
    """A hash of all that decides which alert is raised when, next to the results themselves."""
    content = {
        "rules": alerts_content(list(plant.alerts)),
        "targets": {path: dict(item.targets) for path, item in plant.equipment.items()},
        "flow": {path: item.flow for path, item in plant.equipment.items()},
        "definition": plant.oee_definition,
        "labels": {name: reason.label for name, reason in plant.reasons.items()},
    }
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _rules(plant: Plant, fingerprint: str) -> pl.DataFrame:
    rows = [
        (rule.name, rule.severity, json.dumps(content), fingerprint)
        for rule, content in zip(plant.alerts, alerts_content(list(plant.alerts)), strict=True)
    ]
    names = ("rule", "severity", "definition", "fingerprint")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
