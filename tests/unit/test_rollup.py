"""Lines, areas and sites out of their units, added up by hand."""

from pathlib import Path
from typing import Any

import pytest

from tests.engine import Row, element_sums, fill, queried
from tests.oracle.shorthand import EIGHT, MINUTE, at
from tests.oracle.windows import TIMES
from tests.random_logs import Event

PLANT = """
[plant]
name = "Ulm"
timezone = "UTC"
[defaults]
ideal_cycle = "30s"
[equipment."acme/ulm/sum/a"]
level = "unit"
[equipment."acme/ulm/sum/b"]
level = "unit"
ideal_cycle = "1m"
[equipment."acme/ulm/sum/silent"]
level = "unit"
[equipment."acme/ulm/narrow"]
level = "line"
rollup = "constraint"
constraint = "acme/ulm/narrow/a"
[equipment."acme/ulm/narrow/a"]
level = "unit"
[equipment."acme/ulm/narrow/b"]
level = "unit"
[equipment."acme/ulm/through"]
level = "line"
rollup = "constraint"
constraint = "acme/ulm/through/a"
output = "acme/ulm/through/b"
[equipment."acme/ulm/through/a"]
level = "unit"
[equipment."acme/ulm/through/b"]
level = "unit"
[equipment."acme/ulm/own"]
level = "line"
[equipment."acme/ulm/own/a"]
level = "unit"
[equipment."acme/ulm/late"]
level = "line"
rollup = "constraint"
constraint = "acme/ulm/late/a"
output = "acme/ulm/late/b"
[equipment."acme/ulm/late/a"]
level = "unit"
[equipment."acme/ulm/late/b"]
level = "unit"
[equipment."acme/bonn/far/a"]
level = "unit"
"""


def events_of(path: str, changes: dict[int, str], counts: dict[int, dict[str, int]]) -> list[Event]:
    """States and counts by their minutes."""
    states = [{"type": "state", "ts": at(minute), "state": name} for minute, name in changes.items()]
    made: list[dict[str, Any]] = [{"type": "count", "ts": at(minute), **pieces} for minute, pieces in counts.items()]
    return [{"id": str(n), "equipment": path} | event for n, event in enumerate([*states, *made])]


HALF = {0: "producing", 30: "down"}
LOG = [
    *events_of("acme/ulm/sum/a", {0: "producing", 40: "down"}, {5: {"good": 60, "scrap": 2}}),
    *events_of("acme/ulm/sum/b", {0: "idle", 20: "producing"}, {30: {"good": 35, "rework": 1}}),
    *events_of("acme/ulm/narrow/a", HALF, {5: {"good": 50}}),
    *events_of("acme/ulm/narrow/b", {0: "setup"}, {5: {"good": 44, "scrap": 1}}),
    *events_of("acme/ulm/through/a", HALF, {5: {"good": 50}}),
    *events_of("acme/ulm/through/b", {0: "setup"}, {5: {"good": 44, "scrap": 1}}),
    *events_of("acme/ulm/own", {0: "planned"}, {}),
    *events_of("acme/ulm/own/a", {0: "producing"}, {5: {"good": 7}}),
    *events_of("acme/ulm/late/b", {0: "producing"}, {5: {"good": 9}}),
    *events_of("acme/bonn/far/a", {0: "producing", 60: "down"}, {10: {"good": 100}}),
]
SECOND = 1_000_000
LINES: dict[str, dict[str, int]] = {
    "acme/ulm/sum": {
        "producing_us": 80 * MINUTE,
        "down_us": 20 * MINUTE,
        "idle_us": 20 * MINUTE,
        "good": 95,
        "scrap": 2,
        "rework": 1,
        "ideal_us": (62 * 30 + 36 * 60) * SECOND,
        "good_ideal_us": (60 * 30 + 35 * 60) * SECOND,
    },
    "acme/ulm/narrow": {
        "producing_us": 30 * MINUTE,
        "down_us": 30 * MINUTE,
        "good": 50,
        "ideal_us": 50 * 30 * SECOND,
        "good_ideal_us": 50 * 30 * SECOND,
    },
    # time and ideal time of the constraint, pieces of the output
    "acme/ulm/through": {
        "producing_us": 30 * MINUTE,
        "down_us": 30 * MINUTE,
        "good": 44,
        "scrap": 1,
        "ideal_us": 50 * 30 * SECOND,
        "good_ideal_us": 50 * 30 * SECOND,
    },
    # with events of its own it is not the sum of its children
    "acme/ulm/own": {"planned_stop_us": 60 * MINUTE},
    # the constraint has sent nothing: there are pieces, and no time
    "acme/ulm/late": {"good": 9},
    "acme/bonn/far": {
        "producing_us": 60 * MINUTE,
        "good": 100,
        "ideal_us": 3000 * SECOND,
        "good_ideal_us": 3000 * SECOND,
    },
}
CHILDREN = {
    "acme/ulm": [path for path in LINES if path.startswith("acme/ulm")],
    "acme/bonn": ["acme/bonn/far"],
    "acme": list(LINES),
}


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    db = tmp_path_factory.mktemp("rollup") / "kpi.duckdb"
    fill(db, PLANT, [LOG])
    return {row["equipment"]: row for row in queried(db, "SELECT * FROM kpi_day")}


