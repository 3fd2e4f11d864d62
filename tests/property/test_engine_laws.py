"""Laws of the engine: results depend on the set of events alone, and are those of the naive calculation."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from kpis.plant import load_plant
from tests.engine import GRAINS, dump, faults, fill, opened, queried, take_in, unequal
from tests.oracle import compute
from tests.oracle.events import parse_time
from tests.oracle.windows import TIMES
from tests.strategies import Case, cases, duplicated, identity, random_case, random_until, shuffled, split

pytestmark = pytest.mark.slow

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
laws = settings(
    max_examples=400 if THOROUGH else 10,
    derandomize=not THOROUGH,
    deadline=None,
    database=None,
    phases=list(Phase) if THOROUGH else [Phase.generate],  # to shrink a case takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEEDS = range(200 if THOROUGH else 4)
FEW_SEEDS = range(60 if THOROUGH else 2)
COARSE = ("hour", "shift", "day", "order")


@contextmanager
def new_store() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "kpi.duckdb"


def arrival(case: Case, seed: int) -> list[list[dict[str, object]]]:
    """The log of a case as it might arrive: in another order, with duplicates, in up to twelve parts."""
    rng = Random(seed)
    events = duplicated(case.events, seed)
    if rng.random() < 0.7:
        events = shuffled(events, seed)
    return split(events, seed, rng.choice((1, 2, 3, 6, 12)))


@laws
@given(cases(), st.integers(0, 2**20))
def test_any_arrival_gives_what_the_naive_calculation_says(case: Case, seed: int) -> None:
    note(f"seed {seed}\n{case.plant_toml}\n{case.events}")
    with new_store() as db:
        fill(db, case.plant_toml, arrival(case, seed), reopen=seed % 4 == 0)
        assert faults(db, compute(case.plant_toml, case.events), COARSE) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_every_grain_is_what_the_naive_calculation_says(seed: int) -> None:
    case = random_case(seed, 50)
    expected = compute(case.plant_toml, case.events)
    with new_store() as db:
        fill(db, case.plant_toml, arrival(case, seed), reopen=seed % 2 == 0)
        assert faults(db, expected, GRAINS) == []
        codes = Counter(row["reason"] for row in queried(db, "SELECT reason FROM rejected_events"))
        assert set(codes) == {reason for _, reason in expected.rejected()}


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_rows_are_the_same_whatever_the_order_and_the_parts(seed: int) -> None:
    case = random_case(seed + 1000, 60)
    with new_store() as one, new_store() as other:
        fill(one, case.plant_toml, [case.events])
        fill(other, case.plant_toml, split(shuffled(duplicated(case.events, seed), seed), seed, 5), reopen=True)
        assert unequal(dump(one), dump(other)) == {}


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_recompute_and_repetition_change_nothing(seed: int) -> None:
    case = random_case(seed + 2000, 60)
    plant = load_plant(case.plant_toml)
    with new_store() as db:
        fill(db, case.plant_toml, arrival(case, seed))
        before = dump(db)
        with opened(db, plant) as store:
            assert store.recompute() == 0
        assert unequal(before, dump(db)) == {}
        with opened(db, plant) as store:
            again = take_in(store, plant, case.events)
        assert again.taken == 0
        assert unequal(before, dump(db)) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_until_a_time_and_then_the_rest(seed: int) -> None:
    case = random_case(seed + 3000, 50)
    until = random_until(case, seed)
    with new_store() as db:
        fill(db, case.plant_toml, arrival(case, seed), until=parse_time(until))
        expected = compute(case.plant_toml, case.events, until)
        assert faults(db, expected, COARSE) == []
        fill(db, case.plant_toml, [shuffled(case.events, seed + 1)])
        whole = compute(case.plant_toml, case.events)
        if whole.horizon_us < expected.horizon_us:  # it never moves back
            whole = compute(case.plant_toml, case.events, until)
        assert faults(db, whole, COARSE) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_late_event_into_a_long_history(seed: int) -> None:
    case = random_case(seed + 4000, 120)
    rng = Random(seed)
    names = Counter(identity(event, n) for n, event in enumerate(case.events))
    single = [n for n, event in enumerate(case.events) if "id" in event and names[identity(event, n)] == 1]
    late = sorted(rng.sample(single, min(4, len(single))))
    plant = load_plant(case.plant_toml)
    with new_store() as db:
        fill(db, case.plant_toml, [[event for n, event in enumerate(case.events) if n not in late]])
        with opened(db, plant) as store:
            for n in late:
                take_in(store, plant, [case.events[n]])
        assert faults(db, compute(case.plant_toml, case.events), COARSE) == []


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_another_plant_file_makes_all_results_anew(seed: int) -> None:
    case = random_case(seed + 5000, 60)
    changed = re.sub(r'minor_stop_under = "\w+"', 'minor_stop_under = "7m"', case.plant_toml)
    changed = re.sub(r'(ideal_cycle|stale_after) = "\w+"', r'\1 = "45s"', changed)
    changed = re.sub(r'timezone = "[A-Z]\w+/\w+"', 'timezone = "Asia/Kathmandu"', changed)
    assert changed != case.plant_toml
    with new_store() as db:
        fill(db, case.plant_toml, arrival(case, seed))
        with opened(db, load_plant(changed)) as store:
            assert store.rebuilt
        assert faults(db, compute(changed, case.events), COARSE) == []


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_accounts_tile_every_window(seed: int) -> None:
    case = random_case(seed + 6000, 60)
    expected = compute(case.plant_toml, case.events)
    all_accounts = " + ".join(TIMES)
    with new_store() as db:
        fill(db, case.plant_toml, [case.events])
        gaps = queried(
            db,
            "SELECT * FROM (SELECT *, lag(e) OVER (PARTITION BY equipment ORDER BY s, e) AS before FROM intervals_now) "
            "WHERE s <> before",
        )
        assert gaps == []
        for path, life in expected.lives.items():
            reach = "SELECT min(s) AS first, max(e) AS last FROM intervals_now"
            (row,) = queried(db, f"{reach} WHERE equipment = '{path}'")
            assert (row["first"], row["last"]) == (life.segments[0].start, expected.horizon_us) or not life.segments
            inner = queried(
                db,
                f"SELECT {all_accounts} AS accounted, epoch_us(window_end) - epoch_us(window_start) AS length "
                f"FROM kpi_hour WHERE equipment = '{path}' AND epoch_us(window_start) >= {row['first']} "
                f"AND epoch_us(window_end) <= {row['last']}",
            )
            assert [window for window in inner if window["accounted"] != window["length"]] == []
        per_grain = f"SELECT equipment, sum({all_accounts}) AS us FROM kpi_{{}} GROUP BY ALL ORDER BY ALL"
        sums = queried(db, per_grain.format("day"))
        for grain in ("minute", "hour", "shift", "week", "month"):
            assert queried(db, per_grain.format(grain)) == sums, grain
