"""A store that is damaged or gone is made again: from its own file, a snapshot or nothing, and from the journal.

The DuckDB file can be lost: it may be torn when the process is killed in a checkpoint, and disks fail. What must not be
lost is in the journal and in the files that were replayed (see docs/adr/0009-the-store-can-be-lost.md).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from kpis.errors import StorageError, StoreLockedError
from storage.closed import closed_in_order, logs, note_closed, taken_in
from storage.database import connect
from storage.journal import Journal, Reach, reach
from storage.migrations import migrate
from storage.places import Places, sync
from storage.salvage import STAMP, Salvaged
from storage.scanning import Content, Scan, StoreDamaged, scan
from storage.snapshots import put_aside, snapshots

JOURNAL: Final = "journal"
"""What `positions` calls a source that is a journal."""

_HEADERS: Final = 12_288
_MAGIC: Final = b"DUCK"
_MODE: Final = 0o644
_NOTHING: Final = Content(0, 0, (), 0.0)


@dataclass(frozen=True)
class Recovery:
    """A store that was made again: why, where the damaged file is (None: it was gone), the snapshot it was made from
    (None: its own file as of the last checkpoint, or nothing), and the message of the journal after which it goes on.
    """

    at: datetime
    cause: str
    damaged: Path | None
    snapshot: Path | None
    position: int

    def __str__(self) -> str:
        begun = (
            f"from the snapshot {self.snapshot.name}" if self.snapshot else "from what it was at its last checkpoint"
        )
        kept = f"; the damaged file is {self.damaged}" if self.damaged else ""
        return f"{self.cause}; made again {begun}{kept}"


def ensure_sound(places: Places, clock: Callable[[], datetime], salvaged: Salvaged | None = None) -> Recovery | None:
    """See to it that the store can be opened for writing, before it is; what was done, None if nothing had to be.

    A store that was closed in order is taken to be sound; any other is read to the end, in another process. `salvaged`
    is what had to be done to its journal: the store is told. Raises StoreLockedError when another process has it open,
    StorageError when it is damaged and what there is does not make all of it again: then it is not touched.
    """
    cause = _fault(places)
    recovery = None
    try:
        if cause is not None:
            places.make()
            recovery = _recovered(places, cause, clock())
        if salvaged and places.db.exists():
            before = min((first for first, _ in salvaged.lost), default=1) - 1
            record(places.db, Recovery(clock(), str(salvaged), salvaged.damaged, None, before))
        places.suspect.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{cause or salvaged}; it cannot be made again: {(error.strerror or str(error)).lower()}"
        raise StorageError(msg, hint="check the permissions and the space left") from error
    return recovery


@contextmanager
def kept_sound(
    places: Places, clock: Callable[[], datetime], salvaged: Salvaged | None = None
) -> Iterator[Recovery | None]:
    """`ensure_sound` before the block and `note_closed` after it, for a block that opens the store and closes it.

    A store that could not be read or written in the block is read to the end at the next start.
    """
    recovery = ensure_sound(places, clock, salvaged)
    try:
        yield recovery
    except StoreLockedError:
        raise
    except (duckdb.Error, StorageError):
        with suppress(OSError):
            places.suspect.touch()
        raise
    note_closed(places)


def go_on_from(journal: Journal, position: int) -> None:
    """Make a journal fit a store that has taken in so much of it, once both are open.

    Raises StorageError when messages between them are in neither: an older store was put in the place of the newest.
    """
    if position + 1 < journal.first:
        msg = f"the store ends with message {position} of its journal, which begins with message {journal.first}"
        raise StorageError(msg, hint="restore a newer copy, best the newest snapshot: `oeeflow db restore FILE`")
    journal.advance(position)


def _fault(places: Places) -> str | None:
    """What is wrong with the store; None when nothing is, or nothing was ever kept."""
    if not places.db.exists():
        journal = reach(places.journal)
        once = places.closed.exists() or (journal and journal.first > 1)
        kept = snapshots(places) or logs(places.db) or (once and _messages(journal))
        return f"the store {places.db} is gone" if kept else None
    if closed_in_order(places):
        return None
    try:
        scan(places.db)
    except StoreDamaged as error:
        return str(error)
    return None


def _messages(journal: Reach | None) -> int:
    return journal.last if journal else 0


def _recovered(places: Places, cause: str, at: datetime) -> Recovery:
    """Make the store again from the first copy that all of it can be made from."""
    journal, partial = reach(places.journal), places.folder / "restored.partial"
    damaged = _aside(places, at) if places.db.exists() else None
    lacks: list[str] = []
    for copy in _copies(places):
        _remove(partial)
        content = _copied(copy, partial)
        if content is None and copy != places.db:
            put_aside(places, copy, "damaged")
        if content is None:
            continue
        lack = _lack(places, content, journal)
        if lack is None:
            position = content.position(journal.identity) if journal else 0
            snapshot = None if copy == places.db else copy
            return _replaced(places, partial, Recovery(at, cause, damaged, snapshot, position))
        lacks.append(lack)
    _remove(partial)
    lack = _lack(places, _NOTHING, journal)
    if lack is None or _never_made(places, journal):
        return _replaced(places, partial, Recovery(at, cause, damaged, None, 0))
    msg = f"{cause}; {(lacks or [lack])[0]}"
    hint = (
        f"move it and {places.folder} away and replay the event files into a new store, or go on with an older copy: "
        "`oeeflow db restore FILE`"
    )
    raise StorageError(msg, hint=hint)


def _copies(places: Places) -> Iterator[Path]:
    """What the store may be made from, best first. Without its log it is what it was at the last checkpoint."""
    if places.db.exists() and logs(places.db):
        yield places.db
    yield from (snapshot.path for snapshot in reversed(snapshots(places)))


def _copied(copy: Path, target: Path) -> Content | None:
    """What is in a copy that is put there; None when it is damaged."""
    with Scan(target, copy_of=copy) as copying:
        try:
            return copying.wait()
        except StoreDamaged:
            return None


def _lack(places: Places, content: Content, journal: Reach | None) -> str | None:
    """What a copy and the journal together do not have of the store; None: they make all of it."""
    for source in taken_in(places):
        if not (journal and source.digest == journal.identity) and content.position(source.digest) < source.position:
            return f"no copy of it has all of {source.source}"
    if journal is None:
        if content is _NOTHING:
            return "there is no copy of it and no journal"
        if any(source.source == JOURNAL for source in content.positions):
            return "its journal is gone too"
        return None
    position = content.position(journal.identity)
    if journal.first > position + 1:
        return f"the journal begins with message {journal.first}, the newest copy of the store ends with {position}"
    return None


def _never_made(places: Places, journal: Reach | None) -> bool:
    """Whether there never was anything in the store: it was not even made whole, or somebody took it away."""
    if snapshots(places) or _messages(journal):
        return False
    if not places.db.exists():
        return True
    with places.db.open("rb") as file:
        head = file.read(_HEADERS)
    return len(head) < _HEADERS and (head[8:12] == _MAGIC or not head.strip(b"\0"))


def _replaced(places: Places, partial: Path, recovery: Recovery) -> Recovery:
    record(partial, recovery)
    swap(places, partial, _aside(places, recovery.at))
    return recovery


def _aside(places: Places, at: datetime) -> Path:
    return places.db.with_name(f"{places.db.name}.damaged-{at.astimezone(UTC):{STAMP}}")


def swap(places: Places, partial: Path, aside: Path) -> None:
    """Put a file in the place of the store, which is put aside with its log. Raises OSError.

    Ended in between, the next start finds a store without its log, or none, and makes it again.
    """
    there = places.db.exists()
    partial.chmod(places.db.stat().st_mode if there else _MODE)
    sync(partial)
    for log in logs(places.db):
        log.rename(aside.with_name(aside.name + log.name.removeprefix(places.db.name)))
    if there:
        places.db.rename(aside)
    partial.rename(places.db)
    sync(places.db.parent)


def record(path: Path, recovery: Recovery) -> None:
    """Tell a store what happened to it."""
    con = connect(path, read_only=False)
    try:
        migrate(con)
        con.execute(
            "INSERT INTO recoveries VALUES (?, ?, ?, ?, ?)",
            [
                recovery.at,
                recovery.cause,
                str(recovery.damaged) if recovery.damaged else None,
                recovery.snapshot.name if recovery.snapshot else None,
                recovery.position,
            ],
        )
        con.execute("CHECKPOINT")
    finally:
        con.close()


def _remove(partial: Path) -> None:
    for path in (partial, *logs(partial)):
        path.unlink(missing_ok=True)
