"""The waterfall: how calendar time shrinks to fully productive time, loss by loss, exact to the microsecond."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kpis.elements import ACCOUNTS
from kpis.formula import names
from kpis.registry import terms

Factor = Literal["schedule", "availability", "performance", "quality"]
Flag = Literal["ideal_cycle_too_long", "no_ideal_cycle"]


@dataclass(frozen=True, slots=True)
class Step:
    """A level of the waterfall, or (with a `factor`) a loss that leads from one level down to the next.

    `factor` is the part of OEE the loss belongs to; `schedule` losses lie outside OEE. `flag` says why the number is
    not to be trusted as it stands.
    """

    name: str
    us: int
    factor: Factor | None = None
    flag: Flag | None = None


def waterfall(elements: Mapping[str, int], definition: str = "standard") -> list[Step]:
    """The steps from calendar time down to fully productive time.

    Every level is the one above less the losses between them. Reduced speed is what is left of run time after minor
    stops and the ideal time of the pieces made; it is negative, and flagged, where the ideal cycle is too long, and
    flagged where pieces without an ideal cycle make it too large. Raises ConfigError for an unknown OEE definition.

    >>> shift = {f"{account}_us": 0 for account in ACCOUNTS} | {"producing_us": 90, "down_us": 10, "no_ideal": 0}
    >>> [step for step in waterfall(shift | {"ideal_us": 80, "good_ideal_us": 76}) if step.us and step.factor]
    ... # doctest: +NORMALIZE_WHITESPACE
    [Step(name='down', us=10, factor='availability', flag=None),
     Step(name='reduced_speed', us=10, factor='performance', flag=None),
     Step(name='quality_loss', us=4, factor='quality', flag=None)]
    """
    planned, run = _accounts(definition)
    time = {f"{account}_us": elements[f"{account}_us"] for account in ACCOUNTS}

    def losses(factor: Factor, accounts: list[str]) -> list[Step]:
        return [Step(account.removesuffix("_us"), time[account], factor) for account in accounts]

    steps = [Step("calendar", sum(time.values()))]
    steps += _level("scheduled", steps[-1], losses("schedule", ["unscheduled_us"]))
    outside = [account for account in time if account not in planned and account != "unscheduled_us"]
    steps += _level("planned_production", steps[-1], losses("schedule", outside))
    steps += _level("run", steps[-1], losses("availability", [part for part in planned if part not in run]))
    minor = losses("performance", [part for part in run if part != "producing_us"])
    speed = elements["producing_us"] - elements["ideal_us"]
    steps += _level("net_run", steps[-1], [*minor, Step("reduced_speed", speed, "performance", _flag(elements, speed))])
    rejected = elements["ideal_us"] - elements["good_ideal_us"]
    return steps + _level("fully_productive", steps[-1], [Step("quality_loss", rejected, "quality")])


@functools.cache
def _accounts(definition: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The accounts of planned production, and those of them that are run time."""
    formulas = terms(definition)
    return names(formulas["planned_production_us"]), names(formulas["run_us"])


def _level(name: str, above: Step, losses: list[Step]) -> list[Step]:
    return [*losses, Step(name, above.us - sum(loss.us for loss in losses))]


def _flag(elements: Mapping[str, int], reduced_speed_us: int) -> Flag | None:
    if elements["no_ideal"] != 0:
        return "no_ideal_cycle"
    return "ideal_cycle_too_long" if reduced_speed_us < 0 else None
