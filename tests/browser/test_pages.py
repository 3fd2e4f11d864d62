"""Every page of the route table, without a browser: it shows, and shows the figures of the reader."""

import html
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards import routes, texts
from dashboards.routes import PAGES, Route
from kpis.formats import count, percent
from storage.explaining import explain
from storage.reader import Reader
from storage.selection import Selection
from tests.browser.stores import LINE
from tests.engine import fill

APP = Path(__file__).parents[2] / "dashboards" / "app.py"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """No answers of another test's store."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def opened(db: Path, route: Route, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    """A page as it first shows."""
    monkeypatch.setenv("OEEFLOW_DB", str(db))
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    if route is not PAGES[0]:
        app.switch_page(route.file).run()
    assert [str(error.value) for error in app.exception] == []
    return app


def told(app: AppTest) -> str:
    """All text of a page."""
    parts = [element.proto.body for element in app.get("html")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)) for part in parts)


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.view)
@pytest.mark.parametrize("store", ["bottling", "alone", "empty", "large"])
def test_every_page_shows_without_an_error(
    filled: Path, store: str, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(filled / f"{store}.duckdb", route, monkeypatch)
    if store == "empty":
        assert texts.EMPTY_STORE in told(app)
    else:
        assert texts.UNREADABLE not in told(app)


def test_without_a_store_a_page_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(tmp_path / "none.duckdb", routes.OVERVIEW, monkeypatch)
    assert texts.UNREADABLE in told(app)
    assert "there is no store" in told(app)


def test_tiles_show_the_figures_of_the_reader(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = filled / "bottling.duckdb"
    page = told(opened(db, routes.OVERVIEW, monkeypatch))
    hour = 3_600_000_000
    with Reader(db) as reader:
        (now,) = reader.query("SELECT epoch_us(horizon) FROM horizons").row(0)
        last = reader.kpi(
            "sliding", Selection(LINE, None, now - hour, now), "standard", length_us=hour, step_us=60_000_000
        )
        shift = reader.kpi("shift", Selection(LINE), "standard").row(0, named=True)
    assert percent(last["oee"][-1]) in page
    assert percent(shift["oee"]) in page
    assert count(shift["good"]) in page


def test_open_alerts_hours_above_100_percent_and_unknown_states_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4,000 pieces of a second each in the first hour, hardly any in the next two, and a stop of two minutes now."""

    def event(minute: int, **content: object) -> dict[str, object]:
        at = f"2026-03-02T{6 + minute // 60:02}:{minute % 60:02}:00Z"
        return {"id": f"{minute}", "equipment": "a/line/press", "ts": at} | content

    toml = """
        [plant]
        name = "Ulm"
        [reasons.jam]
        label = "Jam"
        [equipment."a/line"]
        level = "line"
        [equipment."a/line/press"]
        level = "unit"
        ideal_cycle = "1s"
        [[alerts]]
        name = "down"
        when = { state = "down" }
        level = "unit"
    """
    story = [
        event(0, type="state", state="producing"),
        event(30, type="count", good=4_000),
        event(100, type="count", good=10),
        event(177, type="state", state="LAEUFT"),
        event(178, type="state", state="down", reason="jam"),
        event(180, type="status", online=True),
    ]
    fill(tmp_path / "kpi.duckdb", toml, [story])
    page = told(opened(tmp_path / "kpi.duckdb", routes.OVERVIEW, monkeypatch))
    assert texts.ATTENTION_ALERTS in page
    assert texts.ATTENTION_NONE not in page
    assert "111!" in page
    quality = told(opened(tmp_path / "kpi.duckdb", routes.DATA_QUALITY, monkeypatch))
    assert "State LAEUFT a/line/press" in re.sub(r"\s+", " ", quality)


def test_the_line_shows_the_figures_of_the_reader(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = filled / "bottling.duckdb"
    page = told(opened(db, routes.LINE, monkeypatch, equipment=LINE))
    with Reader(db) as reader:
        shift = reader.kpi("shift", Selection(LINE), "standard").row(0, named=True)
        hours = reader.kpi("hour", Selection(LINE), "standard")
    for name in ("oee", "availability", "performance", "quality"):
        assert percent(shift[name]) in page
    for good in hours["good"]:
        assert count(good) in page
    assert texts.STATES["down"] in page
    assert "Bottle jam <at> infeed & outfeed" in page


def test_losses_show_the_sums_of_the_reader(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = filled / "bottling.duckdb"
    page = told(opened(db, routes.LOSSES, monkeypatch))
    with Reader(db) as reader:
        day = reader.kpi("day", Selection(LINE), "standard").row(0, named=True)
    for name in ("oee", "availability", "performance", "quality", "coverage"):
        assert percent(day[name]) in page
    assert count(day["good"]) in page


def test_a_number_is_unfolded_to_its_value(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = filled / "bottling.duckdb"
    page = told(opened(db, routes.WHY, monkeypatch, equipment=LINE))
    with Reader(db) as reader:
        shift = reader.kpi("shift", Selection(LINE), "standard").row(0, named=True)
    assert percent(shift["oee"]) in page
    assert f"{shift['oee']:.6g}" in page


def test_the_last_hour_is_unfolded_to_its_value_and_its_events(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = filled / "bottling.duckdb"
    page = told(opened(db, routes.WHY, monkeypatch, equipment=LINE, by="sliding"))
    hour, minute = 3_600_000_000, 60_000_000
    with Reader(db) as reader:
        found = explain(reader, LINE, "sliding", None, "standard", length_us=hour, step_us=minute)
        row = reader.kpi("sliding", Selection(LINE), "standard", length_us=hour, step_us=minute).row(-1, named=True)
        again = explain(reader, LINE, "sliding", epoch(row["window_start"]), "standard", length_us=hour, step_us=minute)
    assert {name: found.row[name] for name in ("window_start", "window_end", "oee", "good")} == {
        name: row[name] for name in ("window_start", "window_end", "oee", "good")
    }
    assert again.row == found.row
    spent = dict(found.time_by_account().select("account", "us").iter_rows())
    assert spent == {"producing": row["producing_us"], "down": row["down_us"]}
    assert sum(spent.values()) == hour
    assert found.pieces.filter(pl.col("quality") == "good", "gives_pieces")["pieces"].sum() == row["good"]
    assert not found.events.is_empty()
    assert percent(row["oee"]) in page


def test_a_wall_shows_an_area_in_turns_and_by_night(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(filled / "large.duckdb", routes.TV, monkeypatch, equipment="acme/ulm/hall-1", lines="3", theme="night")
    wall = next(element.proto.body for element in app.get("html") if "of-wall-head" in element.proto.body)
    assert "of-wall of-night" in wall
    assert re.search(r"hall-1 · \d of 5", wall)
    assert 1 <= wall.count('class="of-band"') <= 3
    assert texts.NO_LINES in told(opened(filled / "large.duckdb", routes.TV, monkeypatch, equipment="acme/nowhere"))


def epoch(at: datetime) -> int:
    return round(at.timestamp()) * 1_000_000


def test_every_view_is_in_the_route_table() -> None:
    views = {path.stem for path in (APP.parent / "views").glob("*.py")} - {"__init__"}
    assert {route.view for route in PAGES} == views
    assert len({route.address for route in PAGES}) == len(PAGES)
