"""A batch on its way into the store, and what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import polars as pl

from kpis.alert_watch import Held
from kpis.work import Work
from storage.intake import Admitted
from storage.ledger import Ledger
from storage.writer import Position, Transaction


@dataclass(frozen=True)
class Batch:
    """Part of a source: canonical events, rejected rows, and the position that is reached with it.

    `until`: events from then on are left out. `horizon`: the instant to account up to, if it is to be further on than
    the newest event. `raw` gives the original bytes of lines by their numbers, and `origin` (`line`, `source`, `place`)
    tells where they come from, if not from one file. `retried` are the digests of rejected events that the batch tries
    again. `sources`: how the live sources are now, if that changed. `actions`: what people did about alerts, `notes`
    what they said about hours. `tell`: people are told of alerts, because everything up to the horizon is known.
    `held`: the conditions of alerts that hold by the clock of a running engine.
    """

    events: pl.DataFrame
    rejected: pl.DataFrame
    position: Position | None = None
    until: int | None = None
    horizon: int | None = None
    raw: Callable[[pl.Series], pl.Series] | None = None
    origin: pl.DataFrame | None = None
    retried: pl.Series | None = None
    sources: pl.DataFrame | None = None
    actions: pl.DataFrame | None = None
    notes: pl.DataFrame | None = None
    tell: bool = False
    held: Sequence[Held] | None = None


@dataclass(frozen=True)
class Pending:
    """A batch on its way: its work is known, its accounts are not. `rejected`: at the door, and before it.

    `ledger` already knows of its events; new ones of them are `admitted`, of these `kinds` (storage.ledger.kinds_of).
    """

    batch: Batch
    work: Work | None
    ledger: Ledger
    admitted: Admitted
    kinds: pl.DataFrame
    rejected: pl.DataFrame
    transaction: Transaction


@dataclass(frozen=True)
class Outcome:
    """What became of a batch."""

    taken: int = 0
    duplicates: int = 0
    rejected: int = 0
    late: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))
