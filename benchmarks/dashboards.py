"""How fast pages are with a year of a hundred machines in the store, and what fifty viewers of a live engine cost.

python -m benchmarks.dashboards            everything, into benchmarks/RESULTS-dashboards.md
python -m benchmarks.dashboards --quick    a week of history, short measurements, to the screen only
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from playwright.sync_api import Page

from benchmarks import year
from benchmarks.dashboards_report import Figures, Timed, report
from benchmarks.feeding import fed, flood, until_counted
from benchmarks.live import cpu_seconds, engine, memory_mb
from benchmarks.viewers import Run, Sight, viewers
from pipelines.children import Child, answers, free_port
from storage.reader import Reader
from tests.browser.serving import browsing

RATE: Final = 100.0  # events a second: one of each machine
LINE: Final = year.line(0)
VIEWERS: Final = 50
_OBSERVE: Final = """
() => {
  const app = document.querySelector("[data-testid=stApp]");
  let began = null;
  window.refreshes = [];
  new MutationObserver(() => {
    const running = app.getAttribute("data-test-script-state") === "running";
    if (running) began ??= performance.now();
    else if (began !== null) { window.refreshes.push((performance.now() - began) / 1000); began = null; }
  }).observe(app, { attributes: true, attributeFilter: ["data-test-script-state"] });
}
"""
_AT_REST: Final = """
() => document.querySelector(".of-head, .of-empty, .of-wall") !== null
  && document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]") !== null
"""
_REFRESHES: Final = 3
_TURNS: Final = 5


@dataclass(frozen=True)
class Size:
    """How much of everything: weeks of history, seconds that viewers look, and that the engine is flooded."""

    weeks: int
    looking: float
    flooded: float


FULL: Final = Size(weeks=year.WEEKS, looking=60, flooded=10)
QUICK: Final = Size(weeks=2, looking=15, flooded=3)


def pages(weeks: int) -> dict[str, str]:
    """The pages that are measured, by what they are called: all of them, with the filters that people use."""
    today = datetime.now(year.ZONE).date()
    long = f"period=Dates&from={today - timedelta(weeks=weeks)}&to={today}"
    line, site = f"equipment={LINE}", "equipment=acme/ulm"
    return {
        "overview": "",
        "line": f"line?{line}",
        "line, 24 h": f"line?{line}&hours=24 h",
        "losses of a line, 7 days": f"losses?{line}",
        "losses of a line, 30 days": f"losses?{line}&period=30 days",
        "losses of a line, all days": f"losses?{line}&{long}",
        "losses of the plant, 7 days": f"losses?{site}",
        "losses of the plant, all days": f"losses?{site}&{long}",
        "quality of a line, 7 days": f"quality?{line}",
        "quality of a line, all days": f"quality?{line}&{long}",
        "compare shifts of a line, 30 days": f"compare?{line}&period=30 days",
        "compare lines, 30 days": f"compare?{line}&period=30 days&by=Lines",
        "compare weeks of a line, all days": f"compare?{line}&by=Weeks&{long}",
        "compare lines, all days": f"compare?{line}&by=Lines&{long}",
        "report of a shift": f"report?{line}",
        "reclassify, 7 days": f"reclassify?{line}",
        "data quality, 7 days": "data-quality",
        "data quality, 30 days": "data-quality?days=30 d",
        "definitions": "definitions",
        "tv": "tv",
        "why": f"why?{line}&by=shift",
        "why, a month": f"why?{line}&by=month",
    }


@contextmanager
def dashboard(db: Path) -> Iterator[tuple[str, Child]]:
    """The dashboard of a store, ready: its address and its process."""
    port = free_port()
    command = [sys.executable, "-m", "pipelines.cli", "dashboard", "--db", str(db), "--port", str(port)]
    with Child("dashboard", command, db.with_suffix(".pages.log")) as child:
        while not answers(port):
            child.check()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", child


def painted(page: Page, address: str) -> float:
    """Seconds from going to a page until it is at rest."""
    begun = time.perf_counter()
    page.goto(address)
    page.wait_for_function(_AT_REST, polling="raf")  # a locator is looked for every half second only
    return time.perf_counter() - begun


def browsed(address: str, wanted: dict[str, str]) -> dict[str, Timed]:
    """First paint of each page in a browser that knows the program already, the second look, and its refreshes."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("chromium is missing: apt install chromium")
    found = {}
    with browsing(program) as browser:
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        page.set_default_timeout(90_000)
        painted(page, f"{address}/definitions")
        for name, path in wanted.items():
            first, again = (painted(page, f"{address}/{path}") for _ in range(2))
            page.evaluate(_OBSERVE)
            page.wait_for_timeout(5_500 * _REFRESHES)
            found[name] = Timed(first, again, page.evaluate("window.refreshes"))
            print(f"{name}: {found[name]}", file=sys.stderr)
    return found


def refreshed(address: str, wanted: dict[str, str], seconds: float) -> dict[str, list[Run]]:
    """How long the server takes for the refreshes of each page, with one viewer of each."""
    with viewers(address, list(wanted.values())) as ended:
        time.sleep(seconds)
        sight = ended()
    return {name: [run for run in sight.runs if run.page == path] for name, path in wanted.items()}


