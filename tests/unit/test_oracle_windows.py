"""The oracle's windows, roll-up and ratios against sums worked out by hand."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from tests.oracle import compute
from tests.oracle.shorthand import (
    EIGHT,
    END,
    LINE,
    MINUTE,
    NIGHT,
    OTHER,
    SHIFT_TABLE,
    TWO_UNITS,
    UNIT,
    count,
    event,
    one_unit,
    order,
    reclassify,
    rows,
    state,
)
from tests.oracle.windows import TIMES


def test_pieces_belong_to_the_instant_they_are_booked() -> None:
    log = [state(0, "producing"), order(10, "start", "O", product="P"), count(10, 3), count(20, 4), END]
    log += [order(20, "end", "whatever"), count(60, 5)]
    result = compute(one_unit('ideal_cycle = "2s"'), log)
    assert [(row["window_start"] - EIGHT, row["good"]) for row in rows(result, "hour")] == [(0, 7), (60 * MINUTE, 5)]
    assert [(row["order"], row["product"], row["good"], row["ideal_us"]) for row in rows(result, "order")] == [
        ("O", "P", 3, 6_000_000)
    ]


def test_runs_of_orders() -> None:
    log = [
        state(5, "producing"),
        order(0, "start", "A", product="P", equipment=LINE),
        order(20, "start", "A", product="P"),  # the same again: no new run
        order(30, "start", "B", product="Q"),
        order(40, "start", "A", product="P", equipment=LINE),
        order(50, "end", "B"),
        count(10, 1),
        count(32, 2, order="A", product="P"),  # the run before
        count(45, 4, order="B", product="Q"),  # the run before
        count(33, 8, order="Z"),  # no such run
        count(35, 16, order="Z"),
        count(55, 32),  # no order at all
        END,
    ]
    found = rows(compute(one_unit(), log), "order")
    assert [
        (
            (row["window_start"] - EIGHT) / MINUTE,
            (row["window_end"] - EIGHT) / MINUTE,
            row["order"],
            row["product"],
            row["good"],
            row["producing_us"] / MINUTE,
        )
        for row in found
    ] == [
        (5, 30, "A", "P", 3, 25),
        (30, 40, "B", "Q", 4, 10),
        (33, 36, "Z", None, 24, 0),  # whole minutes: pieces are kept by the minute
        (40, 50, "A", "P", 0, 10),
    ]


@pytest.mark.parametrize(
    ("keys", "down", "good", "ideal"),
    [
        ("", 60 + 30, 10 + 8, None),
        (f'rollup = "constraint"\nconstraint = "{UNIT}"', 60, 10, 10_000_000),
        (f'rollup = "constraint"\nconstraint = "{UNIT}"\noutput = "{OTHER}"', 60, 8, 10_000_000),
        (f'rollup = "constraint"\nconstraint = "{OTHER}"', 30, 8, None),
    ],
)
def test_roll_up(keys: str, down: int, good: int, ideal: int | None) -> None:
    log = [state(0, "down"), count(5, 10), state(0, "idle", equipment=OTHER), END]
    log += [state(30, "down", equipment=OTHER), count(5, 8, equipment=OTHER)]
    result = compute(f'{TWO_UNITS}[equipment."{LINE}"]\nlevel = "line"\n{keys}', log)
    for path in (LINE, "acme/ulm", "acme"):
        (row,) = rows(result, "day", path)
        assert (row["down_us"], row["good"]) == (down * MINUTE, good)
        assert row["no_ideal"] == (0 if ideal else 8)
        assert row["ideal_us"] == (ideal or (10_000_000 if "capper" not in keys else 0))


def test_a_level_with_events_of_its_own_does_not_roll_up() -> None:
    log = [state(0, "down"), state(0, "idle", equipment=LINE), event("status", 60, equipment=OTHER, online=True)]
    (row,) = rows(compute(TWO_UNITS, log), "hour", LINE)
    assert (row["idle_us"], row["down_us"]) == (60 * MINUTE, 0)
    assert rows(compute(TWO_UNITS, log), "hour", OTHER) == []


def test_ratios() -> None:
    """The published example: 480 min, 60 of them breaks, 47 down, 1 s a piece, 19,271 pieces, 423 of them rejects."""
    pause = "breaks = [{ start = 11:00:00, minutes = 60 }]\n"
    tables = SHIFT_TABLE.format(name="a", start="08:00:00", end="16:00:00") + pause
    log = [state(0, "producing"), state(100, "down"), state(147, "producing"), state(180, "idle")]
    log += [state(240, "producing"), count(400, 18_848, scrap=423), event("status", 480, online=True)]
    (row,) = rows(compute(one_unit('calendar = "c"\nideal_cycle = "1s"', tables), log), "shift")
    assert [round(float(row[key]), 4) for key in ("availability", "performance", "quality", "oee")] == [
        *(0.8881, 0.8611, 0.9780, 0.7479)
    ]
    assert row["oee"] == Fraction(18_848, 420 * 60)
    assert row["ooe"] == row["teep"] == Fraction(18_848, 480 * 60)
    assert (row["scrap_ratio"], row["coverage"]) == (Fraction(423, 19_271), 1)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ([state(0, "down")], {"availability": 0, "performance": None, "quality": None, "oee": 0, "coverage": 1}),
        ([state(0, "producing")], {"availability": 1, "performance": 0, "quality": None, "oee": 0}),
        ([state(0, "producing"), count(1, -1)], {"quality": None, "oee": 0, "scrap_ratio": None}),
        ([state(0, "planned")], {"availability": None, "oee": None, "ooe": 0, "teep": 0, "coverage": None}),
        ([state(0, "unknown")], {"availability": None, "oee": None, "teep": 0, "coverage": 0}),
        ([state(0, "producing"), count(1, 3)], {"performance": None, "quality": 1, "oee": None}),
    ],
)
def test_undefined_ratios(log: list[dict[str, Any]], expected: dict[str, int | None]) -> None:
    (row,) = rows(compute(one_unit(), [*log, END]), "day")
    assert {key: row[key] for key in expected} == expected


def test_definitions() -> None:
    log = [state(0, "producing"), state(20, "down"), state(21, "planned"), state(41, "setup"), END]
    result = compute(one_unit('minor_stop_under = "2m"'), log)
    shares = {name: result.kpi("day", name)[0]["availability"] for name in ("standard", "iso22400", "smrp")}
    assert shares == {"standard": Fraction(21, 40), "iso22400": Fraction(20, 40), "smrp": Fraction(21, 60)}


def test_every_grain_holds_the_whole_time() -> None:
    log = [state(0.5, "producing"), state(20, "down"), reclassify(40, 30, 35, reason="r"), END]
    result = compute(one_unit('calendar = "c"', NIGHT), log)
    for by in ("minute", "hour", "shift", "day", "week", "month"):
        found = rows(result, by)
        assert sum(value for row in found for key, value in row.items() if key in TIMES) == 59.5 * MINUTE
        assert all(one["window_end"] <= other["window_start"] for one, other in pairwise(found))
