"""Shards: equipment by a fixed hash of its path, so that accounts can be made by several processes.

An equipment depends on nothing but its own events and those of its ancestors, so the parts of a piece of work share
nothing, and the result is the same for any number of processes.
"""

import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from types import TracebackType
from typing import Self

import polars as pl

from kpis.accounting import account
from kpis.plant import Plant, load_plant
from kpis.work import Accounts, Work

SHARDS = 64


def shard_of(path: str) -> int:
    """The shard of an equipment.

    >>> shard_of("acme/ulm/packing/line-1/filler")
    20
    """
    return zlib.crc32(path.encode()) % SHARDS


def split(work: Work, plant: Plant, parts: int) -> list[Work]:
    """The work by shard, in at most `parts` parts that have anything to do."""
    if parts == 1:
        return [work]
    places = {path: shard_of(path) % parts for path in work.spans["equipment"].unique()}
    divided = []
    for part in range(parts):
        paths = [path for path, place in places.items() if place == part]
        spans = work.spans.filter(pl.col("equipment").is_in(paths))
        if spans.is_empty():
            continue
        needed = {holder for path in paths for holder in (path, *plant.ancestors(path))}
        units = spans.select("unit")
        divided.append(
            replace(
                work,
                spans=spans,
                events=work.events.filter(pl.col("equipment").is_in(list(needed))),
                prior=work.prior.join(units, on="unit", how="semi"),
                reclassified=work.reclassified.filter(pl.col("equipment").is_in(paths)),
                context=work.context.join(units, on="unit", how="semi"),
            )
        )
    return divided


def join(parts: Sequence[Accounts]) -> Accounts:
    """The accounts of all parts together."""
    if len(parts) == 1:
        return parts[0]
    return Accounts(
        intervals=pl.concat(part.intervals for part in parts),
        pieces=pl.concat(part.pieces for part in parts),
        stops=pl.concat(part.stops for part in parts),
        due=pl.concat(part.due for part in parts),
    )


class Accountants:
    """Whoever makes the accounts: this process, or several."""

    def __init__(self, plant: Plant, workers: int) -> None:
        self._plant = plant
        self._pool = (
            ProcessPoolExecutor(workers, get_context("forkserver"), _begin, (plant.text,)) if workers > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, parts: Sequence[Work]) -> list[Accounts]:
        """The accounts of each part, in order."""
        if self._pool:
            return list(self._pool.map(_account, parts))
        return [account(part, self._plant) for part in parts]


_plants: list[Plant] = []


def _begin(text: str) -> None:
    _plants.append(load_plant(text))


def _account(work: Work) -> Accounts:
    return account(work, _plants[0])
