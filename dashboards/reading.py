"""Reading the store for pages: what is read once is shared by all who look, until the store has something new."""

import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar, cast

import streamlit as st

from dashboards.board import Board, load
from dashboards.latest import Latest
from dashboards.lines import Lines
from dashboards.lines import load as lines_of
from kpis.errors import OeeflowError, StorageError
from kpis.plant import Plant, load_plant
from storage.places import Places
from storage.reader import Reader

DB: Final = "OEEFLOW_DB"
REFRESH_S: Final = 5
KEEP_S: Final = 2
"""Seconds for which an answer is good enough: so the store is asked no more often by many viewers than by a few, and
what a page shows when it renews itself is less than three seconds old."""
PAST_S: Final = 30
"""The same for sums of the past, which hardly change."""
_KEPT: Final = 64
_LOOK_EVERY_S: Final = 1.0
_LOOKING_S: Final = 2 * REFRESH_S
"""seconds after which nobody looks any more who does not ask again"""
_AT_ONCE: Final = 4
"""questions asked ahead at a time, of all pages together"""

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Answer:
    value: object
    version: Hashable
    at: float


class Store:
    """The store as pages read it. Answers are kept until the store has a newer version, the latest ones only."""

    def __init__(self, path: Path) -> None:
        self.places = Places(path)
        self._reader = Reader(path)
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._asking: dict[Hashable, threading.Lock] = {}
        self._behind: set[Hashable] = set()
        self._version: Hashable = None
        self._looked = -math.inf
        self._asker = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ahead")
        self._board: Latest[Board | None] = Latest(self._newer, KEEP_S, _LOOKING_S)
        self._board_version: Hashable = None
        self._lines: Lines | None = None
        self._lines_asked = -math.inf

    def read(self, key: Hashable, compute: Callable[[Reader], Value], keep_s: float = KEEP_S) -> Value:
        """What `compute` makes of the store, or what it made for the same key and version, or less than `keep_s` ago.

        Who asks for the same at the same time waits for the one answer. Raises StorageError.
        """
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            version = self._current()
            with self._lock:
                known = self._answers.get(key)
            if known is None or (known.version != version and time.monotonic() > known.at + keep_s):
                known = _Answer(compute(self._reader), version, time.monotonic())
            self._keep(key, known)
        return cast(Value, known.value)  # a key belongs to one question

    def past(self, key: Hashable, compute: Callable[[Reader], Value], keep_s: float = PAST_S) -> Value:
        """The same for sums of the past, which hardly change: `keep_s` is longer, and nobody waits who looked just now.

        Who asks again when an answer is a little older is given it once more, while the store is asked anew.
        """
        with self._lock:
            known = self._answers.get(key)
        if known is None or not 0 < time.monotonic() - known.at - keep_s < _LOOKING_S:
            return self.read(key, compute, keep_s)
        self.ahead(key, compute, keep_s)
        return cast(Value, known.value)

    def ahead(self, key: Hashable, compute: Callable[[Reader], object], keep_s: float = PAST_S) -> None:
        """Begin to ask what `read` or `past` is about to be asked: then it waits for this answer, or has it already.

        So a page asks all its questions at once, and the engine answers several at a time.
        """
        with self._lock:
            if key in self._behind:
                return
            self._behind.add(key)

        def ask() -> None:
            try:
                with suppress(OeeflowError):  # `read` asks again, and says so
                    self.read(key, compute, keep_s)
            finally:
                with self._lock:
                    self._behind.discard(key)

        self._asker.submit(ask)

    def ask(self, compute: Callable[[Reader], Value]) -> Value:
        """What `compute` makes of the store now; nothing is kept. Raises StorageError."""
        return compute(self._reader)

    def plant(self) -> Plant:
        """The plant that the store was filled with. Raises StorageError for an empty store."""
        return _plant(self.read("plant", Reader.plant_text))

    def board(self) -> Board | None:
        """The board of this moment, kept new as long as somebody looks; None while nothing is accounted.

        Raises StorageError.
        """
        return self._board.get()

    def lines(self, board: Board) -> Lines:
        """What the lines did up to the moment of a board, read once for all who look at it. Raises StorageError."""
        self._lines_asked = time.monotonic()
        return self._lines_of(board)

    def forget(self) -> None:
        """Let no answer be good enough: the past was changed, and who looks is to see that at the next refresh."""
        with self._lock:
            for key, answer in self._answers.items():
                self._answers[key] = replace(answer, version=None, at=-math.inf)
            self._looked = -math.inf
        self._board.forget()

    def close(self) -> None:
        """Let go of the store."""
        self._board.close()
        self._asker.shutdown(cancel_futures=True)
        self._reader.close()

    def _newer(self, before: Board | None) -> Board | None:
        """The next board; with the lines, when people look at them, so that they do not wait for them either.

        It is the one before it as long as the store has nothing new.
        """
        version = self._reader.version()
        if before is not None and version == self._board_version:
            return before
        board = load(self._reader, self.plant(), before)
        self._board_version = version
        first = before is not None and self._lines is None  # who looks at the plant looks at a line next
        if board is not None and (first or time.monotonic() < self._lines_asked + _LOOKING_S):
            self._lines_of(board)
        return board

    def _lines_of(self, board: Board) -> Lines:
        def read() -> Lines:
            self._lines = lines_of(self._reader, board, self._lines)
            return self._lines

        return board.once("lines", read)

    def _keep(self, key: Hashable, answer: _Answer) -> None:
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._asking.pop(self._answers.popitem(last=False)[0], None)

    def _current(self) -> Hashable:
        """The version of the store, looked at once a second however many look at pages."""
        with self._lock:
            if time.monotonic() > self._looked + _LOOK_EVERY_S:
                self._version = self._reader.version()
                self._looked = time.monotonic()
            return self._version

    @property
    def note(self) -> str | None:
        """What people should know about where the figures come from; None: they are up to date."""
        return self._reader.note