def crowd(weeks: int) -> list[str]:
    """What fifty people look at: mostly the live pages."""
    known = pages(weeks)
    lines = [f"line?equipment={year.line(number)}" for number in range(year.LINES)]
    past = [known["losses of a line, 7 days"], known["quality of a line, 7 days"], known["report of a shift"],
            known["compare shifts of a line, 30 days"], known["data quality, 7 days"]]  # fmt: skip
    return [*[""] * 15, *["tv"] * 10, *lines, *lines, *past][:VIEWERS]


def crowded(db: Path, address: str, pids: dict[str, int], size: Size) -> Figures:
    """What fifty viewers cost while all machines report, how old what they see is, and what the engine takes in."""
    figures: Figures = {}
    with fed(db, RATE) as ended:
        alone = _cores(pids, size.looking)
        with viewers(address, crowd(size.weeks)) as left:
            time.sleep(10)
            begun, together = time.time(), _cores(pids, size.looking)
            sight = left()
        marks = ended()
    for name in pids:
        figures[f"{name}, cores without viewers"] = alone[name]
        figures[f"{name}, cores with {VIEWERS} viewers"] = together[name]
    figures["viewers cost, cores"] = sum(together[name] - alone[name] for name in pids)
    refreshes = [run for run in sight.runs if not run.first and run.at >= begun]
    seconds = [run.seconds for run in refreshes]
    figures["refreshes a second"] = len(refreshes) / size.looking
    figures["refresh, median s"] = statistics.median(seconds)
    figures["refresh, 95 % within s"] = float(np.percentile(seconds, 95))
    figures["bytes of a refresh, median"] = statistics.median(run.size for run in refreshes)
    return figures | _ages(sight, marks, begun)


def _cores(pids: dict[str, int], seconds: float) -> dict[str, float]:
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    return {name: (cpu_seconds(pid) - before[name]) / seconds for name, pid in pids.items()}


def _ages(sight: Sight, marks: list[float], begun: float) -> Figures:
    """How old the newest mark on a page was when it was painted, and how long each mark took to be on the page."""
    painted, waited = [], []
    for seen in sight.marks:
        later = [(at, number) for at, number in seen if at >= begun]
        painted += [at - marks[number] for at, number in later]
        for (_, before), (at, number) in pairwise(later):
            waited += [at - marks[passed] for passed in range(before + 1, number + 1)]
    return {
        "age of what is painted, median s": statistics.median(painted),
        "age of what is painted, 95 % within s": float(np.percentile(painted, 95)),
        "event → on the page, median s": statistics.median(waited),
        "event → on the page, 95 % within s": float(np.percentile(waited, 95)),
    }


def taken_in(db: Path, address: str, size: Size) -> Figures:
    """Events a second that the engine takes in with and without fifty people who look, in turns.

    Each time that they look is compared with the times before and after it, and the middle one of the ratios counts:
    a machine changes its speed within minutes.
    """
    alone, together = [flood(db, size.flooded)], []
    for _ in range(_TURNS):
        with viewers(address, crowd(size.weeks)) as left:
            time.sleep(5)
            together.append(flood(db, size.flooded))
            left()
        alone.append(flood(db, size.flooded))
    ratios = [during * 2 / sum(around) for during, around in zip(together, pairwise(alone), strict=True)]
    return {
        "taken in, events/s, nobody looks": statistics.median(alone),
        f"taken in, events/s, {VIEWERS} viewers": statistics.median(together),
        "with ÷ without viewers": statistics.median(ratios),
        "with ÷ without viewers, lowest of the turns": min(ratios),
        "with ÷ without viewers, highest of the turns": max(ratios),
    }


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a week, short, results to the screen only")
    size = QUICK if parser.parse_args().quick else FULL
    plant, base = year.store(Path(".bench") / f"{size.weeks}-weeks", size.weeks)
    live = base.parent / "live"
    shutil.rmtree(live, ignore_errors=True)
    live.mkdir()
    db = live / "kpi.duckdb"
    shutil.copy(base, db)
    shutil.copytree(f"{base}.d", f"{db}.d")
    wanted, load = pages(size.weeks), os.getloadavg()[0]
    with engine(plant, db) as running, dashboard(db) as (address, showing):
        until_counted(db)
        pids = {"engine": running.pid, "dashboard": showing.pid}
        with fed(db, RATE):
            browser = browsed(address, wanted)
            server = refreshed(address, wanted, size.looking / 2)
        figures = crowded(db, address, pids, size) | taken_in(db, address, size)
        figures |= {f"{name}, MB": memory_mb(pid) for name, pid in pids.items()}
        with Reader(db) as reader:
            rows = {name: int(reader.query(f"SELECT count(*) FROM {name}").item())
                    for name in ("events", "intervals", "count_elements", "stops", "alerts")}  # fmt: skip
    text = report(size.weeks, load, rows, browser, server, figures)
    print(text)
    if size is FULL:
        (Path(__file__).parent / "RESULTS-dashboards.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
