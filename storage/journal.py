"""The journal: messages as they came in, durable before their senders are told so."""

import fcntl
import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple
from uuid import uuid4
from zlib import crc32

import apsw
import polars as pl

from kpis.errors import StorageError, StoreLockedError

LEAST_FREE: Final = 256 * 2**20
"""Bytes that stay free on the disk: the store needs room to take in what the journal has."""

_VERSION: Final = 1
_WAL_PAGES: Final = 1_000
_RETIRED_AT_ONCE: Final = 20_000
_PATIENCE: Final = 1.0
_HEAD: Final = struct.Struct("<qq")
ROWS: Final = 'SELECT "offset", source, topic, payload, received_at, crc FROM journal'
_AT_ONCE: Final = 512
_SCHEMA: Final = pl.Schema(
    {"offset": pl.Int64, "source": pl.String, "topic": pl.String, "payload": pl.Binary, "received_at": pl.Int64}
)
Row = tuple[int, str, str, bytes, int, int]


class Entry(NamedTuple):
    """A message: its source, its topic there, its bytes, and when it came in, in µs since 1970 UTC."""

    source: str
    topic: str
    payload: bytes
    received_at: int


class JournalFull(StorageError):  # noqa: N818 (a state, not a fault: it ends when there is room again)
    """There is no room for more; nothing of the append was kept. Try again when there is."""


class JournalDamaged(StorageError):  # noqa: N818
    """Something in the journal cannot be trusted; at the next start what is readable is put into a new one."""


class Reach(NamedTuple):
    """Which journal there is, and its first and last offset; `last` is below `first` when it is empty."""

    identity: str
    first: int
    last: int


def suspect(path: Path) -> Path:
    """The file that says that a row of the journal could not be read."""
    return path.with_name(f"{path.name}.suspect")


