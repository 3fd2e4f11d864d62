"""How much people are asked to do by alerts, by person and by rule, and which rule to mend first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from dashboards import charts
from dashboards import texts_alert_load as words
from dashboards.board import micros
from kpis.formats import clock, count, day, local
from storage.alert_views import ACCEPTABLE, FLOOD_FROM, MANAGEABLE

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_MOSTLY: Final = 0.5
_RARELY: Final = 0.8
_TOO_SHORT_US: Final = 120_000_000
_ENOUGH: Final = 5
"""Fewer alerts of a rule say little about it."""


@dataclass(frozen=True)
class Load:
    """What one person was asked to do in a time; lengths in µs, None where nobody acknowledged anything.

    `per_day` is the mean over the time, `busiest` the most alerts in an hour, `over` the hours with more than can be
    managed, `flooded` the share of the time in floods, `unacknowledged` the share of alerts that nobody acknowledged.
    """

    recipient: str | None
    alerts: int
    per_day: float
    busiest: int
    over: int
    most_in_10_min: int
    flooded: float
    unacknowledged: float
    median_us: int | None
    p90_us: int | None

    @property
    def verdict(self) -> str:
        """The worst hour against the benchmarks: acceptable, manageable or too many; a flood is too many."""
        if self.busiest > MANAGEABLE or self.most_in_10_min > FLOOD_FROM:
            return "too many"
        return "acceptable" if self.busiest <= ACCEPTABLE else "manageable"


@dataclass(frozen=True)
class Rule:
    """The alerts of a rule, each counted once; `share` is of all alerts, `advice` what to do, worst first."""

    name: str
    alerts: int
    share: float
    chattering: float
    open_median_us: int
    unacknowledged: float
    stale: int
    advice: tuple[str, ...]


def loads(calls: pl.DataFrame, hours: pl.DataFrame, length_us: int) -> list[Load]:
    """The load of everybody who was told of anything in a time of a length, the highest first."""
    return sorted(_loads(calls, hours, length_us), key=lambda load: (-load.alerts, load.recipient or ""))


def _loads(calls: pl.DataFrame, hours: pl.DataFrame, length_us: int) -> Iterator[Load]:
    for (recipient,), rows in calls.group_by("recipient"):
        own = hours.filter(pl.col("recipient").eq_missing(pl.lit(recipient, pl.String)))
        yield Load(
            None if recipient is None else str(recipient),
            rows.height,
            rows.height * _DAY_US / length_us,
            _most(own["alerts"]),
            own.filter(pl.col("alerts") > MANAGEABLE).height,
            _most(own["most_in_10_min"]),
            int(own["flood_us"].sum()) / length_us,
            rows["acknowledged_at"].null_count() / rows.height,
            _quantile(rows["acknowledge_us"], 0.5),
            _quantile(rows["acknowledge_us"], 0.9),
        )


def rules(calls: pl.DataFrame) -> list[Rule]:
    """The rules whose alerts were told, the most alerts first."""
    once = calls.unique("alert", keep="first", maintain_order=True)
    found = [_rule(str(name), rows, once.height) for (name,), rows in once.group_by("rule")]
    return sorted(found, key=lambda rule: (-rule.alerts, rule.name))


def worst(found: list[Rule]) -> Rule | None:
    """The rule to mend first: of those for which something is to be done, the one with the most alerts."""
    return next((rule for rule in found if rule.advice), None)


def hour_rows(hours: pl.DataFrame, start: int, end: int, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Alerts of each hour for the chart: of the person who had most of them."""
    most = hours.sort("alerts").group_by("window_start", maintain_order=True).last().sort("window_start")
    rows: list[dict[str, Any]] = []
    for row in most.iter_rows(named=True):
        at = micros(row["window_start"]) or 0
        rows.append(
            {
                "kind": "bar",
                "x": at // 1_000,
                "x2": (at + _HOUR_US) // 1_000,
                "alerts": row["alerts"],
                "load": words.VERDICTS[row["load"]],
                "who": row["recipient"] or words.NOBODY,
                "time": f"{day(local(at, zone))}, {clock(at, zone)}",
            }
        )
    return [*rows, *_ticks(start, end, zone)]


def _ticks(start: int, end: int, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """The edges of the time axis, and its ticks: about seven local days; hours where it is less than two days."""
    yield from ({"kind": "tick", "x": at // 1_000, "label": ""} for at in (start, end))
    if end - start <= 2 * _DAY_US:
        yield from charts.ticks(start, end, zone)
        return
    step = max((end - start) // 7 // _DAY_US, 1)
    for number in range(step, (end - start) // _DAY_US + 1, step):
        midnight = local(start, zone).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=number)
        yield {"kind": "tick", "x": round(midnight.timestamp() * 1_000), "label": day(midnight)}


def _rule(name: str, rows: pl.DataFrame, total: int) -> Rule:
    chattering = int(rows["chattering"].sum()) / rows.height
    unacknowledged = rows["acknowledged_at"].null_count() / rows.height
    median, stale = _quantile(rows["open_us"], 0.5) or 0, int(rows["stale"].sum())
    advice = []
    if rows.height >= _ENOUGH and chattering >= _MOSTLY:
        advice.append(words.ADVICE["chattering"])
    elif rows.height >= _ENOUGH and median < _TOO_SHORT_US:
        advice.append(words.ADVICE["short"])
    if stale:
        advice.append(words.ADVICE["stale"])
    if rows.height >= _ENOUGH and unacknowledged >= _RARELY:
        advice.append(words.ADVICE["ignored"].format(share=count(unacknowledged * 100)))
    share = rows.height / total
    return Rule(name, rows.height, share, chattering, median, unacknowledged, stale, tuple(advice))


def _most(values: pl.Series) -> int:
    found = values.max()
    return found if isinstance(found, int) else 0


def _quantile(values: pl.Series, share: float) -> int | None:
    found = values.quantile(share, "linear")
    return None if found is None else round(found)
