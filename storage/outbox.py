"""Messages about alerts, written with what they tell of; what became of them comes back with a later transaction.

    alert transitions, actions ─► cases ─► kpis.routing ─► alert_deliveries ─► ready() ─► sender
                                                                  ▲                          │
                                                                  └──────── report() ◄───────┘

Only letters whose transaction is durable are sent, and a letter stays `waiting` in the store until the report of it is
durable too: after a kill it is sent again, with the same id.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

import duckdb
import polars as pl

from kpis.alert_actions import ACTIONS
from kpis.plant import Plant
from kpis.routing import ENDS, NEVER, Case, Dispatcher, Message, Told, after, in_place_of
from storage.database import bound, instants, microseconds, streamed
from storage.writer import Transaction

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"
NOBODY: Final = "nobody is there to be told"
LATELY_US: Final = 7 * 86_400_000_000
"""Alerts about which something was told in this time are looked after when the store is opened."""
_HOUR_US: Final = 3_600_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DELIVERIES: Final = pl.Schema(
    {
        "message": pl.String,
        "alert": pl.String,
        "recipient": pl.String,
        "channel": pl.String,
        "kind": pl.String,
        "level": pl.Int32,
        "digest": pl.Boolean,
        "due_at": pl.Int64,
        "expires_at": pl.Int64,
        "attempts": pl.Int32,
        "sent_at": pl.Int64,
        "outcome": pl.String,
        "error": pl.String,
    }
)
_REPORTS: Final = pl.Schema(
    {name: _DELIVERIES[name] for name in ("message", "channel", "attempts", "sent_at", "outcome", "error")}
)


class Line(NamedTuple):
    """What a letter tells of one alert."""

    alert: str
    kind: str
    level: int
    equipment: str
    line: str
    severity: str
    since: int
    text: str


@dataclass(frozen=True)
class Letter:
    """A message on one of its ways; instants are µs since 1970 UTC."""

    message: str
    recipient: str
    channel: str
    digest: bool
    due_at: int
    expires_at: int
    attempts: int
    lines: tuple[Line, ...]


class Report(NamedTuple):
    """What became of a letter: `attempts` up to now, `outcome` waiting (tried in vain), delivered or dead."""

    message: str
    channel: str
    attempts: int
    sent_at: int | None
    outcome: str
    error: str | None


class Outbox:
    """The messages of a store that is open for writing."""

    def __init__(self, con: duckdb.DuckDBPyConnection, plant: Plant, clock: Callable[[], datetime]) -> None:
        self._con, self._plant, self._clock = con, plant, clock
        self._dispatcher = Dispatcher(plant)
        self._cases: dict[str, Case] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._sent: dict[str, deque[tuple[int, bool]]] = {}
        self._written: list[Letter] = []
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self._transition: int | None = None
        self._again = 0
        self.version = 0
        """Another number whenever the cases are others."""

    def follow(self, transaction: Transaction, actions: pl.DataFrame | None, *, tell: bool) -> None:
        """Write what is due with a transaction, and what became of letters. Without `tell`, nobody is told anything."""
        if not tell and actions is None and self._transition is None:
            return
        now = self._now()
        if self._transition is None:
            self._begin(now)
        self._write_reports(transaction)
        changed = self._hear(now)
        if changed:
            self.version += 1
        if actions is not None and actions.height:
            transaction.replace("alert_actions", instants(actions, "at", "until"), "action")
            self._act(actions.sort("at").iter_rows(named=True))
            self.version += 1
            changed = True
        if tell and (changed or now >= self._again):
            self._tell(transaction, now)

    def ready(self) -> list[Letter]:
        """Letters to send, each once; what was written must be durable by now."""
        letters, self._written = self._written, []
        return letters

    def report(self, report: Report) -> None:
        """Take note of what became of a letter; from any thread."""
        self._reports.put(report)

    @property
    def reported(self) -> bool:
        """Whether there are reports that no transaction has written."""
        return not self._reports.empty()

    def case(self, alert: str) -> tuple[Case, str] | None:
        """An open alert and its text, by its id or the beginning of it; from any thread. None: there is no such."""
        found = [name for name in list(self._cases) if name.startswith(alert)] if len(alert) >= 4 else []
        case, row = (self._cases.get(found[0]), self._rows.get(found[0])) if len(found) == 1 else (None, None)
        return (case, str(row["text"])) if case and row else None

    def cases(self) -> list[Case]:
        """The alerts that are looked after; from any thread."""
        return list(self._cases.values())

    def _now(self) -> int:
        return (self._clock() - _EPOCH) // timedelta(microseconds=1)

    def _begin(self, now: int) -> None:
        """Go on with what the store knows: open alerts, what was told lately, and letters that are waiting."""
        last = self._con.execute("SELECT coalesce(max(transition), 0) FROM alert_transitions").fetchall()
        self._transition = int(last[0][0])
        self.version += 1
        since = _EPOCH + timedelta(microseconds=now - LATELY_US)
        rows = self._con.execute(
            "SELECT * FROM alerts WHERE state = 'firing' "
            "OR alert IN (SELECT alert FROM alert_deliveries WHERE due_at > $1 OR outcome = 'waiting')",
            [since],
        ).pl()
        self._take(rows, now, known=False)
        sent = self._con.execute(
            "SELECT recipient, due_at, bool_or(digest) AS digest FROM alert_deliveries "
            "WHERE due_at > $1 AND recipient IS NOT NULL GROUP BY message, recipient, due_at ORDER BY due_at",
            [_EPOCH + timedelta(microseconds=now - _HOUR_US)],
        ).pl()
        for recipient, at, digest in microseconds(sent).iter_rows():
            self._sent.setdefault(recipient, deque()).append((at, digest))
        waiting = self._con.execute(
            "SELECT * FROM alert_deliveries WHERE outcome = 'waiting' ORDER BY due_at, message, channel, alert"
        ).pl()
        self._written += self._letters(microseconds(waiting))
        self._forget()

    def _hear(self, now: int) -> bool:
        """Take in what became of alerts since the last time; whether anything did."""
        steps = self._con.execute(
            "SELECT max(transition) AS transition, alert FROM alert_transitions WHERE transition > $1 GROUP BY alert",
            [self._transition],
        ).pl()
        if steps.is_empty():
            return False
        self._transition = int(steps["transition"].cast(pl.Int64).max() or 0)  # type: ignore[arg-type]
        with bound(self._con, batch=steps):
            rows = self._con.execute("SELECT * FROM alerts SEMI JOIN batch USING (alert) ORDER BY fired_at, alert").pl()
        self._take(rows, now, known=True)
        return True

    def _take(self, rows: pl.DataFrame, now: int, *, known: bool) -> None:
        """Make cases of rows of alerts. Unless they are `known`, over since their row changed."""
        found = list(microseconds(rows).iter_rows(named=True))
        self._history(
            [row["alert"] for row in found if row["alert"] not in self._cases and row["fired_at"] is not None], found
        )
        for row in found:
            name = row["alert"]
            before = self._cases.get(name)
            over = None if row["state"] == "firing" else (now if known else row["changed_at"])
            if before is not None:
                self._rows[name] = row
                self._cases[name] = replace(before, state=row["state"], over_at=over)
        for row in found:
            old = self._cases.get(row["corrects"]) if known and row["corrects"] else None
            if old is not None and old.recipients and row["alert"] in self._cases and not old.open:
                self._cases[row["alert"]] = in_place_of(self._cases[row["alert"]], old)
                del self._cases[old.alert], self._rows[old.alert]

    def _history(self, names: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
        """Cases of alerts that are new here, with all that was told of them and done about them."""
        wanted = pl.DataFrame({"alert": names}, schema={"alert": pl.String})
        with bound(self._con, batch=wanted):
            told = self._con.execute(
                "SELECT DISTINCT alert, kind, level, recipient, due_at FROM alert_deliveries SEMI JOIN batch "
                "USING (alert) ORDER BY due_at"
            ).pl()
            actions = self._con.execute('SELECT * FROM alert_actions SEMI JOIN batch USING (alert) ORDER BY "at"').pl()
        histories: dict[str, list[Told]] = {}
        for alert, *step in microseconds(told).iter_rows():
            histories.setdefault(alert, []).append(Told(*step))
        fresh = set(names)
        for row in rows:
            if row["alert"] in fresh:
                self._cases[row["alert"]] = Case(
                    **{
                        name: row[name]
                        for name in ("alert", "rule", "equipment", "line", "severity", "state", "fired_at")
                    },
                    told=tuple(histories.get(row["alert"], ())),
                )
        self._act(microseconds(actions).select(ACTIONS.names()).iter_rows(named=True))

    def _act(self, actions: Iterable[dict[str, Any]]) -> None:
        """Note what people did about cases."""
        for action in actions:
            case = self._cases.get(action["alert"])
            if case is None:
                continue
            if action["kind"] in ("acknowledge", "take"):
                case = replace(case, acknowledged_by=action["by"])
            elif action["kind"] == "shelve":
                case = replace(case, shelved_until=action["until"])
            elif action["kind"] == "unshelve":
                case = replace(case, shelved_until=min(case.shelved_until, action["at"]))
            self._cases[action["alert"]] = case

    def _tell(self, transaction: Transaction, now: int) -> None:
        """Decide who is told what, and write it."""
        for times in self._sent.values():
            while times and times[0][0] <= now - _HOUR_US:
                times.popleft()
        planned = self._dispatcher.plan(self._cases.values(), self._sent, now)
        self._again = planned.again
        rows = pl.DataFrame(
            [row for message in planned.messages for row in self._deliveries(message)],
            schema=_DELIVERIES,
            orient="row",
        )
        for message in planned.messages:
            if message.recipient is not None:
                self._sent.setdefault(message.recipient, deque()).append((message.at, message.digest))
            for note in message.notes:
                name = note.case.alert
                self._cases[name] = after(self._cases[name], [note], message.at)
        transaction.insert("alert_deliveries", instants(rows, "due_at", "expires_at", "sent_at"))
        self._written += self._letters(rows.filter(pl.col("outcome") == WAITING))
        if planned.messages:
            self._again = min(self._again, now)
        self._forget()

    def _deliveries(self, message: Message) -> Iterable[tuple[Any, ...]]:
        """The rows of a message: one for each of its alerts on each way to the person."""
        expires = message.at + self._plant.calling.settings.expire
        ways = [None] if message.recipient is None else list(self._plant.calling.people[message.recipient].channels)
        for channel in ways:
            outcome, error = (WAITING, None) if channel else (DEAD, NOBODY)
            for note in message.notes:
                told = (note.case.alert, message.recipient, channel, note.kind, note.level, message.digest)
                yield (message.message, *told, message.at, expires, 0, None, outcome, error)

    def _letters(self, rows: pl.DataFrame) -> list[Letter]:
        """Rows of deliveries as letters."""
        letters = []
        keys = ("message", "recipient", "channel", "digest", "due_at", "expires_at", "attempts")
        for (message, recipient, channel, digest, due, expires, attempts), part in rows.group_by(
            keys, maintain_order=True
        ):
            lines = [
                Line(name, kind, level, row["equipment"], row["line"], row["severity"], row["since"], row["text"])
                for name, kind, level in part.select("alert", "kind", "level").iter_rows()
                if (row := self._rows.get(name)) is not None
            ]
            if lines:
                told = (str(message), str(recipient), str(channel), bool(digest), int(due), int(expires))
                letters.append(Letter(*told, int(attempts), tuple(lines)))
        return letters

    def _write_reports(self, transaction: Transaction) -> None:
        reports: dict[tuple[str, str], Report] = {}
        while True:
            try:
                report = self._reports.get_nowait()
            except Empty:
                break
            reports[report.message, report.channel] = report
        if not reports:
            return
        rows = instants(pl.DataFrame(list(reports.values()), schema=_REPORTS, orient="row"), "sent_at")
        with streamed(self._con, rows) as con:
            con.execute(
                "UPDATE alert_deliveries AS d SET attempts = b.attempts, sent_at = b.sent_at, outcome = b.outcome, "
                "error = b.error FROM batch AS b WHERE d.message = b.message AND d.channel = b.channel"
            )

    def _forget(self) -> None:
        """Leave off cases of which nobody has to hear any more."""
        over = [
            name
            for name, case in self._cases.items()
            if not case.open and all(told.kind in ENDS for told in case.recipients.values())
        ]
        for name in over:
            del self._cases[name], self._rows[name]
        if not self._cases:
            self._again = NEVER
