"""The waterfall: what is lost where, in each OEE definition."""

import pytest

from kpis.elements import ACCOUNTS
from kpis.losses import Step, waterfall

# The day of the window every_account in tests/golden/kpis.toml, in minutes.
DAY = {
    "producing_us": 300,
    "minor_stop_us": 12,
    "down_us": 48,
    "idle_us": 30,
    "setup_us": 30,
    "planned_stop_us": 20,
    "break_us": 30,
    "unscheduled_us": 960,
    "unknown_us": 10,
    "ideal_us": 240,
    "good_ideal_us": 216,
    "no_ideal": 0,
}

SCHEDULE = [Step("calendar", 1440), Step("unscheduled", 960, "schedule"), Step("scheduled", 480)]
STOPS = [Step("down", 48, "availability"), Step("idle", 30, "availability"), Step("setup", 30, "availability")]
QUALITY = [Step("net_run", 240), Step("quality_loss", 24, "quality"), Step("fully_productive", 216)]

EXPECTED = {
    "standard": [
        *SCHEDULE,
        Step("planned_stop", 20, "schedule"),
        Step("break", 30, "schedule"),
        Step("unknown", 10, "schedule"),
        Step("planned_production", 420),
        *STOPS,
        Step("run", 312),
        Step("minor_stop", 12, "performance"),
        Step("reduced_speed", 60, "performance"),
        *QUALITY,
    ],
    "iso22400": [
        *SCHEDULE,
        Step("planned_stop", 20, "schedule"),
        Step("break", 30, "schedule"),
        Step("unknown", 10, "schedule"),
        Step("planned_production", 420),
        Step("minor_stop", 12, "availability"),
        *STOPS,
        Step("run", 300),
        Step("reduced_speed", 60, "performance"),
        *QUALITY,
    ],
    "smrp": [
        *SCHEDULE,
        Step("break", 30, "schedule"),
        Step("unknown", 10, "schedule"),
        Step("planned_production", 440),
        *STOPS,
        Step("planned_stop", 20, "availability"),
        Step("run", 312),
        Step("minor_stop", 12, "performance"),
        Step("reduced_speed", 60, "performance"),
        *QUALITY,
    ],
}


@pytest.mark.parametrize("definition", EXPECTED)
def test_steps(definition: str) -> None:
    assert waterfall(DAY, definition) == EXPECTED[definition]


def step(elements: dict[str, int], name: str) -> Step:
    return next(step for step in waterfall(elements) if step.name == name)


def test_an_ideal_cycle_that_is_too_long_is_shown_and_flagged() -> None:
    assert step(DAY | {"ideal_us": 310}, "reduced_speed") == Step(
        "reduced_speed", -10, "performance", "ideal_cycle_too_long"
    )


def test_pieces_without_an_ideal_cycle_are_flagged() -> None:
    assert step(DAY | {"no_ideal": 5}, "reduced_speed") == Step("reduced_speed", 60, "performance", "no_ideal_cycle")


def test_an_empty_window_is_all_zero() -> None:
    nothing = dict.fromkeys([*(f"{account}_us" for account in ACCOUNTS), "ideal_us", "good_ideal_us", "no_ideal"], 0)
    assert {step.us for step in waterfall(nothing)} == {0}
