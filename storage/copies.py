"""Copies of a store that people make, and putting one in its place."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from kpis.errors import StorageError, StoreLockedError
from storage.closed import logs, note_closed
from storage.database import connect
from storage.journal import claim, reach
from storage.places import Places, sync
from storage.recovery import JOURNAL, Recovery, record, swap
from storage.salvage import STAMP, mend
from storage.scanning import Content, Scan, StoreDamaged, scan
from storage.snapshots import newest, put_aside, snapshots


@dataclass(frozen=True)
class BackUp:
    """A copy that was made: its events, and when it was like that; None: just now, nobody was writing."""

    events: int
    at: datetime | None


@dataclass(frozen=True)
class Restored:
    """A copy that was put in the place of a store: its events, where the store is now (None: there was none).

    `lost`: first and last message of the journal that came in after the copy and are no longer in the journal; they are
    in the store that was replaced only.
    """

    events: int
    aside: Path | None
    lost: tuple[int, int] | None


def back_up(path: Path, target: Path) -> BackUp:
    """Copy a store to a new file, whole and read to the end; of a store that is being written, its newest snapshot.

    The copy has its name only once it is on disk. Raises StoreDamaged when it cannot be read, StorageError when there
    is no store, no snapshot yet, the target is there already or cannot be written.
    """
    _must_exist(path)
    if target.exists():
        msg = f"{target} is there already"
        raise StorageError(msg, hint="name a new file; copies are never overwritten")
    try:
        # Open for writing, so that nobody else writes meanwhile and the log is merged into the file.
        con = connect(path, read_only=False)
    except StoreLockedError:
        snapshot = newest(Places(path))
        if snapshot is None:
            raise
        return BackUp(_copied(snapshot.path, target).events, snapshot.at)
    try:
        con.execute("CHECKPOINT")
        made = BackUp(_copied(path, target).events, None)
    except StoreDamaged:
        Places(path).make()
        Places(path).suspect.touch()
        raise
    finally:
        con.close()
    note_closed(Places(path))
    return made


def restore(source: Path, path: Path, clock: Callable[[], datetime], *, accept_loss: bool = False) -> Restored:
    """Put a copy in the place of a store, which is kept beside it under another name, as are its snapshots.

    What came in after the copy is taken from the journal at the next start. Raises StorageError when the journal does
    not go back that far, unless the loss is accepted; and when the copy is no sound store or somebody writes the store.
    """
    _must_exist(source)
    if not source.is_file():
        msg = f"{source} is no file"
        raise StorageError(msg, hint="name a backup or a snapshot")
    if logs(source):
        msg = f"{source} has a log beside it: it is open, or was not closed in order"
        raise StorageError(msg, hint="name a backup or a snapshot")
    places, at = Places(path), clock()
    mend(places.journal, clock)
    with _to_oneself(places):
        partial = places.folder / "restored.partial"
        aside = path.with_name(f"{path.name}.replaced-{at.astimezone(UTC):{STAMP}}")
        was_there = path if path.exists() else None
        try:
            content = _copied(source, partial)
            lost = _lost(places, content)
            if lost and not accept_loss:
                msg = f"messages {lost[0]} to {lost[1]} came in after this copy and are no longer in the journal"
                raise StorageError(msg, hint="take a newer copy, or leave them out with --accept-loss")
            _adapt(
                partial,
                Recovery(at, f"{source} was put in its place by hand", was_there and aside, None, 0),
                places,
                lost,
            )
            swap(places, partial, aside)
            for snapshot in snapshots(places):
                put_aside(places, snapshot.path, "replaced")
            places.suspect.unlink(missing_ok=True)
        except OSError as error:
            msg = f"cannot restore {path}: {(error.strerror or str(error)).lower()}"
            raise StorageError(msg, hint="check the permissions and the space left") from error
        finally:
            partial.unlink(missing_ok=True)
        note_closed(places)
    return Restored(content.events, was_there and aside, lost)


@contextmanager
def _to_oneself(places: Places) -> Iterator[None]:
    """The store while nobody else writes it, however damaged it is. Raises StoreLockedError when somebody does."""
    places.make()
    descriptor = claim(places.journal)
    try:
        if places.db.exists():
            with suppress(StoreDamaged):
                scan(places.db)
        yield
    finally:
        os.close(descriptor)


def _copied(source: Path, target: Path) -> Content:
    """Copy a file that does not change meanwhile, under its name only when it was read to the end."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        with Scan(partial, copy_of=source) as copying:
            content = copying.wait()
        partial.rename(target)
        sync(target.parent)
        return content
    finally:
        partial.unlink(missing_ok=True)


def _lost(places: Places, content: Content) -> tuple[int, int] | None:
    """Messages that neither the copy nor the journal has."""
    journal = reach(places.journal)
    if journal is None or content.position(journal.identity) + 1 >= journal.first:
        return None
    return content.position(journal.identity) + 1, journal.first - 1


def _adapt(partial: Path, recovery: Recovery, places: Places, lost: tuple[int, int] | None) -> None:
    """Tell the copy where it comes from, and that it goes on after what is lost."""
    journal = reach(places.journal)
    if lost and journal:
        con = connect(partial, read_only=False)
        try:
            con.execute("DELETE FROM positions WHERE digest = ?", [journal.identity])
            con.execute("INSERT INTO positions VALUES (?, ?, ?, false)", [journal.identity, JOURNAL, lost[1]])
        finally:
            con.close()
        cause = f"{recovery.cause}; lost are the messages {lost[0]} to {lost[1]} of the journal"
        recovery = replace(recovery, cause=cause, position=lost[1])
    record(partial, recovery)


def _must_exist(path: Path) -> None:
    if not path.exists():
        msg = f"there is no store at {path}"
        raise StorageError(msg, hint="check the path; --db or OEEFLOW_DB names the store")
