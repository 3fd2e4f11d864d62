"""`oeeflow db retain` as it is run: killed and run again, beside somebody who writes, with journal and snapshots."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from kpis.errors import StorageError
from storage.journal import Entry, Journal
from storage.places import Places
from storage.snapshots import publish, snapshots
from tests.command import Command
from tests.engine import lines, queried, unequal
from tests.journalled import BEGIN, MACHINES, PLANT, fill, now, opened, start
from tests.random_logs import Event
from tests.retained import results

ROOT = Path(__file__).parents[2]
DAYS, A_DAY = 120, 40
LINE = "2026-05-01"  # 59.75 days of the log are before it, in two months
COARSE = ("shift", "day", "month", "order")


def message(number: int, a_day: int) -> list[Event]:
    """Four events, so many messages a day."""
    at = BEGIN + timedelta(days=number / a_day)
    fields: Event = {"type": "state", "state": "down"} if number % 5 == 4 else {"type": "count", "good": 1}
    if number % 5 == 0:
        fields = {"type": "state", "state": "producing"}
    return [
        {"id": f"{number}-{place}", "equipment": path, "ts": at.isoformat()} | fields
        for place, path in enumerate(MACHINES)
    ]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as an engine leaves it, with a journal and snapshots."""
    folder = tmp_path_factory.mktemp("template")
    places = Places(folder / "kpi.duckdb")
    places.make()
    with closing(Journal(places.journal)) as journal, opened(places) as store:
        journal.append([Entry("http", "", lines(message(number, A_DAY)), number) for number in range(A_DAY * DAYS)])
        fill(store, journal, A_DAY * DAYS * 3 // 4, rows=1000)
        publish(store, places, now, journal.identity)
        fill(store, journal, A_DAY * DAYS, rows=1000)
    start(places)
    return folder


@pytest.fixture
def places(template: Path, tmp_path: Path, oeeflow: Command) -> Places:
    """The same in the folder of the command line."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True, copy_function=shutil.copy2)
    (tmp_path / "plant.toml").write_text(PLANT)
    return Places(tmp_path / "kpi.duckdb")


def begun(db: Path) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "pipelines.cli", "db", "retain", "--before", LINE, "--db", str(db)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def in_archive(places: Places) -> Counter[str]:
    """How often each event is in the archive."""
    return Counter(name for file in places.archive.glob("*.parquet") for name in pl.read_parquet(file)["id"])


def in_store(places: Places) -> set[str]:
    return {row["id"] for row in queried(places.db, "SELECT id FROM events")}


def test_a_trial_changes_nothing_and_the_run_what_it_said(places: Places, oeeflow: Command) -> None:
    before, looks, every = results(places.db, COARSE), places.db.read_bytes(), in_store(places)
    trial = oeeflow("db", "retain", "--before", LINE, "--dry-run")
    assert (trial.status, places.db.read_bytes() == looks, places.archive.exists()) == (0, True, False)
    said = "9,560 events before 2026-05-01"
    assert f"{said} would be moved" in trial.told
    done = oeeflow("db", "retain", "--before", LINE)
    assert done.status == 0, done.told
    assert said in done.told
    assert unequal(before, results(places.db, COARSE)) == {}
    assert in_store(places) | in_archive(places).keys() == every
    assert [file.name for file in sorted(places.archive.glob("*.parquet"))] == [
        "events-2026-03-01-to-2026-04-01.parquet",
        "events-2026-04-01-to-2026-05-01.parquet",
    ]
    assert "nothing changed" in oeeflow("recompute").told
    assert unequal(before, results(places.db, COARSE)) == {}
    again = oeeflow("db", "retain", "--before", LINE)
    assert (again.status, "there are no events before 2026-05-01 to archive" in again.told) == (0, True)
    found = json.loads(oeeflow("doctor", "--format", "json").out)
    (told,) = [row["text"] for row in found if row["subject"] == "archive"]
    assert told == "9,560 events before 2026-05-01 00:00 UTC archived, in 2 files"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "say how much is to stay"),
        (("--keep", "60d", "--before", LINE), "not both"),
        (("--keep", "60 days"), '"60 days" is not a duration'),
        (("--before", "May"), '"May" is no date'),
        (("--keep", "20d"), "the last 28 days stay in the store"),
        (("--before", LINE, "--archive", "plant.toml"), "cannot write the archive"),
    ],
    ids=["nothing", "both", "no duration", "no date", "too late", "no folder"],
)
def test_what_cannot_be_done_is_told(options: tuple[str, ...], message: str, places: Places, oeeflow: Command) -> None:
    looks = places.db.read_bytes()
    done = oeeflow("db", "retain", *options)
    assert (done.status, message in done.told) == (2, True), done.told
    assert places.db.read_bytes() == looks


def test_not_while_somebody_writes_the_store(places: Places) -> None:
    with opened(places):
        process = begun(places.db)
        _, told = process.communicate(timeout=100)
    assert process.returncode == 2
    assert "open in another process" in " ".join(told.split())
    assert not places.archive.exists()


def test_a_store_that_is_lost_afterwards_is_made_again_with_its_line(places: Places, oeeflow: Command) -> None:
    before = results(places.db, COARSE)
    oeeflow("db", "backup", "before.duckdb")
    assert oeeflow("db", "retain", "--before", LINE).status == 0
    left = in_store(places)
    places.db.unlink()
    recovery = start(places)
    assert recovery is not None
    assert recovery.snapshot == snapshots(places)[-1].path
    assert in_store(places) == left
    assert unequal(before, results(places.db, COARSE)) == {}
    # A copy from before has all events again, and can be archived again: the same files, nothing twice.
    assert oeeflow("db", "restore", "before.duckdb").status == 0
    start(places)
    assert len(in_store(places)) == 4 * A_DAY * DAYS
    assert oeeflow("db", "retain", "--before", LINE).status == 0
    assert in_store(places) == left
    assert set(in_archive(places).values()) == {1}
    assert unequal(before, results(places.db, COARSE)) == {}


@pytest.mark.slow
def test_killed_at_any_moment_it_loses_nothing(places: Places, template: Path) -> None:
    before, every, rng = results(places.db, COARSE), in_store(places), random.Random(3)

    def written() -> int:
        return sum(1 for _ in places.archive.glob("events-*"))

    killed = 0
    for files in (1, 1, 2, 2, 2, 0):
        process = begun(places.db)
        while process.poll() is None and written() < files:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.15) if files else rng.uniform(0, 2))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        try:
            stored = in_store(places)
        except StorageError:
            # Torn in a checkpoint, as it happens now and then: it is what an older copy has.
            shutil.copy2(template / "kpi.duckdb", places.db)
            places.db.with_name("kpi.duckdb.wal").unlink(missing_ok=True)
            stored = in_store(places)
        assert stored | in_archive(places).keys() == every
    assert killed >= 3
    process = begun(places.db)
    _, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert stored | in_archive(places).keys() == every
    assert set(in_archive(places).values()) == {1}
    # Of each machine the first state, the last, and the last count stay.
    assert len(in_store(places)) == len(every) - 9_560 + 4 * 3
    assert not list(places.archive.rglob("*.partial"))
    assert unequal(before, results(places.db, COARSE)) == {}
