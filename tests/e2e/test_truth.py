"""The engine's result of the simulated week is the truth of the simulation, to the microsecond and the piece."""

from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.replay import read_plant, replay
from pipelines.simulate import Simulation, simulate
from storage.reader import Reader
from storage.selection import Selection

PLANT = Path(__file__).parents[2] / "examples" / "plant.toml"
ZONE = ZoneInfo("Europe/Berlin")


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


def assert_true(week: Simulation, db: Path) -> None:
    found, truth = elements(db), week.truth()
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
