"""Ids are unique per equipment, however far apart, however often the store is closed, killed, copied or put back."""

import random
import shutil
from pathlib import Path

import pytest

from kpis.errors import StorageError
from kpis.plant import load_plant
from storage import ids
from storage.batches import Outcome
from storage.places import Places
from tests.engine import fill, opened, queried, take_in
from tests.oracle.shorthand import OTHER, TWO_UNITS, UNIT, count
from tests.random_logs import Event

PLANT = load_plant(TWO_UNITS)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of some events, where there would be millions in them."""
    monkeypatch.setattr(ids, "MANY", 8)
    monkeypatch.setattr(ids, "FEW", 3)


def copied(db: Path, target: Path) -> None:
    """A store as a killed process leaves it, at another place, with what belongs to it."""
    shutil.rmtree(Places(target).folder, ignore_errors=True)
    if Places(db).folder.exists():
        shutil.copytree(Places(db).folder, Places(target).folder)
    only_file(db, target)


def only_file(db: Path, target: Path) -> None:
    """The DuckDB file with its log in the place of another one."""
    for ending in ("", ".wal"):
        source, here = db.with_name(db.name + ending), target.with_name(target.name + ending)
        here.unlink(missing_ok=True)
        if source.exists():
            shutil.copyfile(source, here)


class Model:
    """What has been taken in: by equipment and id the content that came first."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Event] = {}

    def take(self, events: list[Event]) -> Outcome:
        """What should become of events."""
        taken = duplicates = rejected = 0
        for told in events:
            name = told["equipment"], told["id"]
            duplicates += self.known.get(name) == told
            rejected += name in self.known and self.known[name] != told
            taken += name not in self.known
            self.known.setdefault(name, told)
        return Outcome(taken, duplicates, rejected)


def drawn(rng: random.Random) -> list[Event]:
    """Events of few ids: each may be new, come again, or be another one with an id that is taken."""
    some = []
    for _ in range(rng.randrange(1, 9)):
        number = rng.randrange(150)
        minute = number if rng.random() < 0.8 else rng.randrange(500)
        some.append(count(minute, 1, id=f"e{number}", equipment=rng.choice([UNIT, OTHER])))
    return some


def test_the_first_of_an_id_stays(tmp_path: Path) -> None:
    rng, model = random.Random(0), Model()
    db, old = tmp_path / "kpi.duckdb", tmp_path / "old.duckdb"
    before: dict[tuple[str, str], Event] = {}
    for session in range(8):
        with opened(db, PLANT) as store:
            for _ in range(rng.randrange(1, 6)):
                events = drawn(rng)
                outcome, expected = take_in(store, PLANT, events), model.take(events)
                assert (outcome.taken, outcome.duplicates, outcome.rejected) == (
                    expected.taken,
                    expected.duplicates,
                    expected.rejected,
                )
            store.settle()
            if session == 2:
                before = dict(model.known)
                copied(db, old)
            if session in (3, 6):
                copied(db, tmp_path / "killed.duckdb")
        if session in (3, 6):
            copied(tmp_path / "killed.duckdb", db)
        if session == 5:  # a backup is put back, beside what belongs to the newer one
            only_file(old, db)
            model.known = dict(before)
    assert queried(db, "SELECT count(*) AS n FROM events") == [{"n": len(model.known)}]
    assert any(Places(db).ids.glob("*.run"))


def numbered(numbers: range, **fields: object) -> list[Event]:
    return [count(number, 1, id=f"e{number}", **fields) for number in numbers]


def test_a_store_that_went_its_own_way_elsewhere_and_came_back(tmp_path: Path) -> None:
    db, elsewhere = tmp_path / "kpi.duckdb", tmp_path / "elsewhere.duckdb"
    fill(db, TWO_UNITS, [numbered(range(20))])
    only_file(db, elsewhere)
    fill(elsewhere, TWO_UNITS, [numbered(range(20, 40)), numbered(range(40, 60))])
    fill(db, TWO_UNITS, [numbered(range(100, 120))])
    only_file(elsewhere, db)
    with opened(db, PLANT) as store:
        assert take_in(store, PLANT, numbered(range(20, 40))).duplicates == 20
        assert take_in(store, PLANT, numbered(range(100, 120))).taken == 20


@pytest.mark.parametrize("lost", ["everything", "a file", "the index", "a part of the index"])
def test_lost_files_are_made_again(lost: str, tmp_path: Path) -> None:
    db = tmp_path / "kpi.duckdb"
    fill(db, TWO_UNITS, [numbered(range(20)), numbered(range(20, 40))])
    folder = Places(db).ids
    if lost == "everything":
        shutil.rmtree(folder)
    elif lost == "a file":
        next(folder.glob("*.run")).unlink()
    elif lost == "the index":
        (folder / "index.json").unlink()
    else:
        (folder / "index.json").write_text('{"flush"')
    with opened(db, PLANT) as store:
        assert take_in(store, PLANT, numbered(range(30, 50))).duplicates == 10
        assert take_in(store, PLANT, numbered(range(10), equipment=OTHER)).taken == 10
    assert (folder / "index.json").exists()


def test_another_hash_function_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "kpi.duckdb"
    fill(db, TWO_UNITS, [numbered(range(20))])
    usual = ids.keys
    monkeypatch.setattr(ids, "keys", lambda events: ~usual(events))
    monkeypatch.setattr("storage.intake.keys", ids.keys)
    with opened(db, PLANT) as store:
        assert take_in(store, PLANT, numbered(range(30))).duplicates == 20


def test_ids_with_the_same_key_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = ids.keys
    for place in ("storage.ids.keys", "storage.intake.keys"):
        monkeypatch.setattr(place, lambda events: usual(events) >> 62)
    db = tmp_path / "kpi.duckdb"
    fill(db, TWO_UNITS, [numbered(range(10)), numbered(range(10, 30)), numbered(range(30, 35))])
    with opened(db, PLANT) as store:
        assert take_in(store, PLANT, numbered(range(50))) == Outcome(15, 35)


def test_a_damaged_file_stops_the_engine(tmp_path: Path) -> None:
    db = tmp_path / "kpi.duckdb"
    fill(db, TWO_UNITS, [numbered(range(20))])
    file = next(Places(db).ids.glob("*.run"))
    file.write_bytes(file.read_bytes()[:-4])
    with opened(db, PLANT) as store, pytest.raises(StorageError, match="is damaged"):
        take_in(store, PLANT, numbered(range(20, 30)))
