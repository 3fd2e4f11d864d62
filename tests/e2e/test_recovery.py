"""Whatever becomes of the DuckDB file, the next start makes all of it again, or says why it cannot."""

import multiprocessing
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pytest

from kpis.errors import StorageError
from storage.journal import Entry, Journal
from storage.places import Places
from storage.recovery import ensure_sound, go_on_from, kept_sound
from storage.scanning import StoreDamaged, scan
from storage.snapshots import publish, snapshots
from tests.engine import dump, queried, unequal
from tests.journalled import checkpoint_often, fill, journalled, kept, now, opened, reached, start

KILLS = int(os.environ.get("OEEFLOW_CHECKPOINT_KILLS", "8"))
FLIPS = int(os.environ.get("OEEFLOW_FLIPS", "4"))
MESSAGES = 400
Rows = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that was closed in order."""
    folder = tmp_path_factory.mktemp("template")
    kept(Places(folder / "kpi.duckdb"), MESSAGES)
    return folder


@pytest.fixture(scope="module")
def undisturbed(template: Path) -> Rows:
    return dump(template / "kpi.duckdb")


@pytest.fixture
def places(template: Path, tmp_path: Path) -> Places:
    """A copy of it, as it looks after another process closed it: the times of files are kept."""
    shutil.copytree(template, tmp_path / "copy", copy_function=shutil.copy2)
    return Places(tmp_path / "copy" / "kpi.duckdb")


@pytest.fixture(scope="module")
def killed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store as a killed process leaves it: some of it in its log."""
    folder = tmp_path_factory.mktemp("killed") / "copy"
    working = tmp_path_factory.mktemp("working")
    places = Places(working / "kpi.duckdb")
    journalled(places, MESSAGES)
    with closing(Journal(places.journal)) as journal, opened(places) as store:
        for part in (2, 3):
            fill(store, journal, MESSAGES * part // 5)
            publish(store, places, now, journal.identity)
        store.checkpoint()
        fill(store, journal, MESSAGES)
        store.settle()
        shutil.copytree(working, folder)
    return folder


@pytest.fixture
def unclosed(killed: Path, tmp_path: Path) -> Places:
    shutil.copytree(killed, tmp_path / "copy")
    return Places(tmp_path / "copy" / "kpi.duckdb")


def log_of(places: Places) -> Path:
    return places.db.with_name("kpi.duckdb.wal")


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.chmod(0o644)
    path.write_bytes(content)


def flip_unseen(places: Places) -> None:
    """Flip a bit in a block in use, as a failing disk does it: the file looks untouched."""
    content, times = places.db.read_bytes(), places.db.stat()
    for found in reversed(list(re.finditer(b"machine-0", content))):
        flip(places.db, found.start())
        try:
            scan(places.db)
        except StoreDamaged:
            os.utime(places.db, ns=(times.st_atime_ns, times.st_mtime_ns))
            return
        places.db.write_bytes(content)
    raise AssertionError


def aside(places: Places) -> list[str]:
    return sorted(path.name for path in places.db.parent.iterdir() if ".damaged-" in path.name)


def test_a_sound_store_is_left_alone(places: Places, undisturbed: Rows) -> None:
    before = places.db.stat()
    assert ensure_sound(places, now) is None
    assert places.db.stat().st_mtime_ns == before.st_mtime_ns
    places.closed.unlink()
    assert ensure_sound(places, now) is None
    assert start(places) is None
    assert unequal(undisturbed, dump(places.db)) == {}
    assert aside(places) == []


def test_nothing_is_made_where_nothing_was(tmp_path: Path) -> None:
    assert ensure_sound(Places(tmp_path / "kpi.duckdb"), now) is None
    assert list(tmp_path.iterdir()) == []


DAMAGES: dict[str, Callable[[Path], object]] = {
    "the first block is torn": lambda db: flip(db, 12_288 + 300),
    "its header is damaged": lambda db: flip(db, 20),
    "it is cut short": lambda db: os.truncate(db, db.stat().st_size * 2 // 3),
    "it is empty": lambda db: os.truncate(db, 0),
    "it is another file": lambda db: db.write_bytes(b"Dear Sir or Madam, " * 10_000),
    "it is gone": lambda db: db.unlink(),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_store_is_made_again(name: str, places: Places, undisturbed: Rows) -> None:
    DAMAGES[name](places.db)
    was_there = places.db.exists()
    recovery = start(places)
    assert recovery is not None
    assert recovery.snapshot == snapshots(places)[-1].path
    assert recovery.position == MESSAGES * 3 // 5
    assert unequal(undisturbed, dump(places.db)) == {}
    assert len(aside(places)) == was_there
    (row,) = queried(places.db, "SELECT cause, damaged_file, snapshot, position FROM recoveries")
    assert row["cause"] == recovery.cause
    assert row["damaged_file"] == (str(recovery.damaged) if was_there else None)
    assert start(places) is None


def test_wherever_a_bit_flips(places: Places, undisturbed: Rows) -> None:
    """Either it is found at the start and made good, or it is where nothing is stored."""
    whole, rng, found = places.db.read_bytes(), random.Random(5), 0
    for number in range(FLIPS):
        flip(places.db, len(whole) * number // FLIPS + rng.randrange(len(whole) // FLIPS))
        found += start(places) is not None
        assert unequal(undisturbed, dump(places.db)) == {}
    assert found > 0


def test_a_bit_that_flips_unseen_is_found_when_a_snapshot_is_made(places: Places, undisturbed: Rows) -> None:
    def published() -> None:
        with closing(Journal(places.journal)) as journal, kept_sound(places, now) as recovery, opened(places) as store:
            assert recovery is None
            fill(store, journal, journal.last)
            publish(store, places, now, journal.identity)

    with closing(Journal(places.journal)) as journal:
        journal.append([Entry("http", "", b"no event", 0)])
    flip_unseen(places)
    with pytest.raises((StoreDamaged, duckdb.Error)):
        published()
    assert places.suspect.exists()
    assert len(snapshots(places)) == 2
    assert start(places) is not None
    assert not places.suspect.exists()
    assert unequal(undisturbed, dump(places.db)) == {}


def test_a_store_with_a_log_is_opened_as_it_is(unclosed: Places, undisturbed: Rows) -> None:
    assert log_of(unclosed).stat().st_size > 10_000
    assert start(unclosed) is None
    assert unequal(undisturbed, dump(unclosed.db)) == {}


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_damaged_log(part: float, unclosed: Places, undisturbed: Rows) -> None:
    flip(log_of(unclosed), int(log_of(unclosed).stat().st_size * part))
    recovery = start(unclosed)
    if recovery is not None:
        assert recovery.snapshot is None
        assert len(aside(unclosed)) == 2
    assert unequal(undisturbed, dump(unclosed.db)) == {}


@pytest.mark.parametrize("part", [0.2, 0.7])
def test_a_torn_log(part: float, unclosed: Places, undisturbed: Rows) -> None:
    os.truncate(log_of(unclosed), int(log_of(unclosed).stat().st_size * part))
    start(unclosed)
    assert unequal(undisturbed, dump(unclosed.db)) == {}


def test_the_log_of_a_store_that_is_gone_is_not_used(unclosed: Places, undisturbed: Rows) -> None:
    unclosed.db.unlink()
    assert start(unclosed) is not None
    assert unequal(undisturbed, dump(unclosed.db)) == {}


def test_a_damaged_snapshot_is_passed_over(places: Places, undisturbed: Rows) -> None:
    older, newer = snapshots(places)
    flip(newer.path, 12_288 + 300)
    flip(places.db, 12_288 + 300)
    recovery = start(places)
    assert recovery is not None
    assert recovery.snapshot == older.path
    assert [snapshot.path for snapshot in snapshots(places)] == [older.path]
    assert newer.path.with_name(f"damaged-{newer.path.name}").exists()
    assert (places.snapshots / "latest.duckdb").samefile(older.path)
    assert unequal(undisturbed, dump(places.db)) == {}


def refused(places: Places) -> StorageError:
    """How a start is refused; the damaged store stays where it is."""
    before = places.db.read_bytes()
    with pytest.raises(StorageError) as error:
        ensure_sound(places, now)
    assert places.db.read_bytes() == before
    assert aside(places) == []
    return error.value


def test_without_a_sound_snapshot_a_retired_journal_is_not_enough(places: Places) -> None:
    for path in (places.db, *(snapshot.path for snapshot in snapshots(places))):
        flip(path, 12_288 + 300)
    error = refused(places)
    assert f"the journal begins with message {MESSAGES * 2 // 5 + 1}" in str(error)
    assert "oeeflow db restore" in (error.hint or "")


def test_without_its_journal_a_snapshot_is_not_enough(places: Places) -> None:
    flip(places.db, 12_288 + 300)
    places.journal.unlink()
    assert "journal" in str(refused(places))


def test_a_whole_journal_is_enough(tmp_path: Path, undisturbed: Rows) -> None:
    places = Places(tmp_path / "kpi.duckdb")
    journalled(places, MESSAGES)
    assert start(places) is None
    flip(places.db, 12_288 + 300)
    recovery = start(places)
    assert recovery is not None
    assert (recovery.snapshot, recovery.position) == (None, 0)
    assert unequal(undisturbed, dump(places.db)) == {}


def test_files_replayed_since_the_last_snapshot_are_named(places: Places) -> None:
    places.closed.write_text(
        places.closed.read_text().replace('"positions": [', '"positions": [["abc", "monday.jsonl", 7, true], ')
    )
    flip(places.db, 12_288 + 300)
    assert "no copy of it has all of monday.jsonl" in str(refused(places))


def test_an_older_store_than_the_journal_goes_back_to_is_refused(places: Places) -> None:
    with closing(Journal(places.journal)) as journal:
        with pytest.raises(StorageError, match="the store ends with message 10 of its journal"):
            go_on_from(journal, 10)
        go_on_from(journal, MESSAGES + 5)
        assert journal.last == MESSAGES + 5


def test_a_damaged_journal_is_mended_and_the_store_told(unclosed: Places) -> None:
    content = unclosed.journal.read_bytes()
    flip(unclosed.journal, content.index(b'"id":"390-0"') if b'"id":"390-0"' in content else content.rindex(b'"id"'))
    flip(unclosed.db, 12_288 + 300)
    with pytest.raises(StorageError):
        start(unclosed)
    start(unclosed)
    causes = queried(unclosed.db, "SELECT cause FROM recoveries")
    assert any("lost are its messages" in row["cause"] for row in causes)


@pytest.mark.slow
def test_killed_in_checkpoints(tmp_path: Path) -> None:
    messages, rng, recoveries = 40 * KILLS, random.Random(6), []
    whole, places = Places(tmp_path / "whole.duckdb"), Places(tmp_path / "kpi.duckdb")
    for each in (whole, places):
        journalled(each, messages)
    start(whole)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.journalled"])
    for _ in range(KILLS):
        ours, theirs = context.Pipe(duplex=False)
        engine = context.Process(target=checkpoint_often, args=(places.db, theirs))
        engine.start()
        theirs.close()
        recoveries.append(ours.recv())
        for _ in range(rng.randrange(1, 5)):
            while ours.recv() != "checkpoint":
                pass
        time.sleep(rng.uniform(0, rng.choice((0.01, 0.05, 0.2))))
        engine.kill()
        engine.join()
        engine.close()
        ours.close()
    recoveries.append(str(start(places) or "") or None)
    print(f"{sum(text is not None for text in recoveries)} of {KILLS} kills tore the store")
    assert unequal(dump(whole.db), dump(places.db)) == {}
    with closing(Journal(places.journal)) as journal, opened(places) as store:
        assert reached(store, journal) == messages
        assert store.recompute() == 0
