"""The sender: takes letters to their channels, each channel in a thread of its own, as often as it takes.

A letter that was not handed over is tried again, at growing distances, until it is too old. A channel that fails again
and again is left alone for a while, so that one that is broken neither floods its service nor fills the log.
"""

import heapq
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple, Self

import structlog

from kpis.plant_model import Calling
from pipelines.notify.letters import Notifier, Undelivered, Wording
from storage.outbox import DEAD, DELIVERED, WAITING, Letter, Report

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
"""seconds from one attempt with a letter to the next; they double up to the longest, more or less a third."""
FAILURES: Final = 3
REST: Final = 30.0
"""A channel that failed so often in a row is left alone for so many seconds; then one letter tries it."""
STOP_WITHIN: Final = 5.0

log = structlog.get_logger("notify")


class ChannelStatus(NamedTuple):
    """How a channel is doing: letters that wait and the age of the oldest in seconds; failures in a row."""

    waiting: int
    age: float
    failures: int
    delivered: int
    dead: int
    error: str | None


@dataclass(order=True)
class _Waiting:
    at: float
    number: int
    letter: Letter
    attempts: int
    error: str | None = None


class Sender:
    """Sends letters and reports what became of them. Use it as a context manager.

    What is still on its way at the end stays `waiting` in the store: the next sender takes it up.
    """

    def __init__(
        self, calling: Calling, notifiers: Mapping[str, Notifier], wording: Wording, report: Callable[[Report], None]
    ) -> None:
        self._people, self._report = calling.people, report
        self._lanes = {name: _Lane(name, each, wording, self._address, report) for name, each in notifiers.items()}

    def __enter__(self) -> Self:
        for lane in self._lanes.values():
            lane.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in self._lanes.values():
            lane.stop()
        until = time.monotonic() + STOP_WITHIN
        for lane in self._lanes.values():
            lane.thread.join(max(0.0, until - time.monotonic()))

    def post(self, letters: Iterable[Letter]) -> None:
        """Send letters, soon."""
        for letter in letters:
            lane = self._lanes.get(letter.channel)
            if lane is None or self._address(letter) is None:
                error = "the plant file has no such person on such a channel any more"
                self._report(Report(letter.message, letter.channel, letter.attempts, None, DEAD, error))
            else:
                lane.post(letter)

    def status(self) -> dict[str, ChannelStatus]:
        """How each channel is doing."""
        return {name: lane.status() for name, lane in self._lanes.items()}

    def _address(self, letter: Letter) -> str | None:
        person = self._people.get(letter.recipient)
        return None if person is None else person.channels.get(letter.channel)


class _Lane:
    """One channel."""

    def __init__(
        self,
        name: str,
        notifier: Notifier,
        wording: Wording,
        address: Callable[[Letter], str | None],
        report: Callable[[Report], None],
    ) -> None:
        self._name, self._notifier, self._wording = name, notifier, wording
        self._address, self._report = address, report
        self._news = threading.Condition()
        self._heap: list[_Waiting] = []
        self._number = self._failures = self._delivered = self._dead = 0
        self._rest_until = 0.0
        self._error: str | None = None
        self._stopping = False
        self.thread = threading.Thread(target=self._run, name=f"notify-{name}", daemon=True)

    def post(self, letter: Letter) -> None:
        with self._news:
            self._put(_Waiting(0.0, 0, letter, letter.attempts))
            self._news.notify()

    def stop(self) -> None:
        with self._news:
            self._stopping = True
            self._news.notify()

    def status(self) -> ChannelStatus:
        with self._news:
            oldest = min((each.letter.due_at for each in self._heap), default=None)
            age = 0.0 if oldest is None else max(0.0, time.time() - oldest / 1e6)
            return ChannelStatus(len(self._heap), age, self._failures, self._delivered, self._dead, self._error)

    def _put(self, waiting: _Waiting) -> None:
        self._number += 1
        waiting.number = self._number
        heapq.heappush(self._heap, waiting)

    def _run(self) -> None:
        while (waiting := self._next()) is not None:
            letter = waiting.letter
            if letter.expires_at <= time.time() * 1e6:
                self._give_up(waiting)
                continue
            try:
                self._send(letter)
            except Undelivered as undelivered:
                self._later(waiting, str(undelivered))
            except Exception as error:
                self._later(waiting, f"a fault: {type(error).__name__}")  # its text could hold a secret
            else:
                self._delivered += 1
                self._failures, self._error = 0, None
                sent = time.time_ns() // 1_000
                self._report(Report(letter.message, self._name, waiting.attempts + 1, sent, DELIVERED, None))
                log.info("told", message=letter.message, person=letter.recipient, channel=self._name)
            with self._news:
                self._heap = [each for each in self._heap if each is not waiting]
                heapq.heapify(self._heap)

    def _next(self) -> _Waiting | None:
        """The next letter whose time has come, left in its place; None: stop."""
        with self._news:
            while not self._stopping:
                now = time.monotonic()
                old = next((each for each in self._heap if each.letter.expires_at <= time.time() * 1e6), None)
                if old is not None:
                    return old
                if self._heap and max(self._heap[0].at, self._rest_until) <= now:
                    return self._heap[0]
                due = max(self._heap[0].at, self._rest_until) - now if self._heap else None
                self._news.wait(None if due is None else min(due, 1.0))
            return None

    def _send(self, letter: Letter) -> None:
        """One attempt, in a thread that is left alone when it takes too long."""
        outcome: list[BaseException | None] = []

        def attempt() -> None:
            try:
                address = self._address(letter) or ""
                self._notifier.send(letter, letter.recipient, address, self._wording.text(letter))
                outcome.append(None)
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=attempt, name=f"notify-{self._name}-attempt", daemon=True)
        thread.start()
        thread.join(self._notifier.timeout)
        if not outcome:
            reason = f"no answer within {self._notifier.timeout:g} s"
            raise Undelivered(reason)
        if outcome[0] is not None:
            raise outcome[0]

    def _later(self, waiting: _Waiting, error: str) -> None:
        self._failures += 1
        self._error = error
        attempts = waiting.attempts + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts - 1, 20)) * random.uniform(0.67, 1.33)
        log.warning("not told", message=waiting.letter.message, channel=self._name, found=error, seconds=round(pause))
        self._report(Report(waiting.letter.message, self._name, attempts, None, WAITING, error))
        with self._news:
            if self._failures >= FAILURES:
                self._rest_until = time.monotonic() + REST
            self._put(_Waiting(time.monotonic() + pause, 0, waiting.letter, attempts, error))

    def _give_up(self, waiting: _Waiting) -> None:
        error = waiting.error or self._error
        told = "too old" if error is None else f"too old; {error}"
        self._dead += 1
        log.error("given up", message=waiting.letter.message, channel=self._name, found=told)
        self._report(Report(waiting.letter.message, self._name, waiting.attempts, None, DEAD, told))
        with self._news:
            self._heap = [each for each in self._heap if each is not waiting]
            heapq.heapify(self._heap)
