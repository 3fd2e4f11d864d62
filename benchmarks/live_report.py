"""The page of results of the live benchmark: medians over rounds, with what they are to reach."""

import importlib.metadata
import os
import platform
import statistics
import subprocess
from datetime import UTC, datetime

PACKAGES = ("bytewax", "duckdb", "polars", "paho-mqtt", "apsw")
GOALS = {
    "published → queryable, 99 % within s": "1.5",
    "published → queryable, median s": "0.6",
    "engine, cores without messages": "0.05",
    "engine, MB at most": "500",
    "drained while somebody reads, messages/s": "10,000",
}
Figures = dict[str, float]


def report(rounds: int, *parts: tuple[str, list[Figures]]) -> str:
    """A page with a table for each part; each part has the same figures in every round."""
    lines = [
        "# Results, live",
        "",
        f"Written by `make bench-live` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, {_versions()}. Median of {rounds}, lowest and highest beside it. Broker, "
        "publisher, engine and reader share the cores of one machine; ages are of the publisher's own time stamps.",
    ]
    for title, figures in parts:
        lines += ["", f"## {title}", "", "| what | median | lowest | highest | to reach |", "|---|--:|--:|--:|---|"]
        for name in figures[0]:
            values = [each[name] for each in figures]
            shown = [_shown(value) for value in (statistics.median(values), min(values), max(values))]
            lines.append(f"| {name} | {' | '.join(shown)} | {GOALS.get(name, '')} |")
    return "\n".join(lines) + "\n"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}"


def _versions() -> str:
    known = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    said = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout
    return ", ".join([*known, " ".join(said.split()[:3]).replace(" version", "")])
