"""Live operation: sources → journal → dataflow → store, until somebody asks it to stop.

    brokers, HTTP ──► reception ──► journal ──► feed ──► dataflow ──► store ──► readers, snapshots

What is left of the journal keeps on working while the store is out of order: the dataflow is started anew from the
position that was committed last.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import polars as pl
import structlog

from kpis.errors import Interrupted, OeeflowError, StorageError, StoreLockedError
from kpis.events import EVENTS, REJECTED
from kpis.plant import Plant
from kpis.plant_sources import MqttSource
from pipelines.decoding import Decoder
from pipelines.flow import dataflow
from pipelines.http_door import HttpDoor
from pipelines.journal_feed import ENOUGH, JournalFeed
from pipelines.lookout import Lookout
from pipelines.metrics import Metrics
from pipelines.notes_door import NotesDoor
from pipelines.notify.office import Office, heartbeat
from pipelines.operators import Halt, interruptible, run
from pipelines.people_door import PeopleDoor
from pipelines.quarantine import Quarantine
from pipelines.receipts import Receipts
from pipelines.reception import Reception
from pipelines.replay import read_plant
from pipelines.shards import Accountants
from pipelines.source_watch import SourceWatch
from pipelines.sources.mqtt import MqttIngest
from pipelines.upkeep import Upkeep
from pipelines.vitals import Vitals
from storage.alert_questions import Questions
from storage.batches import Batch, Outcome, Pending
from storage.database import is_of_the_disk
from storage.journal import Journal, JournalDamaged
from storage.places import Places
from storage.recovery import Recovery, go_on_from, kept_sound
from storage.running import Running
from storage.salvage import Salvaged, mend
from storage.serve import Serving
from storage.store import Store
from storage.tokens import Tokens

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""seconds until the dataflow is tried again after a fault; they double up to the longest."""

log = structlog.get_logger("engine")


def live(plant_path: Path, db: Path, *, http_port: int | None = None, readers_port: int | None = None) -> None:
    """Run the engine until SIGTERM or Ctrl-C.

    Raises PlantError or ConfigError for what cannot be used, StoreLockedError when another engine has the store,
    StorageError when the journal fails: what was not acknowledged comes again from its sender.
    """
    halt = Halt()
    with interruptible(halt):
        plant = read_plant(plant_path)
        places = Places(db.resolve())
        _make(places)
        while not halt.asked:
            try:
                with _journal(places) as (journal, salvaged):
                    _Engine(plant, plant_path, places, journal, salvaged, halt, http_port, readers_port).run()
                return
            except JournalDamaged as error:
                log.error("the journal is damaged: what is readable of it is saved", found=str(error))


