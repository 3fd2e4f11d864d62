"""The HTTP door of a running engine, on this machine only: events in, health and metrics out."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import orjson
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kpis.errors import ConfigError
from pipelines.receipts import DUPLICATE, REJECTED, TAKEN, Receipts, Verdict
from pipelines.reception import Reception
from storage.journal import Entry
from storage.tokens import SEND, Tokens

HOST: Final = "127.0.0.1"
SOURCE: Final = "http"
MOST_BYTES: Final = 8 << 20
MOST_MESSAGES: Final = 10_000
STORED_WITHIN: Final = 10.0
"""seconds within which a message has to be on disk, or its sender is told to send it again."""
LOOK_EVERY: Final = 0.2
DECIDED_WITHIN: Final = 5.0
"""seconds that an answer waits for what became of the events."""


class Refused(Exception):  # noqa: N818 (an answer)
    """A request that cannot be taken: the status and what to do about it."""

    def __init__(self, status: int, error: str, hint: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.hint, self.headers = status, error, hint, headers


class HttpDoor:
    """A server in a thread of its own. Use it as a context manager.

    `tokens` are those that senders show. `problems` tells why the engine is not ready. `more` are further routes;
    `host` is a name besides those of this machine under which a proxy may ask. Raises ConfigError when the port is
    taken.
    """

    def __init__(
        self,
        port: int | None,
        reception: Reception,
        receipts: Receipts,
        metrics: Callable[[], bytes],
        problems: Callable[[], dict[str, str]],
        tokens: Tokens,
        more: Sequence[Route] = (),
        host: str | None = None,
    ) -> None:
        self._reception, self._receipts = reception, receipts
        self._scrape, self._problems, self._tokens = metrics, problems, tokens
        self._socket = _listening(port or 0)
        app = Starlette(
            routes=[
                Route("/events", self._events, methods=["POST"]),
                Route("/livez", self._live),
                Route("/readyz", self._ready),
                Route("/metrics", self._metrics),
                *more,
            ],
            middleware=[
                Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost", *([host] if host else [])])
            ],
            exception_handlers={Refused: _refusal},
        )
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=5
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="http")

    @property
    def address(self) -> str:
        """Where the server is reached."""
        return f"http://{HOST}:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        problems = await run_in_threadpool(self._problems)
        if problems:
            return JSONResponse({"status": "not ready", "problems": problems}, 503)
        return JSONResponse({"status": "ready"})

    async def _metrics(self, request: Request) -> Response:
        return Response(await run_in_threadpool(self._scrape), media_type=CONTENT_TYPE_LATEST)

    async def _events(self, request: Request) -> Response:
        authorise(request, self._tokens)
        messages = _messages(await body_of(request))
        if self._reception.full or self._reception.failure is not None:
            raise busy(seconds=30)
        received_at = time.time_ns() // 1_000
        entries = [Entry(SOURCE, "", message, received_at) for message in messages]
        ticket = _Ticket(len(entries), self._receipts)
        try:
            await run_in_threadpool(self._offer, entries, ticket)
            if not await self._stored(ticket):
                raise busy(seconds=5)
            decided = await _within(DECIDED_WITHIN, ticket.decided)
        finally:
            ticket.drop()
        if not decided:
            told = (
                "on disk, not yet counted: what becomes of the events is seen in the store, or when they are sent again"
            )
            return JSONResponse({"status": "stored", "messages": len(entries), "detail": told}, 202)
        return JSONResponse(_answer(ticket.verdicts))

    async def _stored(self, ticket: "_Ticket") -> bool:
        """Whether all is on disk; known sooner when there is no room."""
        until = time.monotonic() + STORED_WITHIN
        while not await _within(LOOK_EVERY, ticket.stored):
            if ticket.stored.done() or self._reception.full or time.monotonic() > until:
                return ticket.stored.done() and ticket.stored.result()
        return True

    def _offer(self, entries: list[Entry], ticket: "_Ticket") -> None:
        for number, entry in enumerate(entries):
            self._reception.offer(entry, partial(ticket.store, number), patience=2.0)


class _Ticket:
    """A request that waits: until all of its messages are on disk, then until their events are decided."""

    def __init__(self, messages: int, receipts: Receipts) -> None:
        self._loop = asyncio.get_running_loop()
        self._receipts = receipts
        self._unstored = self._undecided = messages
        self._lock = threading.Lock()
        self._offsets: list[int] = []
        self._verdicts: dict[int, list[Verdict]] = {}
        self.stored: asyncio.Future[bool] = self._loop.create_future()
        self.decided: asyncio.Future[bool] = self._loop.create_future()

    def store(self, number: int, offset: int | None) -> None:
        """A message is on disk, or was refused."""
        if offset is None:
            self._tell(self.stored, told=False)
            return
        with self._lock:
            self._offsets.append(offset)
            self._unstored -= 1
        self._receipts.expect(offset, partial(self.decide, number))
        if not self._unstored:
            self._tell(self.stored, told=True)

    def decide(self, number: int, verdicts: list[Verdict]) -> None:
        """The events of a message are decided."""
        with self._lock:
            self._verdicts[number] = verdicts
            self._undecided -= 1
        if not self._undecided:
            self._tell(self.decided, told=True)

    def drop(self) -> None:
        """Wait no longer."""
        for offset in list(self._offsets):
            self._receipts.cancel(offset)

    @property
    def verdicts(self) -> list[Verdict]:
        """What became of the events, numbered in the order in which they were sent."""
        sent = [verdict for number in sorted(self._verdicts) for verdict in self._verdicts[number]]
        return [replace(verdict, index=index) for index, verdict in enumerate(sent)]

    def _tell(self, future: asyncio.Future[bool], *, told: bool) -> None:
        def resolve() -> None:
            if not future.done():
                future.set_result(told)

        self._loop.call_soon_threadsafe(resolve)


async def _within(seconds: float, future: asyncio.Future[bool]) -> bool:
    try:
        return await asyncio.wait_for(asyncio.shield(future), seconds)
    except TimeoutError:
        return False


def authorise(request: Request, tokens: Tokens) -> None:
    """Raises Refused for a request without a token that may send."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or tokens.owner(shown.strip(), SEND) is None:
        hint = "send the header `Authorization: Bearer TOKEN`; the token is in the file `token` beside the store"
        raise Refused(401, "no valid token" if shown else "a token is missing", hint, {"WWW-Authenticate": "Bearer"})


