"""The simulated week: always the same, adds up, and goes wrong in every way it is meant to."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kpis.elements import ACCOUNTS
from kpis.plant import Plant, load_plant
from pipelines.simulate import Simulation, simulate
from pipelines.simulated_plant import Track
from pipelines.simulated_truth import Row

HOUR = 3_600_000_000
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant((EXAMPLES / "plant.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def week(plant: Plant) -> Simulation:
    return simulate(plant)


@pytest.fixture(scope="module")
def rows(week: Simulation) -> list[Row]:
    return week.truth()


def messages(week: Simulation) -> Iterator[dict[str, Any]]:
    for message in week.messages:
        try:
            yield json.loads(message.line)
        except json.JSONDecodeError:
            yield {"type": "broken"}


def test_same_seed_same_files(plant: Plant, week: Simulation, tmp_path: Path) -> None:
    again = simulate(plant).write(tmp_path / "again")
    for first, second in zip(week.write(tmp_path / "first"), again, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert simulate(plant, seed=2).messages != week.messages


def test_files_hold_the_log_by_day_of_arrival(week: Simulation, tmp_path: Path) -> None:
    paths = week.write(tmp_path)
    assert [path.name for path in paths[:2]] == ["2026-03-23.jsonl.gz", "2026-03-24.jsonl.gz"]
    written = [line for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert written == [message.line for message in week.messages]


def test_accounts_of_every_machine_tile_the_week(rows: list[Row]) -> None:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[str(row["equipment"])] += sum(int(row[f"{account}_us"] or 0) for account in ACCOUNTS)
    # From Monday 05:50 to Monday 06:10, less the hour that the clocks skip.
    assert set(sums.values()) == {7 * 24 * HOUR + HOUR // 3 - HOUR}
    assert len(sums) == 8


@pytest.mark.parametrize(
    ("day", "shift", "hours"),
    [("2026-03-23", "early", 8), ("2026-03-27", "night", 8), ("2026-03-28", "early", 8), ("2026-03-28", "night", 7)],
)
def test_accounts_of_a_shift_tile_it(rows: list[Row], day: str, shift: str, hours: int) -> None:
    found = [row for row in rows if (row["date"], row["shift"]) == (day, shift)]
    assert len(found) == 8
    for row in found:
        assert sum(int(row[f"{account}_us"] or 0) for account in ACCOUNTS) == hours * HOUR, row["equipment"]


def test_everything_that_can_happen_does(week: Simulation, rows: list[Row]) -> None:
    types = Counter(message["type"] for message in messages(week))
    assert types.keys() == {"state", "count", "counter", "order", "status", "reclassify", "retract", "broken"}
    assert 20_000 < types.total() < 60_000
    for account in ACCOUNTS:
        assert sum(int(row[f"{account}_us"] or 0) for row in rows) > 0, account
    for quality in ("good", "scrap", "rework"):
        assert sum(int(row[quality] or 0) for row in rows) > 0, quality


def test_repeated_messages_are_counted(week: Simulation) -> None:
    named = Counter((message["equipment"], message["id"]) for message in messages(week) if "id" in message)
    assert week.duplicates == sum(number - 1 for number in named.values())


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(3, 5, [(0, 3, "a"), (3, 5, "b"), (5, 10, "a")], id="inside"),
        pytest.param(0, 10, [(0, 10, "b")], id="everything"),
        pytest.param(-5, 4, [(0, 4, "b"), (4, 10, "a")], id="from before the beginning"),
        pytest.param(8, 50, [(0, 8, "a"), (8, 10, "b")], id="to after the end"),
        pytest.param(4, 4, [(0, 10, "a")], id="nothing"),
    ],
)
def test_painting(start: int, end: int, expected: list[tuple[int, int, str]]) -> None:
    track = Track(0, 10, "a")
    track.paint(start, end, "b")
    assert list(track.parts()) == expected


def test_painting_over_several_parts() -> None:
    track = Track(0, 10, "a")
    for start, value in ((2, "b"), (4, "c"), (6, "d")):
        track.paint(start, start + 2, value)
    track.paint(3, 6, "a")
    assert list(track.parts()) == [(0, 2, "a"), (2, 3, "b"), (3, 6, "a"), (6, 8, "d"), (8, 10, "a")]
    assert list(track.parts(5, 7)) == [(5, 6, "a"), (6, 7, "d")]
    assert [track.at(instant) for instant in (2, 3, 6, 9)] == ["b", "a", "d", "a"]
