"""A store that is filled from its journal, as the engine does it, small enough to be killed and damaged often."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from kpis.accounting import account
from kpis.plant import load_plant
from pipelines.sources.json_lines import decode
from storage.batches import Batch
from storage.closed import note_closed
from storage.journal import Entry, Journal
from storage.places import Places
from storage.recovery import JOURNAL, Recovery, ensure_sound, go_on_from
from storage.salvage import mend
from storage.snapshots import Publisher, publish, retirable
from storage.store import Store
from storage.writer import Position
from tests.engine import lines
from tests.random_logs import Event

BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
MACHINES = tuple(f"acme/ulm/line/machine-{number}" for number in range(4))
PLANT = '[plant]\nname = "Ulm"\ntimezone = "UTC"\n[defaults]\nminor_stop_under = "30s"\nideal_cycle = "2s"\n' + "".join(
    f'[equipment."{path}"]\nlevel = "unit"\n' for path in MACHINES
)
STATES = ("producing", "down", "idle", "producing")


def now() -> datetime:
    return datetime.now(UTC)


def events(messages: int) -> list[list[Event]]:
    """Messages of four events; a few are late."""
    rng, made = Random(7), []
    for message in range(messages):
        at = BEGIN + timedelta(seconds=20 * message - (3_000 if message % 50 == 49 else 0))
        fields: list[Event] = [
            {"type": "state", "state": rng.choice(STATES)} if rng.random() < 0.3 else {"type": "count", "good": number}
            for number in range(4)
        ]
        made.append(
            [
                {"id": f"{message}-{number}", "equipment": path, "ts": at.isoformat()} | fields[number]
                for number, path in enumerate(MACHINES)
            ]
        )
    return made


def journalled(places: Places, messages: int) -> None:
    """A journal with so many messages."""
    places.make()
    with closing(Journal(places.journal)) as journal:
        journal.append([Entry("http", "", lines(message), number) for number, message in enumerate(events(messages))])


def fill(store: Store, journal: Journal, upto: int, after: Callable[[], None] = lambda: None, rows: int = 40) -> None:
    """Take in the journal up to a message, in batches."""
    at, plant = reached(store, journal), load_plant(PLANT)
    while at < upto:
        part = journal.read(at, min(rows, upto - at), 10**6)
        at = part["offset"][-1]
        decoded = decode(b"".join(part["payload"]), 1)
        pending = store.take(Batch(decoded.events, decoded.rejected, Position(journal.identity, JOURNAL, at, False)))
        store.commit(pending, account(pending.work, plant) if pending.work else None)
        after()


def reached(store: Store, journal: Journal) -> int:
    """The last message of the journal that is in the store."""
    position = store.position(journal.identity)
    return position.position if position else 0


def opened(places: Places) -> Store:
    return Store(places.db, load_plant(PLANT), plant_path="plant.toml", clock=now)


def start(places: Places) -> Recovery | None:
    """What an engine does from its start until it has taken in all of its journal and ends in order."""
    salvaged = mend(places.journal, now)
    with closing(Journal(places.journal)) as journal:
        recovery = ensure_sound(places, now, salvaged)
        with opened(places) as store:
            go_on_from(journal, reached(store, journal))
            fill(store, journal, journal.last)
    note_closed(places)
    return recovery


def checkpoint_often(db: Path, told: Connection) -> None:
    """An engine that checkpoints after every batch, and tells before that it will; every tenth time it publishes."""
    places = Places(db)
    with closing(Journal(places.journal)) as journal:
        recovery = ensure_sound(places, now)
        told.send(None if recovery is None else str(recovery))
        with opened(places) as store, Publisher(places, now) as publisher:
            go_on_from(journal, reached(store, journal))
            commits = 0

            def after() -> None:
                nonlocal commits
                commits += 1
                told.send("checkpoint")
                if commits % 10 == 1:
                    publisher.begin(store, journal.identity)
                    told.send("published" if publisher.finish() else "not published")
                    journal.retire(retirable(places, journal.identity))
                else:
                    store.checkpoint()

            fill(store, journal, journal.last, after, rows=10)
    told.send("done")


def kept(places: Places, messages: int) -> None:
    """A store as an engine leaves it: two snapshots, the journal retired up to the older, and more taken in since."""
    journalled(places, messages)
    with closing(Journal(places.journal)) as journal, opened(places) as store:
        for part in (2, 3):
            fill(store, journal, messages * part // 5)
            publish(store, places, now, journal.identity)
        journal.retire(retirable(places, journal.identity))
        fill(store, journal, messages)
    note_closed(places)
