"""Logs through the dataflow: cut anywhere, by any number of processes, stopped by a fault or on request."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kpis.plant import load_plant
from pipelines.flow import dataflow
from pipelines.operators import Halt, run
from pipelines.replay import replay
from pipelines.shards import Accountants, join, shard_of, split
from storage.batches import Batch, Outcome, Pending
from tests import strategies
from tests.engine import batch, dump, faults, lines, opened, unequal
from tests.oracle import compute
from tests.random_logs import Event
from tests.strategies import Case, duplicated, random_case, shuffled

COARSE = ("hour", "shift", "order")


class Inputs:
    """A plant file and a log in files."""

    def __init__(self, folder: Path, case: Case, parts: Sequence[Sequence[Event]]) -> None:
        self.plant = folder / "plant.toml"
        self.plant.write_text(case.plant_toml, encoding="utf-8")
        self.files = [folder / f"{number}.jsonl" for number in range(len(parts))]
        for path, part in zip(self.files, parts, strict=True):
            path.write_bytes(lines(part))


def stream(db: Path, case: Case, batches: Iterator[Batch], halt: Halt) -> list[Outcome]:
    """Batches through the dataflow into a store; what became of each."""
    outcomes = []
    plant = load_plant(case.plant_toml)
    with opened(db, plant) as store, Accountants(plant, 1) as accountants:

        def committed(_: Pending, outcome: Outcome) -> None:
            outcomes.append(outcome)

        run(dataflow(batches, store, plant, accountants, 1, committed, halt), halt)
    return outcomes


@pytest.mark.parametrize("seed", range(2))
def test_files_calls_and_workers_do_not_show(seed: int, tmp_path: Path) -> None:
    case = random_case(seed + 40, 80)
    parts = strategies.split(shuffled(duplicated(case.events, seed), seed), seed, 5)
    inputs = Inputs(tmp_path, case, [case.events, *parts])
    whole, rest = inputs.files[:1], inputs.files[1:]
    one, files, calls, workers = (tmp_path / f"{name}.duckdb" for name in ("one", "files", "calls", "workers"))
    replay(inputs.plant, whole, one)
    replay(inputs.plant, rest, files)
    for path in rest:
        replay(inputs.plant, [path], calls)
    replay(inputs.plant, rest, workers, workers=2)
    expected = dump(one)
    assert faults(one, compute(case.plant_toml, case.events), COARSE) == []
    assert {db.stem: unequal(expected, dump(db)) for db in (files, calls, workers)} == {
        "files": {},
        "calls": {},
        "workers": {},
    }


@pytest.mark.parametrize("size", [1, 7])
def test_batches_of_any_size(size: int, tmp_path: Path) -> None:
    case = random_case(77, 40)
    parts = [case.events[n : n + size] for n in range(0, len(case.events), size)]
    db = tmp_path / "kpi.duckdb"
    outcomes = stream(db, case, map(batch, parts), Halt())
    assert len(outcomes) == len(parts)
    total = sum(outcomes, Outcome())
    expected = compute(case.plant_toml, case.events)
    assert total.duplicates == expected.duplicates()
    assert total.rejected == len(expected.rejected())
    assert total.taken + total.duplicates + total.rejected == len(case.events)
    assert faults(db, expected, COARSE) == []


def test_a_fault_in_the_source_ends_it_with_all_before_in_the_store(tmp_path: Path) -> None:
    case, db = random_case(78, 40), tmp_path / "kpi.duckdb"

    def batches() -> Iterator[Batch]:
        yield batch(case.events[:10])
        yield batch(case.events[10:20])
        message = "the disk is gone"
        raise OSError(message)

    with pytest.raises(OSError, match="the disk is gone"):
        stream(db, case, batches(), Halt())
    assert faults(db, compute(case.plant_toml, case.events[:20]), COARSE) == []
    stream(db, case, iter([batch(case.events)]), Halt())
    assert faults(db, compute(case.plant_toml, case.events), COARSE) == []


def test_a_fault_in_a_step_leaves_nothing_of_its_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, db = random_case(79, 40), tmp_path / "kpi.duckdb"
    calls = []

    def failing(self: Accountants, parts: Sequence[object]) -> list[object]:
        calls.append(parts)
        if len(calls) == 3:
            message = "no accounts today"
            raise RuntimeError(message)
        return made(self, parts)  # type: ignore[arg-type,return-value]

    made = Accountants.__call__
    monkeypatch.setattr(Accountants, "__call__", failing)
    parts = [case.events[:10], case.events[10:20], case.events[20:30], case.events[30:]]
    with pytest.raises(RuntimeError, match="no accounts today"):
        stream(db, case, map(batch, parts), Halt())
    assert len(calls) == 3
    assert faults(db, compute(case.plant_toml, case.events[:20]), COARSE) == []


def test_asked_to_halt_it_commits_what_is_on_its_way(tmp_path: Path) -> None:
    case, db, halt = random_case(80, 40), tmp_path / "kpi.duckdb", Halt()

    def batches() -> Iterator[Batch]:
        yield batch(case.events[:10])
        halt.asked = True
        yield batch(case.events[10:20])
        yield batch(case.events[20:])

    assert len(stream(db, case, batches(), halt)) == 2
    assert faults(db, compute(case.plant_toml, case.events[:20]), COARSE) == []


def test_work_split_by_shard_gives_the_accounts_of_the_whole(tmp_path: Path) -> None:
    case = next(case for seed in range(99) if (case := random_case(seed, 40)).plant_toml.count('level = "unit"') == 5)
    plant = load_plant(case.plant_toml)
    with opened(tmp_path / "kpi.duckdb", plant) as store, Accountants(plant, 1) as accountants:
        pending = store.take(batch(case.events))
        assert pending.work is not None
        parts = split(pending.work, plant, 3)
        assert len(parts) > 1
        assert sum(part.spans.height for part in parts) == pending.work.spans.height
        (whole,) = accountants([pending.work])
        together = join(accountants(parts))
        for name in ("intervals", "pieces", "stops"):
            one, other = getattr(whole, name), getattr(together, name)
            assert one.sort(one.columns).equals(other.sort(one.columns)), name
        store.commit(pending, together)


@pytest.mark.parametrize(("path", "shard"), [("acme", 62), ("acme/ulm/line/filler", 24), ("\u00fc", 21)])
def test_the_shard_of_an_equipment_never_changes(path: str, shard: int) -> None:
    assert shard_of(path) == shard
