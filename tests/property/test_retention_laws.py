"""Laws of retention: a store whose old events were archived goes on as if they were still in it."""

import os
from pathlib import Path
from random import Random

import polars as pl
import pytest

from kpis.accounting import account
from kpis.plant import load_plant
from pipelines.sources.parquet_files import read
from storage.batches import Batch
from storage.places import Places
from tests.engine import dump, fill, opened, queried, unequal
from tests.random_logs import Event
from tests.retained import archived_before, copied, instants, later, results, some_line
from tests.strategies import Case, duplicated, random_case, shuffled, split

pytestmark = pytest.mark.slow

SEEDS = range(120 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 3)
FEW_SEEDS = range(60 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 2)


def parted(seed: int, size: int = 70) -> tuple[Case, int, list[list[Event]], list[list[Event]]]:
    """A case, a line, and its events in parts: those before anything is archived, and those that come later."""
    case, rng = random_case(seed, size), Random(seed)
    line = some_line(case, rng)
    first, second = later(case, line, rng)
    first = duplicated(first, seed)
    return case, line, split(first, seed, 3), split(shuffled(second, seed), seed, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_later_gives_what_it_would_have_given(seed: int, tmp_path: Path) -> None:
    case, line, first, second = parted(seed + 7000)
    plant = load_plant(case.plant_toml)
    whole, archived = tmp_path / "whole.duckdb", tmp_path / "archived.duckdb"
    fill(whole, case.plant_toml, first)
    copied(whole, archived)
    archived_before(archived, plant, line)
    assert unequal(results(whole), results(archived)) == {}
    for db in (whole, archived):
        fill(db, case.plant_toml, second, reopen=seed % 2 == 0)
    expected = results(whole)
    assert unequal(expected, results(archived)) == {}
    with opened(archived, plant) as store:
        assert store.recompute() == 0
    assert unequal(expected, results(archived)) == {}
    everything = queried(whole, "SELECT * EXCLUDE (flush) FROM events ORDER BY ALL")
    archive = f"read_parquet('{Places(archived).archive}/*.parquet')"
    columns = "COLUMNS(c -> c <> 'target')"
    if any(Places(archived).archive.glob("*.parquet")):
        both = f"SELECT * EXCLUDE (flush) FROM events UNION SELECT {columns} FROM {archive} ORDER BY ALL"
        with opened(archived, plant) as store:
            store.settle()
            rows = store.connection.execute(both).pl()
        assert rows.with_columns(pl.col(pl.Datetime("us", "UTC")).cast(pl.Int64)).to_dicts() == everything


@pytest.mark.parametrize("seed", FEW_SEEDS)
def test_the_archive_and_what_is_left_make_the_same_store_again(seed: int, tmp_path: Path) -> None:
    case, line, first, second = parted(seed + 8000)
    plant = load_plant(case.plant_toml)
    whole, archived, again = (tmp_path / f"{name}.duckdb" for name in ("whole", "archived", "again"))
    fill(whole, case.plant_toml, [*first, *second])
    fill(archived, case.plant_toml, first)
    archived_before(archived, plant, line)
    fill(archived, case.plant_toml, second)
    archived_before(archived, plant, instants(case)[-1] // 60_000_000 * 60_000_000, line)
    left = queried(archived, "SELECT * EXCLUDE (flush) FROM events")
    with opened(again, plant) as store:
        for file in sorted(Places(archived).archive.glob("*.parquet")):
            for chunk in read(file, 0, 50):
                assert chunk.rejected.is_empty()
                pending = store.take(Batch(chunk.events, chunk.rejected))
                store.commit(pending, account(pending.work, plant) if pending.work else None)
        rest = pl.DataFrame(left, schema=chunk.events.drop("line").schema).with_columns(line=pl.lit(0, pl.Int64))
        pending = store.take(Batch(rest, chunk.rejected))
        store.commit(pending, account(pending.work, plant) if pending.work else None)
    assert unequal(dump(whole), dump(again)) == {}
