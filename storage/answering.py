"""One query on its way: its own connection, its own read-only transaction, and the ways it is stopped."""

import contextlib
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any, Final

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow.csv import CSVWriter  # type: ignore[import-untyped]
from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

from kpis.errors import StorageError
from storage.gate import check

ROWS_AT_ONCE: Final = 50_000
IN_MEMORY: Final = 4 << 20
MOST_BYTES: Final = 2 << 30
WRONG: Final = '`oeeflow sql "SHOW TABLES"` lists what there is, docs/data-dictionary.md tells what it means'
SMALLER: Final = "ask for less at a time, or read the published copy: `oeeflow connect`"
WRITERS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "arrow": ("application/vnd.apache.arrow.stream", pa.ipc.new_stream),
    "csv": ("text/csv; charset=utf-8", CSVWriter),
    "parquet": ("application/vnd.apache.parquet", ParquetWriter),
}
"""Forms of a result: media type, and what writes batches of a schema to a file."""


class Answer:
    """A statement of a reader, to be run once, in any thread. `form` is one of WRITERS.

    It may be stopped from another thread at any time; then, and when the statement is wrong, `run` raises StorageError.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, statement: str, form: str = "arrow") -> None:
        self._con = con
        self._statement, self._form = statement, form
        self._stopped: tuple[str, str] | None = None
        self.began: float | None = None

    def run(self) -> IO[bytes]:
        """The result from its beginning, in a nameless file if it is too much for memory."""
        self.began = time.monotonic()
        result = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (it is handed over)
        try:
            self._write(result)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            result.close()
            self._fail_if_stopped()
            raise StorageError(str(error).splitlines()[0], hint=WRONG) from error
        except BaseException:
            result.close()
            raise
        finally:
            self._con.close()
        result.seek(0)
        return result

    def stop(self, why: str, hint: str) -> None:
        """Make `run` raise as soon as it can: within some milliseconds."""
        self._stopped = self._stopped or (why, hint)
        with contextlib.suppress(duckdb.Error):  # it ended by itself
            self._con.interrupt()

    def _write(self, result: IO[bytes]) -> None:
        self._fail_if_stopped()
        check(self._con, self._statement)
        self._con.execute("BEGIN TRANSACTION READ ONLY")
        rows = self._con.execute(self._statement).to_arrow_reader(ROWS_AT_ONCE)
        with WRITERS[self._form][1](result, rows.schema) as writer:
            for batch in rows:
                writer.write_batch(batch)
                self._fail_if_stopped()
                if result.tell() > MOST_BYTES:
                    msg = f"the result is larger than {MOST_BYTES >> 30} GB"
                    raise StorageError(msg, hint=SMALLER)

    def _fail_if_stopped(self) -> None:
        if self._stopped is not None:
            raise StorageError(self._stopped[0], hint=self._stopped[1])
