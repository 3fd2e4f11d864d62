"""The states of machines over time as rows of their chart, `charts.TIMELINE`: whole frames, since there are many."""

from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from dashboards import charts, texts
from dashboards.theme import LOOKS

_HEIGHTS: Final = {account: look.height for account, look in LOOKS.items()}
_THIN: Final = "\u202f"


def told(timeline: pl.DataFrame, labels: Mapping[str, str], zone: ZoneInfo) -> pl.DataFrame:
    """The intervals with what their chart shows of them in columns of their own; `labels` are what reasons are called.

    It depends on nothing but the interval, so it is made once, and `rows` picks from it.
    """
    return timeline.with_columns(
        kind=pl.lit("state"),
        lane=pl.col("equipment").str.split("/").list.last(),
        height=pl.col("account").replace_strict(_HEIGHTS, return_dtype=pl.Float64),
        state=pl.col("account").replace_strict(texts.STATES, return_dtype=pl.String),
        label=pl.col("reason").replace(dict(labels)).fill_null(""),
        time=pl.format(
            "{} to {}, {}", clock(_us("start"), zone), clock(_us("end"), zone), duration(_us("end") - _us("start"))
        ),
        work=pl.concat_str("shift", "order", "product", separator=" · ", ignore_nulls=True),
    )


def rows(shown: pl.DataFrame, lanes: Sequence[str], start: int, end: int, zone: ZoneInfo) -> pl.DataFrame:
    """What was `told` of the machines of `lanes` between two instants (µs), cut to them, and ticks of the time axis."""
    places = pl.DataFrame({"equipment": lanes, "place": range(len(lanes))})
    inside = shown.filter((_us("end") > start) & (_us("start") < end)).join(places, on="equipment")
    cut = inside.select(
        "kind", "lane", "place", "account", "height", "state", pl.col("label").alias("reason"), "time", "work",
        x=_us("start").clip(start) // 1_000, x2=_us("end").clip(None, end) // 1_000,
    )  # fmt: skip
    return pl.concat([pl.DataFrame(charts.ticks(start, end, zone)), cut], how="diagonal")


def duration(us: pl.Expr) -> pl.Expr:
    """Lengths of time as `kpis.formats.duration` writes one."""
    seconds = us // 1_000_000
    sizes = {"d": seconds // 86_400, "h": seconds // 3_600 % 24, "min": seconds // 60 % 60, "s": seconds % 60}
    parts = {unit: pl.format(f"{{}}{_THIN}{unit}", value) for unit, value in sizes.items()}
    told = parts["s"]
    for larger, smaller in (("min", "s"), ("h", "min"), ("d", "h")):
        both = pl.when(sizes[smaller] > 0).then(pl.format("{} {}", parts[larger], parts[smaller]))
        told = pl.when(sizes[larger] > 0).then(both.otherwise(parts[larger])).otherwise(told)
    return told


def _us(instant: str) -> pl.Expr:
    return pl.col(instant).cast(pl.Int64)


def clock(us: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Hour and minute as `kpis.formats.clock` writes them."""
    return pl.from_epoch(us, "us").dt.replace_time_zone("UTC").dt.convert_time_zone(zone.key).dt.strftime("%H:%M")
