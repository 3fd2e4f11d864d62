"""Cumulative readings: what each one counts, worked out by hand; each case is a unit of its own in one store."""

from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.engine import Row, fill, queried
from tests.oracle.shorthand import EIGHT, MINUTE, at
from tests.random_logs import Event

PLANT = '[plant]\nname = "p"\ntimezone = "UTC"\n[defaults]\nideal_cycle = "1s"\n'


class Counted(NamedTuple):
    """Readings as (minute, value) or events, and the pieces of each minute that has any."""

    sent: tuple[tuple[float, int] | Event, ...]
    pieces: dict[int, int]
    quality: str = "good"


def reading(minute: float, value: int, quality: str = "good", **fields: object) -> Event:
    return {"type": "counter", "ts": at(minute), "quality": quality, "value": value, **fields}


def retract(minute: float, target: str) -> Event:
    return {"type": "retract", "ts": at(minute), "target": target}


CASES = {
    "the first reading is the baseline": Counted(((0, 500),), {}),
    "a baseline of nothing": Counted(((0, 0), (1, 3)), {1: 3}),
    "rising": Counted(((0, 500), (1, 510), (2, 517)), {1: 10, 2: 7}),
    "the same again counts nothing": Counted(((0, 500), (1, 510), (2, 510), (3, 511)), {1: 10, 3: 1}),
    "two within a minute add up": Counted(((0, 5), (1.2, 7), (1.8, 11)), {1: 6}),
    "a smaller one is a reset, itself the count": Counted(((0, 500), (1, 8), (2, 9)), {1: 8, 2: 1}),
    "a reset to nothing": Counted(((0, 500), (1, 0), (2, 4)), {2: 4}),
    "a rollover": Counted(((0, 990), reading(1, 8, rollover=1000), (2, 10)), {1: 18, 2: 2}),
    "the rollover of the smaller reading counts": Counted((reading(0, 990, rollover=1000), (1, 8)), {1: 8}),
    "rising needs no rollover": Counted(((0, 8), reading(1, 9, rollover=1000)), {1: 1}),
    "a full turn shows as nothing": Counted(((0, 8), reading(1, 8, rollover=1000)), {}),
    "large readings": Counted(((0, 2**53 - 5), (1, 2**53)), {1: 5}),
    "a retracted reading was never sent": Counted(((0, 10), reading(1, 3, id="x"), (2, 12), retract(9, "x")), {2: 2}),
    "a retracted baseline": Counted((reading(0, 10, id="x"), (1, 13), (2, 14), retract(9, "x")), {2: 1}),
    "of one instant by their ids": Counted(
        (reading(0, 5, id="a"), reading(1, 9, id="c"), reading(1, 7, id="b")), {1: 4}
    ),
    "each quality counts from its own": Counted(
        ((0, 5), reading(1, 100, "scrap"), (2, 9), reading(3, 103, "scrap")), {3: 3}, "scrap"
    ),
    "scrap does not touch good": Counted(((0, 5), reading(1, 100, "scrap"), (2, 9)), {2: 4}),
    "counts beside readings": Counted(((0, 5), {"type": "count", "ts": at(1), "good": 2}, (2, 9)), {1: 2, 2: 4}),
    "over the hour": Counted(((59.99, 5), (60, 9)), {60: 4}),
}


def unit(number: int) -> str:
    return f"acme/line/unit-{number}"


def log_of(number: int, case: Counted) -> list[Event]:
    events = [reading(*sent) if isinstance(sent, tuple) else sent for sent in case.sent]
    return [{"id": f"e{n}", "equipment": unit(number)} | event for n, event in enumerate(events)]


@pytest.fixture(scope="module", params=["in order", "backwards", "one by one backwards", "every second one first"])
def minutes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Minutes of all cases, in which there are any pieces."""
    logs = [log_of(number, case) for number, case in enumerate(CASES.values())]
    longest = max(map(len, logs))
    rounds = [[log[n] for log in logs if n < len(log)] for n in range(longest)]
    parts = {
        "in order": [[*chain(*rounds)]],
        "backwards": [[*chain(*rounds[::-1])]],
        "one by one backwards": rounds[::-1],
        "every second one first": [[*chain(*rounds[1::2])], [*chain(*rounds[::2])]],
    }[request.param]
    db = tmp_path_factory.mktemp("counted") / "kpi.duckdb"
    toml = PLANT + "".join(f'[equipment."{unit(n)}"]\nlevel = "unit"\n' for n in range(len(CASES)))
    fill(db, toml, parts)
    return queried(db, "SELECT equipment, window_start, good, scrap, ideal_us FROM kpi_minute WHERE level = 'unit'")


@pytest.mark.parametrize("name", CASES)
def test_pieces(name: str, minutes: list[Row]) -> None:
    case, path = CASES[name], unit(list(CASES).index(name))
    mine = [row for row in minutes if row["equipment"] == path]
    found = {(row["window_start"] - EIGHT) // MINUTE: row[case.quality] for row in mine if row[case.quality]}
    assert found == case.pieces
    assert all(row["ideal_us"] == 1_000_000 * (row["good"] + row["scrap"]) for row in mine)


def test_readings_of_two_sources_do_not_mix(tmp_path: Path) -> None:
    toml = PLANT + '[equipment."a/b"]\nlevel = "unit"\n[equipment."a/c"]\nlevel = "unit"\n'
    sent = [("a/c", 0), ("a/b", 1), ("a/c", 200), ("a/b", 3)]
    log = [reading(n, value) | {"id": str(n), "equipment": path} for n, (path, value) in enumerate(sent)]
    fill(tmp_path / "kpi.duckdb", toml, [log[::-1]])
    rows = queried(tmp_path / "kpi.duckdb", "SELECT equipment, good FROM kpi_day WHERE level = 'unit' ORDER BY ALL")
    assert rows == [{"equipment": "a/b", "good": 2}, {"equipment": "a/c", "good": 200}]
