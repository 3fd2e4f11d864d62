"""What every page has: a head with the age of the data, a part that renews itself, words for when nothing is there."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Final

import streamlit as st

from dashboards import cards, reading, texts
from dashboards.board import Board
from dashboards.routes import Route
from kpis.errors import OeeflowError
from kpis.formats import clock, day, duration, local

LATE_US: Final = 120_000_000
RECORDED_US: Final = 86_400_000_000


def live(screen: Callable[[Board], None]) -> None:
    """Show what `screen` makes of the board, anew every few seconds. There is one such part on a page."""

    @st.fragment(run_every=reading.REFRESH_S)
    def refreshed() -> None:
        still(screen)

    refreshed()


def still(screen: Callable[[Board], None]) -> None:
    """Show what `screen` makes of the board, or what is said when there is none."""
    with said():
        board = reading.board()
        if board is None:
            st.html(cards.empty(texts.EMPTY_STORE, texts.EMPTY_STORE_HINT))
        else:
            screen(board)


@contextmanager
def said() -> Iterator[None]:
    """Say what is wrong with the store, instead of failing; the next refresh tries again."""
    try:
        yield
    except OeeflowError as error:
        st.html(cards.empty(texts.UNREADABLE, f"{error}. {error.hint or ''}"))


def head(title: str, board: Board, above: str = "") -> None:
    """The head of a page: where it is, its title, and as of when its figures are."""
    over = f'<span class="of-above">{escape(above)}</span>' if above else ""
    told = f'<div class="of-asof">{as_of(board)}</div>'
    st.html(f'<div class="of-head"><h1>{over}{escape(title)}</h1>{told}</div>')


def as_of(board: Board) -> str:
    """As of when figures are, and how old that is, as HTML."""
    at = local(board.horizon, board.zone)
    return f"{texts.AS_OF} <b>{clock(board.horizon, board.zone)}</b> {day(at)} · {_age(board.horizon)}"


def ticking() -> int:
    """A number that is another one at every refresh."""
    return time.time_ns()


def card(name: str) -> "st.delta_generator.DeltaGenerator":
    """A white surface for what belongs together; `name` is unique on the page."""
    return st.container(key=f"card-{name}")


def link(route: Route, label: str, symbol: str = "", **query: str) -> None:
    """A link to another page of ours, with what it is to show."""
    icon = f":material/{symbol}:" if symbol else ""
    st.page_link(route.file, label=label, icon=icon, query_params=query)


def _age(horizon: int) -> str:
    if (note := reading.store().note) is not None:
        return f'<span class="of-late">{escape(note)}</span>'
    age = time.time_ns() // 1_000 - horizon
    if age < LATE_US:
        return texts.LIVE
    if age < RECORDED_US:
        return f'<span class="of-late">{escape(texts.OLD.format(age=duration(age)))}</span>'
    return texts.RECORDED
