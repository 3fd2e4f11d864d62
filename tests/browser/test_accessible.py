"""Every page held against the rules of accessibility that a program can check, by axe in a real browser."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types

from dashboards import routes
from dashboards.routes import PAGES, Route
from tests.browser.alarmed import alarmed
from tests.browser.serving import browsing, looked_at, served, shown
from tests.parts import program

GRAVE = ("serious", "critical")
DARK = (routes.OVERVIEW, routes.ALERTS)
"""Pages looked at in the dark too: between them they have all but charts. tests/unit/test_wall.py has the colours."""


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alarmed") / "kpi.duckdb"
    alarmed(path)
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)  # a browser on a busy machine
@pytest.mark.parametrize(("look", "pages"), [("light", PAGES), ("dark", DARK)], ids=["light", "dark"])
def test_no_page_has_a_grave_fault(db: Path, look: str, pages: Sequence[Route]) -> None:
    faults: list[str] = []
    with browsing(program("chromium")) as browser, served(db, "--theme", look) as address:
        page = looked_at(browser, address)
        for route in pages:
            page.goto(f"{address}/{'' if route is PAGES[0] else route.address}")
            shown(page)
            if route in (routes.LINE, routes.LOSSES):
                page.get_by_test_id("stVegaLiteChart").locator("svg").first.wait_for()
            faults += (f"{route.view}: {fault}" for fault in _faults(Axe().run(page).response))
    assert faults == []


def _faults(answer: dict[str, Any]) -> Iterator[str]:
    """What is broken where; Streamlit's own elements are no exception."""
    for rule in answer["violations"]:
        if rule["impact"] in GRAVE:
            for node in rule["nodes"]:
                yield f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['html'][:160]}"
