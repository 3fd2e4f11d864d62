"""The pages about alerts: what is open, who was told and who has it; acting on alerts through the running engine."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from dashboards import roles, routes
from dashboards import texts_alert_load as load_words
from dashboards import texts_alerts as words
from dashboards import texts_correcting as refusals
from dashboards.door import Door
from dashboards.roles import Role, Visitor
from dashboards.routes import Route
from kpis.formats import percent
from pipelines.notify.letters import Wording
from storage.outbox import Letter, Line
from storage.reader import Reader
from storage.selection import Selection
from tests.browser import alarmed
from tests.browser.serving import browsing, looked_at, served
from tests.browser.stores import FILLER, OTHER, PACKER
from tests.browser.test_pages import opened, told
from tests.engine import queried
from tests.parts import program
from tests.running import Engine, running, until

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with alerts of every kind."""
    path = tmp_path_factory.mktemp("alarmed") / "kpi.duckdb"
    alarmed.alarmed(path)
    return path


@pytest.fixture
def page(db: Path, served_here: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """A page as somebody with a role sees it."""

    def look(route: Route = routes.ALERTS, role: str = "viewer", **query: str) -> AppTest:
        served_here.setenv(roles.ROLE, role)
        return opened(db, route, served_here, **query)

    return look


def spaced(app: AppTest) -> str:
    return re.sub(r"\s+", " ", told(app))


def of(db: Path, rule: str, path: str) -> dict[str, Any]:
    with Reader(db) as reader:
        return reader.alerts(Selection(path), rule=rule).row(-1, named=True)


def test_the_inbox_shows_what_is_open_the_worst_and_oldest_first(db: Path, page: Callable[..., AppTest]) -> None:
    shown = spaced(page())
    with Reader(db) as reader:
        firing = reader.alerts(Selection(), state="firing")
    for group, number in (("firing", 3), ("acknowledged", 1), ("aside", 1)):
        assert f"{words.GROUPS[group]} ({number})" in shown
    assert firing.height == 5
    order = [shown.index(text) for text in ("filler of line-1 is down", "press is down", "filler is down")]
    assert order == sorted(order)
    assert "next: Ben at 11:01" in shown
    assert "told Anna ✓, Ben ✗" in shown
    assert "Anna is at it, since 10:11" in shown
    assert "shelved by Ben until 12:23: cartons at noon" in shown
    assert "10:40 · 20 min" in shown
    resolved = shown[shown.index(words.RESOLVED) :]
    assert resolved.count("filler of line-1 is down: no reason given") == 3


def test_the_inbox_is_cut_to_a_line_and_to_what_is_mine(page: Callable[..., AppTest]) -> None:
    shown = spaced(page(where=OTHER))
    assert "press is down" in shown
    assert "filler" not in shown
    mine = spaced(page(mine="true"))
    assert words.CALM_HERE in mine


def test_an_alert_tells_who_heard_of_it_and_what_became_of_it(db: Path, page: Callable[..., AppTest]) -> None:
    name = of(db, "stands for long", alarmed.PRESS)["alert"]
    shown = spaced(page(alert=name))
    assert "Ben mail escalated" in shown
    assert words.OUTCOMES["dead"] in shown
    taken = spaced(page(alert=of(db, "machine down", alarmed.PRESS)["alert"]))
    assert "taken: on my way Anna, on this page" in taken
    assert words.GONE.format(alert="0123") in spaced(page(alert="0123"))


def test_a_viewer_sees_alerts_and_cannot_act(db: Path, page: Callable[..., AppTest]) -> None:
    app = page(alert=of(db, "machine down", FILLER)["alert"])
    assert words.LOOKS_ON.split("{")[0] in told(app)
    assert {button.label for button in app.button} == {words.SHOW}
    with pytest.raises(roles.NotAllowed, match="may not act on alerts"):
        Door("http://127.0.0.1:1", "none").act(Visitor("kim", Role.VIEWER), "0" * 16, {"kind": "acknowledge"})


def test_without_an_engine_nothing_can_be_done_and_that_is_said(page: Callable[..., AppTest]) -> None:
    app = page(role="lead")
    assert refusals.NO_ENGINE in told(app)
    assert {button.label for button in app.button} == {words.SHOW}


def test_a_message_leads_to_the_alert() -> None:
    line = Line("9915288cadac8450", "fired", 0, FILLER, FILLER, "critical", 0, "it jams")
    letter = Letter("m", "Anna", "mail", False, 0, 1, 0, (line,))
    body = Wording("https://oee.acme.example", None).text(letter).body
    assert f"https://oee.acme.example/{routes.ALERTS.address}?alert=9915288cadac8450" in body


def test_all_is_calm(filled: Path, served_here: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calm = tmp_path / "kpi.duckdb"
    plant = alarmed.Plant(calm)
    with plant.store:
        plant.go(10, *(alarmed.state(path, 0, "RUN") for path in (FILLER, PACKER)))
    assert words.CALM in told(opened(calm, routes.ALERTS, served_here))
    assert words.NO_RULES in told(opened(filled / "bottling.duckdb", routes.ALERTS, served_here))


def test_the_load_is_that_of_the_view(db: Path, page: Callable[..., AppTest]) -> None:
    shown = spaced(page(routes.ALERT_LOAD, back="month"))
    (anna,) = queried(db, "SELECT sum(alerts) AS n, max(alerts) AS busiest FROM alert_load WHERE recipient = 'Anna'")
    assert f"Anna check_circle acceptable {anna['n']} " in shown
    assert f"{load_words.BUSIEST} {anna['busiest']}, acceptable" in shown
    assert f"machine down 5 {percent(5 / 8, 0)}".replace("\u202f", " ") in shown


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine whose filler and packer have been down for five minutes."""
    folder = tmp_path_factory.mktemp("living")
    always = re.sub(r'(?m)^calendar = "day"\ntargets', "targets", alarmed.PLANT)
    (folder / "plant.toml").write_text(always.replace('folder = "mail"', f'folder = "{folder / "mail"}"'))
    with running(folder / "plant.toml", folder / "kpi.duckdb") as engine:
        now = datetime.now(UTC)
        for path in (FILLER, PACKER):
            at = (now - timedelta(minutes=5)).isoformat()
            status, _ = engine.posted(
                {"id": "a", "ts": at, "equipment": path, "type": "state", "state": "STOP", "reason": "jam"}
            )
            assert status == 200
        until(lambda: len(queried(engine.db, "SELECT * FROM alerts WHERE state = 'firing'")) == 2)
        until(lambda: len(queried(engine.db, "SELECT * FROM alert_deliveries WHERE outcome = 'delivered'")) == 2)
        yield engine


def test_what_a_lead_does_is_written_down(engine: Engine, served_here: pytest.MonkeyPatch) -> None:
    served_here.setenv(roles.ROLE, "lead")
    name = of(engine.db, "machine down", PACKER)["alert"]
    app = opened(engine.db, routes.ALERTS, served_here, alert=name)
    app.button(key=f"comment-{name}").click().run()
    assert words.NO_WORDS in told(app)
    app.text_input(key=f"say-{name}").set_value("belt torn")
    app.button(key=f"shelve-{name}").click().run()
    assert [str(error.value) for error in app.exception] == []
    assert "belt torn" in told(app)
    assert words.NO_WORDS not in told(app)
    app.button(key=f"unshelve-{name}").click().run()
    app.button(key=f"take-{name}").click().run()
    shown = spaced(app)
    assert words.GROUPS["acknowledged"] in shown
    assert "is at it" in shown
    done = queried(engine.db, f"SELECT * FROM alert_actions WHERE alert = '{name}' ORDER BY \"at\"")
    assert [(row["kind"], row["way"]) for row in done] == [("shelve", "page"), ("unshelve", "page"), ("take", "page")]
    assert done[0]["until"] - done[0]["at"] == pytest.approx(3_600_000_000, abs=60_000_000)


@pytest.mark.slow
def test_an_acknowledgement_shows_on_the_other_open_page(engine: Engine) -> None:
    name = of(engine.db, "machine down", FILLER)["alert"]
    with browsing(program("chromium")) as browser, served(engine.db, "--role", "lead") as found:
        other = looked_at(browser, f"{found}/{routes.ALERTS.address}?alert={name}")
        expect(_part(other, "firing")).to_be_visible()
        overview = looked_at(browser, found)
        overview.get_by_role("link", name="alert", exact=False).first.click()
        overview.get_by_role("button", name=words.ACKNOWLEDGE).first.click()
        expect(other.locator(".st-key-card-alert")).to_contain_text("acknowledged by")
        expect(other.get_by_role("button", name=words.ACKNOWLEDGE)).to_have_count(0)
        overview.close()
        other.close()


def _part(page: Page, group: str) -> Any:
    return page.get_by_text(words.GROUPS[group], exact=False).first
