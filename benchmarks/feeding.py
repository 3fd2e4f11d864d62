"""What machines report while pages are looked at, through the HTTP door: at a pace, or as fast as it is taken."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks import year
from storage.places import Places
from storage.running import Running

MARKED: Final = year.machines()[4]
"""The machine that gives a new reason every half a second; the first line runs as it does."""
MARKS_EVERY: Final = 0.5
_PORTION: Final = 0.25
_FLOOD: Final = 2_000
_SENDERS: Final = 3
_STATES_SHARE: Final = 0.02
_SPAWN: Final = get_context("spawn")
Event = dict[str, Any]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _reported(name: str, number: int) -> list[Event]:
    """So many events of all machines but the marked one, happening now; ids begin with a name."""
    machines, now = [path for path in year.machines() if path != MARKED], _now()
    found: list[Event] = []
    for n in range(number):
        event: Event = {"id": f"{name}-{n}", "ts": now, "equipment": machines[n % len(machines)]}
        if random.random() < _STATES_SHARE:
            state, reason = random.choice((*year.STOPPED, *((("producing", None),) * 8)))
            event |= {"type": "state", "state": state} | ({} if reason is None else {"reason": reason})
        else:
            event |= {"type": "count", "good": 1}
        found.append(event)
    return found


class Sender:
    """A connection to the HTTP door of the engine of a store."""

    def __init__(self, db: Path) -> None:
        places = Places(db.resolve())
        running = Running.read(places)
        assert running is not None
        assert running.http is not None
        self._connection = http.client.HTTPConnection(urlsplit(running.http).netloc, timeout=60)
        self._headers = {"Authorization": f"Bearer {places.token.read_text(encoding='utf-8')}"}

    def send(self, events: list[Event]) -> int:
        """Send events and wait until they are counted; how many are, 0 when the engine is only keeping them."""
        self._connection.request("POST", "/events", json.dumps(events).encode(), self._headers)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status in (200, 202), body[:500]
        return len(events) if response.status == http.client.OK else 0


def until_counted(db: Path) -> None:
    """Wait until the engine counts what comes in: the first time after its start it reads what it has to know."""
    sender, turn = Sender(db), 0
    while not sender.send(_reported(f"first-{time.monotonic()}-{turn}", 100)):
        turn += 1


def flood(db: Path, seconds: float) -> float:
    """Events a second that the engine counts when it is given as many as it takes."""
    done = [0] * _SENDERS
    begun = time.monotonic()

    def send(which: int) -> None:
        sender, turn = Sender(db), 0
        while time.monotonic() < begun + seconds:
            done[which] += sender.send(_reported(f"flood-{which}-{begun}-{turn}", _FLOOD))
            turn += 1

    threads = [threading.Thread(target=send, args=(which,)) for which in range(_SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - begun)


def _feed(db: Path, rate: float, stopping: Any, told: Any) -> None:
    """Report at a rate, with a mark every half a second; in the end tell when each mark was made."""
    sender, marks, turn = Sender(db), [0.0], 0
    begun = time.monotonic()
    sent, next_mark = 0, begun
    while not stopping.is_set():
        time.sleep(_PORTION)
        due = round((time.monotonic() - begun) * rate) - sent
        events = _reported(f"feed-{begun}-{turn}", due)
        sent, turn = sent + due, turn + 1
        if time.monotonic() >= next_mark:
            marks.append(time.time())
            reason = f"mark-{len(marks) - 1}"
            mark = {"id": f"{reason}-{begun}", "ts": _now(), "equipment": MARKED, "type": "state", "state": "down"}
            events.append(mark | {"reason": reason})
            next_mark += MARKS_EVERY
        sender.send(events)
    told.put(marks)


@contextmanager
def fed(db: Path, rate: float) -> Iterator[Callable[[], list[float]]]:
    """A plant that reports, for the time of the block; what is given ends it, and tells when each mark was made."""
    stopping, told = _SPAWN.Event(), _SPAWN.Queue()
    process = _SPAWN.Process(target=_feed, args=(db, rate, stopping, told))
    process.start()

    def ended() -> list[float]:
        stopping.set()
        marks: list[float] = told.get(timeout=60)
        return marks

    try:
        yield ended
    finally:
        stopping.set()
        process.join(10)
        process.terminate()
