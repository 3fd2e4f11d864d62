"""The page that corrects the past, on a running engine: what it asks for, what it says changed, who may do it."""

import getpass
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import roles, routes, texts
from dashboards import texts_correcting as words
from dashboards.door import Door, DoorClosed
from dashboards.roles import Right, Role, Visitor
from dashboards.routes import PAGES, Route
from kpis.formats import percent
from storage.corrections import decided
from storage.reader import Reader
from storage.running import Running
from storage.selection import Selection
from tests.browser.stores import FILLER, LINE, PACKER
from tests.browser.test_pages import opened, told
from tests.running import Engine

DAY = {"equipment": LINE, "period": "Dates", "from": "2026-03-02", "to": "2026-03-02"}
# Five hours planned, 269 minutes producing and one of a minor stop; 47 counts of 270 good pieces of a second each.
BEFORE = {"availability": 270 / 300, "oee": 47 * 270 / 18_000}


@pytest.fixture
def page(engine: Engine, served_here: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """The page as somebody with a role sees it."""

    def look(role: str = "lead", **query: str) -> AppTest:
        served_here.setenv(roles.ROLE, role)
        return opened(engine.db, routes.RECLASSIFY, served_here, **DAY, **query)

    return look


def said_by(app: AppTest) -> str:
    """All text of a page, with single spaces between its parts."""
    return re.sub(" +", " ", told(app))


def pressed(app: AppTest, label: str) -> str:
    """What the page says after a button was pressed."""
    (button,) = (button for button in app.button if button.label == label)
    button.click().run()
    assert [str(error.value) for error in app.exception] == []
    return said_by(app)


def chosen(widgets: Iterable[Any], label: str, value: object, number: int = 0) -> None:
    """Choose something by the label of its widget; in a form it holds when the form is sent."""
    found = [widget for widget in widgets if widget.label == label]
    found[number].set_value(value)


def shift(db: Path, path: str = FILLER) -> dict[str, Any]:
    """The early shift of the story."""
    with Reader(db) as reader:
        rows = reader.kpi("shift", Selection(path), "standard").to_dicts()
    return next(row for row in rows if row["shift"] == "2026-03-02/early")


def test_the_queue_has_the_stop_without_a_reason(page: Callable[..., AppTest]) -> None:
    app = page("viewer")
    assert [option.replace("\\", "") for option in app.radio[0].options] == ["Mon 2 Mar, 07:00 · filler"]
    assert words.LOOKS_ON.format(name=getpass.getuser(), role="viewer") in told(app)


def test_a_reason_changes_the_shift_and_is_undone(page: Callable[..., AppTest], engine: Engine) -> None:
    app = page()
    chosen(app.selectbox, words.CATEGORY, "planned")
    chosen(app.text_input, words.NOTE, "as agreed")
    said = pressed(app, words.SET)
    # Ten minutes less are planned: 270 of 290 minutes.
    assert f"{percent(0.9)} → {percent(270 / 290)}" in said
    assert f"{percent(0.705)} → {percent(47 * 270 / 17_400)}" in said
    assert "10\u202fmin Down became 10\u202fmin Planned stop" in said
    assert f"{getpass.getuser()}, " in said
    assert "as agreed" in said
    assert shift(engine.db)["availability"] == pytest.approx(270 / 290)
    assert shift(engine.db)["revision"] > 0
    back = pressed(app, words.UNDO)
    assert f"{percent(270 / 290)} → {percent(0.9)}" in back
    assert "undone by" in back
    assert {name: shift(engine.db)[name] for name in BEFORE} == pytest.approx(BEFORE)


def test_a_stop_is_split_and_its_parts_undone(page: Callable[..., AppTest], engine: Engine) -> None:
    app = page()
    app.segmented_control(key="deed").set_value("split").run()
    chosen(app.text_input, words.SPLIT_AT, "07:04:30")
    chosen(app.selectbox, words.CATEGORY, "setup", 1)
    said = pressed(app, words.SPLIT)
    assert "10\u202fmin Down became 5\u202fmin 30\u202fs Changeover, 4\u202fmin 30\u202fs Down" in said
    assert shift(engine.db)["setup_us"] == 330_000_000
    pressed(app, words.UNDO)
    assert shift(engine.db)["setup_us"] == 0


def test_a_stop_is_merged_with_the_next(page: Callable[..., AppTest], engine: Engine) -> None:
    app = page()
    app.segmented_control(key="deed").set_value("merge").run()
    said = pressed(app, words.MERGE)
    # From 07:00 to 09:21, the break from 08:00 included: 141 minutes, 30 of them no longer planned at all.
    assert "became 1\u202fh 51\u202fmin Down, 30\u202fmin Break" in said
    assert shift(engine.db)["break_us"] == 1_800_000_000
    pressed(app, words.UNDO)
    assert {name: shift(engine.db)[name] for name in BEFORE} == pytest.approx(BEFORE)


def test_pieces_go_from_good_to_scrap_once(page: Callable[..., AppTest], engine: Engine) -> None:
    app = page()
    chosen(app.datetime_input, words.MADE_AT, datetime(2026, 3, 2, 7, 30))  # noqa: DTZ001 (local, as people write it)
    chosen(app.number_input, words.NUMBER, 13_000)
    assert words.TOO_MANY.format(good="12\u202f596") in pressed(app, words.MOVE)
    chosen(app.number_input, words.NUMBER, 96)
    said = pressed(app, words.MOVE)
    assert "12\u202f596 → 12\u202f500" in said
    assert "94 → 190" in said
    row = shift(engine.db, PACKER)
    assert (row["good"], row["scrap"]) == (12_500, 190)
    pressed(app, words.UNDO)
    row = shift(engine.db, PACKER)
    assert (row["good"], row["scrap"]) == (12_596, 94)


def test_nothing_chosen_is_said_and_not_sent(page: Callable[..., AppTest], engine: Engine) -> None:
    with Reader(engine.db) as reader:
        before = decided(reader, [FILLER, PACKER], 14, 99).height
        assert words.NOT_DONE in pressed(page(), words.SET)
        assert decided(reader, [FILLER, PACKER], 14, 99).height == before


def test_only_an_admin_undoes_what_others_decided(page: Callable[..., AppTest], engine: Engine) -> None:
    event = {
        "id": "by-kim", "ts": "2026-03-02T12:00:00Z", "equipment": FILLER, "type": "count", "good": 0, "by": "kim"
    }  # fmt: skip
    assert engine.posted(event)[0] == 200
    (button,) = (one for one in page("lead").button if one.key == f"undo-{FILLER}-by-kim")
    assert button.disabled
    app = page("admin")
    (button,) = (one for one in app.button if one.key == f"undo-{FILLER}-by-kim")
    button.click().run()
    assert "undone by" in told(app)


def test_a_viewer_is_refused_before_anything_is_sent(engine: Engine) -> None:
    door = Door("http://127.0.0.1:1", "none")
    with pytest.raises(roles.NotAllowed, match="may not reclassify"):
        door.send(Visitor("kim", Role.VIEWER), Right.RECLASSIFY, [])
    with pytest.raises(DoorClosed, match="does not answer"):
        door.send(Visitor("kim", Role.LEAD), Right.RECLASSIFY, [])


def test_the_engine_refuses_without_its_token(engine: Engine) -> None:
    running = Running.read(engine.places)
    assert running is not None
    assert running.http is not None
    address = running.http
    with pytest.raises(DoorClosed, match="no valid token"):
        Door(address, "guessed").send(Visitor("kim", Role.ADMIN), Right.RECLASSIFY, [{"id": "x"}])
    token = engine.places.token.read_text(encoding="utf-8")
    with pytest.raises(DoorClosed, match="rejected"):
        Door(address, token).send(Visitor("kim", Role.ADMIN), Right.RECLASSIFY, [{"id": "x"}])


def test_without_an_engine_only_the_queue_is_there(filled: Path, served_here: pytest.MonkeyPatch) -> None:
    served_here.setenv(roles.ROLE, "admin")
    app = opened(filled / "bottling.duckdb", routes.RECLASSIFY, served_here, **DAY)
    assert words.NO_ENGINE in told(app)
    assert len(app.radio[0].options) == 1
    assert [button.label for button in app.button] == []


def test_a_token_that_cannot_be_read_is_said(page: Callable[..., AppTest], engine: Engine, tmp_path: Path) -> None:
    away = engine.places.token.rename(tmp_path / "token")
    try:
        app = page()
        assert words.NO_TOKEN.format(why="no such file or directory") in told(app)
        assert [button.label for button in app.button] == []
    finally:
        away.rename(engine.places.token)


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_every_page_by_role(filled: Path, role: Role | None, served_here: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        roles.OIDC_FILE: str(tmp_path / "login.toml"), roles.CLAIM: "groups", roles.LEADS: "leads",
        roles.ADMINS: "admins", "OEEFLOW_DB": str(filled / "alone.duckdb"),
    }.items():  # fmt: skip
        served_here.setenv(name, value)
    app = AppTest.from_file(Path(roles.__file__).with_name("app.py"), default_timeout=60)
    if role is not None:
        app.user = {"is_logged_in": True, "email": "kim@acme.example", "groups": [f"{role.name.lower()}s"]}
    app.run()
    for route in PAGES:
        if route is not PAGES[0]:
            app.switch_page(route.file).run()
        _as_shown_to(role, route, app)


def _as_shown_to(role: Role | None, route: Route, app: AppTest) -> None:
    assert [str(error.value) for error in app.exception] == []
    page = told(app)
    if role is None:
        assert words.SIGN_IN_FIRST in page
        assert [button.label for button in app.button] == [words.SIGN_IN]
        assert texts.AS_OF not in page
        return
    assert words.SIGNED_IN.format(name="kim@acme.example", role=words.ROLES[role]) in page
    assert texts.AS_OF in page or route is routes.TV
    if route is routes.RECLASSIFY:
        assert (words.NO_ENGINE in page) == (role >= Role.LEAD)
        assert (words.LOOKS_ON.partition(" {")[0] in page) == (role < Role.LEAD)


def test_headers_are_trusted_on_this_machine_only(filled: Path, served_here: pytest.MonkeyPatch) -> None:
    served_here.setenv(roles.USER_HEADER, "X-Forwarded-User")
    assert words.NO_NAME in told(opened(filled / "bottling.duckdb", routes.OVERVIEW, served_here))
