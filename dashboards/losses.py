"""Where the time went: rows of the cascade, the six big losses and the Pareto charts, made from sums of a slice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import polars as pl

from dashboards import texts
from dashboards.board import Row
from kpis.formats import count, day, duration, percent
from kpis.losses import waterfall

HOUR_US: Final = 3_600_000_000
UNPLANNED: Final = ("down", "idle", "setup", "minor_stop")
NO_REASON: Final = "-"


@dataclass(frozen=True)
class CascadeRow:
    """A level of the cascade, or (with a `factor`) a loss. `left` and `width` place its bar, of the scheduled time;
    None: it has no bar. `pieces`: what could have been made in it at the ideal cycle of what was made."""

    name: str
    factor: str | None
    us: int
    share: float | None
    left: float | None
    width: float | None
    pieces: float | None
    flag: str | None


def cascade(sums: Row, definition: str) -> list[CascadeRow]:
    """The steps from calendar time to fully productive time. They add up exactly; shares are of scheduled time."""
    steps = waterfall(sums, definition)
    scheduled = next(step.us for step in steps if step.name == "scheduled")
    cycle = ideal_cycle(sums)
    rows, left = [], 0
    for step in steps:
        inside = scheduled > 0 and step.name not in ("calendar", "unscheduled")
        if step.factor is None:
            start, left = 0, step.us
        else:
            start = min(left, left - step.us)
            left -= step.us
        rows.append(
            CascadeRow(
                step.name,
                step.factor,
                step.us,
                step.us / scheduled if inside else None,
                max(start, 0) / scheduled if inside else None,
                abs(step.us) / scheduled if inside else None,
                step.us / cycle if cycle and step.factor not in (None, "schedule") else None,
                step.flag,
            )
        )
    return rows


def ideal_cycle(sums: Row) -> float | None:
    """Microseconds a piece of what was made should have taken on average; None where that is not known."""
    total = sums["good"] + sums["scrap"] + sums["rework"]
    return sums["ideal_us"] / total if total > 0 and sums["no_ideal"] == 0 and sums["ideal_us"] > 0 else None


def pareto(downtime: pl.DataFrame, account: str | None, *, planned: bool) -> list[dict[str, Any]]:
    """Rows of the Pareto: by account, or the reasons of one account; the longest first, with the running share."""
    wanted = downtime if planned else downtime.filter(pl.col("account").is_in(UNPLANNED))
    if account is None:
        summed = wanted.group_by("account").agg(pl.col("us", "stops").sum()).with_columns(key="account")
        labelled = summed.with_columns(label=pl.col("account").replace_strict(texts.STATES))
    else:
        summed = wanted.filter(pl.col("account") == account).with_columns(key=pl.col("reason").fill_null(NO_REASON))
        labelled = summed.with_columns(pl.col("label").fill_null(texts.NO_REASON))
    rows = labelled.filter((pl.col("us") > 0) | (pl.col("stops") > 0)).sort("us", "key", descending=[True, False])
    return list(_shared(rows))


def _shared(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    total, running = rows["us"].sum(), 0
    for row in rows.iter_rows(named=True):
        running += row["us"]
        yield {
            "key": row["key"],
            "account": row["account"],
            "label": row["label"],
            "us": row["us"],
            "hours": row["us"] / HOUR_US,
            "stops": row["stops"],
            "hours_told": duration(row["us"]),
            "stops_told": count(row["stops"]),
            "share_told": percent(running / total if total else None),
        }


def six_of_all(days: pl.DataFrame) -> pl.DataFrame:
    """The six big losses of all the days together: time is additive, and what is not known of a day is not of all."""
    unknown = (pl.col("flag") == "no_ideal_cycle").any()
    summed = days.group_by("loss", "rank").agg(pl.col("us").sum(), unknown=unknown)
    flag = (
        pl.when("unknown")
        .then(pl.lit("no_ideal_cycle"))
        .when((pl.col("loss") == "reduced_speed") & (pl.col("us") < 0))
        .then(pl.lit("ideal_cycle_too_long"))
    )
    return summed.select("loss", "rank", "us", flag=flag).sort("rank")


def six_by_day(six: pl.DataFrame) -> list[dict[str, Any]]:
    """The six big losses of each production day, for the chart; negative speed losses are left to the table."""
    return [
        {
            "day": day(date.fromisoformat(row["production_date"])),
            "loss": texts.SIX[row["loss"]],
            "rank": row["rank"],
            "hours": max(row["us"], 0) / HOUR_US,
            "told": duration(row["us"]),
        }
        for row in six.iter_rows(named=True)
        if row["production_date"] is not None
    ]


def trend(days: pl.DataFrame, target: float | None) -> list[dict[str, Any]]:
    """OEE of each production day on which something was planned."""
    return [
        {
            "day": day(date.fromisoformat(row["production_date"])),
            "oee": row["oee"],
            "target": target,
            "told": percent(row["oee"]),
            "wanted": percent(target),
        }
        for row in days.iter_rows(named=True)
        if row["oee"] is not None and row["production_date"] is not None
    ]
