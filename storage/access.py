"""The ways to the rows of a store: the engine that writes it, the file itself, or a published copy of it.

A process that writes a DuckDB file shuts all others out, and one that reads it shuts the writer out. So the engine
answers queries itself while it runs, and the file is opened only when there is none: one that says that it is there
gets the file at once, however many queries come. The newest snapshot, which nobody locks, is for when the engine cannot
answer.
"""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import duckdb
import polars as pl

from kpis.errors import StorageError, StoreLockedError
from storage.answering import WRONG
from storage.client import EngineGone, EngineWay
from storage.database import connect
from storage.gate import check, restrict
from storage.migrations import told_version
from storage.places import Places
from storage.running import Running
from storage.schema import VERSION

PATIENCE: Final = 3.0
"""seconds to wait for an engine that ends or is restarted."""
STARTING: Final = 15.0
"""seconds to wait for one that says that it is there."""
RELEASE_AFTER: Final = 0.3
"""seconds without a query until the file is let go."""
_LOOK_AGAIN: Final = 2.0
_PAUSE: Final = 0.05


class Way(Protocol):
    """One way to the rows. `note` tells people what they should know about the figures; None: they are up to date."""

    name: str
    note: str | None

    def query(self, statement: str) -> pl.DataFrame:
        """The rows of a statement that reads. Raises StorageError for a wrong one."""

    def close(self) -> None:
        """Let go of everything."""


class FileWay:
    """The file itself, open only while it is asked and shortly after."""

    name = "file"
    note: str | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._con: duckdb.DuckDBPyConnection | None = None
        self._asking = 0
        self._release = threading.Timer(RELEASE_AFTER, self._let_go)

    def query(self, statement: str) -> pl.DataFrame:
        """The rows of a statement. Raises StoreLockedError when a writer has come."""
        with self._lock:
            self._release.cancel()
            if self._con is None:
                self._con = _opened(self._path)
            cursor = self._con.cursor()
            self._asking += 1
        try:
            return _rows(cursor, statement)
        finally:
            cursor.close()
            with self._lock:
                self._asking -= 1
                self._release = threading.Timer(RELEASE_AFTER, self._let_go)
                self._release.daemon = True
                self._release.start()

    def _let_go(self) -> None:
        with self._lock:
            if self._con is not None and not self._asking:
                self._con.close()
                self._con = None

    def close(self) -> None:
        """Let go of the file."""
        self._release.cancel()
        self._let_go()


class SnapshotWay:
    """A published copy. It stays what it is; `note` tells of when."""

    name = "snapshot"

    def __init__(self, path: Path, at: datetime) -> None:
        self._con = _opened(path)
        age = (datetime.now(UTC) - at).total_seconds()
        self.note: str | None = f"from the snapshot of {at:%Y-%m-%d %H:%M:%S} UTC, {age:.0f} s old: no engine answers"

    def query(self, statement: str) -> pl.DataFrame:
        """The rows of a statement."""
        with self._con.cursor() as cursor:
            return _rows(cursor, statement)

    def close(self) -> None:
        """Close the copy."""
        self._con.close()


class Access:
    """Queries to a store by whichever way there is, found anew when it ends. May be used from any thread.

    Raises StorageError when there is no store or one of another version, StoreLockedError when a process writes it
    that answers no queries and there is no snapshot.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places = Places(path.resolve())
        self._lock = threading.Lock()
        self._way: Way | None = None
        self._found_at = 0.0
        self._current()

    @property
    def way(self) -> Way:
        """How the last query went, or the next one will."""
        return self._current()

    def query(self, statement: str) -> pl.DataFrame:
        """The rows of a statement that reads. Raises StorageError for a wrong one."""
        until = time.monotonic() + PATIENCE
        while True:
            way = self._current()
            try:
                return way.query(statement)
            except (EngineGone, StoreLockedError):
                self._leave(way)
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)

    def close(self) -> None:
        """Let go of everything. The next query would find a way again."""
        with self._lock:
            if self._way is not None:
                self._way.close()
                self._way = None

    def _current(self) -> Way:
        with self._lock:
            stale = isinstance(self._way, SnapshotWay) and time.monotonic() > self._found_at + _LOOK_AGAIN
            if self._way is not None and (stale or (isinstance(self._way, FileWay) and self._claimed())):
                self._way.close()
                self._way = None
            if self._way is None:
                self._way = self._found()
                self._found_at = time.monotonic()
            return self._way

    def _leave(self, way: Way) -> None:
        with self._lock:
            if self._way is way:
                self._way = None
                way.close()

    def _found(self) -> Way:
        begun = time.monotonic()
        while True:
            try:
                return self._engine() or self._file()
            except (EngineGone, StoreLockedError):
                snapshot = self._snapshot()
                if snapshot is not None:
                    return snapshot
                if time.monotonic() > begun + (STARTING if self._claimed() else PATIENCE):
                    raise
                time.sleep(_PAUSE)

    def _engine(self) -> Way | None:
        running = Running.read(self._places)
        if running is None or running.readers is None:
            return None
        try:
            return self._checked(EngineWay(running.readers, self._places.token))
        except EngineGone:
            return None  # it ended without a word, or is stuck: then the file is still locked

    def _claimed(self) -> bool:
        """Whether an engine is there that does not answer queries: it is about to open the file, or has it open."""
        running = Running.read(self._places)
        return running is not None and running.readers is None and running.alive

    def _file(self) -> Way:
        if self._claimed():
            msg = f"an engine has the store {self._path}, and does not answer queries yet"
            raise StoreLockedError(msg, hint="try again in a moment; `oeeflow doctor` tells how it is")
        return self._checked(FileWay(self._path))

    def _snapshot(self) -> Way | None:
        from storage.snapshots import newest

        found = newest(self._places)
        return None if found is None else self._checked(SnapshotWay(found.path, found.at))

    def _checked(self, way: Way) -> Way:
        """A way to a store of our version."""
        try:
            found = told_version(lambda statement: way.query(statement).rows())
            if found != VERSION:
                msg = f"the store {self._path} has schema version {found}, this oeeflow reads version {VERSION}"
                hint = "run `oeeflow db migrate`" if found < VERSION else "install the newer oeeflow that wrote it"
                raise StorageError(msg, hint=hint)
        except BaseException:
            way.close()
            raise
        return way


def _opened(path: Path) -> duckdb.DuckDBPyConnection:
    con = connect(path, read_only=True)
    restrict(con)
    return con


def _rows(con: duckdb.DuckDBPyConnection, statement: str) -> pl.DataFrame:
    try:
        check(con, statement)
        return pl.DataFrame(con.execute(statement).to_arrow_table())
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise StorageError(str(error).splitlines()[0], hint=WRONG) from error
