"""`oeeflow replay` as a user runs it, and `oeeflow kpi` and `oeeflow timeline` against the naive calculation."""

import gzip
import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.command import Command
from tests.engine import GRAINS, RATIOS, dump, lines, queried, unequal
from tests.oracle import compute
from tests.oracle.events import EPOCH, parse_time
from tests.oracle.shorthand import END, at, count, one_unit, order, state
from tests.random_logs import Event
from tests.strategies import random_case, random_until, shuffled, split

TOML = one_unit('ideal_cycle = "1s"')
LOG = [state(0, "producing"), count(10, 500), order(20, "start", "O"), state(30, "down"), count(40, 5), END]


def write(name: str, events: list[Event]) -> str:
    data = lines(events)
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return name


def instant(text: str) -> int:
    """Microseconds of a time as the command prints it, which is RFC 3339 in UTC."""
    assert text.endswith("Z")
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def as_printed(row: dict[str, Any], times: tuple[str, ...]) -> dict[str, Any]:
    return row | {name: instant(row[name]) for name in times}


def test_a_log_in_and_figures_out(oeeflow: Command) -> None:
    ended = oeeflow("replay", "plant.toml", write("a.jsonl", LOG))
    assert (ended.status, ended.out) == (0, "")
    assert "6 events taken in" in ended.told
    (unit,) = json.loads(oeeflow("kpi", "--by", "hour", "--level", "unit", "--format", "json").out)[:1]
    assert (unit["producing_us"], unit["down_us"], unit["good"]) == (1_800_000_000, 1_800_000_000, 505)
    assert unit["oee"] == pytest.approx(505 / 3600)


def test_repeated_it_changes_nothing(oeeflow: Command) -> None:
    oeeflow("replay", "plant.toml", write("a.jsonl", LOG))
    before = dump(Path("kpi.duckdb"))
    assert "a.jsonl was taken in before" in oeeflow("replay", "plant.toml", "a.jsonl").told
    again = oeeflow("replay", "plant.toml", write("b.jsonl.gz", [*LOG, *LOG]))
    assert (again.status, "12 duplicates" in again.told) == (0, True)
    assert unequal(before, dump(Path("kpi.duckdb"))) == {}


def test_a_file_that_grew_is_read_again(oeeflow: Command) -> None:
    oeeflow("replay", "plant.toml", write("a.jsonl", LOG[:3]))
    grown = oeeflow("replay", "plant.toml", write("a.jsonl", LOG))
    assert "3 events taken in; 3 duplicates" in grown.told


FAULTS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no such file": (("replay", "plant.toml", "none.jsonl"), 2, "no such file: none.jsonl"),
    "one of several": (("replay", "plant.toml", "a.jsonl", "none.jsonl"), 2, "no such file: none.jsonl"),
    "a folder": (("replay", "plant.toml", "."), 2, "is a folder"),
    "a name that tells nothing": (("replay", "plant.toml", "a.doc"), 2, "a.doc"),
    "no plant file": (("replay", "none.toml", "a.jsonl"), 2, "none.toml"),
    "a source that is not there": (("replay", "plant.toml", "a.jsonl", "--source", "x"), 2, 'no source "x"'),
    "a wrong time": (("replay", "plant.toml", "a.jsonl", "--until", "tomorrow"), 2, "tomorrow"),
    "no events": (("replay", "plant.toml"), 2, "events"),
    "no workers": (("replay", "plant.toml", "a.jsonl", "--workers", "0"), 2, "--workers"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_done_is_told_before_anything_is_done(name: str, oeeflow: Command) -> None:
    arguments, status, message = FAULTS[name]
    write("a.jsonl", LOG)
    Path("a.doc").write_text("x")
    ended = oeeflow(*arguments)
    assert ended.status == status
    assert message in ended.told
    assert "Traceback" not in ended.told
    assert not Path("kpi.duckdb").exists()


def test_a_plant_file_with_faults_tells_all_of_them(oeeflow: Command) -> None:
    Path("plant.toml").write_text(TOML.replace("ideal_cycle", "ideal_cicle").replace('"unit"', '"cell"'))
    ended = oeeflow("replay", "plant.toml", write("a.jsonl", LOG))
    assert ended.status == 2
    assert "ideal_cicle" in ended.told
    assert "cell" in ended.told


def test_until(oeeflow: Command) -> None:
    ended = oeeflow("replay", "plant.toml", write("a.jsonl", LOG), "--until", at(35))
    assert (ended.status, "4 events taken in" in ended.told) == (0, True)
    (row,) = queried(Path("kpi.duckdb"), "SELECT epoch_us(horizon) AS us FROM horizons")
    assert row["us"] == parse_time(at(35))
    assert "2 events taken in; 4 duplicates" in oeeflow("replay", "plant.toml", "a.jsonl").told


@pytest.mark.parametrize("seed", [5, 8])
def test_rows_are_those_of_the_naive_calculation(seed: int, oeeflow: Command) -> None:
    case = random_case(seed, 60)
    until = random_until(case, seed) if seed % 2 else None
    Path("plant.toml").write_text(case.plant_toml, encoding="utf-8")
    parts = split(shuffled(case.events, seed), seed, 3)
    names = [write(f"{n}.jsonl", part) for n, part in enumerate(parts)]
    options = ["--until", until] if until else []
    for call in (names[:2], names[2:]):
        assert oeeflow("replay", "plant.toml", *call, *options).status == 0
    expected = compute(case.plant_toml, case.events, until)
    shown = [as_printed(row, ("start", "end")) for row in json.loads(oeeflow("timeline", "--format", "json").out)]
    wanted = expected.timeline()
    assert [{name: row[name] for name in wanted[0]} for row in shown] == wanted
    for grain in GRAINS:
        rows = json.loads(oeeflow("kpi", "--by", grain, "--format", "json").out)
        found = [as_printed(row, ("window_start", "window_end")) for row in rows]
        wanted = expected.kpi(grain)
        exact = [name for name in wanted[0] if name not in RATIOS] if wanted else []

        def only(table: list[dict[str, Any]], names: list[str]) -> list[str]:
            return sorted(str([row[name] for name in names]) for row in table)

        assert only(found, exact) == only(wanted, exact), grain
        undefined = [*exact, *(f"{name} undefined" for name in RATIOS)]
        assert only([_undefined(row) for row in found], undefined) == only(
            [_undefined(row) for row in wanted], undefined
        ), grain


def _undefined(row: dict[str, Any]) -> dict[str, Any]:
    return row | {f"{name} undefined": row[name] is None for name in RATIOS}


def test_two_at_once_do_not_spoil_a_store(oeeflow: Command, tmp_path: Path) -> None:
    """The second one is told that the store is in use, or comes after the first."""
    write("a.jsonl", [state(n / 600, ("producing", "down")[n % 2], id=str(n)) for n in range(3000)])
    command = [sys.executable, "-m", "pipelines.cli", "replay", "plant.toml", "a.jsonl"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "OEEFLOW_DB": "kpi.duckdb"}
    running = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=tmp_path) for _ in range(2)
    ]
    told = [process.communicate(timeout=120)[1] for process in running]
    statuses = sorted(process.returncode for process in running)
    assert statuses in ([0, 0], [0, 2]), told
    assert statuses == [0, 0] or any("open in another process" in text for text in told)
    assert queried(Path("kpi.duckdb"), "SELECT count(*) AS n FROM events") == [{"n": 3000}]
