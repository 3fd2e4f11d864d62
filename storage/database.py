"""Opening the DuckDB file: the one place that knows its configuration and its version."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from kpis.errors import StorageError, StoreLockedError

WRITER_THREADS = 1  # a thread more costs a third more work for the same append, and the accounts want the other core
READER_THREADS = 2
WRITER_MEMORY = "320MB"
READER_MEMORY = "1GB"


WRITER_PATIENCE = 2.0  # readers keep the file open for longer than that only while a query runs


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """The store at a path, in UTC, allowed to load nothing from anywhere.

    A writer waits some seconds for readers of the file to let go of it. Raises StoreLockedError when another process
    has it open for writing, StorageError when it cannot be opened.
    """
    until = time.monotonic() + (0 if read_only else WRITER_PATIENCE)
    while True:
        try:
            return _connect(path, read_only)
        except StoreLockedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _connect(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    if read_only and not path.exists():
        msg = f"there is no store at {path}"
        raise StorageError(msg, hint="make one with `oeeflow replay`, or name another with --db or OEEFLOW_DB")
    try:
        con = duckdb.connect(
            str(path),
            read_only=read_only,
            config={
                "threads": READER_THREADS if read_only else WRITER_THREADS,
                "memory_limit": READER_MEMORY if read_only else WRITER_MEMORY,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            msg = f"the store {path} is open in another process"
            raise StoreLockedError(msg, hint="stop the other oeeflow command, or wait for it") from error
        msg = f"cannot open the store {path}: {_first_line(error)}"
        raise StorageError(
            msg, hint="check the path and the permissions; --db names the DuckDB file of a store"
        ) from error
    except duckdb.ConnectionException as error:  # this process has it open in the other way
        msg = f"the store {path} is open in this process"
        raise StoreLockedError(msg, hint="close it first") from error
    except duckdb.Error as error:
        msg = f"{path} is not a readable store: {_first_line(error)}"
        raise StorageError(msg, hint="restore it from a copy, or replay the event files into a new one") from error
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")  # it would write into our results on standard output
    if not read_only:
        # Whole replays go by without a checkpoint in their midst; the writer asks for one itself.
        con.execute("SET wal_autocheckpoint = '1TB'")
        con.execute("SET preserve_insertion_order = false")
    return con


def is_of_the_disk(error: Exception) -> bool:
    """Whether something failed for the disk or the database file, not for what was asked or written."""
    return isinstance(error, OSError | duckdb.IOException | duckdb.FatalException)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


class Reading:
    """A connection that is used only when the commit on its way, if any, has arrived."""

    def __init__(self, con: duckdb.DuckDBPyConnection, settle: Callable[[], None]) -> None:
        self._con = con
        self._settle = settle

    def execute(self, query: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        """Run a query. Raises what went wrong with the commit."""
        self._settle()
        return self._con.execute(query, parameters)

    def register(self, name: str, rows: object) -> object:
        """Make rows a table."""
        return self._con.register(name, rows)

    def unregister(self, name: str) -> object:
        """Forget them."""
        return self._con.unregister(name)


Connection = duckdb.DuckDBPyConnection | Reading


@contextmanager
def bound(con: Connection, **frames: pl.DataFrame) -> Iterator[Connection]:
    """The frames as tables of a connection, for the time of the block."""
    for name, frame in frames.items():
        con.register(name, frame.to_arrow())
    try:
        yield con
    finally:
        for name in frames:
            con.unregister(name)


@contextmanager
def streamed(con: duckdb.DuckDBPyConnection, batch: pl.DataFrame) -> Iterator[duckdb.DuckDBPyConnection]:
    """The frame as the table `batch` that one statement reads, once; at half the cost of `bound`.

    DuckDB reads the stream of the frame without pyarrow, and its texts as they are in memory. What a query finds must
    be fetched in the block: its end forgets it.
    """
    con.register("batch", batch.__arrow_c_stream__())
    try:
        yield con
    finally:
        con.unregister("batch")


def instants(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Integer microseconds as instants, for writing."""
    return frame.with_columns(pl.col(columns).cast(pl.Datetime("us", "UTC")))


def microseconds(frame: pl.DataFrame) -> pl.DataFrame:
    """Instants as integer microseconds, as the accounting wants them."""
    return frame.with_columns(pl.col(pl.Datetime("us", "UTC")).cast(pl.Int64))
