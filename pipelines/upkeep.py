"""What a running engine looks after between commits: snapshots, the age of its journal, sums of days that are over."""

import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import structlog

from kpis.errors import StorageError
from pipelines.vitals import Vitals
from storage.journal import Journal
from storage.places import Places
from storage.scanning import StoreDamaged
from storage.snapshots import Publisher, is_held, newest, retirable
from storage.store import Store

LOOK_EVERY: Final = 0.5
"""seconds from one look at a snapshot on its way to the next."""
LOG_MOST: Final = 12 << 20
"""bytes of the log after which it is brought into the file: what is in it only takes three times as much in memory."""
BACKLOG: Final = 10_000
"""messages that the store is behind from which on the room of rows that are gone is taken back later."""
SUM_EVERY: Final = 10.0
"""seconds from one production day that is summed to the next: a day of a hundred machines takes 50 to 80 ms."""

log = structlog.get_logger("upkeep")


class Upkeep:
    """Looks after the store that is open. Use it as a context manager."""

    def __init__(
        self, store: Store, places: Places, journal: Journal, vitals: Vitals, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._places, self._journal, self._vitals = store, places, journal, vitals
        self._publisher = Publisher(places, clock)
        self._look = self._publish = self._sum = time.monotonic()

    def __enter__(self) -> Self:
        self._tell_age()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._publisher.stop()

    def attend(self) -> None:
        """Do what is due; no batch may be on its way. Raises StoreDamaged when the store can no longer be trusted."""
        now = time.monotonic()
        if now < self._look:
            return
        self._look = now + LOOK_EVERY
        self._store.compacts = self._vitals.behind < BACKLOG
        if now >= self._sum:
            self._sum = now + SUM_EVERY
            self._store.sum_days(1)
        try:
            self._snapshots(now)
        except StoreDamaged:
            raise
        except StorageError as error:
            self._publish = now + self._publisher.pause
            log.warning("no snapshot: it is tried again later", found=str(error), hint=error.hint)

    def _snapshots(self, now: float) -> None:
        if self._publisher.busy:
            if self._publisher.poll() is not None:
                self._tell_age()
                self._journal.retire(min(retirable(self._places, self._journal.identity), self._vitals.position))
        elif now >= self._publish and not is_held(self._store, self._places):
            self._publisher.begin(self._store, self._journal.identity)
            self._publish = now + self._publisher.pause
        elif self._store.log_bytes > LOG_MOST:
            self._store.shorten_log()

    def _tell_age(self) -> None:
        last = newest(self._places)
        self._vitals.snapshot_at = None if last is None else last.at
