"""Which ids have been seen: 64-bit keys in memory, so that a new event costs no search through history."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Keys = npt.NDArray[np.uint64]

LARGEST: Final = 1 << 25
"""So many ids are remembered (256 MiB). A repeated event is recognised at any age, for it has the same time; an id
that comes again with another time is recognised as long as it is among the remembered."""


def keys(events: pl.DataFrame) -> Keys:
    """A key for each event from its `equipment` and `id`; different ones may, very rarely, share one."""
    return events.select(pl.col("equipment").hash(1) ^ pl.col("id").hash(2)).to_series().to_numpy()


class SeenIds:
    """Sorted runs of keys; runs of about the same size are merged, so that there are few."""

    def __init__(self, batches: Iterable[Keys] = ()) -> None:
        self._runs: list[Keys] = []
        for batch in batches:
            self.add(batch)

    def seen(self, batch: Keys) -> npt.NDArray[np.bool_]:
        """For each key whether it may have been seen."""
        order = np.argsort(batch)
        ordered = batch[order]
        found = np.zeros(len(batch), dtype=np.bool_)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, ordered), len(run) - 1)
            found |= run[places] == ordered
        result = np.empty_like(found)
        result[order] = found
        return result

    def add(self, batch: Keys) -> None:
        """Remember keys."""
        if not len(batch):
            return
        self._runs.append(np.sort(batch))
        while len(self._runs) > 1 and len(self._runs[-1]) * 2 > len(self._runs[-2]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]))
        while sum(map(len, self._runs)) > LARGEST and len(self._runs) > 1:
            del self._runs[0]
