"""Sums over windows that end at any minute: what measured alerts compare with their limits.

The sum over a window is the difference of two running sums, so its cost does not depend on its length.
"""

from datetime import UTC, datetime, timedelta

import polars as pl

from kpis.alert_scope import Measure, Scope
from kpis.elements import ACCOUNTS
from kpis.formula import expression
from kpis.plant_alerts import SHIFT
from kpis.plant_model import Plant
from kpis.registry import terms
from kpis.shifts import shift_instances
from kpis.work import MINUTE_US

_TIMES = tuple(f"{account}_us" for account in ACCOUNTS)
_PIECES = ("good", "scrap", "rework")
_IDEALS = ("ideal_us", "good_ideal_us", "no_ideal")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def measured(
    scope: Scope, measure: Measure, intervals: pl.DataFrame, pieces: pl.DataFrame, minutes: pl.DataFrame
) -> pl.DataFrame:
    """The values of a measure at `minutes` of `equipment` (`at`): rows of `equipment`, `at`, `value`; null: undefined.

    `intervals` and `pieces` are those of the contributors as far back as the window reaches.
    """
    points = _windows(scope.plant, measure, minutes)
    if measure.reasons:
        pieces = pieces.filter(pl.col("reason").is_in(list(measure.reasons)))
    sums = _elements(points, scope.shares, intervals, pieces)
    if measure.what == "scrap":
        value = pl.col("scrap").cast(pl.Float64)
    elif measure.what == "behind":
        targets = {path: item.targets.get("oee") for path, item in scope.plant.equipment.items()}
        definition = terms(scope.plant.oee_definition)
        wanted = pl.col("equipment").replace_strict(targets, return_dtype=pl.Float64)
        planned = expression(definition["planned_production_us"]).cast(pl.Float64)
        lost = wanted * planned - pl.col("good_ideal_us").cast(pl.Float64)
        value = pl.when(pl.col("no_ideal") == 0).then(lost)
    else:
        value = expression(terms(scope.plant.oee_definition)[measure.what])
    return sums.select("equipment", "at", value=value)


def _windows(plant: Plant, measure: Measure, minutes: pl.DataFrame) -> pl.DataFrame:
    """When the window that ends at each minute begins (`since`); none outside shifts where they begin it."""
    if measure.window != SHIFT:
        return minutes.with_columns(since=pl.col("at") - measure.window)
    bounds = minutes.select(pl.col("at").min().alias("first"), pl.col("at").max().alias("last")).row(0)
    if bounds[0] is None:
        return minutes.with_columns(since=pl.col("at"))
    first, last = ((_EPOCH + timedelta(microseconds=at)).date() for at in bounds)
    shifts = []
    for path in minutes["equipment"].unique():
        item = plant.equipment[path]
        if item.calendar is not None:
            found = shift_instances(
                plant, item.calendar, item.timezone, first - timedelta(days=2), last + timedelta(days=1)
            )
            shifts.append(found.select(pl.lit(path).alias("equipment"), since="start", until="end"))
    if not shifts:
        return minutes.with_columns(since=pl.col("at")).clear()
    points = minutes.sort("at").join_asof(
        pl.concat(shifts).sort("since").with_columns(begun=pl.col("since") + 1),
        left_on="at",
        right_on="begun",
        by="equipment",
        check_sortedness=False,
    )
    return points.filter(pl.col("at") <= pl.col("until")).select("equipment", "at", "since")


def _elements(
    points: pl.DataFrame, shares: pl.DataFrame, intervals: pl.DataFrame, pieces: pl.DataFrame
) -> pl.DataFrame:
    """The elements from `since` to `at`, rolled up."""
    parts = points.join(shares, on="equipment")
    instants = pl.concat([parts.select("contributor", x="at"), parts.select("contributor", x="since")]).unique()
    time, made = _time_until(intervals, instants), _pieces_until(pieces, instants)
    for until, names in ((time, _TIMES), (made, (*_PIECES, *_IDEALS))):
        for name, sign in (("at", 1), ("since", -1)):
            parts = parts.join(
                until.rename({"x": name} | {column: f"{column}{sign}" for column in names}),
                on=["contributor", name],
                how="left",
            )
    sums = [
        ((pl.col(f"{name}1").fill_null(0) - pl.col(f"{name}-1").fill_null(0)) * pl.col(gives).cast(pl.Int64))
        .sum()
        .alias(name)
        for names, gives in (((*_TIMES, *_IDEALS), "gives_time"), (_PIECES, "gives_pieces"))
        for name in names
    ]
    return parts.group_by("equipment", "at").agg(sums)


def _time_until(intervals: pl.DataFrame, instants: pl.DataFrame) -> pl.DataFrame:
    """Microseconds in each account, from the first interval of the contributor to each instant."""
    length = pl.col("end") - pl.col("start")
    held = intervals.sort("contributor", "start").select(
        "contributor",
        "start",
        "end",
        "account",
        *(
            pl.when(pl.col("account") == account).then(length).otherwise(0).cum_sum().over("contributor").alias(name)
            for account, name in zip(ACCOUNTS, _TIMES, strict=True)
        ),
    )
    found = instants.sort("x").join_asof(
        held.sort("start"), left_on="x", right_on="start", by="contributor", check_sortedness=False
    )
    ahead = (pl.col("end") - pl.col("x")).clip(lower_bound=0)  # what of the last interval lies after the instant
    return found.select(
        "contributor",
        "x",
        *(
            (pl.col(name) - pl.when(pl.col("account") == account).then(ahead).otherwise(0)).alias(name)
            for account, name in zip(ACCOUNTS, _TIMES, strict=True)
        ),
    )


def _pieces_until(pieces: pl.DataFrame, instants: pl.DataFrame) -> pl.DataFrame:
    """Pieces and their ideal times in the whole minutes up to each instant."""
    sums = pieces.group_by("contributor", "window_start").agg(
        *(pl.col("pieces").filter(pl.col("quality") == name).sum().alias(name) for name in _PIECES),
        pl.col("ideal_us").sum(),
        good_ideal_us=pl.col("ideal_us").filter(pl.col("quality") == "good").sum(),
        no_ideal=pl.col("no_ideal").sum(),
    )
    names = (*_PIECES, *_IDEALS)
    running = sums.sort("contributor", "window_start").select(
        "contributor",
        (pl.col("window_start") + MINUTE_US).alias("known"),
        *(pl.col(name).cum_sum().over("contributor") for name in names),
    )
    found = instants.sort("x").join_asof(
        running.sort("known"), left_on="x", right_on="known", by="contributor", check_sortedness=False
    )
    return found.select("contributor", "x", *names)
