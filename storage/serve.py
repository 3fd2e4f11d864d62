"""Answers to readers in other processes while this one writes the store: SQL in, rows out, over HTTP."""

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Final

import duckdb
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from kpis.errors import ConfigError, StorageError
from storage.answering import SMALLER, WRITERS, Answer
from storage.gate import restrict
from storage.places import Places
from storage.tokens import Tokens

HOST: Final = "127.0.0.1"
LONGEST_SECONDS: Final = 30.0
MEMORY: Final = 768 << 20
"""bytes that the writer and all queries may use together; beyond it DuckDB spills to disk."""
READERS_SHARE: Final = 0.85
AT_ONCE: Final = 8
_LONGEST_STATEMENT: Final = 1 << 20
_TICK_SECONDS: Final = 0.05
_LESS_URGENT: Final = 5
_CHUNK: Final = 1 << 20


class Serving:
    """The server of one engine. `con` is a connection of the database that is being written; it stays the caller's.

    Every query has a read-only transaction of its own: it sees whole commits and holds none up. One that takes longer
    than `seconds`, or more memory than readers may have, is stopped, and so is one whose reader went away. Its thread
    is less urgent than the writer's. What may be asked is decided by `storage.gate`, who may ask by `storage.tokens`.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, places: Places, tokens: Tokens, *, seconds: float = LONGEST_SECONDS
    ) -> None:
        self._con = con.cursor()
        self._places, self._tokens = places, tokens
        self._seconds = seconds
        self._socket: socket.socket
        self._thread: threading.Thread
        self._server: uvicorn.Server
        self._running: dict[Answer, Request] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reader", initializer=_be_less_urgent)

    def start(self, port: int = 0) -> str:
        """Begin to answer on a port of this machine, 0: any free one; the address.

        Raises ConfigError when the port is taken.
        """
        self._socket = _listening(port)
        spill = str(self._places.folder / "spill").replace("'", "''")
        self._con.execute(f"SET GLOBAL temp_directory = '{spill}'")
        self._con.execute(f"SET GLOBAL memory_limit = '{MEMORY} bytes'")
        restrict(self._con)
        app = Starlette(
            routes=[Route("/query", self._query, methods=["GET", "POST"])],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
        )
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve()], name="readers")
        self._thread.start()
        return f"http://{HOST}:{self._socket.getsockname()[1]}"

    def stop(self) -> None:
        """Stop what is running and answer no more."""
        self._server.should_exit = True
        for answer in list(self._running):
            answer.stop("the engine is stopping", "ask again when it runs")
        self._thread.join()
        self._pool.shutdown()
        self._socket.close()
        self._con.close()

    async def _serve(self) -> None:
        watching = asyncio.create_task(self._watch())
        await self._server.serve(sockets=[self._socket])
        watching.cancel()

    async def _query(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._tokens.owner(token.strip()) is None:
            return _refusal(401, "no token, or one that is not known", "see `oeeflow connect` for where the token is")
        form = request.query_params.get("format", "arrow")
        if form not in WRITERS:
            return _refusal(400, f'unknown format "{form}"', f"one of {', '.join(WRITERS)}")
        statement = request.query_params.get("sql") or await _body(request)
        if statement is None:
            return _refusal(413, "the statement is longer than 1 MB", "put the values into a join or a range")
        answer = Answer(self._con.cursor(), statement, form)
        self._running[answer] = request
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, answer.run)
        except StorageError as error:
            return _refusal(400, str(error), error.hint or "")
        finally:
            del self._running[answer]
        size = str(result.seek(0, os.SEEK_END))
        result.seek(0)
        return StreamingResponse(_chunks(result), media_type=WRITERS[form][0], headers={"Content-Length": size})

    async def _watch(self) -> None:
        """Stop queries that take too long or too much, and those that nobody waits for."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for answer, request in list(self._running.items()):
                if answer.began is not None and time.monotonic() - answer.began > self._seconds:
                    answer.stop(f"stopped after {self._seconds:g} s", SMALLER)
                elif await request.is_disconnected():
                    answer.stop("the reader went away", "")
            started = [answer for answer in self._running if answer.began is not None]
            if started and self._memory_is_short():
                oldest = min(started, key=lambda answer: answer.began or 0)
                oldest.stop("stopped: it takes more memory than readers may have", SMALLER)

    def _memory_is_short(self) -> bool:
        try:
            rows = self._con.execute(
                "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory() WHERE tag <> 'BASE_TABLE'"
            ).fetchall()
        except duckdb.OutOfMemoryException:
            return True
        return int(rows[0][0]) > MEMORY * READERS_SHARE


async def _body(request: Request) -> str | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_STATEMENT:
            return None
    return body.decode("utf-8", errors="replace")


async def _chunks(result: IO[bytes]) -> AsyncIterator[bytes]:
    with result:
        while part := result.read(_CHUNK):
            yield part


def _refusal(status: int, error: str, hint: str) -> Response:
    return JSONResponse({"error": error, "hint": hint}, status)


def _listening(port: int) -> socket.socket:
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio lets small answers wait for an acknowledgement
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        msg = f"port {port} is taken"
        raise ConfigError(msg, hint="name another, or none: a free one is found") from error
    listening.listen()
    return listening


def _be_less_urgent() -> None:
    """The operating system prefers the writer's threads to this one."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LESS_URGENT)
