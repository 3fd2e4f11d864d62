"""Alerts as a part of every commit: what changed is looked at again, and what became of alerts is written with it.

Alerts are derived from what the commit itself writes, so they are the same however events come in. Only what changed,
and what is due because time went by, is looked at; see kpis.alerts for what an alert is.
"""

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import duckdb
import polars as pl

from kpis.alert_scope import Scope, measure_of, scope_of
from kpis.alert_watch import Held
from kpis.alerts import Topology
from kpis.plant import Plant
from kpis.plant_alerts import alerts_content
from kpis.work import BEGINNING, MINUTE_US, Accounts
from storage.alert_finding import Moment, after, look, settled, valid_from
from storage.alert_memory import AlertMemory
from storage.alert_past import Evidence, before_doubt, forgotten, looked_back
from storage.alert_rows import CHATTER_WITHIN_US, ROWS, Row, chattering, compared, concerned
from storage.alert_silences import CHANGES, signs_of
from storage.alert_watching import AlertWatching
from storage.batches import Pending
from storage.database import instants, microseconds
from storage.ledger import Ledger
from storage.writer import Transaction

Step = tuple[str, str, int]
"""Which alert became what, and when."""


class News(NamedTuple):
    """Rows of alerts that are new or other than before, and what became of them."""

    rows: list[Row]
    became: list[Step]


class Noticed(NamedTuple):
    """The rules, the equipment whose alerts may change, from when on, and what is new of them, if that is known."""

    scope: Scope
    cuts: dict[str, int]
    news: News | None


