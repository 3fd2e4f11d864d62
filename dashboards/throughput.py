"""Quality and throughput: rejects by reason, the pace of products, and the worm of a shift, made from a slice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from dashboards import texts
from dashboards.board import Row, micros
from dashboards.lines import RATE_MINUTES
from kpis.formats import clock, count, day, percent
from kpis.formula import names
from kpis.plant import Plant
from kpis.registry import evaluate_quantities, terms
from storage.grains import MINUTE_US

_SECOND_US: Final = 1_000_000
_OWED: Final = ("producing", "down", "idle", "setup", "minor_stop", "planned_stop", "unknown")
"""Accounts in which the ideal rate is shown: all that are not out of schedule."""


@dataclass(frozen=True)
class Reject:
    """A reason with its scrap and rework; `share` is of all pieces made, None when nothing was made."""

    label: str
    scrap: int
    rework: int
    share: float | None

    @property
    def pieces(self) -> int:
        """Both together."""
        return self.scrap + self.rework


@dataclass(frozen=True)
class Pace:
    """How fast something was made: seconds a piece at the ideal cycle, while running, and of planned time per good
    piece; None: nothing was made, or there is no ideal cycle."""

    planned_us: int
    per_hour: float | None
    ideal_s: float | None
    running_s: float | None
    planned_s: float | None


@dataclass(frozen=True)
class Worm:
    """A shift so far: rows of the chart, and good pieces ahead of the target (None: there is no target)."""

    rows: list[dict[str, Any]]
    ahead: float | None


def by_reason(rejects: pl.DataFrame, total: int) -> list[Reject]:
    """Reasons of scrap and rework, the most pieces first."""
    summed: dict[str, list[int]] = {}
    for row in rejects.iter_rows(named=True):
        both = summed.setdefault(row["label"] or texts.NO_REASON, [0, 0])
        both[row["quality"] == "rework"] += row["pieces"]
    found = [
        Reject(label, scrap, rework, (scrap + rework) / total if total > 0 else None)
        for label, (scrap, rework) in summed.items()
    ]
    return sorted(found, key=lambda reject: (-reject.pieces, reject.label))


def pace(sums: Row, definition: str) -> Pace:
    """The pace of a row of elements."""
    known = evaluate_quantities(sums, definition)
    total, good = sums["good"] + sums["scrap"] + sums["rework"], sums["good"]
    planned, run = int(known["planned_production_us"] or 0), known["run_us"] or 0
    ideal = sums["ideal_us"] / total / _SECOND_US if total > 0 and sums["no_ideal"] == 0 else None
    return Pace(
        planned,
        sums["throughput_per_hour"],
        ideal,
        run / total / _SECOND_US if total > 0 else None,
        planned / good / _SECOND_US if good > 0 else None,
    )


def worm(pieces: pl.DataFrame, timed: pl.DataFrame, plant: Plant, target: float | None) -> Worm:
    """Good pieces and those that the target asks for, summed up along the shift.

    No target line, as a whole, where planned time has no ideal cycle.
    """
    good = list(_good(pieces, timed))
    wanted = list(_wanted(timed, plant, target)) if target is not None else []
    if any(point is None for point in wanted):
        wanted = []
    reached = [point for point in wanted if point is not None]
    rows = [*_points("good", good, plant), *_points("wanted", reached, plant)]
    return Worm(rows, good[-1][1] - reached[-1][1] if good and reached else None)


def rates(pieces: pl.DataFrame, timed: pl.DataFrame, plant: Plant) -> list[dict[str, Any]]:
    """Rows of the rate chart: pieces per minute in steps, and the ideal rate of the machine that sets the pace."""
    if timed.is_empty():
        return []
    step, horizon = RATE_MINUTES * MINUTE_US, extent(timed)[1]
    at = pl.col("window_start").cast(pl.Int64) // step * step
    rows: list[dict[str, Any]] = []
    for start, counted in pieces.group_by(at.alias("at")).agg(pl.col("pieces").sum()).sort("at").iter_rows():
        end = max(min(start + step, horizon), start + MINUTE_US)
        told = counted * MINUTE_US / (end - start)
        place = {"x": start // 1_000, "x2": end // 1_000, "time": _from_to(start, end, plant)}
        rows.append({"kind": "rate", "rate": told, "told": f"{told:.1f}", **place})
    return rows + list(_ideal(timed, plant))


def extent(timed: pl.DataFrame) -> tuple[int, int]:
    """First and last instant (µs) of intervals in order of time; there is at least one."""
    last = timed["end"].cast(pl.Int64).max()
    return int(timed["start"].cast(pl.Int64)[0]), int(last) if isinstance(last, int) else 0


def yields(days: pl.DataFrame) -> list[dict[str, Any]]:
    """First pass yield of each production day on which something was made."""
    return [
        {
            "day": day(date.fromisoformat(row["production_date"])),
            "yield": row["first_pass_yield"],
            "told": percent(row["first_pass_yield"], 2),
            "pieces": count(row["good"] + row["scrap"] + row["rework"]),
        }
        for row in days.iter_rows(named=True)
        if row["first_pass_yield"] is not None and row["production_date"] is not None
    ]


def _good(pieces: pl.DataFrame, timed: pl.DataFrame) -> Iterator[tuple[int, float]]:
    """Good pieces so far, from the first instant of the shift to the last that is accounted."""
    if timed.is_empty():
        return
    so_far = 0.0
    yield extent(timed)[0], so_far
    counted = pieces.filter(pl.col("quality") == "good").group_by("window_start").agg(pl.col("pieces").sum())
    for at, more in counted.sort("window_start").iter_rows():
        so_far += more
        yield min((micros(at) or 0) + MINUTE_US, extent(timed)[1]), so_far
    yield extent(timed)[1], so_far


def _wanted(timed: pl.DataFrame, plant: Plant, target: float) -> Iterator[tuple[int, float] | None]:
    """Pieces asked for so far, at every instant at which somebody begins or ends to owe some; None: nobody knows."""
    accounts = [name.removesuffix("_us") for name in names(terms(plant.oee_definition)["planned_production_us"])]
    slopes: dict[int, float] = {}
    for row in timed.iter_rows(named=True):
        start, end, slope = micros(row["start"]) or 0, micros(row["end"]) or 0, 0.0
        if row["account"] in accounts:
            cycle = plant.ideal_cycle_us(row["equipment"], row["product"])
            if cycle is None:
                yield None
                return
            slope = target / cycle
        slopes[start] = slopes.get(start, 0.0) + slope
        slopes[end] = slopes.get(end, 0.0) - slope
    so_far, slope, before = 0.0, 0.0, extent(timed)[0] if slopes else 0
    for at in sorted(slopes):
        so_far += slope * (at - before)
        slope += slopes[at]
        before = at
        yield at, so_far


def _points(line: str, points: list[tuple[int, float]], plant: Plant) -> Iterator[dict[str, Any]]:
    zone = ZoneInfo(plant.timezone)
    for at, pieces in points:
        yield {
            "kind": "point",
            "x": at // 1_000,
            "pieces": pieces,
            "line": texts.WORM_LINES[line],
            "told": count(pieces),
            "time": clock(at, zone),
        }


def _ideal(timed: pl.DataFrame, plant: Plant) -> Iterator[dict[str, Any]]:
    if timed["equipment"].n_unique() != 1:
        return
    for row in timed.filter(pl.col("account").is_in(_OWED)).iter_rows(named=True):
        cycle = plant.ideal_cycle_us(row["equipment"], row["product"])
        start, end = micros(row["start"]) or 0, micros(row["end"]) or 0
        yield {
            "kind": "ideal",
            "x": start // 1_000,
            "x2": end // 1_000,
            "rate": MINUTE_US / cycle if cycle else None,
        }


def _from_to(start: int, end: int, plant: Plant) -> str:
    zone = ZoneInfo(plant.timezone)
    return f"{clock(start, zone)} to {clock(end, zone)}"
