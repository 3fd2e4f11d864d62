"""Where messages come in: a bounded queue and one thread that writes it to the journal, many messages a commit.

Whoever offers a message hears that it is safe only when it is on disk. When the queue is full, who offers waits: on an
MQTT thread that is backpressure for the broker.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

import polars as pl
import structlog

from kpis.errors import OeeflowError, StorageError
from storage.journal import Entry, Journal, JournalFull, as_frame

Done = Callable[[int | None], None]

COMMIT_EVERY: Final = 0.01
"""seconds from one commit to the next, at least: what comes meanwhile shares it."""
MOST_ENTRIES: Final = 20_000
MOST_BYTES: Final = 32 << 20
PATIENCE: Final = 10.0
"""seconds that an offer waits for room; less than the keepalive of a broker, which would hang up."""
COMMIT_ENTRIES: Final = 5_000
FULL_RETRY: Final = 1.0

log = structlog.get_logger("reception")


class _Waiting(NamedTuple):
    entry: Entry
    done: Done


class Reception:
    """Takes messages from any thread into a journal. Use it as a context manager, in which the journal stays open.

    `full`: there is no room on the disk; nothing is acknowledged until there is, then it goes on by itself. `failure`:
    the journal can no longer be trusted, and the process has to end.
    """

    def __init__(self, journal: Journal, *, entries: int = MOST_ENTRIES, size: int = MOST_BYTES) -> None:
        self._journal = journal
        self._most_entries, self._most_bytes = entries, size
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._room = threading.Condition()
        self._news = threading.Condition()
        self._last = journal.last
        self._recent: deque[tuple[int, list[Entry]]] = deque()
        self._remembered = self._remembered_bytes = 0
        self._closing = False
        self.full = False
        self.failure: OeeflowError | None = None
        self._writer = threading.Thread(target=self._write, name="journal")

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, then stop."""
        with self._room:
            self._closing = True
            self._room.notify_all()
        self._writer.join()

    @property
    def last(self) -> int:
        """The offset of the last message whose sender was told; 0 when there is none."""
        return self._last

    @property
    def fill(self) -> float:
        """How full the queue is, from 0 to 1, by number or by bytes."""
        return max(len(self._queue) / self._most_entries, self._bytes / self._most_bytes)

    def offer(self, entry: Entry, done: Done, patience: float = PATIENCE) -> None:
        """Hand over a message; waits while the queue is full, up to `patience` seconds.

        `done` is called with the message's offset once it is on disk, or with None if it was not stored: then its
        sender must not be told that it is safe. It is called from another thread and must not raise.
        """
        with self._room:
            if self._is_full():
                self._room.wait_for(lambda: self._closing or not self._is_full(), patience)
            accepted = not self._closing and not self._is_full()
            if accepted:
                self._queue.append(_Waiting(entry, done))
                self._bytes += len(entry.payload)
                if len(self._queue) == 1 or self._is_full():  # else the journal's thread is not waiting for it
                    self._room.notify_all()
        if not accepted:
            done(None)

    def _is_full(self) -> bool:
        return len(self._queue) >= self._most_entries or self._bytes >= self._most_bytes

    def read(self, after: int, rows: int, size: int) -> pl.DataFrame:
        """Messages after an offset whose senders were told: at most `rows`, and about `size` bytes, but at least one.

        From memory if they came in lately, else from the journal, with its columns, and raising as it does. Memory
        forgets what is before `after`.
        """
        with self._news:
            last = self._last
            while self._recent and self._recent[0][0] + len(self._recent[0][1]) <= after + 1:
                self._forget()
            known = bool(self._recent) and self._recent[0][0] <= after + 1
            lately = list(self._recent) if known else []
        if not known:
            return self._journal.read(after, rows, size).filter(pl.col("offset") <= last)
        found: list[tuple[int, str, str, bytes, int]] = []
        much = 0
        for first, entries in lately:
            begin = max(0, after + 1 - first)
            found.extend((first + n, *entry) for n, entry in enumerate(entries[begin:], begin))
            much += sum(len(entry.payload) for entry in entries[begin:])
            if len(found) >= rows or much >= size:
                break
        return as_frame(found[:rows])

    def _remember(self, last: int, entries: list[Entry]) -> None:
        """Keep what was told last for `read`, up to as much as the queue may hold."""
        self._recent.append((last - len(entries) + 1, entries))
        self._remembered += len(entries)
        self._remembered_bytes += sum(len(entry.payload) for entry in entries)
        while self._remembered > self._most_entries or self._remembered_bytes > self._most_bytes:
            self._forget()

    def _forget(self) -> None:
        _, entries = self._recent.popleft()
        self._remembered -= len(entries)
        self._remembered_bytes -= sum(len(entry.payload) for entry in entries)

    def wait(self, after: int, seconds: float) -> bool:
        """Whether the journal holds something newer than `after`; waits for it so long.

        Raises StorageError when the journal failed.
        """
        with self._news:
            self._news.wait_for(lambda: self.failure is not None or self._last > after, seconds)
        if self.failure is not None:
            raise self.failure
        return self._last > after

    def _write(self) -> None:
        begun = 0.0
        while waiting := self._next(begun):
            begun = time.monotonic()
            self._store(waiting)

    def _next(self, begun: float) -> list[_Waiting]:
        """What waits, as soon as there is anything and the last commit is long enough ago; nothing at the end."""
        with self._room:
            self._room.wait_for(lambda: self._closing or self._queue)
            pause = begun + COMMIT_EVERY - time.monotonic()
            if pause > 0:
                self._room.wait_for(lambda: self._closing or self._is_full(), pause)
            taken = [self._queue.popleft() for _ in range(min(len(self._queue), COMMIT_ENTRIES))]
            self._bytes -= sum(len(each.entry.payload) for each in taken)
            self._room.notify_all()
        return taken

    def _store(self, waiting: list[_Waiting]) -> None:
        entries = [each.entry for each in waiting]
        last = self._append(entries)
        first = None if last is None else last - len(waiting) + 1
        for number, each in enumerate(waiting):
            try:
                each.done(None if first is None else first + number)
            except Exception:
                log.exception("a sender could not be told", source=each.entry.source)
        with self._news:
            if last is not None:
                self._last = last
                self._remember(last, entries)
            self._news.notify_all()

    def _append(self, entries: list[Entry]) -> int | None:
        """The offset of the last entry, None if they were not stored. While the disk is full it tries again."""
        while self.failure is None:
            try:
                last = self._journal.append(entries)
            except JournalFull as error:
                self._say_full(error)
                with self._room:
                    if self._room.wait_for(lambda: self._closing, FULL_RETRY):
                        return None
            except OeeflowError as error:
                self._fail(error)
            except Exception as error:
                self._fail(StorageError(f"the journal failed: {error}", hint="look at the disk, then start again"))
            else:
                if self.full:
                    self.full = False
                    log.info("the journal has room again")
                return last
        return None

    def _say_full(self, error: JournalFull) -> None:
        if not self.full:
            self.full = True
            log.error("the journal is full: nothing is acknowledged until there is room", found=str(error))

    def _fail(self, failure: OeeflowError) -> None:
        log.error("the journal failed", found=str(failure))
        self.failure = failure
