"""Which ids have been seen: 64-bit keys in memory, so that a new event costs no search through history."""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Keys = npt.NDArray[np.uint64]

LARGEST: Final = 1 << 25
"""So many ids are remembered (256 MiB), the latest ones; events as old as a forgotten one are looked up instead."""


def keys(events: pl.DataFrame) -> Keys:
    """A key for each event from its `equipment` and `id`; different ones may, very rarely, share one."""
    return events.select(pl.col("equipment").hash(1) ^ pl.col("id").hash(2)).to_series().to_numpy()


_CELLS: Final = 1 << 25


class SeenIds:
    """Sorted runs of keys; runs of about the same size are merged, so that there are few.

    A table of bytes, one for many keys, tells of most new keys at once that they are new.
    """

    def __init__(self) -> None:
        self._cells = np.zeros(_CELLS, dtype=np.bool_)
        self._runs: list[tuple[Keys, int]] = []
        self._forgotten_until: int | None = None

    def seen(self, batch: Keys, ts: pl.Series) -> npt.NDArray[np.bool_]:
        """For each key whether it may have been seen; `ts` are the instants of the events, in microseconds."""
        found: npt.NDArray[np.bool_] = self._cells[batch & np.uint64(_CELLS - 1)]
        candidates = np.flatnonzero(found)
        ordered = candidates[np.argsort(batch[candidates])]
        known = np.zeros(len(ordered), dtype=np.bool_)
        for run, _ in self._runs:
            places = np.minimum(np.searchsorted(run, batch[ordered]), len(run) - 1)
            known |= run[places] == batch[ordered]
        found[ordered] = known
        if self._forgotten_until is not None:
            found |= ts.to_numpy() <= self._forgotten_until
        return found

    def add(self, batch: Keys, newest: int) -> None:
        """Remember keys of events of which the newest happened at `newest`."""
        if not len(batch):
            return
        self._cells[batch & np.uint64(_CELLS - 1)] = True
        self._runs.append((np.sort(batch), newest))
        while len(self._runs) > 1 and len(self._runs[-1][0]) * 2 > len(self._runs[-2][0]):
            (last, at), (before, until) = self._runs.pop(), self._runs.pop()
            self._runs.append((np.sort(np.concatenate([before, last])), max(at, until)))
        while sum(len(run) for run, _ in self._runs) > LARGEST:
            _, until = self._runs.pop(0)
            self._forgotten_until = max(until, until if self._forgotten_until is None else self._forgotten_until)
