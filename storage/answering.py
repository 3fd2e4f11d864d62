"""One query on its way: its own connection, its own read-only transaction, and the ways it is stopped."""

import contextlib
import tempfile
import time
from typing import IO, Final

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from kpis.errors import StorageError
from storage.gate import check

ROWS_AT_ONCE: Final = 50_000
IN_MEMORY: Final = 4 << 20
MOST_BYTES: Final = 2 << 30
WRONG: Final = '`oeeflow sql "SHOW TABLES"` lists what there is, docs/data-dictionary.md tells what it means'
SMALLER: Final = "ask for less at a time, or read the published copy: `oeeflow connect`"


class Answer:
    """A statement of a reader, to be run once, in any thread.

    It may be stopped from another thread at any time; then, and when the statement is wrong, `run` raises StorageError.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, statement: str) -> None:
        self._con = con
        self._statement = statement
        self._stopped: tuple[str, str] | None = None
        self.began: float | None = None

    def run(self) -> IO[bytes]:
        """The result as an Arrow stream from its beginning, in a nameless file if it is too much for memory."""
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
        with pa.ipc.new_stream(result, rows.schema) as stream:
            for batch in rows:
                stream.write_batch(batch)
                self._fail_if_stopped()
                if result.tell() > MOST_BYTES:
                    msg = f"the result is larger than {MOST_BYTES >> 30} GB"
                    raise StorageError(msg, hint=SMALLER)

    def _fail_if_stopped(self) -> None:
        if self._stopped is not None:
            raise StorageError(self._stopped[0], hint=self._stopped[1])
