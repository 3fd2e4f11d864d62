"""The hours of a shift: what the target asks for, what was made, how far that is ahead, and the largest loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from kpis.plant import Plant
from kpis.wanted import wanted
from storage.grains import MINUTE_US

HOUR_US: Final = 60 * MINUTE_US
_LOSSES: Final = ("down", "idle", "setup", "minor_stop", "planned_stop", "unknown")

Row = dict[str, Any]


@dataclass(frozen=True)
class Loss:
    """The largest loss of an hour: what it is called, its account (None: speed or quality), how long it was (µs)."""

    name: str
    account: str | None
    us: int


@dataclass(frozen=True)
class HourRow:
    """An hour (µs since 1970): what its target asks for, what was made, pieces ahead of the target so far, why.

    None where there is no target, or planned time has no ideal cycle; `ahead` also after an hour whose pieces nothing
    can be compared with.
    """

    start: int
    end: int
    wanted: float | None
    good: int
    rejected: int
    oee: float | None
    ahead: float | None
    loss: Loss | None

    @property
    def difference(self) -> float | None:
        """Good pieces less those that the target asks for."""
        return None if self.wanted is None else self.good - self.wanted


def hour_rows(
    time: pl.DataFrame, made: pl.DataFrame, plant: Plant, target: float | None, names: Mapping[str, str]
) -> list[HourRow]:
    """The hours that have time or pieces, in order.

    `time` has microseconds by hour, equipment, account, reason and product; `made` the KPI rows of the hours. `names`
    are what accounts and losses without a reason are called.
    """
    rows = {int(row["window_start"].timestamp()): row for row in made.iter_rows(named=True)}
    parts = {int(hour[0].timestamp()): part for hour, part in time.partition_by("hour", as_dict=True).items()}
    found, ahead, comparable = [], 0.0, True
    for at in sorted({*rows, *parts}):
        row, inside = rows.get(at), parts.get(at, time.clear())
        asked, good = wanted(inside, plant, target), 0 if row is None else row["good"]
        ahead += 0.0 if asked is None else good - asked
        comparable = comparable and (asked is not None or good == 0)
        start = at * 1_000_000
        found.append(
            HourRow(
                start,
                start + HOUR_US,
                asked,
                good,
                0 if row is None else row["scrap"] + row["rework"],
                None if row is None else row["oee"],
                ahead if comparable and asked is not None else None,
                _loss(plant, inside, row, names),
            )
        )
    return found


def _loss(plant: Plant, time: pl.DataFrame, row: Row | None, names: Mapping[str, str]) -> Loss | None:
    """The largest of the lost times by account and reason, of lost speed, and of rejected pieces; from a minute on."""
    lost = time.filter(pl.col("account").is_in(_LOSSES)).group_by("account", "reason").agg(pl.col("us").sum())
    found = [Loss(_named(plant, account, reason, names), account, us) for account, reason, us in lost.iter_rows()]
    if row is not None and row["no_ideal"] == 0:
        found.append(Loss(names["reduced_speed"], None, row["producing_us"] - row["ideal_us"]))
        found.append(Loss(names["quality_loss"], None, row["ideal_us"] - row["good_ideal_us"]))
    worst = max(found, key=lambda loss: (loss.us, loss.name), default=None)
    return worst if worst is not None and worst.us >= MINUTE_US else None


def _named(plant: Plant, account: str, reason: str | None, names: Mapping[str, str]) -> str:
    known = plant.reasons.get(reason or "")
    return known.label if known else reason or names[account]
