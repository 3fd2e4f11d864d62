"""What memory would hold of equipment that it does not know, read from the tables: after a start, or a long silence.

What is on time needs no more of the past than that, so nothing is read of the minute under way but what still holds.
"""

import polars as pl

from kpis.work import INTERVALS
from storage.database import Connection
from storage.history import touching
from storage.ledger import Ledger
from storage.memory import EVENT, Memory
from storage.prior import infers_state, prior


def recalled(con: Connection, ledger: Ledger, memory: Memory, spans: pl.DataFrame, horizon: int) -> Memory:
    """The memory with the equipment of those `spans` (by `equipment`, `low`) that are on time and not known to it.

    Where counts make the state nothing is recalled: what follows hangs together with what is before.
    """
    tails = spans.join(ledger.tails(), left_on="equipment", right_on="below").filter(pl.col("low") >= pl.col("tail"))
    unknown = tails.join(memory.since, left_on="equipment", right_on="below", how="anti")
    if unknown.is_empty():
        return memory
    inferring = [path for path, item in ledger.plant.equipment.items() if infers_state(item)]
    unknown = unknown.filter(~pl.col("equipment").is_in(inferring)).unique("equipment")
    if unknown.is_empty():
        return memory
    ends = unknown.select("equipment", since=pl.col("tail") + 1).with_row_index("unit")
    after = ends.select("unit", "equipment", start="since", end=pl.lit(horizon), count_start="since", count_end="since")
    events = prior(con, ledger, after).join(ends.select("unit", below="equipment"), on="unit")
    reaching = touching(con, after.with_columns(start=pl.col("start") - 1, count_start=pl.col("start") - 1), horizon)
    open_ = pl.when(pl.col("end") < horizon).then("end")
    return Memory(
        pl.concat([memory.since, ends.select("since", below="equipment").select(memory.since.columns)]),
        pl.concat([memory.events, events.select("below", "role", "own", *EVENT)]),
        pl.concat([memory.intervals, reaching.select(INTERVALS.names()).with_columns(end=open_).unique()]),
    )
