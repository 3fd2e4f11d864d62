"""A store with alerts of every kind, made step by step as an engine would: told, acknowledged, shelved, suppressed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from kpis.accounting import account
from kpis.alert_actions import Action, as_frame
from kpis.plant import load_plant
from storage.outbox import DEAD, DELIVERED, Letter, Report
from storage.store import Store
from tests.browser.stores import FILLER, OTHER, PACKER, START
from tests.browser.stores import PLANT as STORY
from tests.engine import batch
from tests.random_logs import Event

PRESS = f"{OTHER}/press"
RULES = """
[[alerts]]
name = "machine down"
when = { state = "down" }
level = "unit"
severity = "critical"
text = "{unit} of {line} is down: {reason}"
[[alerts]]
name = "packer waits"
when = { state = "idle" }
level = "unit"
text = "{unit} waits"
[[alerts]]
name = "stands for long"
when = { state = "down" }
level = "unit"
for = "10m"
severity = "info"
text = "{unit} is down for more than ten minutes"
"""
PEOPLE = """
[[channels]]
name = "mail"
kind = "mailbox"
folder = "mail"
[[people]]
name = "Anna"
channels = { mail = "anna@acme.example" }
[[people]]
name = "Ben"
channels = { mail = "ben@acme.example" }
[[routes]]
escalation = [{ after = "0s", to = "Anna" }, { after = "10m", to = "Ben" }]
"""
PLANT = STORY + RULES + PEOPLE


def at(minutes: float) -> int:
    """An instant of the story, in µs since 1970."""
    return (START + timedelta(minutes=minutes) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def state(path: str, minutes: float, name: str, reason: str | None = None) -> Event:
    """A machine says what it does."""
    told = {"id": f"{minutes}", "ts": (START + timedelta(minutes=minutes)).isoformat(), "equipment": path}
    return {**told, "type": "state", "state": name} | ({"reason": reason} if reason else {})


class Plant:
    """A store whose clock a story moves."""

    def __init__(self, db: Path, toml: str = PLANT) -> None:
        self.plant = load_plant(toml)
        self._minutes = 0.0
        self.store = Store(db, self.plant, plant_path="plant.toml", clock=self._now)
        self.undelivered: set[str] = set()

    def go(self, minutes: float, *events: Event, actions: Sequence[Action] = ()) -> None:
        """Let it be so late, with what came in and what people did; every letter that is due is sent."""
        self._minutes = minutes
        self._commit(events, as_frame(list(actions)) if actions else None)
        letters = self.store.outbox.ready()
        if letters:
            for letter in letters:
                self.store.outbox.report(self._sent(letter))
            self._commit((), None)

    def act(self, kind: str, path: str, by: str, comment: str | None = None, hours: float | None = None) -> Action:
        """What somebody does now about the open alert of a machine."""
        (case, *_) = [one for one in self.store.outbox.cases() if one.equipment == path and one.open]
        name = f"{kind}-{case.alert}-{round(self._minutes)}"
        until = None if hours is None else at(self._minutes) + round(hours * 3_600_000_000)
        return Action.model_validate(
            {"action": name, "alert": case.alert, "kind": kind, "by": by, "way": "page", "at": at(self._minutes),
             "until": until, "comment": comment}
        )  # fmt: skip

    def _now(self) -> datetime:
        return START + timedelta(minutes=self._minutes)

    def _commit(self, events: Sequence[Event], actions: pl.DataFrame | None) -> None:
        taken = replace(batch(events, horizon=at(self._minutes)), tell=True, actions=actions)
        pending = self.store.take(taken)
        self.store.commit(pending, account(pending.work, self.plant) if pending.work else None)
        self.store.settle()

    def _sent(self, letter: Letter) -> Report:
        if letter.recipient in self.undelivered:
            return Report(letter.message, letter.channel, 3, None, DEAD, "the mail server refused it")
        return Report(letter.message, letter.channel, 1, at(self._minutes), DELIVERED, None)


def busy(plant: Plant) -> None:
    """Thursday and Friday before: the press stops again and again, the filler for longer, and Anna comes."""
    for day in (-5_760, -4_320):
        plant.go(day, *(state(path, day, "RUN") for path in (FILLER, PACKER, PRESS)))
        for minute in range(40, 100, 4):
            plant.go(day + minute, state(PRESS, day + minute, "STOP"))
            plant.go(day + minute + 1, state(PRESS, day + minute + 1, "RUN"))
        for number in range(4):
            minute = day + 160 + 60 * number
            plant.go(minute, state(FILLER, minute, "STOP", "jam"))
            plant.go(minute + 1)
            plant.go(minute + 3 + number)
            plant.go(minute + 4 + number, actions=[plant.act("acknowledge", FILLER, "Anna")])
            plant.go(minute + 14, state(FILLER, minute + 14, "RUN"))
        plant.go(day + 480, *(state(path, day + 480, "RUN") for path in (FILLER, PACKER)))


def alarmed(db: Path, *, before: bool = False) -> None:
    """At 11:00 local: the filler is down and nobody has it, the press is down and Anna has it, the packer waits and is
    shelved; three alerts are over, of which one chattered. `before`: after two busy days."""
    plant = Plant(db)
    with plant.store:
        if before:
            busy(plant)
        plant.go(0.1, *(state(path, 0, "RUN") for path in (FILLER, PACKER, PRESS)))
        for minute in (60, 70, 80):
            plant.go(minute, state(FILLER, minute, "STOP"))
            plant.go(minute + 1, state(FILLER, minute + 1, "RUN"))
        plant.go(250, state(PRESS, 250, "STOP", "jam"))
        plant.go(251)
        plant.go(252, actions=[plant.act("take", PRESS, "Anna", "on my way")])
        plant.go(262, state(PACKER, 262, "WAIT"))
        plant.go(263)
        plant.go(264, actions=[plant.act("shelve", PACKER, "Ben", "cartons at noon", hours=2)])
        plant.undelivered = {"Ben"}
        plant.go(280, state(FILLER, 280, "STOP", "jam"))
        plant.go(291)
        plant.go(300)
