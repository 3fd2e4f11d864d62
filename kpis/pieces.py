"""Pieces: from counts and cumulative readings to good, scrap and rework in the minute that they were made in."""

import polars as pl

from kpis.plant import Plant
from kpis.tracks import prior
from kpis.work import PIECES, Work, floor_minute, newest

QUALITIES = ("good", "scrap", "rework")
_QUALITY = pl.Enum(QUALITIES)


def booked(work: Work, mine: pl.DataFrame) -> pl.DataFrame:
    """Pieces by event and quality, only what is not zero.

    Rows of `unit`, `ts`, `id`, `quality`, `reason`, `product`, `order` and `pieces`. Readings of 10, 14 and 3 are 0, 4
    and 3 pieces: the first is the baseline, and the drop is a reset.
    """
    return pl.concat([_counts(mine), _readings(work, mine).filter(pl.col("pieces") != 0)])


def _counts(mine: pl.DataFrame) -> pl.DataFrame:
    counts = mine.filter(pl.col("type") == "count")
    parts = [
        counts.filter(pl.col(quality) != 0).select(
            "unit",
            "ts",
            "id",
            quality=pl.lit(quality, _QUALITY),
            # A reason says why pieces are not good.
            reason=pl.lit(None, pl.String) if quality == "good" else pl.col("reason"),
            product="product",
            order="order",
            pieces=pl.col(quality),
        )
        for quality in QUALITIES
    ]
    return pl.concat(parts)


def _readings(work: Work, mine: pl.DataFrame) -> pl.DataFrame:
    inside = mine.filter(pl.col("type") == "counter")
    if inside.is_empty():
        return _counts(inside)  # no pieces, in the columns of pieces
    before = prior(work, "counter").with_columns(known=pl.lit(value=True))
    # The reading before the span is only there to count from; it may lie in the first minute too, as itself.
    readings = pl.concat([before, inside], how="diagonal").unique(["unit", "quality", "ts", "id"], keep="last")
    readings = readings.sort("unit", "quality", "ts", "id")
    value, last = pl.col("value"), pl.col("value").shift(1).over("unit", "quality")
    pieces = (
        pl.when(last.is_null())
        .then(0)
        .when(value >= last)
        .then(value - last)
        .when(pl.col("rollover").is_not_null())
        .then(value + pl.col("rollover") - last)
        .otherwise(value)
    )
    return (
        readings.with_columns(pieces=pieces)
        .filter(pl.col("known").is_null())
        .select(
            "unit",
            "ts",
            "id",
            pl.col("quality").cast(_QUALITY),
            reason=pl.lit(None, pl.String),
            product=pl.lit(None, pl.String),
            order=pl.lit(None, pl.String),
            pieces="pieces",
        )
    )


def by_minute(work: Work, pieces: pl.DataFrame, facts: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    """Pieces by minute, shift, product, order, quality and reason, with their ideal time.

    `facts` tell what was in force: `unit`, `start` and the facts, covering every instant that pieces are booked at.
    What a count itself says about product and order beats what was in force.
    """
    facts = _force(facts)
    minutes = pieces.join(work.spans.select("unit", "count_start", "count_end"), on="unit", how="left")
    minutes = minutes.with_columns(fact=_fact_at(minutes, facts), window_start=floor_minute(pl.col("ts")))
    minutes = minutes.filter(pl.col("ts").is_between("count_start", "count_end", closed="left"))
    # Sums by fact and minute first: only those few rows need to know what was in force. Most pieces name nothing
    # themselves, and keys that are numbers make sums twice as fast.
    told = ["reason", "product", "order"]
    plain = pl.all_horizontal(pl.col(told).is_null())
    sums = pl.concat(
        [
            minutes.filter(plain).group_by("fact", "window_start", "quality").agg(pl.col("pieces").sum()),
            minutes.filter(~plain).group_by("fact", "window_start", "quality", *told).agg(pl.col("pieces").sum()),
        ],
        how="diagonal",
    )
    if sums.is_empty():
        return pl.DataFrame(schema=PIECES)
    force = facts.rename({"order": "in_order", "product": "in_product"}).drop("unit", "start")
    sums = with_force(sums.join(force, on="fact", how="left"))
    cycle = ideal_cycles(sums.select("equipment", "product").unique(), plant)
    sums = sums.join(cycle, on=["equipment", "product"], how="left", nulls_equal=True)
    ideal = pl.col("ideal_cycle_us")
    return (
        sums.with_columns(pl.col("quality").cast(pl.String))
        .group_by(PIECES.names()[:9])
        .agg(
            pieces=pl.col("pieces").sum(),
            ideal_us=(pl.col("pieces") * ideal.fill_null(0)).sum(),
            no_ideal=pl.when(ideal.is_null()).then("pieces").otherwise(0).sum(),
        )
        .select(PIECES.names())
    )


def _force(facts: pl.DataFrame) -> pl.DataFrame:
    """What pieces are booked under, numbered, each from its `start` on: facts that differ in nothing else are one."""
    columns = ["unit", "equipment", "shift", "production_date", "run_start", "order", "product"]
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in columns)
    facts = facts.sort("unit", "start", "end").filter(changed)
    return facts.select("start", *columns).with_row_index("fact")


def _fact_at(pieces: pl.DataFrame, facts: pl.DataFrame) -> pl.Series:
    """For each row the last of the facts of its unit that begins at or before its `ts`, by its number."""
    spread = pl.concat([pieces["ts"], facts["start"]])
    begin = -(newest(-spread) or 0)
    width = (newest(spread) or 0) - begin + 1

    def place(column: str) -> pl.Expr:
        return pl.col("unit").cast(pl.Int64) * width + (pl.col(column) - begin)

    starts = facts.select(place("start")).to_series()
    found = starts.search_sorted(pieces.select(place("ts")).to_series(), side="right")
    return (found.cast(pl.Int64) - 1).cast(pl.UInt32, strict=False)


def in_force(counts: pl.DataFrame, facts: pl.DataFrame, *, start: str) -> pl.DataFrame:
    """Counts with the order and product that hold at their `ts`, where they name none; `facts` hold from `start` on."""
    force = facts.rename({"order": "in_order", "product": "in_product"}).sort(start)
    counts = counts.sort("ts").join_asof(
        force, left_on="ts", right_on=start, by="unit", strategy="backward", check_sortedness=False
    )
    return with_force(counts.with_columns(run_start=pl.lit(None, pl.Int64)))


def with_force(counts: pl.DataFrame) -> pl.DataFrame:
    """Counts with the order and product in force (`in_order`, `in_product`, `run_start`) where they name none."""
    same = pl.col("order").is_null() | pl.col("order").eq_missing(pl.col("in_order"))
    return counts.with_columns(
        product=pl.coalesce("product", pl.when(same).then("in_product")),
        order=pl.coalesce("order", "in_order"),
        run_start=pl.when(same).then("run_start"),
    )


def ideal_cycles(pairs: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    """Ideal cycle per piece, in µs, for pairs of `equipment` and `product`; null where the plant file has none."""
    cycles = [plant.ideal_cycle_us(equipment, product) for equipment, product in pairs.iter_rows()]
    return pairs.with_columns(ideal_cycle_us=pl.Series(cycles, dtype=pl.Int64))
