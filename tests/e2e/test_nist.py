"""A real machine day against the controller's own clock."""

import gzip
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.replay import replay
from storage.reader import Reader
from storage.selection import Selection

NIST = Path(__file__).parents[2] / "examples" / "nist"
MAZAK, HURCO = NIST / "mazak01-2016-11-29.txt.gz", NIST / "hurco04-2017-01-24.txt.gz"


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nist") / "nist.duckdb"
    replay(NIST / "plant.toml", [MAZAK], path, source="mazak")
    replay(NIST / "plant.toml", [HURCO], path, source="hurco")
    return path


def day(db: Path, equipment: str) -> dict[str, int]:
    """Sums over all days of an equipment."""
    with Reader(db) as reader:
        rows = reader.kpi("day", Selection(equipment=equipment), "standard")
    return {name: int(rows[name].sum()) for name in ("producing_us", "unknown_us", "idle_us", "down_us", "good")}


def recorded(path: Path, item: str) -> list[tuple[datetime, str]]:
    """Values of an item with their times, in the order of time."""
    lines = (line.split("|") for line in gzip.decompress(path.read_bytes()).decode().splitlines())
    return sorted((datetime.fromisoformat(line[0]), line[2]) for line in lines if line[1] == item)


def test_producing_is_the_time_in_producing_states(db: Path) -> None:
    states = recorded(MAZAK, "execution")
    running = timedelta()
    for (start, state), (end, _) in pairwise(states):
        if state in ("ACTIVE", "INTERRUPTED", "FEED_HOLD"):
            running += end - start
    assert day(db, "nist/shop/mazak01")["producing_us"] == running // timedelta(microseconds=1)


def test_producing_agrees_with_the_controllers_clock(db: Path) -> None:
    """The controller adds up its seconds of automatic operation, also while nobody listened."""
    clock = [int(value) for _, value in recorded(MAZAK, "auto_time") if value != "UNAVAILABLE"]
    counted = sum(later - earlier for earlier, later in pairwise(clock) if later > earlier)
    booked = day(db, "nist/shop/mazak01")
    producing, unknown = booked["producing_us"] / 1e6, booked["unknown_us"] / 1e6
    assert counted == pytest.approx(producing, rel=0.02)
    assert producing < counted < producing + unknown


def test_lost_communication_is_unknown_not_down(db: Path) -> None:
    for equipment in ("nist/shop/mazak01", "nist/shop/hurco04"):
        booked = day(db, equipment)
        assert booked["unknown_us"] > 0
        assert booked["down_us"] == 0


def test_a_reading_repeated_after_every_reconnection_is_no_part(db: Path) -> None:
    readings = {value for _, value in recorded(HURCO, "Part_Count")}
    assert readings == {"1065", "UNAVAILABLE"}
    assert day(db, "nist/shop/hurco04")["good"] == 0
