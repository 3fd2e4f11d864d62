"""Data quality: how far the figures can be trusted, machine by machine, and what could not be used."""

from html import escape
from typing import NamedTuple, Self

import polars as pl
import streamlit as st

from dashboards import attention, cards, frame, past, texts
from dashboards.board import Board, Row, micros
from dashboards.past import Question
from kpis.formats import count, duration, moment, percent, since
from storage import boards
from storage.selection import Selection

_DAY_US = 86_400_000_000
_SOON_S = 10  # whoever mends what sends events looks here whether it helped


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.QUALITY_OF_DATA, board, board.plant.name)
    days = st.segmented_control(
        texts.LOOK_BACK,
        [1, 7, 30],
        default=7,
        required=True,
        key="days",
        bind="query-params",
        format_func=lambda n: texts.DAYS_BACK.format(n=n),
    )
    asked = _Questions.of(board, board.horizon - (days or 7) * _DAY_US)
    past.begin(asked)
    st.html(cards.title(texts.MACHINES_TITLE, texts.MACHINES_NOTE))
    st.html(_machines(board, past.answer(asked.days), past.answer(asked.late)))
    left, right = st.columns(2, gap="medium")
    with left:
        st.html(cards.title(texts.INTAKE, texts.INTAKE_NOTE))
        st.html(_intake(board, past.answer(asked.intake)))
    with right:
        st.html(cards.title(texts.REJECTED, texts.REJECTED_NOTE))
        st.html(_rejected(board, past.answer(asked.rejections)))
    st.html(cards.title(texts.UNDECLARED, texts.UNDECLARED_NOTE))
    st.html(_undeclared(past.answer(asked.undeclared)))


class _Questions(NamedTuple):
    """What the page asks, from an instant on."""

    days: Question
    late: Question
    intake: Question
    rejections: Question
    undeclared: Question

    @classmethod
    def of(cls, board: Board, start: int) -> Self:
        definition, states = board.plant.oee_definition, board.plant.state_names
        whole, day = Selection(None, None, start, board.horizon + 1), start // _DAY_US
        return cls(
            Question(("quality of data", day), lambda reader: reader.kpi("day", whole, definition, history=False)),
            Question(("late", day), lambda reader: boards.late_changes(reader, start)),
            Question(("intake", day), lambda reader: boards.intake(reader, start), _SOON_S),
            Question("rejections", boards.rejections, _SOON_S),
            Question(("undeclared", day), lambda reader: boards.undeclared(reader, start, states)),
        )


def _machines(board: Board, days: pl.DataFrame, late: pl.DataFrame) -> str:
    changed = dict(late.iter_rows())
    columns = ("unknown_us", "overtime_us", "no_ideal")
    summed = {
        row["equipment"]: row for row in days.group_by("equipment").agg(pl.col(columns).sum()).iter_rows(named=True)
    }
    known = _coverage(days)
    rows = [
        (_machine(board, path, summed.get(path, {}), known.get(path), changed.get(path, 0)), "")
        for line in board.lines
        for path in board.machines_of(line)
    ]
    return cards.table(texts.MACHINES_HEAD, rows)


def _coverage(days: pl.DataFrame) -> dict[str, float | None]:
    """Coverage of all the days together, from what it is made of."""
    from kpis.elements import ACCOUNTS
    from kpis.registry import evaluate

    accounts = [f"{account}_us" for account in ACCOUNTS]
    sums = days.group_by("equipment").agg(pl.col(accounts).sum())
    return {row["equipment"]: evaluate(row)["coverage"] for row in sums.iter_rows(named=True)}


def _machine(board: Board, path: str, row: Row, coverage: float | None, changed: int) -> list[cards.Cell]:
    machine = board.machines[path]
    last = micros(machine["last_event"])
    quiet = None if last is None else board.horizon - last
    limit = board.plant.equipment[path].stale_after_us or attention.SILENT_AFTER_US
    silent = quiet is not None and quiet >= limit and machine["schedule"] == "scheduled"
    low = coverage is not None and coverage < texts.COVERAGE_LOW
    return [
        cards.Cell(path),
        cards.Cell(html=cards.state(machine["account"])),
        cards.number(duration(quiet), below=silent),
        cards.number(percent(coverage), below=low),
        cards.number(duration(row.get("unknown_us")) if row.get("unknown_us") else ""),
        cards.number(count(row.get("no_ideal")) if row.get("no_ideal") else "", below=True),
        cards.number(duration(row.get("overtime_us")) if row.get("overtime_us") else ""),
        cards.number(count(changed) if changed else ""),
    ]


def _intake(board: Board, found: pl.DataFrame) -> str:
    if found.is_empty():
        return cards.empty(texts.NO_INTAKE)
    rows = [
        (
            [
                cards.Cell((row["source"] or "").rsplit("/", 1)[-1], title=row["source"] or ""),
                *(cards.number(count(row[name])) for name in ("taken", "late", "duplicates", "rejected")),
                cards.number(since(micros(row["committed_at"]) or 0, board.horizon, board.zone)),
            ],
            "",
        )
        for row in found.iter_rows(named=True)
    ]
    return cards.table(texts.INTAKE_HEAD, rows)


def _rejected(board: Board, found: pl.DataFrame) -> str:
    if found.is_empty():
        return cards.empty(texts.NO_REJECTED)
    rows = [
        (
            [
                cards.Cell(row["reason"]),
                cards.number(count(row["events"]), below=True),
                cards.Cell(row["detail"] or ""),
                cards.number(moment(micros(row["last_at"]), board.zone)),
            ],
            "",
        )
        for row in found.iter_rows(named=True)
    ]
    return cards.table(texts.REJECTED_HEAD, rows)


def _undeclared(found: pl.DataFrame) -> str:
    if found.is_empty():
        return cards.empty(texts.NO_UNDECLARED)
    rows = [
        (
            [cards.Cell(texts.UNDECLARED_KINDS[kind]), cards.Cell(name), cards.Cell(html=escape(", ".join(equipment)))],
            "",
        )
        for kind, name, equipment in found.iter_rows()
    ]
    return cards.table(texts.UNDECLARED_HEAD, rows)


frame.live(screen)
