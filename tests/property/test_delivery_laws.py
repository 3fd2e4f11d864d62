"""Whatever machines, channels and the engine's end do: an alert that fired is delivered, or kept as undeliverable."""

import random
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest

from storage.outbox import DEAD, DELIVERED, WAITING, Letter, Report
from storage.store import Store
from tests.engine import queried
from tests.on_duty import LINE
from tests.posting import Engine
from tests.random_logs import Event

UNITS = (f"{LINE}/filler", f"{LINE}/capper")


class Post:
    """Takes letters to channels that fail, refuse and answer late, and dies with the engine."""

    def __init__(self, chance: random.Random, engine: Engine) -> None:
        self.chance, self.engine = chance, engine
        self.bag: dict[tuple[str, str], Letter] = {}
        self.seen: dict[tuple[str, str], frozenset[str]] = {}

    def collect(self, store: Store) -> None:
        for letter in store.outbox.ready():
            key = (letter.message, letter.channel)
            assert key not in self.bag, "a letter is handed out once"
            alerts = frozenset(line.alert for line in letter.lines)
            assert self.seen.setdefault(key, alerts) == alerts, "an id always stands for the same message"
            self.bag[key] = letter

    def go_round(self, store: Store, *, reliably: bool = False) -> None:
        for key, letter in list(self.bag.items()):
            outcome = DELIVERED if reliably else self.chance.choice((None, None, WAITING, DELIVERED, DELIVERED, DEAD))
            if outcome is not None:
                sent = self.engine.clock.us if outcome == DELIVERED else None
                error = None if outcome == DELIVERED else "not today"
                store.outbox.report(Report(*key, letter.attempts + 1, sent, outcome, error))
            if outcome in (DELIVERED, DEAD):
                del self.bag[key]


def some_events(chance: random.Random, engine: Engine, number: int) -> list[Event]:
    return [
        {
            "id": f"{number}-{unit}",
            "equipment": unit,
            "ts": (engine.clock.now - timedelta(seconds=chance.choice((0, 0, 1, 30, 600)))).isoformat(),
            "type": "state",
            "state": chance.choice(("down", "down", "producing")),
        }
        for unit in UNITS
        if chance.random() < 0.5
    ]


@pytest.mark.parametrize("seed", range(4))
def test_every_alert_that_fired_is_delivered_or_dead(seed: int, tmp_path: Path) -> None:
    chance, engine = random.Random(seed), Engine(tmp_path / "kpi.duckdb")
    post, firing, number = Post(chance, engine), set[str](), 0
    for _ in range(4):  # lives of the engine
        post.bag.clear()  # what was on its way died with the one before, and what it had not written with it
        with engine.open() as store:
            for _ in range(8):
                number += 1
                engine.clock.now += timedelta(minutes=chance.choice((0.1, 1, 1, 12, 40)))
                engine.commit(store, some_events(chance, engine, number))
                firing |= {case.alert for case in store.outbox.cases() if case.open}
                post.collect(store)
                post.go_round(store)
    with engine.open() as store:
        post.bag.clear()
        for _ in range(3):
            engine.clock.now += timedelta(minutes=1)
            engine.commit(store)
            post.collect(store)
            post.go_round(store, reliably=True)
            engine.commit(store)
    told = defaultdict(set)
    for row in queried(engine.db, "FROM alert_deliveries"):
        told[row["alert"]].add(row["outcome"])
    known = {row["alert"] for row in queried(engine.db, "FROM alerts")}
    assert len(firing) > 2
    assert firing <= told.keys(), "somebody is told of every alert that fired"
    assert told.keys() <= known, "nobody is told of an alert that is not there"
    assert set().union(*told.values()) <= {DELIVERED, DEAD}, "no letter waits for ever"
