"""The engine's result of the simulated plant is the truth of the simulation, to the microsecond and the piece."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipelines.children import answers
from pipelines.demo import start_broker, write_plant
from pipelines.publish import Publisher
from pipelines.replay import read_plant, replay
from pipelines.simulate import Simulation, simulate
from pipelines.simulated_story import ordinary
from storage.reader import Reader
from storage.selection import Selection
from tests.broker import Broker, free_port
from tests.running import running, until

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
PLANT = EXAMPLES / "plant.toml"
ZONE = ZoneInfo("Europe/Berlin")
OUTCOMES = ("taken", "duplicate", "rejected")


Name = tuple[str, str, str | None]


def name_of(row: dict[str, int | str | None]) -> Name:
    """Machine, production date and shift of a true row."""
    return str(row["equipment"]), str(row["date"]), str(row["shift"]) if row["shift"] else None


def elements(db: Path) -> dict[Name, dict[str, int]]:
    """Rows of the machines by equipment, production date and shift."""
    with Reader(db) as reader:
        rows = reader.kpi("shift", Selection(level="unit"), "standard").to_dicts()
    result = {}
    for row in rows:
        date, shift = row["shift"].split("/") if row["shift"] else (f"{row['window_start'].astimezone(ZONE):%F}", None)
        result[row["equipment"], date, shift] = row
    return result


def assert_true(simulation: Simulation, db: Path, horizon: int | None = None) -> None:
    found, truth = elements(db), simulation.truth(horizon)
    assert found.keys() == {name_of(row) for row in truth}
    for row in truth:
        expected = {key: value for key, value in row.items() if key not in ("equipment", "date", "shift")}
        assert {key: found[name_of(row)][key] for key in expected} == expected, name_of(row)


def test_truth_day_by_day(tmp_path: Path) -> None:
    week = simulate(read_plant(PLANT))
    summary = replay(PLANT, week.write(tmp_path / "week"), tmp_path / "kpi.duckdb")
    assert (summary.outcome.duplicates, summary.outcome.rejected) == (week.duplicates, week.rejected)
    assert_true(week, tmp_path / "kpi.duckdb")


def test_truth_backwards_and_in_several_calls(tmp_path: Path) -> None:
    week = simulate(read_plant(PLANT), seed=2)
    db = tmp_path / "kpi.duckdb"
    for path in reversed(week.write(tmp_path / "week")):
        replay(PLANT, [path], db)
    assert_true(week, db)


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    with Broker(folder, lasting=False) as broker:
        yield broker.port


@contextmanager
def embedded(folder: Path) -> Iterator[int]:
    port = free_port()
    with start_broker(folder, port):
        until(lambda: answers(port))
        yield port


@pytest.mark.parametrize("broker", [mosquitto, embedded])
def test_truth_of_a_day_over_mqtt(broker: Callable[[Path], AbstractContextManager[int]], tmp_path: Path) -> None:
    """A day of the past, sent as fast as it goes: late from the gateway, twice, out of order, put right afterwards."""
    plant_file, db = tmp_path / "plant.toml", tmp_path / "kpi.duckdb"
    (tmp_path / "broker").mkdir()
    with broker(tmp_path / "broker") as port:
        write_plant(EXAMPLES / "live-plant.toml", plant_file, port, free_port())
        plant = read_plant(plant_file)
        day = simulate(plant, seed=3, story=ordinary(ZONE, date(2026, 6, 2), days=1, seed=3))
        with running(plant_file, db) as engine:
            with Publisher(port, "plant") as publisher:
                publisher.publish((message.equipment, message.line) for message in day.messages)
                publisher.flush()
            until(lambda: engine.metric('oeeflow_messages_total{source="ulm"}') == len(day.messages))
            told = {outcome: engine.metric(f'oeeflow_events_total{{outcome="{outcome}"}}') for outcome in OUTCOMES}
            engine.stop()
    assert told["duplicate"] == day.duplicates
    assert told["rejected"] == day.rejected
    with Reader(db) as reader:
        _, horizon = reader.version()
    assert_true(day, db, horizon)
