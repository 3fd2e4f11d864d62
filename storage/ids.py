"""Which ids have been seen, and in which commit: so that neither a new event nor a repeated one costs a search.

What is looked up here is a 64-bit key of each event in the store, with the commit (flush) that took it in. The latest
are in memory, the others in files beside the store. These are made from the events, and made again when they do not
fit them. See docs/adr/0010-keys-in-sorted-runs.md.
"""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
import polars as pl

from kpis.errors import StorageError
from storage.database import Connection
from storage.places import sync
from storage.runs import FileRun, Keys, MemoryRun, Numbers, Places, Run, merge, total

MANY: Final = 1 << 19
"""So many keys are kept in memory (6 MB) before they go to a file."""

FEW: Final = 1 << 14
"""Fewer than these are not worth a file when the store is closed: they are read from the events next time."""

_FACTOR: Final = 4  # between a file and the next: a higher one makes for fewer files, and more to write
_INDEX: Final = "index.json"
_PROBES: Final = pl.DataFrame({"equipment": [f"a{'/b' * n}" for n in range(40)], "id": ["é7" * n for n in range(40)]})
"""Their keys tell whether the hash function is still the one that the files were made with."""


def keys(events: pl.DataFrame) -> Keys:
    """A key for each event from its `equipment` and `id`; different ones may, very rarely, share one."""
    return events.select(pl.col("equipment").hash(1) ^ pl.col("id").hash(2)).to_series().to_numpy()


def repeated(batch: Keys) -> pl.Series:
    """For each key whether the batch has it more than once."""
    ordered = np.sort(batch)  # much quicker than to look each of them up, and hardly any batch has one
    if (ordered[1:] != ordered[:-1]).all():
        return pl.repeat(False, len(batch), eager=True)
    return pl.Series(batch).is_duplicated()


@dataclass(frozen=True)
class _Merging:
    """A file on its way: made of the latest files, of those in memory the oldest, and good up to a flush."""

    future: Future[int]
    path: Path
    files: int
    in_memory: int
    flush: int