class _Engine:
    """All parts of an engine with its journal open."""

    def __init__(
        self,
        plant: Plant,
        plant_path: Path,
        places: Places,
        journal: Journal,
        salvaged: Salvaged | None,
        halt: Halt,
        http_port: int | None,
        readers_port: int | None,
    ) -> None:
        self._plant, self._plant_path, self._places, self._journal = plant, plant_path, places, journal
        self._salvaged, self._halt, self._readers_port = salvaged, halt, readers_port
        self._reception = Reception(journal)
        sources = [source for source in plant.sources if isinstance(source, MqttSource)]
        self._ingests = [MqttIngest(source, self._reception) for source in sources]
        self._vitals = Vitals(journal, self._reception, self._ingests)
        self._watch = SourceWatch(self._ingests)
        self._receipts = Receipts()
        self._tokens = Tokens(places)
        self._office = Office(plant, places, lambda: self._door.address)
        self._metrics = Metrics(self._vitals, self._watch, self._office.status)
        self._door = HttpDoor(
            http_port,
            self._reception,
            self._receipts,
            self._metrics.scraped,
            self._vitals.problems,
            self._tokens,
            [
                *PeopleDoor(self._reception, self._tokens, self._office).routes,
                *NotesDoor(self._reception, self._tokens, plant.equipment).routes,
            ],
            urlsplit(plant.calling.settings.engine or "").hostname,
        )
        self._decoder = Decoder(plant)
        self._quarantine = Quarantine(ENOUGH)
        self._wrong: dict[str, str] = {}
        self._started = _now().isoformat(timespec="seconds")

    def run(self) -> None:
        """Take in until asked to stop; sources first, the dataflow last, and the other way round at the end."""
        with ExitStack() as stack:
            stack.callback(Running.forget, self._places)
            stack.enter_context(self._reception)
            stack.enter_context(self._door)
            self._announce(None)
            stack.enter_context(heartbeat(self._plant, lambda: not self._vitals.problems()))
            for ingest in self._ingests:
                stack.callback(ingest.stop)
                ingest.start()
            self._keep_flowing()
            log.info("stopping")
        log.info("stopped", position=self._vitals.position)

    def _keep_flowing(self) -> None:
        pause = FIRST_PAUSE
        while not self._halt.asked:
            before = self._vitals.position
            try:
                self._flow()
                return
            except Interrupted:
                return
            except JournalDamaged:
                raise
            except Exception as error:
                if self._reception.failure is not None:
                    raise self._reception.failure from error
                if self._vitals.trouble == "starting":
                    raise
                self._vitals.trouble = str(error).splitlines()[0] if str(error) else type(error).__name__
                fault = not isinstance(error, OeeflowError)
                go_on = (
                    fault
                    and not is_of_the_disk(error)
                    and self._quarantine.failed(self._vitals.position, self._vitals.trouble)
                )
                pause = FIRST_PAUSE if go_on or self._vitals.position > before else min(2 * pause, LONGEST_PAUSE)
                self._metrics.retried()
                log.error(
                    "the dataflow stopped: it is tried again, the journal goes on taking",
                    found=self._vitals.trouble,
                    seconds=pause,
                    exc_info=fault,
                )
            self._rest(pause)

    def _flow(self) -> None:
        """Open the store and run the dataflow until it is halted or something fails."""
        halt, vitals = self._halt, self._vitals
        halt.error = None
        self._receipts.forget()
        self._watch.forget()
        self._quarantine.trying(0, 0)
        with ExitStack() as stack:
            self._tell(stack.enter_context(kept_sound(self._places, _now, self._salvaged)))
            store = stack.enter_context(
                Store(
                    self._places.db,
                    self._plant,
                    plant_path=str(self._plant_path.resolve()),
                    clock=_now,
                    interrupted=lambda: halt.asked,
                )
            )
            accountants = stack.enter_context(Accountants(self._plant, 1))
            reached = store.position(self._journal.identity)
            vitals.position = reached.position if reached else 0
            go_on_from(self._journal, vitals.position)
            stack.callback(self._note_last, store)
            stack.enter_context(self._office.serving(store.outbox))
            upkeep = stack.enter_context(Upkeep(store, self._places, self._journal, vitals, _now))
            stack.enter_context(self._served(store))
            log.info("running", store=str(self._places.db), http=self._door.address, behind=vitals.lag()[0])

            def between() -> None:
                store.settle()
                self._quarantine.passed()
                self._receipts.release()
                vitals.position, vitals.horizon = feed.position, store.horizon
                vitals.trouble, vitals.flushed = None, time.monotonic()
                self._office.attend()
                upkeep.attend()

            questions = stack.enter_context(Questions(store.connection, self._plant, self._misasked))
            lookout = Lookout(self._plant, vitals, self._watch, self._office.status, questions.holding)
            feed = JournalFeed(
                self._journal,
                self._reception,
                self._decoder,
                _now,
                self._quarantine,
                halt,
                between,
                self._watch.news,
                lookout.holding,
            )

            def committed(pending: Pending, outcome: Outcome) -> None:
                self._metrics.flushed(pending, outcome, feed.part, time.monotonic() - feed.begun)
                lookout.hear(pending)
                if feed.part is not None:
                    self._watch.hear(feed.part)
                    self._receipts.decide(pending, feed.part.origin, feed.position)

            run(dataflow(feed.batches(vitals.position), store, self._plant, accountants, 1, committed, halt), halt)
            vitals.trouble = "stopping"
            store.settle()
            self._receipts.release()

    def _note_last(self, store: Store) -> None:
        """Write what became of the last letters, so that they are not sent again."""
        if self._halt.error is None and store.outbox.reported:
            nothing = Batch(pl.DataFrame(schema=EVENTS), pl.DataFrame(schema=REJECTED))
            store.commit(store.take(nothing), None)
            store.settle()

    def _misasked(self, rule: str, problem: str) -> None:
        """A condition in SQL could not be looked at; said once for as long as it is the same."""
        self._metrics.misasked(rule)
        if self._wrong.get(rule) != problem:
            self._wrong[rule] = problem
            log.warning("an alert rule could not be looked at", rule=rule, found=problem)

    def _tell(self, recovery: Recovery | None) -> None:
        """What had to be done before the store could be opened."""
        for found in (self._salvaged, recovery):
            if found is not None:
                log.error("data was damaged", found=str(found))
        self._salvaged = None

    @contextmanager
    def _served(self, store: Store) -> Iterator[None]:
        """Readers find the engine, and are answered."""
        serving = Serving(store.connection, self._places, self._tokens)
        self._announce(serving.start(self._readers_port or 0))
        try:
            yield
        finally:
            self._announce(None)
            serving.stop()

    def _announce(self, readers: str | None) -> None:
        Running(os.getpid(), readers, self._door.address, self._started).write(self._places)

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._halt.asked and time.monotonic() < until:
            time.sleep(0.1)


def _make(places: Places) -> None:
    try:
        places.make()
    except OSError as error:
        msg = f"cannot make the folder {places.folder}: {(error.strerror or str(error)).lower()}"
        raise StorageError(msg, hint="check the path of --db and the permissions") from error


@contextmanager
def _journal(places: Places) -> Iterator[tuple[Journal, Salvaged | None]]:
    """The journal, for as long as the engine has it to itself, and what had to be done to it."""
    try:
        salvaged = mend(places.journal, _now)
        journal = Journal(places.journal)
    except StoreLockedError as error:
        running = Running.read(places)
        who = f"the engine with process id {running.pid}" if running else "another process"
        msg = f"the store {places.db} is being written by {who}"
        raise StoreLockedError(msg, hint="stop it first, or name another store with --db") from error
    with closing(journal):
        yield journal, salvaged


def _now() -> datetime:
    return datetime.now(UTC)
