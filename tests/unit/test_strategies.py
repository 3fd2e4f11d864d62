"""Random cases: what they must contain to be worth running, and what a variant of a log may not change."""

from collections import Counter
from itertools import chain

import pytest
from hypothesis import given, settings

from tests.oracle import compute
from tests.oracle.events import parse_time
from tests.oracle.windows import ACCOUNTS, TIMES
from tests.strategies import Case, cases, duplicated, random_case, random_until, shuffled, split

GRAINS = ("hour", "shift", "day", "week", "month")


def test_a_seed_names_a_case() -> None:
    assert random_case(7, 40) == random_case(7, 40) != random_case(8, 40)


def test_everything_happens_in_some_case() -> None:
    seen: Counter[str] = Counter()
    for seed in range(30):
        case = random_case(seed, 80)
        result = compute(case.plant_toml, case.events)
        seen.update(row["account"] for row in result.timeline())
        seen.update(reason for _, reason in result.rejected())
        seen.update(event.type for event in result.intake.events)
        seen["retracted"] += len(result.intake.retracted)
        seen["duplicates"] += result.duplicates()
        seen["nameless"] += sum("id" not in event for event in case.events)
        seen["tied"] += len(result.intake.events) - len({event.ts for event in result.intake.events})
        seen["runs"] += len(result.kpi("order"))
        seen["rolled up by constraint"] += case.plant_toml.count('rollup = "constraint"')
        seen["state from counts"] += case.plant_toml.count("state_from_counts")
        seen["exceptions"] += case.plant_toml.count("[[exceptions]]")
    types = ("state", "count", "counter", "order", "status", "reclassify", "retract")
    rejected = ("unknown_equipment", "naive_time", "bad_time", "id_reused", "wrong_type", "missing_field")
    others = ("retracted", "duplicates", "nameless", "tied", "runs", "rolled up by constraint", "exceptions")
    assert [name for name in (*ACCOUNTS, *types, *rejected, *others, "state from counts") if not seen[name]] == []


@pytest.mark.parametrize("seed", range(5))
def test_variants_change_nothing(seed: int) -> None:
    case = random_case(seed, 60)
    expected = compute(case.plant_toml, case.events)
    batches = split(case.events, seed, 4)
    assert len(batches) == 4
    for events in (shuffled(case.events, seed), duplicated(case.events, seed), list(chain.from_iterable(batches))):
        result = compute(case.plant_toml, events)
        assert result.timeline() == expected.timeline()
        for by in (*GRAINS, "order"):
            assert result.kpi(by) == expected.kpi(by)


@given(cases(25))
@settings(max_examples=25, deadline=None)
def test_every_instant_is_in_exactly_one_account(case: Case) -> None:
    result = compute(case.plant_toml, case.events)
    lived = {path: result.horizon_us - life.start for path, life in result.lives.items()}
    for by in GRAINS:
        rows = result.kpi(by)
        for path, microseconds in lived.items():
            assert sum(row[name] for row in rows if row["equipment"] == path for name in TIMES) == microseconds


@pytest.mark.parametrize("seed", range(5))
def test_until_leaves_out_what_happened_later(seed: int) -> None:
    case = random_case(seed, 40)
    until = random_until(case, seed)
    result = compute(case.plant_toml, case.events, until)
    assert result.horizon_us == parse_time(until)
    assert all(row["end"] <= result.horizon_us for row in result.timeline())
    assert all(row["window_start"] < result.horizon_us for row in result.kpi("hour"))
