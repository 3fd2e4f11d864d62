"""`oeeflow db backup` and `db restore`: of a store at rest, of one that is being written, and what does not fit."""

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from storage.journal import Entry, Journal
from storage.places import Places
from storage.snapshots import publish, snapshots
from tests.command import Command, Ended
from tests.engine import dump, queried, unequal
from tests.journalled import fill, journalled, kept, now, opened, start

ROOT = Path(__file__).parents[2]
MESSAGES = 100


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    kept(Places(folder / "kpi.duckdb"), MESSAGES)
    return folder


@pytest.fixture
def places(template: Path, tmp_path: Path, oeeflow: Command) -> Places:
    """A store in the folder of the command line."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True, copy_function=shutil.copy2)
    return Places(tmp_path / "kpi.duckdb")


def elsewhere(folder: Path, *arguments: str) -> Ended:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments, "--db", str(folder / "kpi.duckdb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, " ".join(done.stderr.split()))


def test_back_up_lose_and_restore(places: Places, tmp_path: Path, oeeflow: Command) -> None:
    before = dump(places.db)
    assert f"{4 * MESSAGES} events copied" in oeeflow("db", "backup", "copy.duckdb").told
    assert unequal(before, dump(tmp_path / "copy.duckdb")) == {}
    assert "is there already" in oeeflow("db", "backup", "copy.duckdb").told
    places.db.write_bytes(b"not a store")
    done = oeeflow("db", "restore", "copy.duckdb")
    assert done.status == 0, done.told
    assert f"{4 * MESSAGES} events restored" in done.told
    (aside,) = places.db.parent.glob("kpi.duckdb.replaced-*")
    assert aside.read_bytes() == b"not a store"
    assert snapshots(places) == []
    assert unequal(before, dump(places.db)) == {}
    assert start(places) is None
    (row,) = queried(places.db, "SELECT cause, damaged_file FROM recoveries")
    assert row == {"cause": "copy.duckdb was put in its place by hand", "damaged_file": aside.name}


def test_what_came_in_after_a_snapshot_comes_from_the_journal(places: Places, oeeflow: Command) -> None:
    before = dump(places.db)
    newest = snapshots(places)[-1]
    assert oeeflow("db", "restore", str(newest.path)).status == 0
    (row,) = queried(places.db, "SELECT count(*) AS events FROM events")
    assert row["events"] == 4 * newest.offset
    start(places)
    assert unequal(before, dump(places.db)) == {}


def test_a_loss_must_be_accepted(places: Places, tmp_path: Path, oeeflow: Command) -> None:
    oeeflow("db", "backup", "copy.duckdb")
    with closing(Journal(places.journal)) as journal:
        journal.append([Entry("http", "", b"no event", 0)] * 20)
        with opened(places) as store:
            fill(store, journal, MESSAGES + 20)
        journal.retire(MESSAGES + 10)
    refused = oeeflow("db", "restore", "copy.duckdb")
    assert refused.status == 2
    assert f"messages {MESSAGES + 1} to {MESSAGES + 10} came in after this copy" in refused.told
    assert not list(tmp_path.glob("*.replaced-*"))
    done = oeeflow("db", "restore", "copy.duckdb", "--accept-loss")
    assert done.status == 0
    assert f"left out: messages {MESSAGES + 1} to {MESSAGES + 10}" in done.told
    start(places)
    (row,) = queried(places.db, "SELECT max(position) AS position FROM positions")
    assert row["position"] == MESSAGES + 20


def test_while_it_is_being_written(tmp_path: Path) -> None:
    places, copy = Places(tmp_path / "kpi.duckdb"), tmp_path / "copy.duckdb"
    journalled(places, MESSAGES)
    with closing(Journal(places.journal)) as journal, opened(places) as store:
        fill(store, journal, 40)
        refused = elsewhere(tmp_path, "db", "backup", str(copy))
        assert (refused.status, "open in another process" in refused.told) == (2, True)
        publish(store, places, now, journal.identity)
        fill(store, journal, MESSAGES)
        done = elsewhere(tmp_path, "db", "backup", str(copy))
        assert (done.status, "160 events copied" in done.told, "s ago" in done.told) == (0, True, True)
        done = elsewhere(tmp_path, "export", str(tmp_path / "out"))
        assert (done.status, "s ago" in done.told) == (0, True)
        assert pl.read_parquet(tmp_path / "out" / "events.parquet").height == 160
        refused = elsewhere(tmp_path, "db", "restore", str(copy))
        assert (refused.status, "open in another process" in refused.told) == (2, True)
    assert copy.exists()


@pytest.mark.parametrize(
    ("content", "message"), [(None, "there is no store at"), (b"Dear Sir or Madam, " * 999, "no readable store")]
)
def test_what_is_no_copy_is_refused(content: bytes | None, message: str, places: Places, oeeflow: Command) -> None:
    before = places.db.read_bytes()
    if content is not None:
        Path("copy.duckdb").write_bytes(content)
    refused = oeeflow("db", "restore", "copy.duckdb")
    assert refused.status == 2
    assert message in refused.told
    assert places.db.read_bytes() == before
    assert len(snapshots(places)) == 2