@pytest.mark.parametrize("path", LINES)
def test_a_line(path: str, days: dict[str, Row]) -> None:
    found = {name: value for name, value in element_sums([days[path]]).items() if value}
    assert found == LINES[path]


@pytest.mark.parametrize("path", CHILDREN)
def test_a_level_above_adds_up_the_elements_of_its_children(path: str, days: dict[str, Row]) -> None:
    assert element_sums([days[path]]) == element_sums([days[child] for child in CHILDREN[path]])


def test_a_ratio_is_not_a_mean_of_ratios(days: dict[str, Row]) -> None:
    line = days["acme/ulm/sum"]
    assert line["availability"] == pytest.approx(80 / 120)
    assert line["performance"] == pytest.approx((62 * 30 + 36 * 60) / (80 * 60))
    assert line["quality"] == pytest.approx(95 / 98)
    assert line["oee"] == pytest.approx(80 / 120 * (62 * 30 + 36 * 60) / (80 * 60) * 95 / 98)


def test_levels_of_what_is_not_declared(days: dict[str, Row]) -> None:
    assert days["acme/ulm/narrow"]["level"] == "line"
    assert days["acme/ulm/sum/a"]["level"] == "unit"
    assert {"acme", "acme/ulm", "acme/bonn", "acme/ulm/sum", "acme/bonn/far"} <= days.keys()


def test_equipment_without_anything_has_no_rows(days: dict[str, Row]) -> None:
    assert "acme/ulm/sum/silent" not in days
    assert "acme/ulm/late/a" not in days


def test_without_time_nothing_is_defined_but_pieces(days: dict[str, Row]) -> None:
    late = days["acme/ulm/late"]
    assert [late[name] for name in TIMES] == [0] * len(TIMES)
    assert (late["availability"], late["performance"], late["oee"], late["coverage"]) == (None, None, None, None)
    assert late["quality"] == 1


def test_elements_of_a_line_with_late_events(tmp_path: Path) -> None:
    db = tmp_path / "kpi.duckdb"
    fill(db, PLANT, [LOG[::2], LOG[1::2]], reopen=True)
    rows = {row["equipment"]: row for row in queried(db, "SELECT * FROM kpi_day")}
    assert {path: element_sums([rows[path]]) for path in LINES} == {
        path: element_sums([rows[path]]) | LINES[path] for path in LINES
    }


def orders(path: str, start: int, end: int, made: int) -> list[Event]:
    """A machine that runs for an order, and makes good pieces of it half a minute before its end."""
    started = {"id": "s", "type": "order", "action": "start", "order": "O", "ts": at(start)}
    ended = {"id": "e", "type": "order", "action": "end", "ts": at(end)}
    running = {"id": "r", "type": "state", "state": "producing", "ts": at(start)}
    count = {"id": "c", "type": "count", "good": made, "ts": at(end - 0.5)}
    return [event | {"equipment": path} for event in (started, running, count, ended)]


def test_an_order_that_machines_begin_one_after_another_is_one_run_on_their_line(tmp_path: Path) -> None:
    """Through both from 0 to 50: 40 minutes of the constraint at 30 s a piece, 70 pieces of the output.

    Of the sum the order comes back after an hour, which is another run; on each machine it is a run of its own.
    """
    log = [*orders("acme/ulm/through/a", 0, 40, 76), *orders("acme/ulm/through/b", 10, 50, 70)]
    log += [*orders("acme/ulm/sum/a", 0, 20, 4), *orders("acme/ulm/sum/b", 20, 30, 3)]
    log += [{**event, "id": f"{event['id']}2"} for event in orders("acme/ulm/sum/a", 90, 100, 2)]
    fill(tmp_path / "kpi.duckdb", PLANT, [log])
    rows = queried(
        tmp_path / "kpi.duckdb",
        "SELECT equipment, window_start, window_end, producing_us, good, oee FROM kpi_order "
        "WHERE equipment NOT IN ('acme', 'acme/ulm') ORDER BY equipment, window_start",
    )
    found = [
        (
            row["equipment"].removeprefix("acme/ulm/"),
            *((row[bound] - EIGHT) // MINUTE for bound in ("window_start", "window_end")),
            row["producing_us"] // MINUTE,
            row["good"],
        )
        for row in rows
    ]
    assert found == [
        ("sum", 0, 30, 30, 7),
        ("sum", 90, 100, 10, 2),
        ("sum/a", 0, 20, 20, 4),
        ("sum/a", 90, 100, 10, 2),
        ("sum/b", 20, 30, 10, 3),
        ("through", 0, 50, 40, 70),
        ("through/a", 0, 40, 40, 76),
        ("through/b", 10, 50, 40, 70),
    ]
    line = next(row for row in rows if row["equipment"] == "acme/ulm/through")
    assert line["oee"] == pytest.approx(76 * 30 / (40 * 60))
