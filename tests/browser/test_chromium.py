"""The pages in a real browser: links, addresses, drilling down, a phone; and that nothing comes from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards import roles, routes, texts
from dashboards import texts_correcting as words
from dashboards.routes import PAGES, Route
from kpis.formats import percent
from tests.broker import free_port
from tests.browser import login
from tests.browser.serving import browsing, looked_at, served, shown
from tests.browser.stores import LINE, OTHER
from tests.parts import program
from tests.running import Engine

expect.set_options(timeout=60_000)  # a busy machine is no error


@pytest.fixture(scope="module")
def address(filled: Path) -> Iterator[str]:
    """Where the dashboard of the small plant is."""
    with served(filled / "bottling.duckdb") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with browsing(program("chromium")) as found:
        yield found


def test_a_tile_leads_to_its_line_and_the_line_to_its_numbers(browser: Browser, address: str) -> None:
    page = looked_at(browser, address)
    # Not the first line: it is what the page shows by itself, so its name leaves the address again.
    page.get_by_role("link", name="line-2", exact=False).first.click()
    expect(page).to_have_url(re.compile(f"/line\\?equipment={quote(OTHER, safe='')}"))
    expect(page.locator("h1")).to_contain_text("line-2")
    page.get_by_text(texts.WHY_SHIFT).click()
    expect(page.locator("h1")).to_contain_text(texts.WHY)
    expect(page.locator(".of-strip")).to_contain_text("line-2")
    page.close()


def test_the_address_holds_the_filters(browser: Browser, address: str) -> None:
    page = looked_at(browser, f"{address}/losses?equipment={quote(LINE)}&period=Today&loss=Down")
    expect(page.locator(".of-strip")).to_contain_text("Mon 2 Mar")
    expect(page.get_by_role("table").last).to_contain_text("Bottle jam <at> infeed & outfeed")
    page.get_by_role("button", name=texts.PERIODS["month"]).or_(
        page.get_by_role("radio", name=texts.PERIODS["month"])
    ).click()
    expect(page).to_have_url(re.compile("period=30"))
    assert "loss=Down" in page.url
    page.close()


def test_a_bar_leads_to_its_reasons_and_its_stops(browser: Browser, address: str) -> None:
    page = looked_at(browser, f"{address}/losses?equipment={quote(LINE)}&period=Today")
    chart = page.get_by_test_id("stVegaLiteChart").first
    chart.scroll_into_view_if_needed()
    chart.click(position={"x": 140, "y": 18})
    expect(page).to_have_url(re.compile("loss=Down"))
    expect(page.get_by_text("2 stops", exact=False)).to_be_visible()
    page.close()


@pytest.fixture(scope="module")
def phone(browser: Browser, address: str) -> Iterator[Page]:
    """A phone, which keeps what it has loaded."""
    page = looked_at(browser, address, width=390, height=844)
    yield page
    page.close()


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.view)
def test_a_phone_scrolls_down_only(phone: Page, address: str, route: Route) -> None:
    phone.goto(f"{address}/{route.address}" if route is not PAGES[0] else address)
    shown(phone)
    assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


def test_nothing_comes_from_elsewhere(browser: Browser, address: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/{routes.LINE.address}")
    shown(page)
    page.get_by_test_id("stVegaLiteChart").first.wait_for()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    page.close()


@pytest.mark.slow
def test_a_wall_without_news_says_so_by_itself(browser: Browser, filled: Path) -> None:
    with served(filled / "bottling.duckdb") as found:
        page = looked_at(browser, f"{found}/{routes.TV.address}")
        expect(page.locator(".of-band").first).to_contain_text(texts.STATES["down"])
        expect(page.get_by_text(texts.NO_DATA)).to_be_hidden()
    expect(page.get_by_text(texts.NO_DATA)).to_be_visible(timeout=60_000)
    page.close()


@pytest.mark.slow
def test_a_decision_changes_the_figures_on_another_open_page(browser: Browser, engine: Engine) -> None:
    day = f"equipment={quote(LINE)}&period=Dates&from=2026-03-02&to=2026-03-02"
    with served(engine.db, "--role", "lead") as found:
        losses = looked_at(browser, f"{found}/{routes.LOSSES.address}?{day}")
        expect(losses.locator(".of-strip").first).to_contain_text(percent(270 / 300))
        page = looked_at(browser, f"{found}/{routes.RECLASSIFY.address}?{day}")
        expect(page.locator(".of-trial")).to_contain_text("lead")
        page.get_by_role("combobox", name=words.CATEGORY).click()
        page.get_by_role("option", name=words.CATEGORIES["planned"]).click()
        page.get_by_role("button", name=words.SET, exact=True).click()
        expect(page.get_by_role("table").first).to_contain_text(percent(270 / 290))
        expect(losses.locator(".of-strip").first).to_contain_text(percent(270 / 290))
        page.get_by_role("button", name=words.UNDO).click()
        expect(losses.locator(".of-strip").first).to_contain_text(percent(270 / 300))
        page.close()
        losses.close()


@pytest.mark.slow
def test_who_signs_in_has_the_role_of_his_group(browser: Browser, filled: Path, tmp_path: Path) -> None:
    port, elsewhere = free_port(), free_port()
    with login.provider(elsewhere) as described:
        file = login.settings(tmp_path / "login.toml", f"http://127.0.0.1:{port}", described)
        given = {roles.OIDC_FILE: str(file), roles.CLAIM: "groups", roles.LEADS: "shift-leads"}
        with served(filled / "bottling.duckdb", port=port, environment=given) as found:
            page = looked_at(browser, f"{found}/{routes.RECLASSIFY.address}")
            expect(page.get_by_text(words.SIGN_IN_FIRST)).to_be_visible()
            expect(page.get_by_text(texts.AS_OF)).to_have_count(0)
            page.get_by_role("button", name=words.SIGN_IN).click()
            expect(page.get_by_text(words.SIGNED_IN.format(name=login.ANNA, role="lead"))).to_be_visible()
            page.get_by_role("button", name=words.SIGN_OUT).click()
            expect(page.get_by_text(words.SIGN_IN_FIRST)).to_be_visible()
            page.close()


@pytest.mark.slow
def test_a_proxy_says_who_looks(browser: Browser, filled: Path) -> None:
    given = {roles.USER_HEADER: "X-Forwarded-User", roles.LEADS: "anna"}
    with served(filled / "bottling.duckdb", environment=given) as found:
        page = looked_at(browser, found)
        expect(page.get_by_text(words.NO_NAME)).to_be_visible()
        page.set_extra_http_headers({"X-Forwarded-User": "anna"})
        page.goto(f"{found}/{routes.RECLASSIFY.address}")
        expect(page.get_by_text(words.NO_ENGINE)).to_be_visible()
        page.close()
