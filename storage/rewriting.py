"""What puts the accounts of a piece of work in the place of those in the store: all that needs no look into it."""

from dataclasses import dataclass

import polars as pl

from kpis.work import Accounts, Work, floor_minute
from storage.changes import changed_time
from storage.database import instants


@dataclass(frozen=True)
class Rewrite:
    """Rows to write, with instants as the tables have them.

    `gone` and `come`: intervals by `equipment` and `start`, and whole ones. `reach` tells from where to where (`first`,
    `last`) the stops of an equipment go, and `stops` come. `pieces` of the minutes of `counted` spans: from `first` to
    `last` those in the store go, and are added again where they are from before `begin`. `segments` (SEGMENTS) of time
    that was told before `told` are others now. `days`: production days of intervals that change.
    """

    gone: pl.DataFrame
    come: pl.DataFrame
    reach: pl.DataFrame
    stops: pl.DataFrame
    counted: pl.DataFrame
    pieces: pl.DataFrame
    segments: pl.DataFrame
    days: pl.Series
    told: int | None


def rewrite(work: Work, accounts: Accounts, told: int | None) -> Rewrite:
    """What the accounts of some work change; time before `told` was told."""
    columns = accounts.intervals.columns
    old, new = work.context.select(columns).unique(), accounts.intervals
    # Most are new: only those that begin where an old one did are looked at in full.
    begin = ["equipment", "start"]
    kept = new.join(old, on=begin, how="semi").join(old, on=columns, how="semi", nulls_equal=True)
    gone, come = (rows.join(kept, on=begin, how="anti") for rows in (old, new))
    counted = work.spans.select("equipment", begin="count_start", last="count_end")
    counted = counted.filter(pl.col("begin") < pl.col("last")).with_columns(first=floor_minute(pl.col("begin")))
    return Rewrite(
        instants(gone.select(begin), "start"),
        _open(come, work.horizon, "start", "end", "run_start", "stretch_start"),
        instants(_reach(work), "first", "last"),
        _open(accounts.stops, work.horizon, "start", "end", "booked_at", "run_start"),
        instants(counted, "begin", "first", "last"),
        accounts.pieces,
        changed_time(gone, come, told),
        pl.concat([gone["production_date"], come["production_date"]]).unique(),
        told,
    )


def _reach(work: Work) -> pl.DataFrame:
    """From where to where the intervals of each span were made again."""
    spans = work.spans.select("unit", "equipment", first="start", last="end")
    context = work.context.group_by("unit").agg(pl.col("start").min(), pl.col("end").max())
    reach = spans.join(context, on="unit", how="left").select(
        "equipment", first=pl.min_horizontal("first", "start"), last=pl.max_horizontal("last", "end")
    )
    return reach.filter(pl.col("first") < pl.col("last"))


def _open(rows: pl.DataFrame, horizon: int, *columns: str) -> pl.DataFrame:
    """Rows that reach the horizon have no end yet."""
    return instants(rows.with_columns(end=pl.when(pl.col("end") < horizon).then("end")), *columns)
