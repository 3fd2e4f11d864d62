"""Conditions of alerts in SQL: what holds by their answers, and what is said of wrong ones."""

import json
from pathlib import Path

import pytest

from kpis.alert_watch import Held
from kpis.plant import load_plant
from storage import alert_questions
from storage.alert_questions import Questions
from tests.engine import opened
from tests.oracle.shorthand import LINE, PLANT, UNIT
from tests.running import until

UNITS = f'{PLANT}\n[equipment."{LINE}"]\nlevel = "line"\n[equipment."{UNIT}"]\nlevel = "unit"\n'


def asked(folder: Path, statement: str, *more: str) -> tuple[list[Held], str]:
    """What holds by the first answer to a question, and what is said about it."""
    lines = ["[[alerts]]", 'name = "r"', f"when = {{ sql = {json.dumps(statement)} }}", *more]
    plant = load_plant(UNITS + "\n".join(lines))
    said: list[str] = []
    with (
        opened(folder / "kpi", plant) as store,
        Questions(store.connection, plant, lambda rule, what: said.append(what)) as questions,
    ):
        until(lambda: questions.answered or said, 20)
    return questions.holding(), " ".join(said)


def test_rows_are_equipment_at_which_it_holds(tmp_path: Path) -> None:
    statement = f"SELECT equipment, value FROM (VALUES ('{UNIT}', 7), ('{LINE}', 8)) t(equipment, value); "
    assert asked(tmp_path, statement, 'level = "unit"') == ([Held(0, UNIT, value=7.0)], "")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT 1 AS x", "no column equipment"),
        ("DELETE FROM events", "syntax error"),
        ("SELECT a FROM nowhere", "nowhere"),
        ("SELECT content AS equipment FROM read_text('/etc/hosts')", "not for readers"),
        ("SELECT range::VARCHAR AS equipment FROM range(2000)", "more than 1,000 rows"),
        ("SELECT range::VARCHAR AS equipment FROM range(2)", "that the plant file does not have"),
        ("SELECT equipment FROM events", ""),
    ],
)
def test_what_is_wrong_is_said(statement: str, found: str, tmp_path: Path) -> None:
    held, said = asked(tmp_path, statement)
    assert held == []
    assert found in said.lower() if found else said == ""


def test_what_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_questions, "SECONDS", 0.2)
    statement = "SELECT count(*)::VARCHAR AS equipment FROM range(10000000000) a, range(100) b"
    assert asked(tmp_path, statement) == ([], "stopped after 0.2 s")
