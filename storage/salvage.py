"""A damaged journal: what is readable goes into a new one with the same offsets, the old one is put aside."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import apsw

from kpis.errors import StorageError
from storage.journal import ROWS, Journal, JournalDamaged, Row, claim, create, intact, leave_out, note, suspect
from storage.places import sync

STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_LOGS: Final = ("-wal", "-shm")
_KEEP: Final = "INSERT OR IGNORE INTO journal VALUES (?, ?, ?, ?, ?, ?)"
_MOST_ROWS_IN_A_PAGE: Final = 100
_UNREADABLE: Final = (apsw.Error, UnicodeDecodeError)

Range = tuple[int, int | None]
"""First and last offset; None: and all later ones."""


@dataclass(frozen=True)
class Salvaged:
    """A journal that was mended: what was wrong, the old file, what is lost.

    `lost`: ranges of offsets, the last without an end where it is not known. `anew`: its name could not be read, and it
    goes on under another.
    """

    cause: str
    damaged: Path
    lost: tuple[Range, ...]
    anew: bool

    def __str__(self) -> str:
        told = [
            f"{first} and later" if last is None else str(first) if first == last else f"{first} to {last}"
            for first, last in self.lost
        ]
        return f"{self.cause}; " + (f"lost are its messages {', '.join(told)}" if told else "none of it is lost")


def mend(path: Path, clock: Callable[[], datetime]) -> Salvaged | None:
    """Mend the journal at a path, if it needs it; None if nothing is known to be wrong with it.

    It is looked through only when a message could not be read before, or it does not open. Raises StoreLockedError when
    another process has it open, StorageError when it cannot be mended for want of room or rights.
    """
    mended = path.with_name(f"{path.name}.mended")
    if not path.exists() and not mended.exists():
        return None
    cause = f"a message of the journal {path} could not be read"
    if path.exists() and not suspect(path).exists():
        try:
            Journal(path).close()
            return None
        except JournalDamaged as error:
            cause = str(error)
    descriptor = claim(path)
    try:
        lost, anew = _copied(path, mended) if path.exists() else ((), False)
        aside = path.with_name(f"journal.damaged-{clock().astimezone(UTC):{STAMP}}.sqlite")
        # Ended in between, the next start finds only the mended one and goes on here.
        for log in ("", *_LOGS):
            with suppress(FileNotFoundError):
                path.with_name(path.name + log).rename(aside.with_name(aside.name + log))
        mended.rename(path)
        suspect(path).unlink(missing_ok=True)
        sync(path.parent)
    except (OSError, apsw.Error) as error:
        msg = f"cannot mend the journal {path}: {getattr(error, 'strerror', None) or error}"
        raise StorageError(msg, hint="check the permissions and the space left") from error
    finally:
        os.close(descriptor)
    return Salvaged(cause, aside, lost, anew)


def _copied(path: Path, mended: Path) -> tuple[tuple[Range, ...], bool]:
    """Make the new journal; what is lost, and whether it has a new name."""
    for log in ("", *_LOGS):
        mended.with_name(mended.name + log).unlink(missing_ok=True)
    # Opened for reading only, the old one stays as it is.
    old = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    with closing(old), closing(apsw.Connection(str(mended))) as new:
        new.pragma("synchronous", "off")  # it is made durable as a whole
        notes = dict(_read(old, "SELECT name, value FROM notes"))
        gaps = _read(old, 'SELECT "first", "last" FROM gaps')
        retired, last = int(notes.get("retired", 0)), _last(old)
        create(new, notes.get("identity", uuid4().hex))
        with new:
            note(new, "retired", retired)
            for gap in gaps:
                leave_out(new, *gap)
            new.executemany(_KEEP, _scanned(old))
            known = max([retired, *(int(gap[1]) for gap in gaps)])
            end = known + _pages(old) * _MOST_ROWS_IN_A_PAGE if last is None else max(last, known)
            for first, upto in _missing(new, retired, end):
                new.executemany(_KEEP, _sought(old, first, upto))
            lost: list[Range] = list(_missing(new, retired, end))
            if last is None:
                lost[-1:] = [(lost[-1][0] if lost else end + 1, None)]
            for first, unto in lost:
                if unto is not None:
                    leave_out(new, first, unto)
    sync(mended)
    return tuple(lost), "identity" not in notes


def _read(con: apsw.Connection, query: str) -> list[tuple[Any, ...]]:
    try:
        return list(con.execute(query))
    except _UNREADABLE:
        return []


def _last(con: apsw.Connection) -> int | None:
    """The last offset; None when that row cannot be trusted."""
    try:
        rows: list[Row] = list(con.execute(f'{ROWS} ORDER BY "offset" DESC LIMIT 1'))
    except _UNREADABLE:
        return None
    return (rows[0][0] if intact(rows[0]) else None) if rows else 0


def _pages(con: apsw.Connection) -> int:
    return sum(pages for (pages,) in _read(con, "PRAGMA page_count"))


def _scanned(con: apsw.Connection) -> Iterator[Row]:
    """Sound rows in the order of the tree, up to where it is broken; what leads to them may be wrong."""
    with suppress(*_UNREADABLE):
        yield from filter(intact, con.execute(ROWS))


def _sought(con: apsw.Connection, first: int, last: int) -> Iterator[Row]:
    """Sound rows of a range of offsets, sought in smaller and smaller ranges where the tree is broken."""
    ranges = [(first, last)]
    while ranges:
        low, high = ranges.pop()
        try:
            rows: list[Row] = list(con.execute(f'{ROWS} WHERE "offset" BETWEEN ? AND ?', (low, high)))
        except _UNREADABLE:
            middle = (low + high) // 2
            ranges += [(middle + 1, high), (low, middle)] if low < high else []
        else:
            yield from filter(intact, rows)


def _missing(con: apsw.Connection, retired: int, end: int) -> list[tuple[int, int]]:
    """Ranges of offsets up to an end that have no message, but should."""
    there = con.execute('SELECT "offset", "offset" FROM journal UNION SELECT "first", "last" FROM gaps ORDER BY 1')
    ranges, before = [], retired
    for first, last in [*there, (end + 1, end + 1)]:
        if first > before + 1:
            ranges.append((before + 1, first - 1))
        before = max(before, last)
    return ranges