class Journal:
    """An SQLite file with one writer: rows with offsets from 1 that are never given twice.

    `append` is durable when it returns. `read` may be called from another thread. `identity` was made with the file and
    names it in the positions of the store. Raises StoreLockedError when another process has it open, JournalDamaged
    when it is not readable, StorageError when it cannot be opened. `floor`: bytes that stay free on the disk.
    """

    def __init__(self, path: Path, *, floor: int = LEAST_FREE) -> None:
        self.path = path
        self._floor = floor
        self._broken = False
        self._wal_pages = 0
        self._writing, self._reading = Lock(), Lock()
        with ExitStack() as opened:
            opened.callback(os.close, claim(path))
            try:
                self._writer = _open(path)
                opened.callback(self._writer.close)
                _prepare(self._writer, path)
                self.identity, self._retired, self.last, self._gaps = _look(self._writer)
                self._writer.set_wal_hook(self._logged)
                self._reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
                opened.callback(self._reader.close)
                self._reader.set_busy_timeout(5_000)
            except (apsw.Error, OSError) as error:
                raise _opening(path, error) from error
            self._opened = opened.pop_all()

    @property
    def first(self) -> int:
        """The first offset that is not retired."""
        return self._retired + 1

    def append(self, entries: Sequence[Entry]) -> int:
        """Write messages in one transaction; the offset of the last.

        Raises JournalFull when there is no room, StorageError when the disk fails: then the process must end, because
        the system may have forgotten what it could not write.
        """
        if not entries:
            return self.last
        with self._writing:
            self._must_have_room()
            rows = [
                (offset, *entry, checksum(offset, *entry)) for offset, entry in enumerate(entries, start=self.last + 1)
            ]
            with self._transaction():
                for begin in range(0, len(rows), _AT_ONCE):
                    self._writer.execute(*_insertion(rows[begin : begin + _AT_ONCE]))
            self.last += len(rows)
            self._checkpoint()
            return self.last

    def read(self, after: int, rows: int, size: int) -> pl.DataFrame:
        """Messages after an offset, in order: at most `rows`, and about `size` bytes of payload, but at least one.

        Columns: offset, source, topic, payload, received_at (µs). Raises JournalDamaged naming the first offset that
        cannot be read or is not there; what comes before it can be read with fewer rows.
        """
        found: list[Row] = []
        end, much = self.last, 0
        try:
            with self._reading:
                for row in self._reader.execute(f'{ROWS} WHERE "offset" > ? ORDER BY "offset" LIMIT ?', (after, rows)):
                    found.append(row)
                    much += len(row[3])
                    if much >= size:
                        break
        except (apsw.CorruptError, UnicodeDecodeError, TypeError) as error:
            raise self._damaged(found[-1][0] + 1 if found else after + 1) from error
        except apsw.Error as error:
            msg = f"cannot read the journal {self.path} after message {after}: {error}"
            raise StorageError(msg, hint="check the disk") from error
        bad = next((row[0] for row in found if not intact(row)), None)
        bad = self._missing([row[0] for row in found], after, end if len(found) < rows and much < size else 0) or bad
        if bad is not None:
            raise self._damaged(bad)
        return as_frame([row[:5] for row in found])

    def retire(self, upto: int) -> None:
        """Forget messages up to an offset. Raises as `append` does."""
        while self._retired < min(upto, self.last):
            with self._writing:
                step = min(upto, self.last, self._retired + _RETIRED_AT_ONCE)
                with self._transaction():
                    self._writer.execute('DELETE FROM journal WHERE "offset" <= ?', (step,))
                    note(self._writer, "retired", step)
                self._retired = step
                self._checkpoint()

    def advance(self, to: int) -> None:
        """Give no offset up to this one any more: the store has taken in that far, whatever the journal lost."""
        with self._writing:
            if to > self.last:
                with self._transaction():
                    leave_out(self._writer, self.last + 1, to)
                self._gaps.append((self.last + 1, to))
                self.last = to

    def bytes_on_disk(self) -> int:
        """Size of the file and its log."""
        size = 0
        for name in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            with suppress(FileNotFoundError):
                size += name.stat().st_size
        return size

    def close(self) -> None:
        """Close the file. What was appended is durable, even if the disk does not let us tidy up."""
        with self._reading, self._writing, suppress(apsw.Error):
            self._opened.close()

    def _missing(self, offsets: list[int], after: int, end: int) -> int | None:
        """The first offset after one that should be among these, or between them and an end, and is not.

        A damaged tree does not always say so: parts of it may just not be found.
        """
        before = max(after, self._retired)
        if not offsets or offsets[-1] - before != len(offsets) or end > offsets[-1]:
            for offset in (*offsets, end + 1):
                if offset > before + 1:
                    gap = next((last for first, last in self._gaps if first <= before + 1 <= last), before)
                    if gap + 1 < offset:
                        return gap + 1
                before = max(before, offset)
        return None

    def _must_have_room(self) -> None:
        if self._broken:
            msg = f"the disk of the journal {self.path} has failed"
            raise StorageError(msg, hint="check the disk and start again: senders send again what was not stored")
        disk = os.statvfs(self.path.parent)
        free = disk.f_bavail * disk.f_frsize
        if free < self._floor:
            msg = f"{free / 2**20:,.0f} MB are free for the journal {self.path}, {self._floor / 2**20:,.0f} are needed"
            raise JournalFull(msg, hint="make room on the disk: nothing is taken in until then")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What is done in the block, at once and durably, or not at all."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            yield
            self._writer.execute("COMMIT")
        except BaseException as error:
            with suppress(apsw.Error):
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
            raise self._told(error) from error

    def _checkpoint(self) -> None:
        """Move the log into the file when it is long. SQLite's own way would hide a failing disk."""
        if self._wal_pages < _WAL_PAGES:
            return
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.FullError, apsw.BusyError):
            return  # the log stays, and the next append tries again
        except apsw.Error as error:
            raise self._told(error) from error

    def _logged(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _told(self, error: BaseException) -> BaseException:
        if isinstance(error, apsw.FullError):
            msg = f"the disk of the journal {self.path} is full"
            return JournalFull(msg, hint="make room on the disk: nothing is taken in until then")
        if isinstance(error, apsw.Error):
            self._broken = True
            if isinstance(error, apsw.CorruptError):
                return self._damaged(self.last + 1)
            msg = f"the journal {self.path} cannot be written: {error}"
            return StorageError(msg, hint="check the disk and start again: senders send again what was not stored")
        return error

    def _damaged(self, offset: int) -> JournalDamaged:
        with suppress(OSError):
            suspect(self.path).touch()
        msg = f"message {offset} of the journal {self.path} is damaged"
        return JournalDamaged(msg, hint="start again: what is readable is put into a new journal, the rest told")


def as_frame(messages: Sequence[tuple[int, str, str, bytes, int]]) -> pl.DataFrame:
    """Messages with their offsets, as `read` gives them."""
    columns = zip(*messages, strict=True) if messages else ((),) * len(_SCHEMA)
    return pl.DataFrame(
        [pl.Series(name, values, kind) for (name, kind), values in zip(_SCHEMA.items(), columns, strict=True)]
    )


def reach(path: Path) -> Reach | None:
    """What a journal has, without opening it for writing; None when there is none, or it was never made whole.

    Raises JournalDamaged or StorageError as opening it does.
    """
    if not path.exists():
        return None
    try:
        con = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            con.set_busy_timeout(5_000)
            if con.pragma("user_version") == 0:
                return None
            identity, retired, last, _ = _look(con)
            return Reach(identity, retired + 1, last)
        finally:
            con.close()
    except apsw.Error as error:
        raise _opening(path, error) from error


def checksum(offset: int, source: str, topic: str, payload: bytes, received_at: int) -> int:
    """CRC-32 of a message with everything that is stored of it."""
    return crc32(payload, crc32(_HEAD.pack(offset, received_at), _origin(source, topic)))


def _insertion(rows: Sequence[Row]) -> tuple[str, list[object]]:
    """A statement that writes rows, with its values.

    One statement, because SQLite's steps each let other threads have the interpreter: row by row a busy one beside
    makes writing fifty times as slow.
    """
    places = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
    return f"INSERT INTO journal VALUES {places}", list(chain.from_iterable(rows))


@lru_cache(maxsize=10_000)
def _origin(source: str, topic: str) -> int:
    return crc32(f"{source}\0{topic}".encode())


def intact(row: Row) -> bool:
    """Whether a row is what was written."""
    offset, source, topic, payload, received_at, crc = row
    try:
        return checksum(offset, source, topic, payload, received_at) == crc
    except (TypeError, AttributeError, struct.error):  # a value of another type than was written
        return False


def claim(path: Path) -> int:
    """A lock beside the file for as long as it is open: a second engine would give the same offsets again."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _opening(path, error) from error
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # A process that was killed while it began another has it until that has begun.
            if time.monotonic() < until:
                time.sleep(0.02)
                continue
            os.close(descriptor)
            msg = f"the journal {path} is open in another process"
            raise StoreLockedError(msg, hint="stop the other oeeflow command, or wait for it") from error
        return descriptor


def _open(path: Path) -> apsw.Connection:
    con = apsw.Connection(str(path))
    con.set_busy_timeout(5_000)
    mode = con.pragma("journal_mode", "wal")
    if mode != "wal":
        con.close()
        msg = f"the file system of {path} cannot hold a journal: its mode is {mode}, not wal"
        raise StorageError(msg, hint="put the store on a local disk")
    con.pragma("synchronous", "full")
    con.wal_autocheckpoint(0)
    return con


def _prepare(con: apsw.Connection, path: Path) -> None:
    version = con.pragma("user_version")
    if version > _VERSION:
        msg = f"the journal {path} has version {version}, this oeeflow knows up to {_VERSION}"
        raise StorageError(msg, hint="install the newer oeeflow that wrote it")
    if version == 0:
        create(con, uuid4().hex)


def _look(con: apsw.Connection) -> tuple[str, int, int, list[tuple[int, int]]]:
    """Identity, last retired offset, last offset, ranges of offsets that never had a message."""
    notes: dict[str, str] = dict(con.execute("SELECT name, value FROM notes"))
    gaps: list[tuple[int, int]] = list(con.execute('SELECT "first", "last" FROM gaps ORDER BY 1'))
    ((last,),) = con.execute('SELECT max("offset") FROM journal')
    retired = int(notes.get("retired", 0))
    return notes["identity"], retired, max([last or 0, retired, *(end for _, end in gaps)]), gaps


def create(con: apsw.Connection, identity: str) -> None:
    """The tables of an empty journal."""
    con.execute("BEGIN IMMEDIATE")
    con.execute(
        'CREATE TABLE journal ("offset" INTEGER PRIMARY KEY, source TEXT NOT NULL, topic TEXT NOT NULL, '
        "payload BLOB NOT NULL, received_at INTEGER NOT NULL, crc INTEGER NOT NULL)"
    )
    con.execute("CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    con.execute('CREATE TABLE gaps ("first" INTEGER NOT NULL, "last" INTEGER NOT NULL)')
    note(con, "identity", identity)
    con.pragma("user_version", _VERSION)
    con.execute("COMMIT")


def note(con: apsw.Connection, name: str, value: object) -> None:
    """Keep a fact about the journal: its `identity`, the last offset `retired`."""
    con.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, str(value)))


def leave_out(con: apsw.Connection, first: int, last: int) -> None:
    """Keep that these offsets have no message."""
    con.execute("INSERT INTO gaps VALUES (?, ?)", (first, last))


def _opening(path: Path, error: Exception) -> StorageError:
    if isinstance(error, apsw.CorruptError | apsw.NotADBError | apsw.SQLError):
        msg = f"the journal {path} is damaged: {error}"
        return JournalDamaged(msg, hint="start again: what is readable is put into a new journal, the rest told")
    reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
    msg = f"cannot open the journal {path}: {reason}"
    return StorageError(msg, hint="check the path, the permissions and the disk")
