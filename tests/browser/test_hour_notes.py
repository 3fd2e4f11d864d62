"""What people say about an hour: on the line's page by the running engine, in the report, after the store is lost."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from dashboards import board, cards, hour_notes, roles, routes, texts
from dashboards.door import Door, find
from dashboards.roles import Role, Visitor
from kpis.errors import ConfigError
from kpis.hour_notes import read_note
from kpis.plant import load_plant
from storage.hour_notes import HourNotes
from storage.reader import Reader
from storage.reports import reading
from storage.reports.content import HourNote
from tests.browser import stores
from tests.browser.stores import LINE
from tests.browser.test_pages import opened, told
from tests.engine import queried
from tests.running import Engine, running, until

SEVEN = round(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp() * 1e6)  # 07:00 local
LEAD = Visitor("kim", Role.LEAD)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine of the small plant's own, because it is going to lose its store."""
    (tmp_path / "plant.toml").write_text(stores.PLANT)
    with running(tmp_path / "plant.toml", tmp_path / "kpi.duckdb") as engine:
        status, _ = engine.posted(*stores.story(), *stores.offline())
        assert status == 200
        yield engine


def said(way: Door, kind: str, comment: str | None = None) -> None:
    """Kim says something about the hour from 07:00, or signs it off."""
    note: dict[str, Any] = {"equipment": LINE, "hour": SEVEN, "kind": kind}
    way.note(LEAD, note | ({"comment": comment} if comment is not None else {}))


def test_what_is_said_is_kept_with_who_and_when(engine: Engine, served_here: pytest.MonkeyPatch) -> None:
    served_here.setenv("OEEFLOW_DB", str(engine.db))
    way = find()
    said(way, "comment", "belt torn")
    said(way, "comment", "belt torn, new one mounted")
    said(way, "sign")
    until(lambda: len(queried(engine.db, "SELECT * FROM hour_notes")) == 3)
    with Reader(engine.db) as reader:
        (note,) = reading.read(reader, LINE, "2026-03-02/early").notes
    assert isinstance(note, HourNote)
    assert (note.hour, note.comment, note.by, note.signed_by) == (SEVEN, "belt torn, new one mounted", "kim", "kim")
    report = re.sub(r"\s+", " ", told(opened(engine.db, routes.REPORT, served_here, shift="2026-03-02/early")))
    assert "07:00 belt torn, new one mounted kim kim" in report
    _on_the_page(engine, served_here)
    before = queried(engine.db, "SELECT * FROM hour_notes ORDER BY note")
    engine.stop()
    engine.db.unlink()
    shutil.rmtree(engine.places.snapshots)
    engine.start()
    engine.ready()
    until(lambda: queried(engine.db, "SELECT * FROM hour_notes ORDER BY note") == before)


def _on_the_page(engine: Engine, served_here: pytest.MonkeyPatch) -> None:
    """A lead comments and signs off, and what is said before stays to be seen; who looks on has no form.

    Also in the first hour of a shift, when the hour that is over is the last one of the shift before.
    """
    served_here.setenv(roles.ROLE, "viewer")
    assert list(opened(engine.db, routes.LINE, served_here, equipment=LINE).button) == []
    st.cache_resource.clear()
    served_here.setenv(roles.ROLE, "lead")
    app = opened(engine.db, routes.LINE, served_here, equipment=LINE)
    for comment in ("no material", "no material, called the warehouse"):
        app.text_input(key=f"note-text-{LINE}").set_value(comment)
        app.button(key=f"note-keep-{LINE}").click().run()
    app.button(key=f"note-sign-{LINE}").click().run()
    assert [str(error.value) for error in app.exception] == []
    page = re.sub(r"\s+", " ", told(app))
    assert re.search(r"no material \w+ .*no material, called the warehouse", page)
    assert f"{texts.NOTE_KINDS['sign']} " in page


def test_the_cell_of_an_hour_shows_what_holds(tmp_path: Path) -> None:
    stores.bottling(tmp_path / "kpi.duckdb")
    with Reader(tmp_path / "kpi.duckdb") as reader:
        shown = board.load(reader, load_plant(stores.PLANT))
    assert shown is not None
    at = SEVEN + 3_700_000_000
    first = {"note": "1", "kind": "comment", "comment": "no material", "by": "kim", "at": at}
    second = first | {"comment": "no material, called the <warehouse>", "by": "lee"}
    sign = first | {"kind": "sign", "comment": None, "by": "ada"}
    cell = hour_notes.cell(shown, HourNotes(SEVEN, (first, second, sign))).html
    holds = f"no material, called the &lt;warehouse&gt; lee ({texts.NOTE_CHANGED.format(n=1)}) signed off by ada"
    assert re.sub(r"<[^>]+>", "", cell.replace(cards.icon("draw"), "")) == holds
    assert "signed off" not in hour_notes.cell(shown, HourNotes(SEVEN, (first, sign, second))).html


def test_who_looks_on_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(roles.NotAllowed, match="may not comment on hours"):
        Door("http://127.0.0.1:1", "none").note(Visitor("kim", Role.VIEWER), {})


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"hour": SEVEN + 1}, "multiple"),
        ({"kind": "sign"}, "nothing else, has words"),
        ({"kind": "sign", "comment": None, "at": SEVEN + 1}, "not over"),
        ({"comment": None}, "has words"),
        ({"by": ""}, "by"),
    ],
)
def test_what_is_no_note_is_said(change: dict[str, Any], wrong: str) -> None:
    note = {"note": "a" * 32, "equipment": LINE, "hour": SEVEN, "kind": "comment", "by": "kim", "at": SEVEN,
            "comment": "jam"}  # fmt: skip
    assert read_note(json.dumps(note).encode()).comment == "jam"
    with pytest.raises(ConfigError, match=wrong):
        read_note(json.dumps(note | change).encode())
