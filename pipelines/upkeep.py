"""What a running engine looks after between commits: the note how it is reached, snapshots, the age of its journal."""

import os
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import structlog

from pipelines.vitals import Vitals
from storage.journal import Journal
from storage.places import Places
from storage.running import Running
from storage.store import Store

SNAPSHOT_EVERY: Final = 60.0
"""seconds from one snapshot to the next, at least."""
SNAPSHOT_SHARE: Final = 0.05
"""of the engine's time may go into snapshots: those of a big store come more seldom."""

log = structlog.get_logger("upkeep")


class Upkeep:
    """Looks after the store that is open. Use it as a context manager: readers find the engine meanwhile."""

    def __init__(self, store: Store, places: Places, journal: Journal, vitals: Vitals, http: str) -> None:
        self._store, self._places, self._journal, self._vitals, self._http = store, places, journal, vitals, http

    def __enter__(self) -> Self:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        Running(os.getpid(), None, self._http, started).write(self._places)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Running.forget(self._places)

    def attend(self) -> None:
        """Do what is due."""
