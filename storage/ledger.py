"""What the store knows by heart while it is open for writing: small, and rebuilt from the tables when it opens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from kpis.plant import Plant
from kpis.work import Accounts, Work
from storage.database import Connection, microseconds
from storage.frozen import Frozen, frozen_of
from storage.history import corrections

ACCOUNTABLE = ("state", "count", "counter")
"""Event types that begin the accounting of an equipment."""

ALIVE = (*ACCOUNTABLE, "order", "status")
"""Event types that show an equipment is there."""

RANGES = pl.Schema({"equipment": pl.String, "type": pl.String, "first_ts": pl.Int64, "last_ts": pl.Int64})


@dataclass
class Ledger:
    """Horizon, first accounted instants, event ranges, corrections, and when each equipment is due.

    `horizon` is None in an empty store. An equipment without an entry in `due` is looked at in every flush. `frozen`:
    None as long as no events were moved into an archive.
    """

    plant: Plant
    flush: int = 0
    horizon: int | None = None
    accounted: dict[str, int] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    ranges: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=RANGES))
    rulings: pl.DataFrame = field(default_factory=pl.DataFrame)
    retracted: pl.DataFrame = field(default_factory=pl.DataFrame)
    frozen: Frozen | None = None
    _held: tuple[frozenset[str], pl.DataFrame] | None = field(default=None, repr=False)
    _ends: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame] | None = field(default=None, repr=False)

    @property
    def told(self) -> int | None:
        """The instant before which windows may be closed: what changes there revises them, and came late."""
        return None if self.horizon is None else self.horizon - self.plant.least_grace_us

    def holders(self) -> pl.DataFrame:
        """Whose `order` and `status` events hold for whom: pairs of `below` (accounted) and `equipment`, with `own`."""
        if self._held is None or self._held[0] != self.accounted.keys():
            paths = frozenset(self.accounted)
            self._held = (paths, self.plant.lineage.filter(pl.col("below").is_in(list(paths))))
        return self._held[1]

    def tails(self) -> pl.DataFrame:
        """For each accounted equipment the newest event that touches it: what comes after is on time."""
        holders, ranges = self.holders(), self.ranges
        if self._ends is None or self._ends[0] is not holders or self._ends[1] is not ranges:
            pairs = holders.lazy().join(ranges.lazy().filter(pl.col("type").is_in(ALIVE)), on="equipment")
            held = pairs.filter(pl.col("own") | pl.col("type").is_in(["order", "status"]))
            self._ends = (holders, ranges, held.group_by("below").agg(tail=pl.col("last_ts").max()).collect())
        return self._ends[2]


def load(con: Connection, plant: Plant, db: Path) -> Ledger:
    """The ledger of the store at `db`."""
    (horizon,) = con.execute("SELECT epoch_us(max(horizon)) FROM horizons").fetchall()[0]
    (flush,) = con.execute("SELECT coalesce(max(flush), 0) FROM flushes").fetchall()[0]
    accounted = con.execute(
        "SELECT equipment, epoch_us(accounted_from) FROM equipment WHERE accounted_from IS NOT NULL"
    ).fetchall()
    rulings, retracted = corrections(con)
    ranges = microseconds(con.execute("SELECT equipment, type, first_ts, last_ts FROM event_ranges").pl())
    return Ledger(
        plant,
        flush,
        horizon,
        {path: at for path, at in accounted if path in plant.equipment},
        ranges=ranges,
        rulings=rulings,
        retracted=retracted,
        frozen=frozen_of(con, db),
    )


def kinds_of(events: pl.DataFrame) -> pl.DataFrame:
    """First and last instant of the events of each `equipment`, `type` and `online`."""
    return events.group_by("equipment", "type", "online").agg(first_ts=pl.col("ts").min(), last_ts=pl.col("ts").max())


def widen(ranges: pl.DataFrame, kinds: pl.DataFrame) -> pl.DataFrame:
    """The event ranges after more events of these kinds."""
    if kinds.is_empty():
        return ranges
    both = pl.concat([ranges, kinds.select(RANGES.names())])
    return both.group_by("equipment", "type").agg(pl.col("first_ts").min(), pl.col("last_ts").max())


def first_own(kinds: pl.DataFrame) -> Mapping[str, int]:
    """The first accountable event of each equipment among events of these kinds."""
    first = kinds.filter(pl.col("type").is_in(ACCOUNTABLE)).group_by("equipment").agg(pl.col("first_ts").min())
    return dict(first.iter_rows())


def still_due(due: Mapping[str, int], accounts: Accounts, work: Work) -> dict[str, int]:
    """When each equipment changes next without an event; the spans that reach the horizon know it."""
    tails = work.spans.filter(pl.col("end") > work.horizon).select("unit")
    open_ = accounts.intervals.filter(pl.col("end") == work.horizon).select("equipment")
    known = accounts.due.join(tails, on="unit", how="semi").join(open_, on="equipment", how="semi")
    return {**due, **{path: at for path, at in known.select("equipment", "due_at").iter_rows() if at is not None}}
