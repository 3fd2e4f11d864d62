"""Sorted runs of 64-bit keys, each with a 32-bit number: in memory while they are few, merged into files when many.

A run has the upper halves of its keys (heads) in order, and in a second column the lower halves with the numbers
(tails). A search goes through the heads, of which a file is read only where it may have some of the keys, and looks at
the tails only where heads are equal.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from kpis.errors import StorageError

Keys = npt.NDArray[np.uint64]
Heads = npt.NDArray[np.uint32]
Tails = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.uint32]
Places = npt.NDArray[np.intp]

_HALF: Final = np.uint64(32)
_LOWER: Final = np.uint64(0xFFFF_FFFF)
_ENTRY_BYTES: Final = 12
_BLOCK: Final = 1024  # heads read at least, 4 KB
_TAILS: Final = 128  # tails read at least, 1 KB
_GAP: Final = 1  # blocks that are read along rather than skipped
_AT_ONCE: Final = 2048  # blocks read at once, 8 MB: bounds what is in memory
_PART: Final = 1 << 18  # entries merged at once


class Run(Protocol):
    """Entries in the order of their heads."""

    length: int

    def find(self, keys: Keys) -> tuple[Places, Numbers]:
        """Which of the sorted keys are in it (their places), and the number of each; a key may be found twice."""

    def between(self, low: int, high: int) -> tuple[Heads, Tails]:
        """The entries whose head is `low` or more and less than `high`."""


def _heads(keys: Keys) -> Heads:
    return (keys >> _HALF).astype(np.uint32)


def _equal(sorted_heads: Heads, wanted: Heads) -> tuple[Places, Places]:
    """Pairs of places of equal heads: in `wanted` and in `sorted_heads`."""
    first = np.searchsorted(sorted_heads, wanted)
    hit = np.flatnonzero(sorted_heads[np.minimum(first, len(sorted_heads) - 1)] == wanted)
    first = first[hit]
    many = np.searchsorted(sorted_heads, wanted[hit], "right") - first
    which = np.repeat(hit, many)
    return which, np.arange(len(which)) + np.repeat(first - np.cumsum(many) + many, many)


def _same(keys: Keys, which: Places, tails: Tails) -> tuple[Places, Numbers]:
    """Of keys and tails with equal heads, those whose lower halves are equal too."""
    same = (tails >> _HALF) == (keys[which] & _LOWER)
    return which[same], (tails[same] & _LOWER).astype(np.uint32)


class MemoryRun:
    """A run in memory."""

    def __init__(self, heads: Heads, tails: Tails) -> None:
        self._heads, self._tails = heads, tails
        self.length = len(heads)

    @staticmethod
    def of(keys: Keys, numbers: Numbers | int) -> "MemoryRun":
        """The run of some keys, in any order, with a number each or one for all."""
        tails = (keys & _LOWER) << _HALF | np.asarray(numbers, dtype=np.uint64)
        order = np.argsort(keys)
        return MemoryRun(_heads(keys)[order], tails[order])

    def merged(self, other: "MemoryRun") -> "MemoryRun":
        """Both runs as one."""
        return MemoryRun(
            *_sorted(np.concatenate([self._heads, other._heads]), np.concatenate([self._tails, other._tails]))
        )

    def find(self, keys: Keys) -> tuple[Places, Numbers]:
        """See Run."""
        which, places = _equal(self._heads, _heads(keys))
        return _same(keys, which, self._tails[places])

    def between(self, low: int, high: int) -> tuple[Heads, Tails]:
        """See Run."""
        first, last = _place(self._heads, low), _place(self._heads, high)
        return self._heads[first:last], self._tails[first:last]


def _place(heads: Heads, head: int) -> int:
    """Where the first one is that is not less; a head beyond all is not one of 32 bits."""
    return len(heads) if head > _LOWER else int(np.searchsorted(heads, np.uint32(head)))


def _sorted(heads: Heads, tails: Tails) -> tuple[Heads, Tails]:
    order = np.argsort(heads, kind="stable")  # which is quick where sorted runs follow on each other
    return heads[order], tails[order]


@dataclass(frozen=True)
class _Blocks:
    """What was read of a column: `values` in stretches that begin at `offsets`, and in the column at `starts`."""

    values: npt.NDArray[Any]
    starts: Places
    offsets: Places

    def places(self, indices: Places) -> Places:
        """Where in the column values are."""
        stretch = np.searchsorted(self.offsets, indices, "right") - 1
        return self.starts[stretch] + indices - self.offsets[stretch]

    def at(self, places: Places) -> npt.NDArray[Any]:
        """The values at places of the column."""
        stretch = np.searchsorted(self.starts, places, "right") - 1
        values: npt.NDArray[Any] = self.values[self.offsets[stretch] + places - self.starts[stretch]]
        return values


class FileRun:
    """A run in a file: heads, tails, and every 1024th head once more as a fence, so that a search reads little."""

    def __init__(self, path: Path, length: int) -> None:
        """Raises StorageError when the file is not one of so many entries."""
        self.path, self.length = path, length
        self._descriptor = os.open(path, os.O_RDONLY)
        fences = -(-length // _BLOCK)
        if os.fstat(self._descriptor).st_size != _ENTRY_BYTES * length + 4 * fences:
            os.close(self._descriptor)
            raise self._damaged()
        self._fences: Heads = self._read(_ENTRY_BYTES * length, fences, np.uint32)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def find(self, keys: Keys) -> tuple[Places, Numbers]:
        """See Run. Raises StorageError when the file is damaged."""
        wanted = _heads(keys)
        stretches = self._all_blocks(wanted) if len(keys) > len(self._fences) else self._some_blocks(wanted)
        found = [(at, *self._among(near, keys[at:end], wanted[at:end])) for at, end, near in stretches]
        which = [places + at for at, places, _ in found]
        return np.concatenate(which), np.concatenate([numbers for _, _, numbers in found])

    def _all_blocks(self, wanted: Heads) -> Iterator[tuple[int, int, _Blocks]]:
        """All heads, with the first of the sorted `wanted` that may be among them, and the first that is beyond them.

        One that is the last of a stretch and the first of the next may be in both.
        """
        for block in range(0, len(self._fences), _AT_ONCE):
            start = _BLOCK * block
            heads = self._read(4 * start, min(_BLOCK * _AT_ONCE, self.length - start), np.uint32)
            at, end = np.searchsorted(wanted, heads[0]), np.searchsorted(wanted, heads[-1], "right")
            yield int(at), int(end), _Blocks(heads, np.array([start]), np.array([0]))

    def _some_blocks(self, wanted: Heads) -> Iterator[tuple[int, int, _Blocks]]:
        """The heads of blocks that may have some of the sorted `wanted`, with the first of these and what is beyond."""
        first, last = (np.maximum(np.searchsorted(self._fences, wanted, side), 1) - 1 for side in ("left", "right"))
        for at in range(0, len(wanted), _AT_ONCE):
            end = at + _AT_ONCE
            yield at, end, self._blocks(first[at:end], last[at:end], _BLOCK, 0, np.uint32)

    def _among(self, near: _Blocks, keys: Keys, wanted: Heads) -> tuple[Places, Numbers]:
        if (near.values[near.offsets] != self._fences[near.starts // _BLOCK]).any():
            raise self._damaged()
        which, indices = _equal(near.values, wanted)
        if not len(which):
            return which, np.empty(0, dtype=np.uint32)
        places = near.places(indices)
        block = places // _TAILS
        return _same(keys, which, self._blocks(block, block, _TAILS, 4 * self.length, np.uint64).at(places))

    def between(self, low: int, high: int) -> tuple[Heads, Tails]:
        """See Run."""
        first, last = self._place(low), self._place(high)
        heads = self._read(4 * first, last - first, np.uint32)
        return heads, self._read(4 * self.length + 8 * first, last - first, np.uint64)

    def _place(self, head: int) -> int:
        """Where the first entry is whose head is not less."""
        start = _BLOCK * max(_place(self._fences, head) - 1, 0)
        return start + _place(self._read(4 * start, min(_BLOCK, self.length - start), np.uint32), head)

    def _blocks(
        self, first: Places, last: Places, block: int, offset: int, kind: type[np.unsignedinteger[Any]]
    ) -> _Blocks:
        """The blocks from `first` to `last` of each key (both rising) of the column that begins at `offset`."""
        new = np.flatnonzero(first[1:] > last[:-1] + _GAP) + 1
        starts = block * first[np.concatenate([[0], new])]
        ends = np.minimum(block * (last[np.concatenate([new - 1, [len(last) - 1]])] + 1), self.length)
        bounds = np.concatenate([[0], np.cumsum(ends - starts)])
        values = np.empty(bounds[-1], dtype=kind)
        size = values.itemsize
        buffer = values.view(np.uint8).data
        for start, here, after in zip(starts.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            self._fill(buffer[here * size : after * size], offset + start * size)
        return _Blocks(values, starts, bounds[:-1])

    def _read(self, offset: int, count: int, kind: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
        values = np.empty(count, dtype=kind)
        self._fill(values.view(np.uint8).data, offset)
        return values

    def _fill(self, buffer: memoryview, offset: int) -> None:
        while len(buffer):
            read = os.preadv(self._descriptor, [buffer], offset)
            if not read:
                raise self._damaged()
            buffer, offset = buffer[read:], offset + read

    def _damaged(self) -> StorageError:
        msg = f"the file {self.path} is damaged"
        return StorageError(msg, hint="remove its folder: it is made again from the events in the store")


def merge(runs: Sequence[Run], path: Path) -> int:
    """Write runs as one into a new file, durably; how many entries it has. Little of them is in memory at a time."""
    length = sum(run.length for run in runs)
    bounds = np.linspace(0, 1 << 32, max(1, length // _PART) + 1).astype(np.int64).tolist()
    fences, written = [], 0
    with path.open("wb", buffering=0) as file:
        for low, high in pairwise(bounds):
            parts = [run.between(low, high) for run in runs]
            heads, tails = _sorted(*(np.concatenate(column) for column in zip(*parts, strict=True)))
            fences.append(heads[-written % _BLOCK :: _BLOCK].copy())
            _write(file.fileno(), heads, 4 * written)
            _write(file.fileno(), tails, 4 * length + 8 * written)
            written += len(heads)
        _write(file.fileno(), np.concatenate(fences), _ENTRY_BYTES * length)
        os.fsync(file.fileno())
    return length


def _write(descriptor: int, values: npt.NDArray[Any], offset: int) -> None:
    left = np.ascontiguousarray(values).view(np.uint8).data
    while len(left):
        done = os.pwrite(descriptor, left, offset)
        left, offset = left[done:], offset + done


def total(runs: Iterable[Run]) -> int:
    """How many entries the runs have together."""
    return sum(run.length for run in runs)
