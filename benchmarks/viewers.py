"""Viewers of the pages without a browser: they speak to the server as its own script in a browser does.

A viewer opens a page, and asks for the part that renews itself as often as the server told it to.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Final

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

MARK: Final = re.compile(rb"mark-(\d+)")
"""What is looked for on pages: a reason that is another one every half a second."""
_BROWSER: Final = {"timezone": "Europe/Berlin", "locale": "en", "color_scheme": "light"}
_LONGEST_S: Final = 120.0
_LARGEST: Final = 64 << 20
_SPAWN: Final = get_context("spawn")


@dataclass(frozen=True)
class Run:
    """A run of a page: when it was asked for (seconds since 1970), how long it took, and bytes that came."""

    page: str
    at: float
    seconds: float
    size: int
    first: bool


@dataclass
class Sight:
    """What viewers saw: the runs of their pages, and for each viewer which mark was the newest one when."""

    runs: list[Run] = field(default_factory=list)
    marks: list[list[tuple[float, int]]] = field(default_factory=list)


class Viewer:
    """Somebody who looks at a page, such as `line?equipment=…`."""

    def __init__(self, address: str, page: str, sight: Sight) -> None:
        self._address, self.page, self._sight = address.replace("http", "ws", 1), page, sight
        self._name, _, self._query = page.partition("?")
        self._script = self._fragment = ""
        self._every = 0.0
        self._kept: dict[str, None] = {}
        self._marks: list[tuple[float, int]] = []
        sight.marks.append(self._marks)
        self.opened = asyncio.Event()

    async def look(self, stop: asyncio.Event) -> None:
        """Look until asked to stop."""
        async with websockets.connect(
            f"{self._address}/_stcore/stream", subprotocols=[websockets.Subprotocol("streamlit")], max_size=_LARGEST
        ) as socket:
            await self._run(socket)
            self.opened.set()
            due = time.monotonic() + self._every
            while self._fragment and not stop.is_set():
                with_stop = asyncio.create_task(stop.wait())
                await asyncio.wait([with_stop], timeout=max(due - time.monotonic(), 0))
                with_stop.cancel()
                if not stop.is_set():
                    due = max(due + self._every, time.monotonic())
                    await self._run(socket)

    async def _run(self, socket: websockets.ClientConnection) -> None:
        """Ask for the page or, once it is there, for its part that renews itself."""
        asked = BackMsg()
        state = asked.rerun_script
        state.query_string, state.page_script_hash, state.fragment_id = self._query, self._script, self._fragment
        state.is_auto_rerun = bool(self._fragment)
        if not self._script:
            state.page_name = self._name
        for name, value in _BROWSER.items():
            setattr(state.context_info, name, value)
        state.cached_message_hashes.extend(self._kept)
        first, at, begun, size = not self._fragment, time.time(), time.perf_counter(), 0
        await socket.send(asked.SerializeToString())
        kept: dict[str, None] = {}
        while True:
            frame = await asyncio.wait_for(socket.recv(), _LONGEST_S)
            assert isinstance(frame, bytes)
            size += len(frame)
            told = ForwardMsg.FromString(frame)
            kind = told.WhichOneof("type")
            newest = max(map(int, MARK.findall(frame)), default=0)
            if newest > (self._marks[-1][1] if self._marks else 0):
                self._marks.append((time.time(), newest))
            if told.metadata.cacheable:
                kept[told.hash] = None
            if kind == "ref_hash":
                kept[told.ref_hash] = None
            elif kind == "new_session":
                self._script = told.new_session.page_script_hash
            elif kind == "auto_rerun":
                self._fragment, self._every = told.auto_rerun.fragment_id, told.auto_rerun.interval
            elif kind == "script_finished":
                break
        self._kept = kept
        self._sight.runs.append(Run(self.page, at, time.perf_counter() - begun, size, first))


async def _looking(address: str, pages: Sequence[str], opened: Callable[[], None], stopping: Any) -> Sight:
    sight, stop = Sight(), asyncio.Event()
    viewers = [Viewer(address, page, sight) for page in pages]

    async def come(viewer: Viewer, after: float) -> None:
        await asyncio.sleep(after)
        await viewer.look(stop)

    tasks = [asyncio.create_task(come(viewer, 0.3 * number)) for number, viewer in enumerate(viewers)]
    all_opened = asyncio.gather(*(viewer.opened.wait() for viewer in viewers))
    either: list[asyncio.Future[Any]] = [all_opened, *tasks]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    opened()
    while not stopping.is_set():
        await asyncio.sleep(0.1)
        for task in tasks:
            if task.done():
                task.result()
    stop.set()
    await asyncio.gather(*tasks)
    return sight


def _look(address: str, pages: Sequence[str], told: Any, stopping: Any) -> None:
    told.put(asyncio.run(_looking(address, pages, lambda: told.put("opened"), stopping)))


@contextmanager
def viewers(address: str, pages: Sequence[str]) -> Iterator[Callable[[], Sight]]:
    """A viewer for each page, in a process of their own, all of which have opened it; what is given ends them.

    They come one after the other within some seconds, so that they do not ask all at once ever after.
    """
    stopping, told = _SPAWN.Event(), _SPAWN.Queue()
    process = _SPAWN.Process(target=_look, args=(address, pages, told, stopping))
    process.start()
    told.get(timeout=_LONGEST_S + len(pages))

    def ended() -> Sight:
        stopping.set()
        sight: Sight = told.get(timeout=_LONGEST_S)
        return sight

    try:
        yield ended
    finally:
        stopping.set()
        process.join(5)
        process.terminate()
