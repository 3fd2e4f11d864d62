"""Timelines of who is told what: alerts begin, people act, the clock moves, and messages come out."""

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kpis.plant import load_plant
from kpis.routing import NEVER, Case, Dispatcher, Message, after

LINE = "acme/ulm/line-1"
PLANT = f"""
[plant]
name = "Ulm"
timezone = "Europe/Berlin"
[defaults]
calendar = "three"
[[shifts]]
calendar = "three"
name = "early"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 06:00:00
end = 14:00:00
[[shifts]]
calendar = "three"
name = "late"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 14:00:00
end = 22:00:00
[[shifts]]
calendar = "three"
name = "night"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 22:00:00
end = 06:00:00
[equipment."{LINE}"]
level = "line"
[equipment."{LINE}/filler"]
level = "unit"
ideal_cycle = "1s"
[equipment."{LINE}/capper"]
level = "unit"
ideal_cycle = "1s"
[[alerts]]
name = "stopped"
when = {{ state = "down" }}
[[channels]]
name = "box"
kind = "mailbox"
folder = "mail"
"""
STAFF = """
[[people]]
name = "Anna"
channels = { box = "anna" }
[[people]]
name = "Ben"
channels = { box = "ben" }
[[people]]
name = "Cleo"
channels = { box = "cleo" }
[[people]]
name = "Dan"
channels = { box = "dan" }
away = [{ first = 2026-03-10, last = 2026-03-11 }]
[[duty]]
role = "lead"
people = "Anna"
shifts = "early"
[[duty]]
role = "lead"
people = "Ben"
shifts = ["late", "night"]
[[duty]]
role = "maintenance"
people = "Dan"
deputy = "Cleo"
"""
ROUTE = """
[[routes]]
escalation = [{ after = "0s", to = "lead" }, { after = "10m", to = "maintenance" }, { after = "30m", to = "Anna" }]
"""
BERLIN = ZoneInfo("Europe/Berlin")


class Heard(NamedTuple):
    """A message as its recipient has it; `at` local time."""

    at: str
    person: str | None
    kinds: tuple[str, ...]
    alerts: tuple[str, ...]


def local(day: int, clock: str, month: int = 3) -> int:
    """An instant by its local time in 2026."""
    hour, minute = map(int, clock.split(":"))
    at = datetime(2026, month, day, hour, minute, tzinfo=BERLIN)
    return (at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def shown(at: int) -> str:
    """An instant as local time."""
    return f"{datetime.fromtimestamp(at / 1e6, BERLIN):%d %H:%M:%S}".removesuffix(":00")


class Timeline:
    """Open alerts of a plant, and a clock that moves from one due time to the next."""

    def __init__(self, text: str, now: int) -> None:
        self.plant = load_plant(text)
        self._dispatcher = Dispatcher(self.plant)
        self.cases: dict[str, Case] = {}
        self._sent: dict[str, deque[tuple[int, bool]]] = {}
        self.now = now
        self.messages: list[Message] = []

    def fire(self, name: str, *, unit: str = "filler", severity: str = "warning", fired_at: int | None = None) -> None:
        """An alert begins now; or it began earlier, and is found out now."""
        at = self.now if fired_at is None else fired_at
        self.cases[name] = Case(name, "stopped", f"{LINE}/{unit}", LINE, severity, "firing", at)
        self._plan()

    def change(self, name: str, **fields: object) -> None:
        """Something becomes of an alert, or somebody does something about it."""
        self.cases[name] = replace(self.cases[name], **fields)  # type: ignore[arg-type]
        self._plan()

    def resolve(self, name: str) -> None:
        """An alert is over now."""
        self.change(name, state="resolved", over_at=self.now)

    def move(self, to: int) -> None:
        """Let time go by, looking only when it was asked for."""
        while (again := self._plan()) <= to:
            self.now = max(again, self.now)
        self.now = to

    def sleep(self, to: int) -> None:
        """Let time go by without looking: the engine is not running."""
        self.now = to

    def heard(self) -> list[Heard]:
        """What was told since the last time."""
        told, self.messages = self.messages, []
        return [
            Heard(
                shown(each.at),
                each.recipient,
                tuple(dict.fromkeys(note.kind for note in each.notes)),
                tuple(sorted({note.case.alert for note in each.notes})),
            )
            for each in told
        ]

    def _plan(self) -> int:
        """Tell what is due; when to look again."""
        again = self.now
        while again == self.now:
            planned = self._dispatcher.plan(self.cases.values(), self._sent, self.now)
            for message in planned.messages:
                if message.recipient is not None:
                    self._sent.setdefault(message.recipient, deque()).append((message.at, message.digest))
                for note in message.notes:
                    name = note.case.alert
                    self.cases[name] = after(self.cases[name], [note], message.at)
            self.messages += planned.messages
            again = self.now if planned.messages else planned.again
            assert planned.messages or again > self.now
        return min(again, NEVER)
