"""Which of the time that was already told changed: what makes a closed window revised."""

import polars as pl

from kpis.work import MINUTE_US

SEGMENTS = pl.Schema(
    {"equipment": pl.String, "start": pl.Int64, "end": pl.Int64, "shift": pl.String, "production_date": pl.Date}
)
_TOLD = ("account", "category", "reason", "product", "order", "run_start", "shift", "production_date", "schedule")


def changed_time(old: pl.DataFrame, new: pl.DataFrame, told: int | None) -> pl.DataFrame:
    """Segments of the time before `told` in which the intervals differ, with the shift and day they belong to.

    Parts that follow on each other in one shift are one segment.
    """
    if told is None:
        return pl.DataFrame(schema=SEGMENTS)
    old, new = (
        frame.filter(pl.col("start") < told)
        .with_columns(pl.min_horizontal("end", pl.lit(told)).alias("end"))
        .select("equipment", "start", "end", *_TOLD)
        for frame in (old, new)
    )
    columns = old.columns
    before = old.join(new, on=columns, how="anti", nulls_equal=True)
    after = new.join(old, on=columns, how="anti", nulls_equal=True)
    if before.is_empty() and after.is_empty():
        return pl.DataFrame(schema=SEGMENTS)
    both = pl.concat([before, after])
    points = pl.concat([both.select("equipment", at="start"), both.select("equipment", at="end")]).unique()
    points = points.sort("equipment", "at").with_columns(end=pl.col("at").shift(-1).over("equipment"))
    points = points.filter(pl.col("end").is_not_null()).sort("at")
    for name, side in (("before", before), ("after", after)):
        held = side.select("equipment", "start", until="end", told=pl.struct(_TOLD)).sort("start")
        points = points.join_asof(
            held, left_on="at", right_on="start", by="equipment", strategy="backward", check_sortedness=False
        ).drop("start")
        points = points.with_columns(pl.when(pl.col("until") > pl.col("at")).then("told").alias(name)).drop(
            "until", "told"
        )
    either = pl.coalesce("after", "before")
    differing = points.filter(pl.col("before").ne_missing(pl.col("after"))).select(
        "equipment",
        "end",
        start="at",
        shift=either.struct.field("shift"),
        production_date=either.struct.field("production_date"),
    )
    return _joined(differing)


def changed_pieces(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Minutes whose pieces differ, as segments."""
    columns = old.columns
    differing = pl.concat(
        [
            old.join(new, on=columns, how="anti", nulls_equal=True),
            new.join(old, on=columns, how="anti", nulls_equal=True),
        ]
    )
    return _joined(
        differing.select(
            "equipment", "shift", "production_date", start="window_start", end=pl.col("window_start") + MINUTE_US
        ).unique()
    )


def _joined(segments: pl.DataFrame) -> pl.DataFrame:
    segments = segments.sort("equipment", "production_date", "shift", "start")
    group = ("equipment", "production_date", "shift")
    follows = pl.all_horizontal(
        *(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in group),
        pl.col("start") <= pl.col("end").cum_max().shift(1).over(group),
    )
    return (
        segments.with_columns(_segment=(~follows.fill_null(value=False)).cum_sum())
        .group_by("_segment", maintain_order=True)
        .agg(pl.col("equipment", "shift", "production_date").first(), pl.col("start").min(), pl.col("end").max())
        .select(SEGMENTS.names())
    )
