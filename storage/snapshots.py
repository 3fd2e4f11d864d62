"""Snapshots: verified copies of the store, for analysts to read and to start from when the store is lost.

The copy is made and read to the end by another process while commits go on: they go to the log, and the file itself
changes at the next checkpoint only. This process never opens the file a second time: closing it would give up the
lock on it.
"""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Self

from kpis.errors import StorageError
from storage.places import Places, sync
from storage.scanning import Content, Scan, StoreDamaged
from storage.store import Store

LATEST: Final = "latest.duckdb"
"""The newest snapshot under a name that stays; who has it open keeps the one he opened."""
KEPT: Final = 2
NO_JOURNAL: Final = "files"
"""Stands for the journal in the name of a snapshot of a store that only files were replayed into."""

_LEAST_SECONDS: Final = 60.0
_TIMES_THE_COPY: Final = 20
_LEAST_FREE: Final = 256 * 2**20
_PARTIAL: Final = ".partial"
_TIME: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"(\d{9,})-(\d{8}T\d{6}Z)-([0-9a-z]+)-(\d+)\.duckdb")


@dataclass(frozen=True)
class Snapshot:
    """A verified copy: the last commit in it, when it was begun, and how far it goes in which journal."""

    path: Path
    flush: int
    at: datetime
    journal: str
    offset: int


def snapshots(places: Places) -> list[Snapshot]:
    """The snapshots of a store, oldest first."""
    try:
        names = [_NAME.fullmatch(name) for name in os.listdir(places.snapshots)]
    except FileNotFoundError:
        return []
    found = [
        Snapshot(
            places.snapshots / match[0],
            int(match[1]),
            datetime.strptime(match[2], _TIME).replace(tzinfo=UTC),
            match[3],
            int(match[4]),
        )
        for match in names
        if match
    ]
    return sorted(found, key=lambda snapshot: (snapshot.flush, snapshot.at))


def newest(places: Places) -> Snapshot | None:
    """The newest snapshot; None if there is none."""
    found = snapshots(places)
    return found[-1] if found else None


def retirable(places: Places, journal: str) -> int:
    """The offset up to which the journal is not needed to make the store anew; 0: all of it is.

    Should the newest snapshot turn out to be damaged too, the one before it is started from.
    """
    found = snapshots(places)[-KEPT:]
    if len(found) < KEPT or any(snapshot.journal != journal for snapshot in found):
        return 0
    return min(snapshot.offset for snapshot in found)


def is_held(store: Store, places: Places) -> bool:
    """Whether a snapshot has everything that is in the store."""
    last = newest(places)
    return store.flush == 0 or (last is not None and last.flush >= store.flush)


class Publisher:
    """Publishes snapshots of a store, one at a time, without standing in its way.

    `begin` checkpoints and returns; `poll` now and then finishes it. Commits go on meanwhile, checkpoints must not.
    `pause`: seconds that shall lie between two beginnings, so that copying never becomes what the disk is busy with.
    """

    def __init__(self, places: Places, clock: Callable[[], datetime]) -> None:
        self._places = places
        self._clock = clock
        self._scan: Scan | None = None
        self._begun: Snapshot | None = None
        self._partial = places.snapshots / f"{os.getpid()}{_PARTIAL}"
        self.pause = _LEAST_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def busy(self) -> bool:
        """Whether a snapshot is on its way."""
        return self._scan is not None

    def begin(self, store: Store, journal: str | None = None) -> None:
        """Checkpoint the store and begin to copy it; between two batches, and when none is on its way.

        `journal` is the identity of the journal that the store is filled from. Raises StorageError when there is no
        room for a copy or the store cannot be checkpointed now: then try again later.
        """
        self._places.make()
        for old in self._places.snapshots.glob(f"*{_PARTIAL}*"):
            old.unlink()
        store.checkpoint()
        self._must_have_room()
        reached = store.position(journal) if journal else None
        offset, at = reached.position if reached else 0, self._clock()
        name = f"{store.flush:09}-{at.astimezone(UTC):{_TIME}}-{journal or NO_JOURNAL}-{offset}.duckdb"
        self._begun = Snapshot(self._places.snapshots / name, store.flush, at, journal or NO_JOURNAL, offset)
        self._scan = Scan(self._partial, copy_of=self._places.db)

    def poll(self) -> Snapshot | None:
        """The snapshot, once it is copied, read to the end and has its name; None until then.

        Raises StoreDamaged when the copy cannot be read or is not what the store was: then the store itself may be
        damaged, and is looked through at the next start. Raises StorageError when it could not be copied.
        """
        return self._published(wait=False)

    def finish(self) -> Snapshot | None:
        """As `poll`, when it is done."""
        return self._published(wait=True)

    def _published(self, *, wait: bool) -> Snapshot | None:
        if self._scan is None or self._begun is None:
            return None
        try:
            content = self._scan.wait() if wait else self._scan.poll()
            if content is None:
                return None
            self._verify(content, self._begun)
        except StoreDamaged:
            self._places.suspect.touch()
            self.stop()
            raise
        except StorageError:
            self.stop()
            raise
        self.pause = max(_LEAST_SECONDS, _TIMES_THE_COPY * content.seconds)
        self._partial.chmod(0o444)
        self._partial.rename(self._begun.path)
        published, self._begun = self._begun, None
        self.stop()
        _tidy(self._places)
        return published

    def stop(self) -> None:
        """Leave off what is on its way."""
        if self._scan is not None:
            self._scan.stop()
            self._scan = None
        self._partial.unlink(missing_ok=True)

    def _must_have_room(self) -> None:
        needed = self._places.db.stat().st_size + _LEAST_FREE
        free = shutil.disk_usage(self._places.snapshots).free
        if free < needed:
            msg = f"{free / 2**20:,.0f} MB are free for a snapshot of the store, {needed / 2**20:,.0f} are needed"
            raise StorageError(msg, hint="make room on the disk; until then the journal grows")

    def _verify(self, content: Content, begun: Snapshot) -> None:
        if (content.flush, content.position(begun.journal)) != (begun.flush, begun.offset):
            msg = (
                f"the copy of the store ends with commit {content.flush} at message {content.position(begun.journal)} "
                f"of the journal, the store had commit {begun.flush} at message {begun.offset}"
            )
            raise StoreDamaged(msg, hint="start again, so that the store is looked through")


def publish(store: Store, places: Places, clock: Callable[[], datetime], journal: str | None = None) -> Snapshot | None:
    """Publish a snapshot and wait for it; None when the newest has everything already. Raises as Publisher does."""
    if is_held(store, places):
        return None
    with Publisher(places, clock) as publisher:
        publisher.begin(store, journal)
        return publisher.finish()


def put_aside(places: Places, snapshot: Path, why: Literal["damaged", "replaced"]) -> None:
    """Give a snapshot a name by which it is none any more: it is damaged, or the store it was made of is replaced."""
    snapshot.rename(snapshot.with_name(f"{why}-{snapshot.name}"))
    _tidy(places)


def _tidy(places: Places) -> None:
    """Only the newest are kept, and the name that stays is that of the newest of all."""
    found = snapshots(places)
    latest = places.snapshots / LATEST
    if found:
        link = latest.with_name(f"{LATEST}{_PARTIAL}")
        link.unlink(missing_ok=True)
        os.link(found[-1].path, link)
        link.replace(latest)
    else:
        latest.unlink(missing_ok=True)
    for old in found[:-KEPT]:
        old.path.unlink(missing_ok=True)
    sync(places.snapshots)
