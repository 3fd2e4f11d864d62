"""What a page about the past is asked: equipment, days, shifts, products, orders. All of it stands in the address."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

import streamlit as st

from dashboards import reading, texts
from dashboards.board import Board
from kpis.formats import local
from kpis.registry import DEFINITIONS
from storage import slices
from storage.slices import OUTSIDE, Slice

Asked = Callable[[Slice, str], None]
"""Is told what is about to be asked: a slice of the past, by an OEE definition."""
_NARROWING: Final = ("shift", "product", "order", "definition")


def chosen(board: Board, asked: Asked | None = None) -> Slice:
    """The filters on the page, and the slice of the past that they select.

    `asked` is told of it before it is known what there is to choose from, if nothing has been chosen.
    """
    where, parts = where_and_when(board, asked)
    products = _several(parts[0], "product", texts.PRODUCTS, _there(where)["product"])
    orders = _several(parts[1], "order", texts.ORDERS, _there(where)["order"])
    usual = DEFINITIONS.index(board.plant.oee_definition)
    parts[2].selectbox(texts.DEFINITION, DEFINITIONS, index=usual, key="definition", bind="query-params")
    return replace(where, products=products, orders=orders)


def where_and_when(
    board: Board, asked: Asked | None = None
) -> tuple[Slice, Sequence["st.delta_generator.DeltaGenerator"]]:
    """The filters for equipment, days and shifts, and what they select; and three places for more beside them."""
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        path = equipment(board)
    period = right.segmented_control(
        texts.PERIOD, list(texts.PERIODS), default="week", required=True, wrap=True, key="period", bind="query-params",
        format_func=texts.PERIODS.__getitem__,
    )  # fmt: skip
    first, last, shift = _days(board, path, period or "week")
    whole = Slice(path, first, last, shift)
    if asked is not None and not any(name in st.query_params for name in _NARROWING):
        asked(whole, definition(board))
    parts = st.columns(4, vertical_alignment="bottom")
    given = shift or _several(parts[0], "shift", texts.SHIFTS, _there(whole)["shift"])
    return replace(whole, shifts=given), parts[1:]


def _there(chosen: Slice) -> dict[str, list[str]]:
    days = replace(chosen, shifts=())
    return reading.past(("choices", days), lambda reader: slices.choices(reader, days))


def equipment(board: Board) -> str:
    """The equipment chosen, of those that have figures."""
    known = _known(board)
    return (
        st.selectbox(texts.EQUIPMENT, known, index=_first(board), key="equipment", bind="query-params")
        or board.lines[0]
    )


def or_all(title: str, known: Sequence[str], key: str, everything: str) -> str | None:
    """One of several, or all of them (None); what the address names but is not there any more is all."""
    if st.session_state.get(key) not in (None, *known):
        st.session_state[key] = None
    return st.selectbox(title, known, index=None, key=key, bind="query-params", placeholder=everything)


def definition(board: Board) -> str:
    """The OEE definition that figures are shown by."""
    picked = st.session_state.get("definition")
    return picked if picked in DEFINITIONS else board.plant.oee_definition


def shift(board: Board, path: str, first: date, last: date, key: str, title: str) -> str | None:
    """One shift of an equipment on these production days, the newest unless another is chosen; None: there is none.

    It is named as everywhere, `2026-03-24/late`, so that the address leads to the same one next year.
    """
    known = reading.past(("worked", path, first, last), lambda reader: slices.worked(reader, path, first, last))
    if st.session_state.get(key) not in (None, *known):
        st.session_state[key] = None
    return st.selectbox(title, known, index=0 if known else None, key=key, bind="query-params")


def today(board: Board, path: str) -> date:
    """The production day that an equipment is in."""
    days = [board.machines[one]["production_date"] for one in board.timed_by(path) if one in board.machines]
    return max(days, default=local(board.horizon, board.zone).date())


def _known(board: Board) -> list[str]:
    return [path for path in board.plant.equipment if board.timed_by(path)]


def _first(board: Board) -> int:
    return _known(board).index(board.lines[0])


def _days(board: Board, path: str, period: str) -> tuple[date, date, tuple[str, ...]]:
    last = today(board, path)
    if period == "shift":
        row = board.shift_of.get(path)
        if row is not None and row["shift"] is not None:
            day, _, name = str(row["shift"]).partition("/")
            return date.fromisoformat(day), date.fromisoformat(day), (name,)
        return last, last, ()
    if period == "dates":
        return *_dates(board, last), ()
    return last - timedelta(days=texts.PERIOD_DAYS[period] - 1), last, ()


def _dates(board: Board, last: date) -> tuple[date, date]:
    earliest = local(board.first, board.zone).date()
    left, right = st.columns(2)
    least, most = min(earliest, last) - timedelta(days=1), last + timedelta(days=1)
    begin = max(earliest, last - timedelta(days=6))
    first = left.date_input(texts.FROM, begin, least, most, key="from", bind="query-params")
    until = right.date_input(texts.UNTIL, last, least, most, key="to", bind="query-params")
    return min(first, until), max(first, until)


def _several(place: "st.delta_generator.DeltaGenerator", name: str, title: str, there: list[str]) -> tuple[str, ...]:
    """A choice among what there is; what the address names but is not there any more selects nothing."""
    if not isinstance(st.session_state.get(name, []), list):  # left by a page that takes one of them
        del st.session_state[name]
    picked = place.multiselect(
        title, there, key=name, bind="query-params", placeholder=texts.ALL,
        format_func=lambda value: texts.OUTSIDE[name] if value == OUTSIDE else value,
    )  # fmt: skip
    return tuple(picked)
