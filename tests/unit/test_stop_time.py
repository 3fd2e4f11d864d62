"""The time of a stop that is still open, whatever cut and joined the time it takes."""

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


def test_repair_time_of_a_stop_told_twice(tmp_path: Path) -> None:
    db = tmp_path / "kpi.duckdb"
    fill(db, one_unit(), [[DOWN, state(20, "down"), END]])
    (row,) = queried(db, "SELECT failures, failure_us, down_us FROM kpi_day WHERE level = 'unit'")
    assert row == {"failures": 1, "failure_us": 60 * MINUTE, "down_us": 60 * MINUTE}
