"""Sums over windows that end at any minute: what measured alerts compare with their limits.

At many minutes the sum over a window is the difference of two running sums, so its cost does not depend on its length.
At a single minute, as when time goes on, only what lies in the window is added up.
"""

from collections.abc import Collection, Mapping
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
_COUNTS = (*_PIECES, "ideal_us", "good_ideal_us", "no_ideal")
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
    parts = points.join(scope.shares, on="equipment")
    if points["at"].n_unique() > 1:
        sums = _differences(parts, intervals, pieces)
    else:
        sums = _sums(parts, intervals, pieces, set(value.meta.root_names()))
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


def _sums(parts: pl.DataFrame, intervals: pl.DataFrame, pieces: pl.DataFrame, wanted: Collection[str]) -> pl.DataFrame:
    """The elements that are wanted, from `since` to `at`, which is the same everywhere, rolled up."""
    times, counts = ([name for name in names if name in wanted] for names in (_TIMES, _COUNTS))
    found = [parts.with_columns(pl.lit(0, pl.Int64).alias(name) for name in (*times, *counts)).clear()]
    for since, at in parts.select("since", "at").unique().iter_rows():
        here = parts.filter(pl.col("since") == since)
        if times:
            here = here.join(_time_between(intervals, since, at, times), on="contributor", how="left")
        if counts:
            here = here.join(_pieces_between(pieces, since, at, counts), on="contributor", how="left")
        found.append(here)
    return _rolled_up(pl.concat(found), {name: pl.col(name).fill_null(0) for name in (*times, *counts)})


def _time_between(intervals: pl.DataFrame, since: int, at: int, names: Collection[str]) -> pl.DataFrame:
    """Microseconds of contributors in some accounts between two instants."""
    length = pl.min_horizontal("end", pl.lit(at)) - pl.max_horizontal("start", pl.lit(since))
    inside = intervals.lazy().filter(pl.col("end") > since, pl.col("start") < at)
    parts = inside.select("contributor", *(_in_account(name, length) for name in names))
    return parts.group_by("contributor").agg(pl.col(names).sum()).collect()


def _pieces_between(pieces: pl.DataFrame, since: int, at: int, names: Collection[str]) -> pl.DataFrame:
    """Pieces of contributors, and their ideal times, in the whole minutes between two instants."""
    known = pl.col("window_start") + MINUTE_US
    inside = pieces.lazy().filter(known > since, known <= at)
    parts = inside.select("contributor", *(_counted(name) for name in names))
    return parts.group_by("contributor").agg(pl.col(names).sum()).collect()


def _in_account(name: str, length: pl.Expr) -> pl.Expr:
    """A length of time if it is in the account of that element, else 0."""
    return pl.when(pl.col("account") == name.removesuffix("_us")).then(length).otherwise(0).alias(name)


def _counted(name: str) -> pl.Expr:
    """What a row of pieces adds to an element."""
    if name in _PIECES:
        return pl.when(pl.col("quality") == name).then("pieces").otherwise(0).alias(name)
    if name == "good_ideal_us":
        return pl.when(pl.col("quality") == "good").then("ideal_us").otherwise(0).alias(name)
    return pl.col(name)


def _differences(parts: pl.DataFrame, intervals: pl.DataFrame, pieces: pl.DataFrame) -> pl.DataFrame:
    """The elements from `since` to `at`, rolled up."""
    instants = pl.concat([parts.select("contributor", x="at"), parts.select("contributor", x="since")]).unique()
    time, made = _time_until(intervals, instants), _pieces_until(pieces, instants)
    for until, names in ((time, _TIMES), (made, _COUNTS)):
        for name, sign in (("at", 1), ("since", -1)):
            parts = parts.join(
                until.rename({"x": name} | {column: f"{column}{sign}" for column in names}),
                on=["contributor", name],
                how="left",
            )
    sums = {name: pl.col(f"{name}1").fill_null(0) - pl.col(f"{name}-1").fill_null(0) for name in (*_TIMES, *_COUNTS)}
    return _rolled_up(parts, sums)


def _rolled_up(parts: pl.DataFrame, elements: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """The elements of equipment from those of its contributors, each of which gives time, pieces or both."""
    sums = [
        (element * pl.col("gives_pieces" if name in _PIECES else "gives_time").cast(pl.Int64)).sum().alias(name)
        for name, element in elements.items()
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
        *(_in_account(name, length).cum_sum().over("contributor") for name in _TIMES),
    )
    found = instants.sort("x").join_asof(
        held.sort("start"), left_on="x", right_on="start", by="contributor", check_sortedness=False
    )
    ahead = (pl.col("end") - pl.col("x")).clip(lower_bound=0)  # what of the last interval lies after the instant
    return found.select("contributor", "x", *(pl.col(name) - _in_account(name, ahead) for name in _TIMES))


def _pieces_until(pieces: pl.DataFrame, instants: pl.DataFrame) -> pl.DataFrame:
    """Pieces and their ideal times in the whole minutes up to each instant."""
    parts = pieces.select("contributor", "window_start", *(_counted(name) for name in _COUNTS))
    sums = parts.group_by("contributor", "window_start").agg(pl.col(_COUNTS).sum())
    running = sums.sort("contributor", "window_start").select(
        "contributor",
        (pl.col("window_start") + MINUTE_US).alias("known"),
        *(pl.col(name).cum_sum().over("contributor") for name in _COUNTS),
    )
    found = instants.sort("x").join_asof(
        running.sort("known"), left_on="x", right_on="known", by="contributor", check_sortedness=False
    )
    return found.select("contributor", "x", *_COUNTS)
