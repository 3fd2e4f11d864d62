"""Pictures of every page for the docs: `python -m tests.browser.screenshots docs/screenshots`.

The plant is that of the example, on the Tuesday of its jams at 17:38, so that the pictures are the same every time.
"""

import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from playwright.sync_api import Browser, Page

from dashboards import texts_alerts as words
from dashboards.routes import ALERT_LOAD, ALERTS, OVERVIEW, PAGES, RECLASSIFY, Route
from kpis.events import EVENTS, REJECTED
from kpis.hour_notes import HOUR_US, HourNote, as_frame
from pipelines.replay import read_plant
from pipelines.simulate import simulate
from storage.batches import Batch
from storage.store import Store
from tests.browser.alarmed import alarmed
from tests.browser.serving import browsing, looked_at, served
from tests.running import running

PLANT = Path(__file__).parents[2] / "pipelines" / "examples" / "plant.toml"
UNTIL = "2026-03-24T17:38:00+01:00"
LINE = "acme/ulm/packing/line-1"
QUERY = {
    "line": f"?equipment={LINE}",
    "losses": f"?equipment={LINE}&loss=Waiting",
    "quality": f"?equipment={LINE}",
    "compare": f"?equipment={LINE}",
    "report": f"?equipment={LINE}&shift=2026-03-24/late",
    "reclassify": f"?equipment={LINE}&period=Dates&from=2026-03-24&to=2026-03-24&queue=Long",
    "why": f"?equipment={LINE}&by=shift",
}
WIDTHS = {"": 1440, "-phone": 390}
_TALLEST = 6_000


def main(folder: Path) -> None:
    """Fill a store, serve it, and take the pictures."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("chromium is missing: apt install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        db = Path(scratch) / "kpi.duckdb"
        _fill(db, Path(scratch))
        with browsing(program) as browser:
            with served(db) as address:
                for route in PAGES:
                    if route not in (RECLASSIFY, ALERTS, ALERT_LOAD):
                        _take(browser, address, route, folder)
            with served(db, "--theme", "dark") as address:
                _take(browser, address, OVERVIEW, folder, "-dark")
            with served(_alarmed(Path(scratch))) as address:
                for route in (ALERTS, ALERT_LOAD):
                    _take(browser, address, route, folder)
            with running(PLANT, db), served(db, "--role", "lead") as address:
                _take(browser, address, RECLASSIFY, folder)


def _take(browser: Browser, address: str, route: Route, folder: Path, more: str = "") -> None:
    for suffix, width in WIDTHS.items():
        page = looked_at(browser, _address(address, route), width)
        if route is ALERTS:
            page.get_by_role("button", name=words.SHOW).first.click()
            page.locator(".st-key-card-alert .of-facts").wait_for()
        _whole(page, width)
        page.screenshot(path=folder / f"{route.address}{more}{suffix}.png")
        page.close()


def _alarmed(scratch: Path) -> Path:
    """A store with open alerts, after two busy days."""
    db = scratch / "alarmed.duckdb"
    alarmed(db, before=True)
    return db


def _fill(db: Path, scratch: Path) -> None:
    days = simulate(read_plant(PLANT)).write(scratch / "week")
    command = [sys.executable, "-m", "pipelines.cli", "replay", str(PLANT), *map(str, days), "--db", str(db)]
    subprocess.run([*command, "--until", UNTIL], check=True)
    plant = read_plant(PLANT)
    with Store(db, plant, plant_path=str(PLANT), clock=lambda: datetime.fromisoformat(UNTIL)) as store:
        events, rejected = (pl.DataFrame(schema=schema) for schema in (EVENTS, REJECTED))
        store.commit(store.take(Batch(events, rejected, until=store.horizon, notes=as_frame(_notes()))), None)


def _notes() -> list[HourNote]:
    """What was said about the hours of the late shift: one is signed off, the comment on the next was changed."""
    two = round(datetime.fromisoformat("2026-03-24T14:00+01:00").timestamp()) * 1_000_000
    said = (
        (HOUR_US, "comment", "Jam at the infeed"),
        (HOUR_US, "comment", "Jam at the infeed; guide rail set anew"),
        (0, "sign", None),
    )
    return [
        HourNote.model_validate(
            {"note": f"note-of-14-{number}", "equipment": LINE, "hour": two + after, "kind": kind, "by": "Ben Okafor",
             "at": two + 2 * HOUR_US + number, "comment": comment}
        )
        for number, (after, kind, comment) in enumerate(said)
    ]  # fmt: skip


def _address(address: str, route: Route) -> str:
    return f"{address}/{'' if route is PAGES[0] else route.address}{QUERY.get(route.view, '')}"


def _whole(page: Page, width: int) -> None:
    """Make the window as tall as the page."""
    page.wait_for_timeout(1_500)  # charts are drawn after the page says it is there, and say nothing when they are
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(height, 600), _TALLEST)})
    page.wait_for_timeout(1_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
