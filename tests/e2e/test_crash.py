"""A replay killed at any moment and started again ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kpis.plant import load_plant
from tests.engine import dump, opened, queried, unequal

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("OEEFLOW_REPLAY_KILLS", "10"))
FILES, ROWS = 30, 5_000
MACHINES = tuple(f"acme/ulm/line-{n % 3}/machine-{n}" for n in range(12))
BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
STATES = ("producing", "down", "idle", "setup", "producing")
PLANT = """
[plant]
name = "Ulm"
timezone = "Europe/Berlin"
[defaults]
minor_stop_under = "30s"
ideal_cycle = "2s"
calendar = "c"
[[shifts]]
calendar = "c"
name = "all"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 06:00:00
end = 06:00:00
breaks = [{ start = 12:00:00, minutes = 30 }]
""" + "".join(f'[equipment."{path}"]\nlevel = "unit"\n' for path in MACHINES)


def write_log(folder: Path) -> list[Path]:
    """Files of events, most of them after each other in time, some late: each one makes a commit or two."""
    rng = random.Random(1)
    paths = []
    for number in range(FILES):
        rows = []
        for row in range(ROWS):
            at = BEGIN + timedelta(minutes=20 * number, milliseconds=240 * row)
            text = f'"id":"{number}-{row}","equipment":"{MACHINES[row % 12]}","ts":"{at:%Y-%m-%dT%H:%M:%S.%fZ}"'
            if row % 10 == 0:
                rows.append(f'{{{text},"type":"state","state":"{rng.choice(STATES)}","reason":"r{rng.randrange(3)}"}}')
            else:
                rows.append(f'{{{text},"type":"count","good":{rng.randrange(3)},"scrap":{row % 50 // 49}}}')
        path = folder / f"{number:02}.jsonl"
        path.write_text("\n".join(rows) + "\n")
        paths.append(path)
    for number in range(5, FILES, 10):
        paths[number], paths[number - 3] = paths[number - 3], paths[number]
    return paths


def ended(process: subprocess.Popen[str], status: int) -> str:
    """What a command told before it ended, with the status expected."""
    _, told = process.communicate(timeout=200)
    assert process.returncode == status, told
    return " ".join(told.split())


class Shop:
    """A plant file, its log, and the store of a replay that nothing disturbed."""

    def __init__(self, folder: Path) -> None:
        self.plant = folder / "plant.toml"
        self.plant.write_text(PLANT)
        self.files = write_log(folder)
        self.undisturbed = folder / "undisturbed.duckdb"
        ended(self.replay(self.undisturbed), 0)

    def replay(self, db: Path, files: Sequence[Path] | None = None) -> subprocess.Popen[str]:
        """The command, begun."""
        names = map(str, files or self.files)
        command = [sys.executable, "-m", "pipelines.cli", "replay", str(self.plant), *names, "--db", str(db)]
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def until_it_writes(process: subprocess.Popen[str], db: Path, much: int) -> bool:
    """Wait for the log of the database to grow by so many bytes; false if the command ended before."""
    log = db.with_name(db.name + ".wal")

    def size() -> int:
        try:
            return log.stat().st_size
        except FileNotFoundError:
            return 0

    enough = size() + much
    while process.poll() is None:
        if size() >= enough:
            return True
        time.sleep(0.002)
    return False


def assert_sound(db: Path) -> None:
    """What is in the store belongs together: positions, events and results are those of the same commits."""
    (row,) = queried(
        db,
        "SELECT (SELECT count(*) FROM events) AS events, (SELECT count(DISTINCT (equipment, id)) FROM events) AS once, "
        "(SELECT coalesce(sum(position), 0) FROM positions) AS positions, "
        "(SELECT coalesce(sum(pieces), 0) FROM count_elements) AS booked, "
        "(SELECT coalesce(sum(good + scrap), 0) FROM events) AS counted",
    )
    assert row["events"] == row["once"] == row["positions"]
    assert row["booked"] == row["counted"]


@pytest.mark.slow
def test_killed_at_random_moments(shop: Shop, tmp_path: Path) -> None:
    db, rng, kills = tmp_path / "kpi.duckdb", random.Random(2), 0
    for _ in range(3 * KILLS):
        process = shop.replay(db)
        if kills < KILLS and until_it_writes(process, db, rng.choice((1, 300_000, 1_500_000))):
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
        _, told = process.communicate(timeout=200)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, told
        kills += 1
    assert kills >= KILLS
    assert_sound(db)
    assert unequal(dump(shop.undisturbed), dump(db)) == {}
    with opened(db, load_plant(PLANT)) as store:
        assert store.recompute() == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_asked_to_stop(shop: Shop, tmp_path: Path, number: signal.Signals) -> None:
    db, files = tmp_path / "kpi.duckdb", shop.files[:12]
    process = shop.replay(db, files)
    assert until_it_writes(process, db, 3_000_000)
    process.send_signal(number)
    assert "the same command goes on from here" in ended(process, 130)
    (before,) = queried(db, "SELECT count(*) AS events FROM events")
    assert 0 < before["events"] < len(files) * ROWS
    assert_sound(db)
    ended(shop.replay(db, files), 0)
    (after,) = queried(db, "SELECT count(*) AS events FROM events")
    assert after["events"] == len(files) * ROWS
    assert_sound(db)


@pytest.mark.slow
def test_asked_to_stop_while_it_opens_the_store(shop: Shop, tmp_path: Path) -> None:
    db = tmp_path / "kpi.duckdb"
    process = shop.replay(db, shop.files[:1])
    while not db.exists():
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in ended(process, 130)
    ended(shop.replay(db, shop.files[:1]), 0)
    assert_sound(db)