@st.cache_resource(show_spinner=False, on_release=lambda known: known.close())
def _store(path: str) -> Store:
    return Store(Path(path))


def store() -> Store:
    """The store that OEEFLOW_DB names. Raises StorageError when there is none."""
    path = os.environ.get(DB, "")
    if not path:
        msg = "no store is named"
        raise StorageError(msg, hint=f"start with `oeeflow dashboard --db FILE`, or set {DB}")
    return _store(path)


def places() -> Places:
    """Where the things beside the store are. Raises StorageError when no store is named."""
    return store().places


def read(key: Hashable, compute: Callable[[Reader], Value]) -> Value:
    """The store's answer; see Store.read. `key` names the question with all that it depends on."""
    return store().read(key, compute)


def past(key: Hashable, compute: Callable[[Reader], Value], keep_s: float = PAST_S) -> Value:
    """The store's answer about the past; see Store.past."""
    return store().past(key, compute, keep_s)


def ahead(key: Hashable, compute: Callable[[Reader], object], keep_s: float = PAST_S) -> None:
    """Begin to ask what will be asked about the past; see Store.ahead."""
    store().ahead(key, compute, keep_s)


def ask(compute: Callable[[Reader], Value]) -> Value:
    """The store's answer of this very moment; see Store.ask."""
    return store().ask(compute)


def forget() -> None:
    """Let no answer be good enough; see Store.forget."""
    store().forget()


def plant() -> Plant:
    """The plant that the store was filled with; see Store.plant."""
    return store().plant()


def board() -> Board | None:
    """The board of this moment; see Store.board."""
    return store().board()


def lines(board: Board) -> Lines:
    """What the lines did up to the moment of a board; see Store.lines."""
    return store().lines(board)


@lru_cache(maxsize=2)
def _plant(text: str) -> Plant:
    return load_plant(text)
