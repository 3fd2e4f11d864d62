"""Laws of the sums by production day: whatever is summed when, figures are those of the rows."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from kpis.plant import load_plant
from storage.reader import Reader
from storage.store import Store
from tests.engine import faults, opened, take_in
from tests.oracle import compute
from tests.strategies import duplicated, random_case, shuffled, split

pytestmark = pytest.mark.slow

DAY_US = 86_400_000_000
GRAINS = ("shift", "day", "week", "month")
KEYS = 'equipment, product, "order", shift, production_date'
SAME = {
    "time": (
        f"SELECT {KEYS}, account, reason, schedule, sum(us) AS us FROM time_by_day GROUP BY ALL",
        f"SELECT {KEYS}, account, reason, schedule, sum(e - s) AS us FROM intervals_now GROUP BY ALL",
    ),
    "begun": (
        f"SELECT {KEYS}, account, reason, schedule, sum(begun) AS n FROM begun_by_day GROUP BY ALL",
        f"SELECT {KEYS}, account, reason, schedule, count(*) AS n FROM (SELECT *, lag(account) OVER "
        "(PARTITION BY equipment ORDER BY s) AS before FROM intervals_now) "
        "WHERE before IS DISTINCT FROM account GROUP BY ALL",
    ),
    "pieces": (
        f"SELECT {KEYS}, quality, reason, sum(pieces) AS n, sum(ideal_us) AS us, sum(no_ideal) AS no_ideal, "
        "min(window_start) AS first FROM pieces_by_day GROUP BY ALL",
        f"SELECT {KEYS}, quality, reason, sum(pieces) AS n, sum(ideal_us) AS us, sum(no_ideal) AS no_ideal, "
        "min(window_start) AS first FROM count_elements GROUP BY ALL",
    ),
}


def days(store: Store) -> int:
    store.settle()
    return len(store.connection.execute("FROM summed_days").fetchall())


def different(db: Path) -> dict[str, int]:
    """How many rows the views by day and the tables that they stand for do not share."""
    found = {}
    with Reader(db) as reader:
        for name, (sums, rows) in SAME.items():
            either = f"((FROM ({sums}) EXCEPT FROM ({rows})) UNION ALL (FROM ({rows}) EXCEPT FROM ({sums})))"
            if count := reader.query(f"SELECT count(*) AS n FROM {either}").item():
                found[name] = count
    return found


@pytest.mark.parametrize("seed", range(6))
def test_late_events_change_days_that_were_summed(tmp_path: Path, seed: int) -> None:
    case, rng = random_case(seed + 7000, 60), Random(seed)
    horizon = compute(case.plant_toml, case.events).horizon_us + rng.choice((6, 9, 40)) * DAY_US
    db, plant = tmp_path / "kpi.duckdb", load_plant(case.plant_toml)
    summed = []
    for part in split(shuffled(duplicated(case.events, seed), seed), seed, 6):
        with opened(db, plant) as store:
            take_in(store, plant, part, horizon, horizon)
            summed.append(days(store))
            while store.sum_days(rng.choice((1, 3, 50))) and rng.random() < 0.8:
                pass
            summed.append(days(store))
        assert different(db) == {}
    assert max(summed) > 0
    assert any(after < before for before, after in pairwise(summed)), "no late event met a summed day"
    text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=horizon)).isoformat()
    assert faults(db, compute(case.plant_toml, case.events, text), GRAINS) == []
