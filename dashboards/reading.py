"""Reading the store for pages: what is read once is shared by all who look, until the store has something new."""

import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Final, TypeVar, cast

import streamlit as st

from dashboards.board import Board, load
from kpis.errors import StorageError
from kpis.plant import Plant, load_plant
from storage.reader import Reader

DB: Final = "OEEFLOW_DB"
REFRESH_S: Final = 5
_KEPT: Final = 64

Value = TypeVar("Value")


class Store:
    """The store as pages read it. Answers are kept until the store has a newer version, the latest ones only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._version: Hashable = None
        self._kept: dict[Hashable, object] = {}

    def read(self, key: Hashable, compute: Callable[[Reader], Value]) -> Value:
        """What `compute` makes of the store, or what it made for the same key and version. Raises StorageError."""
        with self._lock:
            version = self._modified()
            if version != self._version:
                self._version, self._kept = version, {}
            if key not in self._kept:
                with Reader(self._path) as reader:
                    self._kept[key] = compute(reader)
                while len(self._kept) > _KEPT:
                    del self._kept[next(iter(self._kept))]
            return cast(Value, self._kept[key])  # a key belongs to one question

    def _modified(self) -> Hashable:
        found = self._path.stat() if self._path.exists() else None
        return None if found is None else (found.st_mtime_ns, found.st_size)


@st.cache_resource(show_spinner=False)
def _store(path: str) -> Store:
    return Store(Path(path))


def read(key: Hashable, compute: Callable[[Reader], Value]) -> Value:
    """The store's answer; see Store.read. `key` names the question with all that it depends on."""
    path = os.environ.get(DB, "")
    if not path:
        msg = "no store is named"
        raise StorageError(msg, hint=f"start with `oeeflow dashboard --db FILE`, or set {DB}")
    return _store(path).read(key, compute)


def plant() -> Plant:
    """The plant that the store was filled with. Raises StorageError for an empty store."""
    return read("plant", lambda reader: load_plant(reader.plant_text()))


def board() -> Board | None:
    """The board of this moment; None while nothing is accounted."""
    known = plant()
    return read("board", lambda reader: load(reader, known))
