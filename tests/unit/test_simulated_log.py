"""The simulated plant without end: the same whenever it is asked, and whole however it is asked."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from kpis.plant import load_plant
from pipelines.simulated_log import PlantLog
from pipelines.simulated_time import DAY, MINUTE, local

EXAMPLES = Path(__file__).parents[2] / "examples"
PLANT = load_plant((EXAMPLES / "live-plant.toml").read_text(encoding="utf-8"))
MONDAY = date(2026, 6, 1)
NEXT = local(ZoneInfo(PLANT.timezone), date(2026, 6, 8), "06:00:00")
FINE = NEXT + 6 * DAY


@pytest.fixture(scope="module")
def log() -> PlantLog:
    return PlantLog(PLANT, MONDAY, FINE)


def test_parts_make_the_whole_over_the_end_of_a_week(log: PlantLog) -> None:
    start, end = NEXT - 40 * MINUTE, NEXT + 40 * MINUTE
    whole = log.between(start, end)
    parts = [message for at in range(start, end, 7 * MINUTE) for message in log.between(at, min(at + 7 * MINUTE, end))]
    assert parts == whole
    assert {message.line for message in whole if message.arrival < NEXT}
    assert [message.arrival for message in whole] == sorted(message.arrival for message in whole)


def test_another_log_of_the_same_plant_is_the_same(log: PlantLog) -> None:
    # This one was never asked about the first week.
    assert PlantLog(PLANT, MONDAY, FINE).between(NEXT, NEXT + DAY) == log.between(NEXT, NEXT + DAY)
    assert PlantLog(PLANT, MONDAY, FINE, seed=2).between(NEXT, NEXT + DAY) != log.between(NEXT, NEXT + DAY)


def test_no_id_comes_back_with_another_content(log: PlantLog) -> None:
    known: dict[tuple[str, str], bytes] = {}
    for message in log.between(NEXT - DAY, NEXT + DAY):
        try:
            event = orjson.loads(message.line)
        except orjson.JSONDecodeError:
            continue
        if "id" in event:
            name = event["equipment"], event["id"]
            assert known.setdefault(name, message.line) == message.line


def test_counts_come_more_often_from_a_time_on(log: PlantLog) -> None:
    before, after = (len(log.between(start, start + DAY // 2)) for start in (FINE - DAY // 2, FINE))
    assert 3 * before < after
