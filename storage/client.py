"""Queries to a running engine: SQL out, Arrow in, over connections that are kept."""

import http.client
import json
import threading
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from kpis.errors import StorageError

_PATH: Final = "/query"
_FIRST_SECONDS: Final = 5.0
_SECONDS: Final = 40.0
"""a little more than the engine lets a query run."""


class EngineGone(StorageError):  # noqa: N818 (it is expected)
    """The engine ended, was restarted, or does not answer."""


class EngineWay:
    """A running engine at an address. `token` is the file that its token is in.

    Raises EngineGone when it is not there any more.
    """

    name = "engine"
    note: str | None = None

    def __init__(self, address: str, token: Path) -> None:
        self._host = urlsplit(address).netloc
        try:
            self._headers = {"Authorization": f"Bearer {token.read_text(encoding='utf-8')}"}
        except OSError as error:
            msg = f"the token of the engine cannot be read: {(error.strerror or str(error)).lower()}"
            raise StorageError(msg, hint=f"ask as the user who runs the engine, who owns {token}") from error
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._answered = self._closed = False

    def query(self, statement: str) -> pl.DataFrame:
        """The rows of a statement. Raises StorageError for what the engine refuses."""
        status, body = self._ask(statement)
        if status == http.client.OK:
            with pa.ipc.open_stream(body) as stream:
                return pl.DataFrame(stream.read_all())
        if status in (http.client.UNAUTHORIZED, http.client.SERVICE_UNAVAILABLE):
            msg = "the engine lets nobody in"
            raise EngineGone(msg, hint="ask again")
        told = json.loads(body)
        raise StorageError(told["error"], hint=told["hint"])

    def close(self) -> None:
        """Give up the connections; those in use end with their queries."""
        with self._lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    def _ask(self, statement: str) -> tuple[int, bytes]:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        connection = kept or http.client.HTTPConnection(
            self._host, timeout=_SECONDS if self._answered else _FIRST_SECONDS
        )
        try:
            connection.request("POST", _PATH, statement.encode(), self._headers)
            response = connection.getresponse()
            answer = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if kept is not None and not isinstance(error, TimeoutError):
                return self._ask(statement)  # it was idle for too long; another one will do
            msg = "the engine does not answer"
            raise EngineGone(msg, hint="see whether `oeeflow run` is still there") from error
        except BaseException:
            connection.close()
            raise
        self._answered = True
        connection.sock.settimeout(_SECONDS)
        with self._lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)
        return answer
