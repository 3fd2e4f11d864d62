"""What is remembered of the last flush, so that events on time are accounted without a look into history.

For each equipment the last event of each role, and the intervals that reach beyond it. A span that begins later than
its last event needs nothing else: pieces of a minute that is under way are added to those booked before. It is no state
of its own: what is not remembered is read from the tables (storage.recall), and gives the same.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from kpis.plant import Plant
from kpis.work import INTERVALS, Accounts, Work
from storage.ledger import Ledger
from storage.prior import by_role, infers_state, last_of
from storage.schema import EVENT_COLUMNS

_POLARS: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "BIGINT": pl.Int64(),
    "BOOLEAN": pl.Boolean(),
    "TIMESTAMPTZ": pl.Int64(),  # in microseconds
}
EVENT: Final = {name: _POLARS[kind] for name, kind, _ in EVENT_COLUMNS}


@dataclass(frozen=True)
class Memory:
    """`since`: by equipment (`below`) the instant from which on nothing happened yet.

    `events` hold for `below`, their own or an ancestor's: the last one of each `role`. `intervals` are those that
    reach it, with their stretches.
    """

    since: pl.DataFrame
    events: pl.DataFrame
    intervals: pl.DataFrame

    @staticmethod
    def empty() -> "Memory":
        """Nothing is remembered."""
        return Memory(
            pl.DataFrame(schema={"below": pl.String, "since": pl.Int64}),
            pl.DataFrame(schema={"below": pl.String, "role": pl.String, "own": pl.Boolean, **EVENT}),
            pl.DataFrame(schema=INTERVALS),
        )

    def covers(self, spans: pl.DataFrame) -> pl.Series:
        """For each span, by its `equipment`, `low` and what it counts, whether it begins late enough.

        One that begins with the last events themselves does, if it counts no pieces there: what happened at one
        instant is known by its outcome, and which event came first only matters among pieces.
        """
        asked = spans.join(self.since, left_on="equipment", right_on="below", how="left", maintain_order="left")
        later = (pl.col("count_start") > pl.col("low")) | (pl.col("count_end") <= pl.col("count_start"))
        since = pl.col("since") - later.cast(pl.Int64)
        return asked.select((pl.col("low") >= since).fill_null(value=False)).to_series()

    def context(self, spans: pl.DataFrame, horizon: int) -> pl.DataFrame:
        """The intervals around spans, by `unit`; an open one ends at the horizon."""
        rows = self.intervals.join(spans.select("unit", "equipment"), on="equipment")
        return rows.select("unit", *INTERVALS.names()).with_columns(pl.col("end").fill_null(horizon))

    def prior(self, asking: pl.DataFrame) -> pl.DataFrame:
        """The last events up to the instants asked about: rows of `unit`, `below`, `role`, `at` and `quality`."""
        return last_of(self.events, asking.with_columns(pl.col("at") + 1))

    def without(self, removed: pl.DataFrame, plant: Plant) -> "Memory":
        """The memory when events are taken back: what they held for is read from the tables again."""
        paths = {below for path in removed["equipment"].unique() for below in (path, *plant.descendants(path))}
        kept = ~pl.col("below").is_in(list(paths))
        return Memory(
            self.since.filter(kept),
            self.events.filter(kept),
            self.intervals.filter(~pl.col("equipment").is_in(list(paths))),
        )

    def after(self, work: Work, accounts: Accounts, ledger: Ledger) -> "Memory":
        """The memory after the accounts of some work; `ledger` already knows its events."""
        ends = work.spans.filter(pl.col("end") > work.horizon).select("unit", below="equipment")
        inferring = [path for path, item in ledger.plant.equipment.items() if infers_state(item)]
        ends = ends.filter(~pl.col("below").is_in(inferring))
        since = ends.join(ledger.tails(), on="below").select("below", "unit", since=pl.col("tail") + 1)
        rows = accounts.intervals.join(since.select("since", equipment="below"), on="equipment")
        reaching = (pl.col("end") >= pl.col("since") - 1) | (pl.col("end") == work.horizon)
        begin = pl.min_horizontal("start", "stretch_start").min()
        rows = rows.join(rows.filter(reaching).group_by("equipment").agg(begin=begin), on="equipment")
        rows = rows.filter(pl.col("start") >= pl.col("begin"))
        open_ = pl.when(pl.col("end") < work.horizon).then("end")
        rows = rows.with_columns(end=open_).select(INTERVALS.names()).unique()
        renewed = work.spans.select(below="equipment").unique()
        others = self.intervals.join(renewed, left_on="equipment", right_on="below", how="anti")
        return Memory(
            pl.concat([self.since.join(renewed, on="below", how="anti"), since.select("below", "since")]),
            pl.concat([self.events.join(renewed, on="below", how="anti"), _lasting(work, since, ledger)]),
            pl.concat([others, rows]),
        )


def _lasting(work: Work, since: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Of the events of a piece of work the last of each role, by whom they hold for."""
    stale = [path for path, item in ledger.plant.equipment.items() if item.stale_after_us > 0]
    kind = ["equipment", "type", "quality", "online"]
    events = work.events.filter((pl.col("type") != "count") | pl.col("equipment").is_in(stale))
    last = events.sort("ts", "id").unique(kind, keep="last", maintain_order=True)
    held = by_role(last, ledger.holders()).join(since.select("below"), on="below")
    prior = work.prior.filter(pl.col("role") != "mark").join(since.select("below", "unit"), on="unit")
    columns = ("below", "role", "own", *EVENT)
    both = pl.concat([held.select(columns), prior.select(columns)])
    reading = pl.when(pl.col("role") == "counter").then("quality").alias("_reading")
    return (
        both.with_columns(reading)
        .sort("ts", "id", "own")
        .unique(["below", "role", "_reading"], keep="last", maintain_order=True)
        .select(columns)
    )
