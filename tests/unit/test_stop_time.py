"""The time and the reason of a stop that is still open, whatever cut and joined the time it takes."""

from pathlib import Path

import pytest

from tests.engine import Row, fill, queried
from tests.oracle.shorthand import END, MINUTE, count, event, one_unit, order, reclassify, state
from tests.random_logs import Event

DOWN = state(0, "down")
CASES: dict[str, list[list[Event]]] = {
    "nothing but the stop": [[DOWN, END]],
    "counts in it": [[DOWN], [count(20, 1)], [count(30, 1)], [END]],
    "the state again": [[DOWN], [state(20, "down")], [END]],
    "the state again, late": [[DOWN, END], [state(20, "down")]],
    "a late sign of life": [[DOWN, END], [event("status", 20, online=True)]],
    "a correction to what it was": [[DOWN, END], [reclassify(50, 20, 30, state="down")]],
    "a correction, taken back": [
        [DOWN, END],
        [reclassify(50, 20, 30, state="idle", id="r")],
        [event("retract", 55, target="r")],
    ],
    "an order, taken back": [[DOWN, END], [order(20, "start", "O", id="o")], [event("retract", 55, target="o")]],
}


@pytest.fixture(scope="module")
def stops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The stop of each case, on a unit of its own."""
    toml, rounds, paths = one_unit(), [], {}
    for number, (name, parts) in enumerate(CASES.items()):
        paths[f"acme/ulm/line/unit-{number}"] = name
        toml += f'[equipment."acme/ulm/line/unit-{number}"]\nlevel = "unit"\n'
        rounds += [
            (n, sent | {"equipment": f"acme/ulm/line/unit-{number}"}) for n, part in enumerate(parts) for sent in part
        ]
    db = tmp_path_factory.mktemp("stops") / "kpi.duckdb"
    fill(db, toml, [[sent for n, sent in rounds if n == wanted] for wanted in range(4)])
    rows = queried(db, "SELECT equipment, us FROM stops_now ORDER BY ALL")
    assert [row["equipment"] for row in rows] == sorted(paths)
    return {paths[row["equipment"]]: row for row in rows}


@pytest.mark.parametrize("name", CASES)
def test_an_open_stop_takes_its_length(name: str, stops: dict[str, Row]) -> None:
    assert stops[name]["us"] == 60 * MINUTE


JAM, WAIT = state(0, "down", reason="jam"), state(20, "down", reason="wait")
PAUSE = 'calendar = "c"'
SHIFT = '[[shifts]]\ncalendar = "c"\nname = "s"\ndays = ["mon"]\nstart = 08:00:00\nend = 16:00:00\n{breaks}'
REASONS: dict[str, tuple[list[Event], float, str | None]] = {
    "none": ([DOWN], 60, None),
    "a named one beats none": ([DOWN, state(55, "down", reason="jam")], 60, "jam"),
    "the one named longest": ([JAM, WAIT], 60, "wait"),
    "the first of two named for as long": ([JAM, WAIT], 40, "jam"),
    "the longest by a moment": ([JAM, WAIT], 40.001, "wait"),
    "named twice, longest in all": ([JAM, WAIT, state(35, "down", reason="jam")], 51, "jam"),
    "in a break too": ([JAM, state(15, "down", reason="wait"), state(25, "down")], 40, "jam"),
}


@pytest.mark.parametrize("step", [1, 7, 60])
@pytest.mark.parametrize("name", REASONS)
def test_the_reason_of_an_open_stop(name: str, step: int, tmp_path: Path) -> None:
    """Whenever the plant was looked at in between: others tell how the time goes on."""
    log, until, expected = REASONS[name]
    clock = "acme/clock"
    toml = one_unit(PAUSE, SHIFT.format(breaks="breaks = [{ start = 08:00:00, minutes = 14 }]\n"))
    times = [minute for minute in range(step, 60, step) if minute < until]
    ticks = [event("status", minute, equipment=clock, online=True) for minute in [*times, until]]
    parts = [log, *([tick] for tick in ticks)]
    db = tmp_path / "kpi.duckdb"
    fill(db, f'{toml}[equipment."{clock}"]\nlevel = "unit"\n', parts)
    assert queried(db, "SELECT reason FROM stops_now") == [{"reason": expected}]


def test_repair_time_of_a_stop_told_twice(tmp_path: Path) -> None:
    db = tmp_path / "kpi.duckdb"
    fill(db, one_unit(), [[DOWN, state(20, "down"), END]])
    (row,) = queried(db, "SELECT failures, failure_us, down_us FROM kpi_day WHERE level = 'unit'")
    assert row == {"failures": 1, "failure_us": 60 * MINUTE, "down_us": 60 * MINUTE}