class SeenIds:
    """The keys of all events in a store, as sorted runs; those of about one size are merged, so that there are few.

    A search costs some reads for each key and run, a batch of many keys no more than the upper halves of all of them.
    Memory is bounded: the keys in memory, and what one search or merge reads at a time.
    """

    def __init__(self, con: Connection, folder: Path) -> None:
        """Open the files of a store in their folder; what they lack is read from its events.

        Raises StorageError when a file is damaged.
        """
        self._con, self._folder = con, folder
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ids")
        self._merging: _Merging | None = None
        self._memory: list[MemoryRun] = []
        self._replaced: list[FileRun] = []
        self._flush = int(con.execute("SELECT coalesce(max(flush), 0) FROM flushes").fetchall()[0][0])
        self._writers = self._known_writers()
        filed, self._files = self._indexed()
        self._number = max((int(file.path.stem) for file in self._files), default=0)
        con.execute("DELETE FROM writers WHERE after_flush >= ?", [self._flush])
        # What was written before there was this table counts as the first one's.
        con.execute(
            "INSERT INTO writers SELECT ?, CASE WHEN count(*) = 0 THEN 0 ELSE ? END FROM writers",
            [str(uuid4()), self._flush],
        )
        self._writers = self._known_writers()
        self._catch_up(filed)

    def find(self, batch: Keys) -> tuple[Places, Numbers]:
        """Which of the keys have been seen (their places), and the flush of each; a key may be found more than once."""
        order = np.argsort(batch)
        ordered = batch[order]
        runs: list[Run] = [*self._files, *self._memory] if len(batch) else []
        found = [run.find(ordered) for run in runs]
        if not found:
            return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.uint32)
        return order[np.concatenate([which for which, _ in found])], np.concatenate([flush for _, flush in found])

    def add(self, batch: Keys, flush: int) -> None:
        """Remember the keys of a flush; those before it are durable by now.

        Raises StorageError when a file cannot be written.
        """
        if self._merging and (self._merging.future.done() or total(self._memory) > 2 * MANY):
            self._write_index(self._finish())
        self._remember(MemoryRun.of(batch, flush))
        self._flush = flush
        if total(self._memory) >= MANY and not self._merging:
            self._begin()

    def close(self) -> None:
        """Write what would be much to read again. Everything added must be durable.

        Raises StorageError when a file cannot be written.
        """
        if self._merging:
            self._write_index(self._finish())
        if total(self._memory) >= FEW:
            self._begin()
            self._write_index(self._finish())
        self._pool.shutdown()
        for file in self._files:
            file.close()

    def _remember(self, run: MemoryRun) -> None:
        if not run.length:
            return
        kept = self._merging.in_memory if self._merging else 0
        while len(self._memory) > kept and self._memory[-1].length < 2 * run.length:
            run = self._memory.pop().merged(run)
        self._memory.append(run)

    def _begin(self) -> None:
        """Begin to write the keys in memory into a file, together with the files that are not much larger."""
        kept, size = len(self._files), total(self._memory)
        while kept and self._files[kept - 1].length < _FACTOR * size:
            kept -= 1
            size += self._files[kept].length
        self._number += 1
        path = self._folder / f"{self._number}.run"
        for folder in (self._folder.parent, self._folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        future = self._pool.submit(merge, [*self._files[kept:], *self._memory], path)
        self._merging = _Merging(future, path, len(self._files) - kept, len(self._memory), self._flush)

    def _finish(self) -> int:
        """Wait until the file is written, and use it in place of what it is made of; up to which flush it is good."""
        if self._merging is None:
            return self._flush
        merging, self._merging = self._merging, None
        try:
            length = merging.future.result()
        except OSError as error:
            msg = f"cannot write {merging.path}: {(error.strerror or str(error)).lower()}"
            raise StorageError(msg, hint="check the space left and the permissions of its folder") from error
        kept = len(self._files) - merging.files
        self._replaced += self._files[kept:]
        self._files[kept:] = [FileRun(merging.path, length)]
        del self._memory[: merging.in_memory]
        return merging.flush

    def _catch_up(self, filed: int) -> None:
        """Read the keys of events that are newer than what the files are good for."""
        before = self._number
        query = self._con.execute("SELECT equipment, id, flush FROM events WHERE flush > ?", [filed])
        for part in query.to_arrow_reader(MANY // 4):
            events = pl.DataFrame(pl.from_arrow(part))
            self._remember(MemoryRun.of(keys(events), events["flush"].to_numpy()))
            if total(self._memory) >= MANY:
                self._begin()
                self._finish()
        if self._number > before:
            # Only now that all is read is it known up to which flush the files are good.
            if self._memory:
                self._begin()
            self._write_index(self._finish())

    def _indexed(self) -> tuple[int, list[FileRun]]:
        """The flush up to which the files are good, and the files: none if they are not of this store as it is now."""
        try:
            index = json.loads((self._folder / _INDEX).read_text())
        except (FileNotFoundError, ValueError):
            return self._unfit()
        runs = {self._folder / name: length for name, length in index["runs"]}
        history = index["flush"] <= self._flush and index["writer"] == self._writer_of(index["flush"])
        if not history or index["probes"] != _probes() or not all(path.exists() for path in runs):
            return self._unfit()
        for path in set(self._folder.glob("*.run")) - runs.keys():
            path.unlink()
        return index["flush"], [FileRun(path, length) for path, length in runs.items()]

    def _unfit(self) -> tuple[int, list[FileRun]]:
        forget(self._folder)
        return 0, []

    def _write_index(self, flush: int) -> None:
        """Name the files, which are good up to a flush that is durable; those that they replace are not needed then."""
        runs = [(file.path.name, file.length) for file in self._files]
        writer = self._writer_of(flush)
        fresh = self._folder / f"{_INDEX}.new"
        fresh.write_text(json.dumps({"flush": flush, "writer": writer, "probes": _probes(), "runs": runs}))
        sync(fresh)
        fresh.rename(self._folder / _INDEX)
        sync(self._folder)
        for run in self._replaced:
            run.close()
            run.path.unlink()
        self._replaced.clear()

    def _known_writers(self) -> list[tuple[int, str]]:
        return self._con.execute("SELECT after_flush, writer FROM writers ORDER BY after_flush DESC").fetchall()

    def _writer_of(self, flush: int) -> str | None:
        """Who wrote a flush: another one, if the store is a copy that went its own way before."""
        return next((writer for after, writer in self._writers if after < flush), None)


def forget(folder: Path) -> None:
    """Take away the files of a store that nobody has open: they are made again from the events that it has by then."""
    for path in (folder / _INDEX, *folder.glob("*.run")):
        path.unlink(missing_ok=True)


def _probes() -> list[int]:
    return [int(key) for key in keys(_PROBES)]