class Alerting:
    """Finds the alerts of a store that is open for writing."""

    def __init__(self, con: duckdb.DuckDBPyConnection, plant: Plant, clock: Callable[[], datetime]) -> None:
        self._con, self._plant, self._clock = con, plant, clock
        self._topology = Topology(plant)
        self._memory = AlertMemory.empty()
        self._scope: Scope | None = None
        self._known: dict[str, Row] = {}
        self._due: dict[str, int] = {}
        self._minute = BEGINNING
        self._transition = 0
        self._counting = any(measure_of(rule) for rule in plant.alerts)
        self._evidence = Evidence(self._query, plant, {})
        self._recalled: int | None = None
        self._inhibiting = frozenset(rule.name for rule in plant.alerts if rule.inhibits)
        self._forgotten = BEGINNING
        self._beginning = BEGINNING
        self._watching = AlertWatching(con, plant, clock)

    def notice(self, before: int | None, pending: Pending, accounts: Accounts | None) -> Noticed | None:
        """What becomes of alerts by a batch, as far as memory tells, found while the events of the batch are written.

        None where the store has to be asked for all of it. `before` is the horizon before the batch; the batch before
        it must be written.
        """
        scope, horizon = self._scope, pending.ledger.horizon
        moved = pending.ledger.accounted != self._evidence.accounted
        watched = pending.batch.held is not None and self._watching.rules
        if scope is None or horizon is None or moved or watched or not _taken_back(pending).is_empty():
            return None
        cuts: dict[str, int] = {}
        self._regard(scope, self._take(before, pending, accounts), pending, horizon, cuts)
        return Noticed(scope, cuts, self._evaluate(scope, cuts, horizon, asking=False) if cuts else None)

    def follow(self, before: int | None, pending: Pending, accounts: Accounts | None, noticed: Noticed | None) -> None:
        """Write what became of alerts with what a batch's transaction writes; `noticed` is what `notice` found."""
        horizon = pending.ledger.horizon
        if horizon is None:
            return
        scope, cuts, news = noticed or self._look(before, pending, accounts, horizon)
        if cuts:
            news = news or self._evaluate(scope, cuts, horizon, asking=True)
            if news is not None:
                self._write(pending.transaction, *news)
            # What ends at the horizon itself shows only after it.
            for part in pending.admitted.new.filter(pl.col("ts") >= horizon)["equipment"]:
                for path in scope.concerns.get(part, ()):
                    _lower(self._due, path, horizon + 1)
        self._forget(scope, horizon)

    def _look(self, before: int | None, pending: Pending, accounts: Accounts | None, horizon: int) -> Noticed:
        """The same as `notice`, with the store."""
        transaction, ledger = pending.transaction, pending.ledger
        cuts: dict[str, int] = {}
        changes = self._take(before, pending, accounts)
        scope = self._scope
        if scope is None:
            scope, cuts = self._begin(transaction, ledger, before, horizon)
        elif ledger.accounted != self._evidence.accounted:
            scope, cuts = self._widen(scope, ledger, horizon)
        if pending.batch.held is not None and self._watching.rules:
            changes.append((self._watch(transaction, pending.batch.held, horizon), True))
        self._regard(scope, changes, pending, horizon, cuts)
        return Noticed(scope, cuts, None)

    def _regard(
        self,
        scope: Scope,
        changes: list[tuple[pl.DataFrame, bool]],
        pending: Pending,
        horizon: int,
        cuts: dict[str, int],
    ) -> None:
        """Whose alerts may change by what changed, by what was heard, by the minutes that are over and by being due."""
        if self._plant.alerts:
            self._change(scope, [*changes, (self._hear(scope, pending), True)], horizon, cuts)
            self._measure(scope, scope.measured, (self._minute + MINUTE_US, settled(horizon)), horizon, cuts)
            self._minute = max(self._minute, settled(horizon))
        for path, at in self._due.items():
            if at <= horizon:
                _lower(cuts, path, at - 1)

    def _begin(
        self, transaction: Transaction, ledger: Ledger, before: int | None, horizon: int
    ) -> tuple[Scope, dict[str, int]]:
        """Know what was known at the horizon before; if the rules are new, all that is not frozen is looked at."""
        if ledger.frozen is not None:
            self._beginning = self._memory.heard_from = ledger.frozen.before
        self._evidence = replace(self._evidence, accounted=dict(ledger.accounted))
        self._scope = scope = scope_of(self._plant, self._evidence.accounted)
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
        first = self._beginning if anew else reached - 2 * scope.back_us
        self._recall(first)
        self._watching.recall(first)
        self._memory.lost = self._watching.lost
        if anew:
            transaction.refill("alert_rules", _rules(self._plant, fingerprint))
            known = {row["equipment"] for row in self._known.values()}
            return scope, dict.fromkeys(scope.contributors.keys() | known, self._beginning)
        self._load(scope, scope.contributors, first, horizon)
        return scope, dict.fromkeys(scope.contributors, reached)

    def _widen(self, old: Scope, ledger: Ledger, horizon: int) -> tuple[Scope, dict[str, int]]:
        """Equipment has time of its own from another instant on: whom it concerns is looked at anew from there."""
        told = (self._evidence.accounted, ledger.accounted)
        moved = {
            part: min(its[part] for its in told if part in its)
            for part in told[0].keys() | told[1].keys()
            if told[0].get(part) != told[1].get(part)
        }
        self._evidence = replace(self._evidence, accounted=dict(ledger.accounted))
        self._scope = scope = scope_of(self._plant, self._evidence.accounted, old)
        cuts: dict[str, int] = {}
        for part in moved:  # what is known of its silences begins with what was its first sign of life
            self._memory.since.pop(part, None)
        for its in (old.concerns, scope.concerns):
            for part, at in moved.items():
                for path in its.get(part, ()):
                    _lower(cuts, path, max(at, self._beginning))
        return scope, cuts

    def _query(self, statement: str) -> pl.DataFrame:
        return self._con.execute(statement).pl()

    def _recall(self, first: int) -> None:
        """Known alerts that were not over at an instant, or so late before that they may chatter, from the table."""
        if self._recalled is not None and first >= self._recalled:
            return
        found = microseconds(
            self._con.execute(
                "SELECT * FROM alerts WHERE state <> 'withdrawn' "
                "AND (resolved_at IS NULL OR epoch_us(resolved_at) >= $1)",
                [first - CHATTER_WITHIN_US],
            ).pl()
        )
        derived = found.filter(~pl.col("rule").is_in(list(self._watching.rules)))
        rows = derived.with_columns(pl.col("changed_at").cast(ROWS["changed_at"])).iter_rows(named=True)
        self._known |= {row["alert"]: row for row in rows}
        self._recalled = first

    def _load(self, scope: Scope, paths: Iterable[str], first: int, horizon: int) -> None:
        """Read what decides the alerts of equipment, and measure it, from an instant on."""
        self._evidence.load(self._memory, scope, paths, first, Moment(horizon, self._minute), self._known.values())

    def _take(self, before: int | None, pending: Pending, accounts: Accounts | None) -> list[tuple[pl.DataFrame, bool]]:
        """What changed by new accounts, and whether conditions hold otherwise by that alone, without being measured."""
        if pending.work is None or accounts is None or not self._plant.alerts:
            return []
        times, made = self._memory.take(pending.work, accounts, before, pieces=self._counting)
        if self._scope is not None or self._evidence.least is None:
            return [(times, True), (made, False)]
        # Nothing is known yet of silences that these signs of life end.
        signs = pending.kinds.group_by(contributor="equipment").agg(at=pl.col("first_ts").min())
        return [(times, True), (made, False), (signs, True)]

    def _watch(self, transaction: Transaction, held: Iterable[Held], horizon: int) -> pl.DataFrame:
        """Follow what the engine sees by its clock; whose silence has another cause by that, and since when."""
        rows, became, explained = self._watching.look(held, horizon)
        if rows:
            self._write(transaction, rows, became)
            self._memory.lost = self._watching.lost
        return pl.DataFrame(list(explained.items()), schema=CHANGES, orient="row")

    def _hear(self, scope: Scope, pending: Pending) -> pl.DataFrame:
        """What changed by signs of life, and by those that are taken back."""
        if self._evidence.least is None or pending.kinds.is_empty():
            return pl.DataFrame(schema=CHANGES)
        known = pl.Series(list(scope.concerns), dtype=pl.String)
        signs = signs_of(pending.admitted.new, pending.kinds, pending.ledger.retracted)
        changes = self._memory.hear(signs, known, self._evidence.least)
        silenced = _taken_back(pending)
        silenced = silenced.filter(silenced.is_in(known.implode()))
        if silenced.is_empty() or pending.work is None:
            return changes
        first = min(self._memory.since.get(part, self._minute) for part in silenced)
        self._memory.listen(self._query, silenced.to_list(), first, None, self._evidence.least)
        spans = pending.work.spans.filter(pl.col("equipment").is_in(silenced.implode()))
        return pl.concat([changes, spans.select(contributor="equipment", at=pl.min_horizontal("start", "count_start"))])

    def _change(
        self,
        scope: Scope,
        changes: list[tuple[pl.DataFrame, bool]],
        horizon: int,
        cuts: dict[str, int],
    ) -> None:
        """Whose alerts may change, and from when on."""
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
        minutes: dict[int, list[str]] = {}
        for path, at in late.items():
            if self._remembers(scope, path, at):
                minutes.setdefault(after(at), []).append(path)
            else:
                _lower(cuts, path, at)
        for minute, paths in minutes.items():
            self._measure(scope, paths, (minute, self._minute), horizon, cuts)

    def _remembers(self, scope: Scope, path: str, at: int) -> bool:
        """Whether what an equipment is measured by is in memory from an instant on."""
        valid = valid_from(scope, self._memory, self._evidence.accounted, path)
        return valid is not None and valid <= at

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

    def _evaluate(self, scope: Scope, cuts: dict[str, int], horizon: int, *, asking: bool) -> News | None:
        """Find the alerts of equipment again that are not over before its cut; what is new of them.

        None if memory does not tell and the store may not be asked.
        """
        own = dict(cuts)
        while True:
            if not (asking or self._knows(scope, cuts)):
                return None
            found, due = self._find(scope, cuts, Moment(horizon, self._minute))
            before = [row for row in self._known.values() if concerned(row, cuts)]
            chattering(found, self._known, cuts)
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
        return News(rows, [step for step in became if step[0] not in old])

    def _knows(self, scope: Scope, cuts: dict[str, int]) -> bool:
        """Whether the alerts of equipment from its cut on can be found without the store."""
        recalled = self._recalled is not None and min(cuts.values()) >= self._recalled
        return recalled and not forgotten(scope, self._memory, self._evidence.accounted, cuts, self._known)

    def _find(self, scope: Scope, cuts: dict[str, int], moment: Moment) -> tuple[list[Row], dict[str, int]]:
        """The alerts of equipment that were not over before its cut, and when each has to be looked at again.

        Where memory does not reach back far enough for that, cuts become earlier.
        """
        self._recall(min(cuts.values()))
        if self._knows(scope, cuts):
            return look(scope, self._topology, self._memory, self._evidence.accounted, cuts, moment, self._known)
        while True:
            self._recall(min(cuts.values()) - 2 * scope.back_us)
            earlier = before_doubt(cuts, self._known)
            if earlier == cuts:
                return looked_back(self._evidence, scope, self._topology, self._memory, cuts, moment, self._known)
            cuts |= earlier

    def _write(self, transaction: Transaction, rows: list[Row], became: list[Step]) -> None:
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
        self._recalled = None if self._recalled is None else max(self._recalled, before)
        last = before - CHATTER_WITHIN_US
        self._known = {
            name: row for name, row in self._known.items() if row["resolved_at"] is None or row["resolved_at"] >= last
        }


def _taken_back(pending: Pending) -> pl.Series:
    """The equipment of which a batch takes events back."""
    return pending.kinds.filter(pl.col("type") == "retract")["equipment"].unique()


def _lower(instants_: dict[str, int], path: str, at: int) -> None:
    instants_[path] = min(instants_.get(path, at), at)


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
