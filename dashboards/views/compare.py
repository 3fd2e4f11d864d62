"""Compare: shifts, products, lines, days or weeks on one axis, and the OEE definitions side by side."""

from datetime import date
from html import escape
from typing import Final

import streamlit as st

from dashboards import cards, filters, frame, past, routes, texts
from dashboards.board import Board, Row
from dashboards.past import Question
from kpis.formats import NONE, count, day, hours, percent
from kpis.registry import DEFINITIONS, evaluate, evaluate_quantities
from storage import slices
from storage.slices import By, Slice

_FACTORS: Final = ("oee", "availability", "performance", "quality")
_BY: Final[dict[str, By]] = {
    "shift": "shift",
    "product": "product",
    "production_date": "production_date",
    "week": "week",
}


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.COMPARE, board, board.plant.name)
    chosen, definition = filters.chosen(board), filters.definition(board)
    by = st.segmented_control(
        texts.COMPARE_BY, list(texts.COMPARED), default="shift", required=True, wrap=True, key="by",
        bind="query-params", format_func=texts.COMPARED.__getitem__,
    ) or "shift"  # fmt: skip
    past.begin([_question(board, chosen, definition, by)])
    found = past.summed(chosen, definition)
    if found is None:
        past.nothing()
        return
    sums = found.sums
    st.html(
        cards.title(
            texts.COMPARED[by], texts.COMPARE_NOTE if by == "product" else f"{texts.COMPARE_NOTE} {texts.MIXED}"
        )
    )
    rows = _rows(board, chosen, definition, by)
    table = [(_compared(board, by, row, definition), "") for row in rows]
    if by != "line":
        table.append((_compared(board, None, sums, definition), "of-level"))
    st.html(cards.table(texts.COMPARE_HEAD, table))
    st.html(cards.title(texts.SIDE_BY_SIDE, texts.SIDE_BY_SIDE_NOTE))
    st.html(_definitions(chosen, sums, definition))


def _rows(board: Board, chosen: Slice, definition: str, by: str) -> list[Row]:
    """One row for each of what is compared, in an order of its own; what had no planned time is left out."""
    found = past.answer(_question(board, chosen, definition, by))
    return [row for row in found.iter_rows(named=True) if _planned(row, definition) or row["good"]]


def _question(board: Board, chosen: Slice, definition: str, by: str) -> Question:
    if by == "line":
        lines = tuple(board.lines)
        return Question(
            ("lines", chosen, definition), lambda reader: slices.sums(reader, chosen, definition, equipment=lines)
        )
    return Question(
        ("compared", chosen, definition, by), lambda reader: slices.sums(reader, chosen, definition, _BY[by])
    )


def _compared(board: Board, by: str | None, row: Row, definition: str) -> list[cards.Cell]:
    path = row["equipment"]
    target = board.target(path, "oee")
    name = _name(by, row)
    oee = row["oee"]
    bar = cards.bar(oee, target, f"{name}: {cards.against(oee, target)}")
    label = cards.link(routes.LOSSES.address, name, equipment=path) if by == "line" else escape(name)
    return [
        cards.Cell(html=label, title=path if by == "line" else "", classes="" if by == "line" else "of-keep"),
        cards.Cell(html=bar, classes="of-stretch"),
        cards.number(percent(oee), below=oee is not None and target is not None and oee < target),
        *(cards.number(percent(row[kpi]), more="of-wide") for kpi in _FACTORS[1:]),
        cards.number(hours(_planned(row, definition))),
        cards.number(count(row["good"]), more="of-wide"),
        cards.number(percent(row["coverage"]), more="of-wide"),
    ]


def _name(by: str | None, row: Row) -> str:
    if by is None:
        return texts.TOTAL
    if by == "line":
        return cards.name(row["equipment"])
    value = row[by]
    if by in texts.OUTSIDE:
        return value or texts.OUTSIDE[by]
    told = NONE if value is None else day(date.fromisoformat(value))
    return texts.WEEK_OF.format(day=told) if by == "week" else told


def _definitions(chosen: Slice, sums: Row, shown: str) -> str:
    kpis = {name: evaluate(sums, name) for name in DEFINITIONS}
    times = {name: evaluate_quantities(sums, name) for name in DEFINITIONS}
    rows = [
        (
            [cards.Cell(told), *(cards.number(hours(int(times[name][quantity] or 0))) for name in DEFINITIONS)],
            "",
        )
        for quantity, told in texts.QUANTITIES.items()
    ]
    rows += [
        (
            [cards.Cell(texts.FACTORS[kpi]), *(cards.number(percent(kpis[name][kpi])) for name in DEFINITIONS)],
            "of-level" if kpi == "oee" else "",
        )
        for kpi in reversed(_FACTORS)
    ]
    heads = [texts.THIS_DEFINITION.format(name=name) if name == shown else name for name in DEFINITIONS]
    return cards.table((cards.name(chosen.equipment), *heads), rows)


def _planned(row: Row, definition: str) -> int:
    return int(evaluate_quantities(row, definition)["planned_production_us"] or 0)


frame.live(screen)