async def body_of(request: Request) -> bytes:
    """The body of a request, as long as it is not too long."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                hint = "send fewer events at once"
                raise Refused(413, f"the body is longer than {MOST_BYTES >> 20} MiB", hint)
    except ClientDisconnect as error:
        raise Refused(400, "the body broke off", "send it again") from error
    return bytes(body)


def _messages(body: bytes) -> list[bytes]:
    """The messages in a body: one object or array, or one on each line."""
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise _unreadable(error) from error
    else:
        if not isinstance(whole, dict | list):
            raise Refused(400, "the body holds no event", _FORMS)
        if isinstance(whole, list) and len(whole) == 0:
            raise Refused(400, "the array is empty", _FORMS)
        lines = [body]
    if len(lines) > MOST_MESSAGES:
        raise Refused(413, f"the body has more than {MOST_MESSAGES:,} lines", "send fewer events at once")
    try:
        orjson.loads(lines[0])
    except orjson.JSONDecodeError as error:
        raise _unreadable(error) from error
    return lines


_FORMS: Final = "send one event as a JSON object, an array of events, or one event a line"


def _unreadable(error: orjson.JSONDecodeError) -> Refused:
    return Refused(400, f"the body is not JSON: {error}", _FORMS)


def busy(seconds: int) -> Refused:
    """The answer as long as the journal takes nothing."""
    hint = f"send it again in {seconds} s: what is stored already counts once"
    return Refused(503, "not stored: the journal takes nothing at the moment", hint, {"Retry-After": str(seconds)})


async def _refusal(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return JSONResponse({"error": refused.error, "hint": refused.hint}, refused.status, refused.headers)


def _answer(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """How many events were taken, were there already, were rejected; and each one."""
    counts = {outcome: sum(verdict.outcome == outcome for verdict in verdicts) for outcome in _OUTCOMES}
    events = [{name: value for name, value in asdict(verdict).items() if value is not None} for verdict in verdicts]
    return {"status": "counted", **counts, "events": events}


_OUTCOMES: Final = (TAKEN, DUPLICATE, REJECTED)


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio: answers at once
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        msg = f"port {port} cannot be used: {(error.strerror or str(error)).lower()}"
        raise ConfigError(
            msg, hint="name another with --http-port, or leave it out: then a free one is found"
        ) from error
    return listener
