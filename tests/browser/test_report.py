"""The pages on quality, comparison and the shift report: figures by hand, who may sign off, files as downloaded."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import expect
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from dashboards import roles, routes, texts
from dashboards.routes import Route
from kpis.formats import percent
from storage.places import Places
from storage.reports import revisions, words
from tests import shift_story
from tests.browser.serving import browsing, looked_at, served
from tests.browser.stores import LINE
from tests.browser.test_pages import opened, told
from tests.parts import program
from tests.shift_story import AVAILABILITY, PERFORMANCE, QUALITY, SHIFT

OEE = AVAILABILITY * PERFORMANCE * QUALITY


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """The store of the shift."""
    path = tmp_path / "kpi.duckdb"
    shift_story.filled(path)
    return path


@pytest.fixture
def page(db: Path, served_here: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """A page about the line as somebody with a role sees it."""

    def look(route: Route, role: str = "viewer", **query: str) -> AppTest:
        served_here.setenv(roles.ROLE, role)
        return opened(db, route, served_here, equipment=LINE, **query)

    return look


def spaced(app: AppTest) -> str:
    return re.sub(r"\s+", " ", told(app))


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_quality_shows_reasons_yield_and_the_distance_to_the_target(page: Callable[..., AppTest]) -> None:
    shown = spaced(page(routes.QUALITY))
    for said in ("12 400", "dent", texts.NO_REASON, "7 850 good pieces behind target", "1.04 s", "1.98 s"):
        assert said in shown, said
    assert spaced_percent(QUALITY, 2) in shown


def spaced_percent(ratio: float, digits: int = 1) -> str:
    return re.sub(r"\s+", " ", percent(ratio, digits))


def test_compare_shows_the_hours_behind_a_bar_and_all_definitions(page: Callable[..., AppTest]) -> None:
    shown = spaced(page(routes.COMPARE))
    for said in ("early", "7.5 h", spaced_percent(OEE), "iso22400", "smrp", spaced_percent(AVAILABILITY)):
        assert said in shown, said
    assert "line-1" in spaced(page(routes.COMPARE, by=texts.COMPARED["line"]))


def test_the_report_shows_the_figures_by_hand(page: Callable[..., AppTest]) -> None:
    shown = spaced(page(routes.REPORT, shift=SHIFT))
    for value in (OEE, AVAILABILITY, PERFORMANCE, QUALITY):
        assert spaced_percent(value) in shown
    for said in ("line-1, Mon 2 Mar 2026, early", "Revision 1, not signed off", "20 250", "0:20:00", "4711"):
        assert said in shown, said


def test_who_looks_on_signs_nothing_off(db: Path, page: Callable[..., AppTest]) -> None:
    assert buttons(page(routes.REPORT, "viewer", shift=SHIFT)) == []
    assert revisions.kept(Places(db), LINE, SHIFT) == []


def test_a_lead_signs_off_and_sees_what_is_corrected_later(db: Path, page: Callable[..., AppTest]) -> None:
    app = page(routes.REPORT, "lead", shift=SHIFT)
    app.button(key="sign").click().run()
    assert [str(error.value) for error in app.exception] == []
    assert "Revision 1, " in spaced(app)
    assert words.NOT_SIGNED not in spaced(app)
    assert buttons(app) == []
    (kept,) = revisions.kept(Places(db), LINE, SHIFT)
    assert kept.signed is not None

    shift_story.corrected(db)
    st.cache_resource.clear()
    app = page(routes.REPORT, "lead", shift=SHIFT)
    shown = spaced(app)
    assert texts.CHANGED_SINCE.format(n=1) in shown
    assert words.DIFFERENCES.format(now=2, before=1) in shown
    assert f"{spaced_percent(AVAILABILITY)} {spaced_percent(1)}" in shown
    (chooser,) = (box for box in app.selectbox if box.label == texts.REVISION)
    chooser.select_index(1).run()
    first = spaced(app)
    assert spaced_percent(AVAILABILITY) in first
    assert words.DIFFERENCES.format(now=2, before=1) not in first


def test_the_files_are_those_of_the_page(db: Path) -> None:
    with browsing(program("chromium")) as browser, served(db, "--role", "lead") as address:
        page = looked_at(browser, f"{address}/{routes.REPORT.address}?equipment={LINE}&shift={SHIFT}")
        for kind, start in (("PDF", b"%PDF"), ("Excel", b"PK"), ("CSV", b"section,")):
            with page.expect_download() as awaited:
                page.get_by_role("button", name=kind).click()
            data = Path(awaited.value.path()).read_bytes()
            assert data.startswith(start)
            if kind == "PDF":
                assert awaited.value.suggested_filename == "2026-03-02_early_line-1_r1.pdf"
                assert f"{OEE * 100:.1f}" in PdfReader(BytesIO(data)).pages[0].extract_text()
        page.get_by_role("button", name="Sign off").click()
        expect(page.get_by_text("signed off").first).to_be_visible()
        expect(page.get_by_role("button", name="Sign off")).to_have_count(0)
        page.close()
