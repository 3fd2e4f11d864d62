"""How fast, how steady and how large: the engine beside its baselines, all in one run.

python -m benchmarks.engine            everything, into benchmarks/RESULTS.md
python -m benchmarks.engine --quick    a tenth of it, to look at
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import generate
from benchmarks.baselines import bare_append, dict_windows, one_query
from benchmarks.report import Report

MACHINES = 200
MONTH_MACHINES = 100
MONTH_DAYS = 30
DAYS = 4
ROUNDS = 3


def replay(folder: Path, files: list[Path], db: Path) -> tuple[float, float]:
    """Seconds and peak MB of one `oeeflow replay` in a process of its own, all loaded, up to the closed store."""
    code = (
        "import json, re, sys, time; from pathlib import Path; from pipelines.cli import main\n"
        # The command does both, after it has read its arguments.
        "from pipelines.allocators import FAST, set_allocators; set_allocators(FAST); import pipelines.replay\n"
        "if __name__ == '__main__':\n"
        "    begin = time.perf_counter()\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as end:\n"
        "        assert not end.code, end.code\n"
        # Not getrusage: its peak would be that of the process that started this one.
        "    peak = int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) / 1024\n"
        "    print(json.dumps([time.perf_counter() - begin, peak]))"
    )
    command = [sys.executable, "-c", code, "replay", str(folder / "plant.toml"), *map(str, files), "--db", str(db)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), float(peak)


def fresh(db: Path) -> Path:
    """A path without a store."""
    for path in (db, db.with_name(db.name + ".wal")):
        path.unlink(missing_ok=True)
    return db


def throughput(folder: Path, events: int, rounds: int, report: Report) -> None:
    """From file to committed store, beside the bare append of the same frames and one query without a store."""
    frame = generate.day(MACHINES, events)
    (folder / "plant.toml").write_text(generate.plant(MACHINES))
    parquet, lines = folder / "day.parquet", folder / "day.jsonl"
    generate.write_parquet(frame, parquet)
    generate.write_lines(frame, lines)
    seconds: dict[str, list[float]] = {}
    peaks: dict[str, list[float]] = {}
    windows: list[float] = []
    for _ in range(rounds):
        for name, file in (("parquet", parquet), ("lines", lines)):
            took, peak = replay(folder, [file], fresh(folder / f"{name}.duckdb"))
            seconds.setdefault(name, []).append(took)
            peaks.setdefault(name, []).append(peak)
        seconds.setdefault("append", []).append(bare_append(frame, folder / "parquet.duckdb", folder / "bare.duckdb"))
        seconds.setdefault("query", []).append(one_query(parquet))
        windows.append(dict_windows(parquet))
    rate = {name: events / statistics.median(taken) for name, taken in seconds.items()}
    rate["windows"] = statistics.median(windows)
    report.table(
        f"{events:,} events of {MACHINES} machines over a day, median of {rounds}",
        ("what", "events/s", "to reach", "peak MB"),
        [
            ("replay of Parquet", rate["parquet"], "450,000", statistics.median(peaks["parquet"])),
            ("replay of JSON lines", rate["lines"], "300,000", statistics.median(peaks["lines"])),
            ("bare DuckDB append of the same frames", rate["append"], "", None),
            ("one polars query, nothing stored", rate["query"], "", None),
            ("bytewax tumbling windows over dict rows", rate["windows"], "", None),
        ],
    )
    report.ratio("Parquet replay ÷ bare append", rate["parquet"] / rate["append"], "at least 0.6")
    report.ratio("Parquet replay ÷ bytewax windows", rate["parquet"] / rate["windows"], "at least 5")


def growth(folder: Path, daily: int, report: Report) -> None:
    """A month, day by day, into one store; then one event of the first day, and a question about all of it."""
    (folder / "plant.toml").write_text(generate.plant(MONTH_MACHINES))
    db = fresh(folder / "month.duckdb")
    taken = []
    for which in range(MONTH_DAYS):
        path = folder / f"day-{which}.parquet"
        generate.write_parquet(generate.day(MONTH_MACHINES, daily, which), path)
        taken.append(replay(folder, [path], db)[0])
        path.unlink()
    early, late = statistics.median(taken[1:6]), statistics.median(taken[-5:])
    report.table(
        f"a month of {MONTH_MACHINES} machines, {daily:,} events a day, each day a replay",
        ("what", "seconds", "to reach", "peak MB"),
        [("days 2 to 6, median", early, "", None), ("days 26 to 30, median", late, "", None)],
    )
    report.ratio("late days ÷ early days", late / early, "at most 1.15")
    event = {
        "id": "late",
        "ts": "2026-03-02T11:00:00Z",
        "equipment": generate.machines(1)[0],
        "type": "state",
        "state": "down",
    }
    (folder / "late.jsonl").write_text(json.dumps(event) + "\n")
    report.seconds("one event, 30 days late, corrected", replay(folder, [folder / "late.jsonl"], db)[0], "at most 2 s")
    report.seconds("shift KPIs of 100 machines over 30 days", shift_kpis(db), "at most 0.2 s")


def shift_kpis(db: Path) -> float:
    """Seconds to read the shift KPIs of all machines, the second time."""
    from storage.reader import Reader
    from storage.selection import Selection

    with Reader(db) as reader:
        for _ in range(3):
            begin = time.perf_counter()
            rows = reader.kpi("shift", Selection(level="unit"), "standard")
            seconds = time.perf_counter() - begin
    assert rows.height > 0
    return seconds


def memory(folder: Path, events: int, report: Report) -> None:
    """Peak memory of a large replay, of each kind of file."""
    (folder / "plant.toml").write_text(generate.plant(MACHINES))
    rows = []
    for name, ending, write in (
        ("Parquet", "parquet", generate.write_parquet),
        ("JSON lines", "jsonl", generate.write_lines),
    ):
        files = [folder / f"large-{which}.{ending}" for which in range(DAYS)]
        for which, path in enumerate(files):
            write(generate.day(MACHINES, events // DAYS, which), path)
        seconds, peak = replay(folder, files, fresh(folder / "large.duckdb"))
        rows.append((f"replay of {name}", events / seconds, "peak below 1,000 MB", peak))
        for path in files:
            path.unlink()
    report.table(f"{events:,} events over four days", ("what", "events/s", "to reach", "peak MB"), rows)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, results to the screen only")
    quick = parser.parse_args().quick
    scale = 10 if quick else 1
    folder = Path(".bench")
    folder.mkdir(exist_ok=True)
    report = Report()
    parts: tuple[Callable[[], None], ...] = (
        lambda: throughput(folder, 5_000_000 // scale, ROUNDS, report),
        lambda: growth(folder, 200_000 // scale, report),
        lambda: memory(folder, 20_000_000 // scale, report),
    )
    for part in parts:
        part()
        if not quick:
            Path("benchmarks/RESULTS.md").write_text(report.text())
    sys.stdout.write(report.text())
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
