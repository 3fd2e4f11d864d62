"""`oeeflow demo --recorded` runs from nothing, and shows the figures that the store holds."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LINE = "acme/ulm/packing/line-1"


def oeeflow(folder: Path, *words: str) -> str:
    """What a command prints, run in a folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "160"}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(folder: Path) -> str:
    return oeeflow(folder, "demo", "--recorded")


def rows(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The rows of a reading command."""
    found: list[dict[str, Any]] = json.loads(oeeflow(folder, *words, "--format", "json"))
    return found


def test_figures_shown_are_those_of_the_store(folder: Path, shown: str) -> None:
    shifts = rows(folder, "kpi", "--db", ".demo/ulm.duckdb", "--by", "shift", "--equipment", LINE)
    named = [row for row in shifts if row["shift"]]
    assert len(named) == 18
    for row in named:
        line = next(line for line in shown.splitlines() if row["shift"] in line)
        for figure in (f"{100 * row['oee']:.1f}", f"{100 * row['availability']:.1f}", str(row["good"])):
            assert figure in line.replace(",", ""), (row["shift"], figure, line)


def test_the_jams_on_tuesday_cost_the_late_shift(folder: Path, shown: str) -> None:
    shifts = rows(folder, "kpi", "--db", ".demo/ulm.duckdb", "--by", "shift", "--equipment", LINE)
    full = {row["shift"]: row for row in shifts if row["shift"] and row["status"] != "open"}
    worst = min(full.values(), key=lambda row: row["oee"])
    assert worst["shift"] == "2026-03-24/late"
    assert (worst["status"], worst["revision"]) == ("revised", 1)  # put right on Wednesday morning


def test_machine_day_is_shown(folder: Path, shown: str) -> None:
    days = rows(folder, "kpi", "--db", ".demo/nist.duckdb", "--by", "day", "--equipment", "nist/shop/mazak01")
    assert [row["window_start"] for row in days] == ["2016-11-28T00:00:00Z", "2016-11-29T00:00:00Z"]
    assert all(row["unknown_us"] > 0 for row in days)
    assert "nist/shop/mazak01" in shown


def test_it_may_be_repeated(folder: Path, shown: str) -> None:
    again = oeeflow(folder, "demo", "--recorded")
    assert again == shown


def test_readme_shows_what_the_demo_does(shown: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shifts, losses, _ = re.findall(r"^```text\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    lines = [line for block in (shifts, losses) for line in block.splitlines()]
    assert len(lines) > 20
    assert [line for line in lines if line not in shown] == []
