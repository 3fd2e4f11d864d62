"""Reading all of a DuckDB file in a process of its own: what is wrong with a file must not end the engine.

Every column of every table is read, so that the checksum of every block in use is. The process is
`python -m storage.scanning FILE [COPY_OF]`; it tells what it found as the last line it prints.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import duckdb

from kpis.errors import StorageError, StoreLockedError

_PACKAGES: Final = Path(__file__).resolve().parents[1]
_MEMORY: Final = "1GB"
_LOWER_PRIORITY: Final = 12
"""niceness, above that of readers' threads, who are not to wait for it; not more, for the log grows until it is done"""
_ENDED_FROM_OUTSIDE: Final = (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)
_KNOWN: Final = {"flushes", "events", "positions"}


class StoreDamaged(StorageError):  # noqa: N818
    """A DuckDB file that does not open, or not all of it can be read."""


_HINTS: Final = {
    StoreDamaged: "restore it with `oeeflow db restore`, or replay the event files into a new one",
    StoreLockedError: "stop the other oeeflow command, or wait for it",
    StorageError: "make room for it: memory to read it, or disk for the copy",
}
_FAULTS: Final = {kind.__name__: kind for kind in _HINTS}


class Reached(NamedTuple):
    """A row of the table `positions`."""

    digest: str
    source: str
    position: int
    complete: bool


@dataclass(frozen=True)
class Content:
    """What a sound store holds: its last commit, its events, how far each source was taken in.

    `seconds`: how long the copy took, 0 where none was made.
    """

    flush: int
    events: int
    positions: tuple[Reached, ...]
    seconds: float

    def position(self, digest: str) -> int:
        """How far a source was taken in; 0 if it was not."""
        return next((reached.position for reached in self.positions if reached.digest == digest), 0)


class Scan:
    """A file being read; `copy_of` is copied to it first, durably, at lower priority. Use it as a context manager."""

    def __init__(self, path: Path, *, copy_of: Path | None = None) -> None:
        self._path = path
        command = [sys.executable, "-m", "storage.scanning", *(str(one.resolve()) for one in (path, copy_of) if one)]
        # A file, not a pipe: nobody empties that before the end. Ctrl-C is not for this process; yet in a session of
        # its own it would have a share of the processor of its own, and its priority would count for nothing.
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 (stop closes it)
        self._process = subprocess.Popen(
            command,
            cwd=_PACKAGES,
            stdin=subprocess.DEVNULL,
            stdout=self._told,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        if copy_of:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _LOWER_PRIORITY)  # from its start: loading is work, too

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def poll(self) -> Content | None:
        """What is in the file; None as long as it is being read.

        Raises StoreDamaged when it cannot be, StoreLockedError when another process has it open, StorageError when it
        could not be copied, or the process was ended from outside.
        """
        status = self._process.poll()
        return None if status is None else self._found(status)

    def wait(self) -> Content:
        """As `poll`, when it is done."""
        return self._found(self._process.wait())

    def stop(self) -> None:
        """Leave it off."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._told.close()

    def _found(self, status: int) -> Content:
        self._told.seek(0)
        last = (self._told.read().decode(errors="replace").splitlines() or [""])[-1]
        if status == 0:
            told = json.loads(last)
            if "fault" in told:
                kind = _FAULTS[told["fault"]]
                raise kind(told["text"], hint=_HINTS[kind])
            return Content(**told | {"positions": tuple(Reached(*row) for row in told["positions"])})
        if status < 0 and -status not in _ENDED_FROM_OUTSIDE:
            msg = f"{self._path} is no readable store: reading it ended a process with signal {-status}"
            raise StoreDamaged(msg, hint=_HINTS[StoreDamaged])
        msg = f"{self._path} could not be checked: {last or f'that ended with {status}'}"
        raise StorageError(msg, hint=_HINTS[StorageError])


def scan(path: Path) -> Content:
    """What is in a store, read to the end. Raises as `Scan.poll` does."""
    with Scan(path) as reading:
        return reading.wait()


def _main(path: Path, copy_of: Path | None = None) -> dict[str, Any]:
    try:
        seconds = _copied(copy_of, path) if copy_of else 0.0
        return _read(path) | {"seconds": seconds}
    except subprocess.CalledProcessError as error:
        return _fault(StorageError, f"{copy_of} could not be copied: {error.stderr.decode().strip()}")
    except duckdb.OutOfMemoryException as error:
        return _fault(StorageError, f"{path} could not be checked: {error}")
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) and "Could not set lock" in str(error):
            return _fault(StoreLockedError, f"the store {path} is open in another process")
        return _fault(StoreDamaged, f"{path} is no readable store: {error}")


def _fault(kind: type[StorageError], text: str) -> dict[str, Any]:
    return {"fault": kind.__name__, "text": text.splitlines()[0]}


def _copied(source: Path, target: Path) -> float:
    """Copy a file and make the copy durable; the seconds it took."""
    start = time.monotonic()
    subprocess.run(["cp", "--reflink=auto", str(source), str(target)], check=True, stderr=subprocess.PIPE)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return time.monotonic() - start


def _read(path: Path) -> dict[str, Any]:
    with duckdb.connect(str(path), read_only=True, config={"threads": 1, "memory_limit": _MEMORY}) as con:
        con.execute("SET disabled_optimizers = 'statistics_propagation'")  # it answers counts without reading
        columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in con.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() SEMI JOIN duckdb_tables() "
            "USING (schema_name, table_name) WHERE NOT internal"
        ).fetchall():
            columns.setdefault((schema, table), []).append(f'count("{column}")')
        for (schema, table), counted in columns.items():
            con.execute(f'SELECT {", ".join(counted)} FROM "{schema}"."{table}"').fetchall()
        if not {table for _, table in columns} >= _KNOWN:
            return {"flush": 0, "events": 0, "positions": []}
        ((flush, events),) = con.execute(
            "SELECT (SELECT coalesce(max(flush), 0) FROM flushes), (SELECT count(*) FROM events)"
        ).fetchall()
        positions = con.execute("SELECT digest, source, position, complete FROM positions").fetchall()
        return {"flush": flush, "events": events, "positions": positions}


if __name__ == "__main__":
    print(json.dumps(_main(*map(Path, sys.argv[1:]))))
