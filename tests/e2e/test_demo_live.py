"""`oeeflow demo` starts everything from nothing, tells what the plant does, and ends all of it; and again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.reader import Reader
from tests.running import ROOT, until

pytestmark = pytest.mark.slow

ENDS_WITHIN = 20.0
"""seconds: a moment on a quiet machine; tests share theirs."""
STARTS_WITHIN = 120.0


class Demo:
    """A demo in a folder, from its command on."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.db = folder / ".demo" / "kpi.duckdb"
        self._said = folder / f"said-{time.monotonic_ns()}.txt"
        environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "160"}
        command = [sys.executable, "-m", "pipelines.cli", "demo", "--no-browser", *options]
        with self._said.open("wb") as file:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=file, stderr=file, start_new_session=True
            )

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8")

    def started(self) -> None:
        """Wait for the address and what to look at."""
        until(lambda: "Ctrl-C" in self.said or self.process.poll() is not None, STARTS_WITHIN)
        assert self.process.poll() is None, self.said

    def address(self, name: str) -> str:
        """Where a part is reached, as it is told."""
        found = re.search(rf"^ +{name} +(\S+)", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def events(self) -> int:
        with Reader(self.db) as reader:
            return int(reader.query("SELECT count(*) AS n FROM events")["n"].item())


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    shown = Demo(folder, *options)
    try:
        shown.started()
        yield shown
    finally:
        if shown.process.poll() is None:
            shown.process.kill()
            shown.process.wait()


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that have to do with a folder, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in command or (process / "cwd").resolve() == folder.resolve():
                found.append(command)
        except OSError:
            continue  # it has ended meanwhile, or is not ours
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


def test_a_plant_is_live_from_nothing_and_ends_with_ctrl_c(folder: Path) -> None:
    with demo(folder) as shown:
        before = shown.events()
        assert before > 100_000  # three weeks
        until(lambda: shown.events() > before)
        for name in ("dashboard", "engine"):
            with urllib.request.urlopen(shown.address(name)) as answer:
                assert answer.status == 200
        second = Demo(folder)
        assert second.process.wait(ENDS_WITHIN) == 2
        assert "is running in .demo already" in second.said
        shown.process.send_signal(signal.SIGINT)
        assert shown.process.wait(ENDS_WITHIN) == 0, shown.said
    assert processes_of(folder) == []
    assert "Where did the time of the worst of them go" in shown.said


def test_it_goes_on_from_there_at_speed_and_leaves_nothing_when_killed(folder: Path) -> None:
    state = folder / ".demo" / "simulation.json"
    told = json.loads(state.read_text())
    two_minutes = 120_000_000
    state.write_text(json.dumps(told | {"until": told["until"] - two_minutes}))  # as if it had been away for a while
    with demo(folder, "--speed", "1000") as shown:
        assert "replay" not in shown.said
        first = shown.events()
        until(lambda: shown.events() > first + 5)
        with Reader(shown.db) as reader:
            reused = reader.query("SELECT count(*) AS n FROM rejected_events WHERE reason = 'id_reused'")
        assert reused["n"].item() == 0  # what is told twice is the same
        assert len(processes_of(folder)) > 3
        shown.process.kill()
        until(lambda: processes_of(folder) == [], ENDS_WITHIN)
