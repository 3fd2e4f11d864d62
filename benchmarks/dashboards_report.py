"""The page of results of the benchmark of the pages."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.viewers import Run

GOALS = {
    "viewers cost, cores": "under 0.5",
    "age of what is painted, 95 % within s": "under 3",
    "with ÷ without viewers": "at least 0.9",
}
Figures = dict[str, float]


@dataclass(frozen=True)
class Timed:
    """A page in a browser, in seconds: its first paint when nobody had looked at it, the next one, its refreshes."""

    first: float
    again: float
    refreshes: Sequence[float]


def report(
    weeks: int,
    load: float,
    rows: dict[str, int],
    browser: dict[str, Timed],
    server: dict[str, list[Run]],
    figures: Figures,
) -> str:
    """The page."""
    held = ", ".join(f"{number:,} {name}" for name, number in rows.items())
    lines = [
        "# Results, pages",
        "",
        f"Written by `make bench-dashboards` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}, load {load:.1f} before it began. Engine, "
        "dashboard, browser, viewers and the plant that reports share the cores of one machine.",
        "",
        f"The store holds {weeks} weeks of 100 machines: {held}.",
        "",
        "## Every page, in seconds, while 100 machines report an event a second each",
        "",
        "First paint: from going to the address until the page is at rest, in Chromium, nobody having looked at it "
        "before; again: a second later. Refresh: from asking for the part that renews itself to its last byte, with a "
        "viewer of each page at once; in the browser: until that is at rest again.",
        "",
        "| page | first paint | again | refresh, median | slowest | in the browser, median |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, timed in browser.items():
        runs = [run.seconds for run in server[name] if not run.first]
        shown = [timed.first, timed.again, *([statistics.median(runs), max(runs)] if runs else [None, None])]
        shown.append(statistics.median(timed.refreshes) if timed.refreshes else None)
        cells = " | ".join("" if value is None else f"{value:.2f}" for value in shown)
        lines.append(f"| {name} | {cells} |")
    lines += ["", "To reach: first paint 2 s, refresh 0.3 s.", "", "## Fifty viewers", "", "| what | | to reach |"]
    lines += ["|---|--:|---|"]
    lines += [f"| {name} | {_shown(value)} | {GOALS.get(name, '')} |" for name, value in figures.items()]
    return "\n".join(lines) + "\n"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3f}"
