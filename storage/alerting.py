"""Alerts as a part of every commit: what changed is looked at again, and what became of alerts is written with it.

Alerts are derived from what the commit itself writes, so they are the same however events come in. Only what changed,
and what is due because time went by, is looked at; see kpis.alerts for what an alert is.
"""

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

import duckdb
import polars as pl

from kpis.alert_conditions import HELD, SPANS, held_minutes, minute_spans, quiet_marks, state_spans
from kpis.alert_scope import KEY, Scope, scope_of
from kpis.alerts import ALERTS, Topology, raise_alerts, worth
from kpis.plant import Plant
from kpis.plant_alerts import alerts_content
from kpis.work import BEGINNING, MINUTE_US, Accounts, Work
from storage.alert_memory import AlertMemory
from storage.alert_rows import ROWS, Row, chattering, compared, told
from storage.database import instants, microseconds
from storage.ledger import Ledger
from storage.writer import Transaction

SETTLE_US: Final = 2_000_000
"""A minute is measured so long after its end: what is on its way then has come in."""
_POINTS_AT_ONCE: Final = 500_000


class Alerting:
    """Finds the alerts of a store that is open for writing."""

    def __init__(self, con: duckdb.DuckDBPyConnection, plant: Plant, clock: Callable[[], datetime]) -> None:
        self._con, self._plant, self._clock = con, plant, clock
        self._topology = Topology(plant)
        self._memory = AlertMemory.empty()
        self._scope: Scope | None = None
        self._accounted: dict[str, int] = {}
        self._known: dict[str, Row] = {}
        self._due: dict[str, int] = {}
        self._minute = BEGINNING
        self._transition = 0
        self._forgotten = BEGINNING

    def follow(self, transaction: Transaction, ledger: Ledger, work: Work | None, accounts: Accounts | None) -> None:
        """Write what became of alerts with what a transaction writes; `ledger` already knows of it."""
        horizon = ledger.horizon
        if horizon is None:
            return
        cuts: dict[str, int] = {}
        if self._scope is None:
            cuts = self._begin(transaction, ledger, horizon)
        elif ledger.accounted != self._accounted:
            cuts = self._widen(ledger, horizon)
        scope = self._scope
        if scope is None or not (self._plant.alerts or cuts):
            return
        if work is not None and accounts is not None:
            self._take(scope, work, accounts, horizon, cuts)
        self._measure(scope, scope.contributors, self._minute + MINUTE_US, horizon, cuts)
        self._minute = max(self._minute, _settled(horizon))
        for path, at in self._due.items():
            if at < horizon:
                cuts.setdefault(path, at)
        if cuts:
            self._evaluate(transaction, scope, cuts, horizon)
        self._forget(scope, horizon)

    def _begin(self, transaction: Transaction, ledger: Ledger, horizon: int) -> dict[str, int]:
        """Know what is known; if the rules are new, everything is looked at."""
        self._accounted = dict(ledger.accounted)
        self._scope = scope = scope_of(self._plant, self._accounted)
        fingerprint = _fingerprint(self._plant)
        rows = self._con.execute("SELECT DISTINCT fingerprint FROM alert_rules").fetchall()
        (self._transition,) = self._con.execute(
            "SELECT coalesce(max(transition), 0) FROM alert_transitions"
        ).fetchall()[0]
        if not rows and not self._plant.alerts:
            return {}
        anew = rows != [(fingerprint,)]
        first = min(self._accounted.values(), default=horizon) if anew else horizon - 2 * scope.back_us
        if anew:
            transaction.refill("alert_rules", _rules(self._plant, fingerprint))
        self._recall(BEGINNING if anew else first)
        self._load(scope, scope.concerns, first, horizon)
        self._minute = _settled(horizon)
        self._forgotten = horizon
        known = {row["equipment"] for row in self._known.values()}
        return dict.fromkeys(scope.contributors.keys() | known, BEGINNING if anew else horizon)

    def _widen(self, ledger: Ledger, horizon: int) -> dict[str, int]:
        """Equipment began to have time of its own, or has it from another instant on: whom it concerns starts anew."""
        before, self._accounted = self._scope, dict(ledger.accounted)
        self._scope = scope = scope_of(self._plant, self._accounted)
        old = {} if before is None else before.contributors
        moved = [path for path, parts in scope.contributors.items() if old.get(path) != parts]
        if moved:
            self._recall(BEGINNING, moved)
            parts = {part for path in moved for part in scope.contributors[path]}
            self._load(scope, parts, min(self._accounted[part] for part in parts), horizon)
        return dict.fromkeys(moved, BEGINNING)

    def _recall(self, first: int, paths: Collection[str] | None = None) -> None:
        """Known alerts that were not over at an instant, from the table."""
        found = microseconds(
            self._con.execute(
                "SELECT * FROM alerts WHERE state <> 'withdrawn' "
                "AND (resolved_at IS NULL OR epoch_us(resolved_at) >= $1)",
                [first],
            ).pl()
        )
        rows = found.with_columns(pl.col("changed_at").cast(pl.Datetime("us", "UTC"))).iter_rows(named=True)
        self._known |= {row["alert"]: row for row in rows if paths is None or row["equipment"] in paths}

    def _load(self, scope: Scope, parts: Iterable[str], first: int, horizon: int) -> None:
        """Read the time of contributors, and see what of it held."""
        parts = sorted(parts)
        measured = bool(scope.limits)
        self._memory.load(self._con, parts, first, pieces=measured)
        if not measured:
            return
        paths = sorted({path for part in parts for path in scope.concerns[part]})
        whole = first <= min(self._accounted.values(), default=first)
        begin = first if whole else first + scope.grace_us + scope.window_us
        self._hold(scope, paths, _after(begin), _settled(horizon), horizon, afresh=True)

    def _hold(
        self, scope: Scope, paths: Collection[str], first: int, last: int, horizon: int, *, afresh: bool = False
    ) -> None:
        """Measure the minutes from the first to the last, in the place of what is known from the first on."""
        limited = {path for frame in scope.limits.values() for path in frame["equipment"]}
        chosen = sorted(limited.intersection(paths))
        minutes = pl.int_range(first, last + 1, MINUTE_US, dtype=pl.Int64, eager=True)
        if not chosen:
            return
        mine = pl.col("equipment").is_in(pl.Series(chosen).implode())
        held = self._memory.held
        if afresh:
            numbers = {rule.name: number for number, rule in enumerate(self._plant.alerts)}
            keys = [
                (numbers[row["rule"]], row["equipment"])
                for row in self._known.values()
                if row["resolved_at"] is None and row["since"] < first and row["rule"] in numbers
            ]
            holding = pl.DataFrame(keys, schema={name: HELD[name] for name in KEY}, orient="row").filter(mine)
        else:
            holding = held.filter(mine, pl.col("at") == first - MINUTE_US)
        made = []
        step = max(1, _POINTS_AT_ONCE // max(1, len(minutes)))
        for place in range(0, len(chosen), step):
            some = chosen[place : place + step]
            parts = {part for path in some for part in scope.contributors[path]}
            intervals, pieces = self._memory.of(parts, horizon)
            made.append(held_minutes(scope, some, intervals, pieces, minutes, holding))
        stays = ~mine if afresh else ~(mine & (pl.col("at") >= first))
        self._memory.held = pl.concat([held.filter(stays), *made])

    def _take(self, scope: Scope, work: Work, accounts: Accounts, horizon: int, cuts: dict[str, int]) -> None:
        """Whose alerts may change by new accounts, and from when on; what is older than memory is read again."""
        times, made = self._memory.take(work, accounts, pieces=bool(scope.limits))
        late: dict[str, int] = {}
        for changes, only_late in ((times, False), (made, True)):
            for part, at in changes.iter_rows():
                for path in scope.concerns.get(part, ()):
                    if not only_late:
                        cuts[path] = min(cuts.get(path, at), at)
                    if at < self._minute:
                        late[path] = min(late.get(path, at), at)
        old = {path: at for path, at in (late | cuts).items() if at < self._valid_from(scope, path) and at > BEGINNING}
        if old:
            self._reread(scope, old, horizon)
            for path, at in old.items():
                cuts[path] = min(cuts.get(path, at), at)
        late = {path: at for path, at in late.items() if path not in old}
        if late and scope.limits:
            first = min(_after(at) for at in late.values())
            if first <= self._minute:
                self._measure(scope, late, first, horizon, cuts, last=self._minute)

    def _reread(self, scope: Scope, old: dict[str, int], horizon: int) -> None:
        first = min(old.values())
        self._recall(first)
        alive = [
            row["since"]
            for row in self._known.values()
            if row["equipment"] in old and (row["resolved_at"] is None or row["resolved_at"] >= first)
        ]
        first = min([first, *alive]) - scope.back_us
        self._recall(first)
        self._load(scope, {part for path in old for part in scope.contributors[path]}, first, horizon)

    def _valid_from(self, scope: Scope, path: str) -> int:
        """From when on all is known that decides the alerts of an equipment."""
        known = max(self._memory.since[part] for part in scope.contributors[path])
        if known <= min(self._accounted[part] for part in scope.contributors[path]):
            return BEGINNING
        return known + scope.grace_us + scope.window_us

    def _measure(
        self,
        scope: Scope,
        paths: Iterable[str],
        first: int,
        horizon: int,
        cuts: dict[str, int],
        last: int | None = None,
    ) -> None:
        """Measure minutes, and note whose alerts may change by that."""
        last = _settled(horizon) if last is None else last
        if not scope.limits or first > last:
            return
        paths = set(paths)
        self._hold(scope, paths, first, last, horizon)
        near = self._memory.held.filter(pl.col("at") >= first - MINUTE_US)
        for path in near["equipment"].unique():
            if path in paths:
                cuts[path] = min(cuts.get(path, first), first)
        for row in self._known.values():
            if row["resolved_at"] is None and row["value"] is not None and row["equipment"] in paths:
                cuts[row["equipment"]] = min(cuts.get(row["equipment"], first), first)

    def _evaluate(self, transaction: Transaction, scope: Scope, cuts: dict[str, int], horizon: int) -> None:
        """Find the alerts of equipment again that are not over before its cut, and write what is new."""
        while True:
            found, due = self._find(scope, cuts, horizon)
            before = [row for row in self._known.values() if _concerned(row, cuts)]
            rows, became = compared(before, [row for row in found if _concerned(row, cuts)], horizon, self._clock())
            inhibiting = {rule.name for rule in self._plant.alerts if rule.inhibits}
            changed = {row["equipment"] for row in rows if row["rule"] in inhibiting}
            hanging = {path: by for by in changed for path in self._topology.hanging(by) & scope.contributors.keys()}
            more = {path: cuts[by] for path, by in hanging.items() if path not in cuts}
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
        old = {row["alert"] for row in rows if cuts[row["equipment"]] == BEGINNING and row["resolved_at"] is not None}
        self._write(transaction, rows, [step for step in became if step[0] not in old])

    def _find(self, scope: Scope, cuts: dict[str, int], horizon: int) -> tuple[list[Row], dict[str, int]]:
        paths = pl.Series(list(cuts), dtype=pl.String)
        mine = pl.col("equipment").is_in(paths.implode())
        parts = {part for path in cuts for part in scope.contributors.get(path, ())}
        intervals, _ = self._memory.of(parts, horizon)
        held = self._memory.held.filter(mine)
        spans = pl.concat([state_spans(scope, intervals).filter(mine), minute_spans(held)]).select(SPANS.names())
        carried = self._carried(scope, cuts)
        spans, waiting = worth(scope, spans, carried, horizon)
        keys = pl.concat([spans.select(KEY), carried.select(KEY)]).unique()
        if keys.is_empty():
            return [], dict(waiting.iter_rows())
        marks = quiet_marks(scope, keys, intervals)
        others = self._alerts(row for row in self._known.values() if row["equipment"] not in cuts)
        found = raise_alerts(scope, self._topology, spans, marks, carried, others, horizon)
        rows = told(scope, found.alerts, intervals, held, self._known)
        chattering(rows, list(self._known.values()))
        due = pl.concat([waiting, found.due]).group_by("equipment").agg(pl.col("due").min())
        return rows, dict(due.iter_rows())

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
        numbers = {rule.name: number for number, rule in enumerate(self._plant.alerts)}
        found = [
            (numbers[row["rule"]], *(row[name] for name in ALERTS.names()[1:]))
            for row in rows
            if row["rule"] in numbers
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
        self._known = {
            name: row for name, row in self._known.items() if row["resolved_at"] is None or row["resolved_at"] >= before
        }


def _concerned(row: Row, cuts: dict[str, int]) -> bool:
    """Whether an alert was not over before the cut of its equipment."""
    cut = cuts.get(row["equipment"])
    return cut is not None and (row["resolved_at"] is None or row["resolved_at"] >= cut)


def _settled(horizon: int) -> int:
    """The last minute that is measured."""
    return (horizon - SETTLE_US) // MINUTE_US * MINUTE_US


def _after(at: int) -> int:
    """The first minute that may be measured differently when something changes at an instant."""
    return at // MINUTE_US * MINUTE_US + MINUTE_US


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
