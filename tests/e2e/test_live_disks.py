"""Disks that fill up or fail under a running engine."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.engine import queried
from tests.running import Engine, running, until

MACHINE = "acme/ulm/line-1/filler"
PLANT = f"""
[plant]
name = "Ulm"
[equipment."{MACHINE}"]
level = "unit"
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    path = tmp_path / "plant.toml"
    path.write_text(PLANT)
    return path


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small disk in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}m", "tmpfs", folder]).returncode:
        pytest.skip("mounting a disk of its own needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(folder: Path, left: int) -> Path:
    """A file that leaves so many bytes on a disk."""
    path = folder / "big"
    with path.open("wb") as file:
        for _ in range(100):
            free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
            with suppress(OSError):  # the engine took some of it in between
                os.posix_fallocate(file.fileno(), 0, free - left)
                break
    return path


def count(name: str) -> dict[str, Any]:
    return {"id": name, "equipment": MACHINE, "ts": datetime.now(UTC).isoformat(), "type": "count", "good": 1}


def stored(engine: Engine) -> list[str]:
    return [row["id"] for row in queried(engine.db, "SELECT id FROM events ORDER BY id")]


@pytest.mark.parametrize("disk", [400], indirect=True)
def test_a_full_journal_takes_nothing_until_there_is_room(plant: Path, disk: Path) -> None:
    with running(plant, disk / "kpi.duckdb") as engine:
        first, second = count("1"), count("2")
        assert engine.posted(first)[0] == 200
        big = fill_up(disk, 100 << 20)
        assert engine.posted(second)[0] == 503
        assert "full" in engine.problems()["journal"]
        assert engine.metric("oeeflow_journal_full") == 1
        assert engine.said().count("the journal is full") == 1
        big.unlink()
        until(lambda: engine.asked("/readyz")[0] == 200)
        assert engine.posted(second)[0] == 200
        assert engine.metric("oeeflow_journal_full") == 0
        assert stored(engine) == ["1", "2"]
        engine.stop()


@pytest.mark.parametrize("disk", [24], indirect=True)
def test_the_journal_goes_on_while_the_store_has_no_room(plant: Path, disk: Path, tmp_path: Path) -> None:
    db = disk / "kpi.duckdb"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (disk / "kpi.duckdb.d").symlink_to(elsewhere)
    with running(plant, db) as engine:
        assert engine.posted(count("1"))[0] == 200
        big = fill_up(disk, 0)
        until(lambda: engine.posted(count("2"))[0] == 202, 60)
        until(lambda: "store" in engine.problems())
        assert engine.metric("oeeflow_dataflow_retries_total") >= 1
        big.unlink()
        until(lambda: engine.asked("/readyz")[0] == 200, 60)
        until(lambda: len(stored(engine)) == 2)
        engine.stop()
        assert stored(engine) == ["1", "2"]
    assert queried(db, "FROM rejected_events WHERE reason = 'not_accounted'") == [], "it was not for a message"


def test_a_failing_disk_ends_the_engine(plant: Path, tmp_path: Path) -> None:
    with running(plant, tmp_path / "kpi.duckdb") as engine:
        first, second = count("1"), count("2")
        assert engine.posted(first)[0] == 200
        log = engine.places.journal.with_name("journal.sqlite-wal")
        limit = log.stat().st_size
        resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        assert engine.posted(second)[0] in (0, 503)
        assert engine.process.wait(60) == 2
        assert "cannot be written" in engine.said()
        assert "hint:" in engine.said()
        engine.start()
        engine.ready()
        assert engine.posted(first, second)[1]["duplicate"] == 1
        assert stored(engine) == ["1", "2"]
        engine.stop()
