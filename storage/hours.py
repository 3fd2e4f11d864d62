"""The hours of a shift: what the target asks for, what was made, how far that is ahead, and the largest loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from kpis.plant import Plant
from kpis.wanted import wanted_by
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
    rows = {row["window_start"]: row for row in made.iter_rows(named=True)}
    asked_by = {} if target is None else wanted_by(time, "hour", plant, target)
    lost_by = _lost(time, plant, names)
    found, ahead, comparable = [], 0.0, True
    for at in sorted({*rows, *time["hour"]}):
        row = rows.get(at)
        asked, good = None if target is None else asked_by.get(at, 0.0), 0 if row is None else row["good"]
        ahead += 0.0 if asked is None else good - asked
        comparable = comparable and (asked is not None or good == 0)
        start = int(at.timestamp()) * 1_000_000
        found.append(
            HourRow(
                start,
                start + HOUR_US,
                asked,
                good,
                0 if row is None else row["scrap"] + row["rework"],
                None if row is None else row["oee"],
                ahead if comparable and asked is not None else None,
                _largest([*lost_by.get(at, ()), *_of_pieces(row, names)]),
            )
        )
    return found


def _lost(time: pl.DataFrame, plant: Plant, names: Mapping[str, str]) -> dict[datetime, list[Loss]]:
    """The lost times of each hour, by account and reason."""
    lost = time.filter(pl.col("account").is_in(_LOSSES)).group_by("hour", "account", "reason").agg(pl.col("us").sum())
    found: dict[datetime, list[Loss]] = {}
    for at, account, reason, us in lost.iter_rows():
        found.setdefault(at, []).append(Loss(_named(plant, account, reason, names), account, us))
    return found


def _of_pieces(row: Row | None, names: Mapping[str, str]) -> list[Loss]:
    """Lost speed and rejected pieces, as time; none where a piece has no ideal cycle."""
    if row is None or row["no_ideal"]:
        return []
    return [
        Loss(names["reduced_speed"], None, row["producing_us"] - row["ideal_us"]),
        Loss(names["quality_loss"], None, row["ideal_us"] - row["good_ideal_us"]),
    ]


def _largest(found: list[Loss]) -> Loss | None:
    """The largest loss, from a minute on."""
    worst = max(found, key=lambda loss: (loss.us, loss.name), default=None)
    return worst if worst is not None and worst.us >= MINUTE_US else None


def _named(plant: Plant, account: str, reason: str | None, names: Mapping[str, str]) -> str:
    known = plant.reasons.get(reason or "")
    return known.label if known else reason or names[account]
