"""Sums by production day: which days have them, and figures over them by hand."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kpis.plant import Plant, load_plant
from storage import slices
from storage.reader import Reader
from storage.slices import Slice
from storage.store import Store
from tests.engine import opened, take_in
from tests.random_logs import Event

PRESS = "shop/press"
PLANT = f"""
[plant]
name = "Shop"
timezone = "UTC"
[defaults]
minor_stop_under = "2m"
[equipment."{PRESS}"]
level = "unit"
ideal_cycle = "1s"
"""
START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = 3_600_000_000
WEEK = Slice(PRESS, date(2026, 3, 2), date(2026, 3, 8))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def state(hours: float, name: str, reason: str | None = None) -> Event:
    event = {"id": f"s{hours}", "ts": at(hours).isoformat(), "equipment": PRESS, "type": "state", "state": name}
    return event if reason is None else {**event, "reason": reason}


STORY = [
    state(0, "producing"),
    state(20, "setup"),  # for 8 hours, over midnight
    state(28, "producing"),
    {"id": "c", "ts": at(29).isoformat(), "equipment": PRESS, "type": "count", "good": 100, "scrap": 4},
    state(30, "down", "jam"),  # for 1 hour
    state(31, "producing"),
    state(40, "down", "jam"),  # still going on
]


@pytest.fixture
def plant() -> Plant:
    return load_plant(PLANT)


@pytest.fixture
def db(tmp_path: Path, plant: Plant) -> Path:
    """Two days told, 10 days gone by: 2 March to 12 March 00:00."""
    with opened(tmp_path / "kpi.duckdb", plant) as store:
        take_in(store, plant, STORY)
        take_in(store, plant, [], horizon=round(at(240).timestamp() * 1e6))
    return tmp_path / "kpi.duckdb"


def summed(store: Store) -> list[int]:
    """The days of March, and the last ones of February, when what was committed is durable."""
    store.settle()
    rows = store.connection.execute("SELECT day(production_date) FROM summed_days ORDER BY production_date").fetchall()
    return [day for (day,) in rows]


def test_days_that_are_over_are_summed_the_newest_first(db: Path, plant: Plant) -> None:
    with opened(db, plant) as store:
        assert store.sum_days(3) == 6  # from three days before the first event to five before the horizon
        assert summed(store) == [5, 6, 7]
        assert store.sum_days(100) == 0
        assert summed(store) == [27, 28, 1, 2, 3, 4, 5, 6, 7]
        assert store.sum_days(100) == 0


def test_a_late_event_takes_out_the_days_it_may_change_and_no_others(db: Path, plant: Plant) -> None:
    with opened(db, plant) as store:
        store.sum_days(100)
        take_in(store, plant, [state(30.5, "down", "broken belt")])  # 3 March 06:30, until 07:00
        assert summed(store) == [27, 28, 1, 2, 5, 6, 7]
        assert store.sum_days(100) == 0
        assert len(summed(store)) == 9


def test_an_event_on_time_takes_out_nothing_however_long_a_stop_goes_on(db: Path, plant: Plant) -> None:
    with opened(db, plant) as store:
        store.sum_days(100)
        take_in(store, plant, [state(241, "down", "belt"), state(242, "producing")])
        assert len(summed(store)) == 9


@pytest.mark.parametrize("days", [1, 2, 5, 100])
def test_lost_time_is_the_same_however_much_is_summed(db: Path, plant: Plant, days: int) -> None:
    """On 2 to 8 March: 8 h of setup begun once, a jam of 1 h, and one from 3 March 16:00 to 9 March 00:00."""
    before = slices.downtime(Reader(db), WEEK)
    with opened(db, plant) as store:
        store.sum_days(days)
    with Reader(db) as reader:
        assert slices.downtime(reader, WEEK).equals(before)
        (sums,) = slices.sums(reader, WEEK, "standard").iter_rows(named=True)
    told = before.select("account", "reason", "us", "stops").rows()
    assert told == [("down", "jam", (1 + 128) * HOUR, 2), ("setup", None, 8 * HOUR, 1)]
    assert (sums["producing_us"], sums["good"], sums["scrap"]) == ((20 + 2 + 9) * HOUR, 100, 4)
    assert (sums["stops"], sums["failures"], sums["failure_us"]) == (2, 2, (1 + 200) * HOUR)


def test_a_stop_that_ended_long_ago_is_told_late(db: Path, plant: Plant) -> None:
    with opened(db, plant) as store:
        store.sum_days(100)
        take_in(store, plant, [state(88, "producing")])  # 5 March 16:00, told a week later: the stop was 48 h
        store.sum_days(100)
    with Reader(db) as reader:
        rows = slices.downtime(reader, WEEK).select("account", "reason", "us", "stops").rows()
        (sums,) = slices.sums(reader, WEEK, "standard").iter_rows(named=True)
    assert rows == [("down", "jam", (1 + 48) * HOUR, 2), ("setup", None, 8 * HOUR, 1)]
    assert sums["failure_us"] == 49 * HOUR


def test_other_results_leave_no_sums_behind(db: Path, plant: Plant) -> None:
    with opened(db, plant) as store:
        store.sum_days(100)
        assert store.recompute() == 0
        assert summed(store) == [27, 28, 1, 2, 5, 6, 7]  # pieces of 3 March were written anew
        store.sum_days(100)
    with opened(db, load_plant(PLANT.replace('"1s"', '"2s"'))) as changed:
        assert changed.rebuilt
        assert summed(changed) == []
        assert changed.sum_days(100) == 0
        ideal = changed.connection.execute("SELECT sum(ideal_us) FROM pieces_by_day").fetchall()
    assert ideal == [(208_000_000,)]
