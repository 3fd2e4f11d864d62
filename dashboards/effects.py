"""Decisions taking effect: they are sent, and the page says which windows changed, and from what to what."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Final

import streamlit as st

from dashboards import cards, corrections, frame, texts
from dashboards import texts_correcting as words
from dashboards.board import Board, Row
from dashboards.corrections import Change, Correction, Effect
from dashboards.door import Door
from dashboards.roles import Visitor
from kpis.errors import OeeflowError
from kpis.formats import NONE, count, day, duration, percent

_KEPT: Final = "effect"
_ATTEMPT: Final = "attempt"
_WINDOWS: Final = 12
_SHOWN: Final[dict[str, Callable[[float | None], str]]] = {
    "oee": percent, "availability": percent, "performance": percent, "quality": percent, "good": count, "scrap": count,
}  # fmt: skip


def carry_out(board: Board, correction: Correction, door: Door, visitor: Visitor) -> None:
    """Send a correction, wait for what it changes, and begin the page anew, which then shows it.

    Raises OeeflowError when it was not taken in.
    """
    with st.spinner(words.TAKING):
        effect = corrections.apply(board, correction, door, visitor)
    st.session_state[_KEPT] = effect
    st.session_state.pop(_ATTEMPT, None)
    st.rerun()


def attempt() -> uuid.UUID:
    """What a visitor tries to do: another one as soon as it is done, and the same as long as it is not."""
    tried: uuid.UUID = st.session_state.setdefault(_ATTEMPT, uuid.uuid4())
    return tried


@contextmanager
def told_if_not() -> Iterator[None]:
    """Say why something was not done."""
    try:
        yield
    except OeeflowError as error:
        text = f"{words.NOT_DONE}: {error}. {error.hint or ''}"
        st.html(cards.notice(text, "error", act=True))


def show(board: Board) -> None:
    """What the last decision of this visitor did, until he puts it away."""
    effect = st.session_state.get(_KEPT)
    if not isinstance(effect, Effect):
        return
    with frame.card("effect"):
        left, right = st.columns([8, 1])
        left.html(_told(board, effect))
        if right.button(words.PUT_AWAY, key="put-away", width="stretch"):
            del st.session_state[_KEPT]
            st.rerun()
        if effect.changes:
            rows = [(_cells(board, change), "") for change in effect.changes[:_WINDOWS]]
            st.html(cards.table(words.EFFECT_HEAD, rows, _caption(effect)))


def _told(board: Board, effect: Effect) -> str:
    title = cards.title(f"{words.DONE}: {cards.name(effect.correction.machine)}")
    lines = []
    if effect.spent_before != effect.spent_after:
        before, after = (_accounts(spent) for spent in (effect.spent_before, effect.spent_after))
        lines.append(words.EFFECT_TIME.format(before=before, after=after))
    if not effect.seen:
        lines.append(words.EFFECT_UNSEEN)
    elif not effect.changes:
        lines.append(words.EFFECT_NONE)
    return title + "".join(f"<p>{escape(line)}</p>" for line in lines)


def _accounts(spent: dict[str, int]) -> str:
    return ", ".join(f"{duration(us)} {texts.STATES[account]}" for account, us in spent.items()) or NONE


def _caption(effect: Effect) -> str:
    told = []
    if len(effect.changes) > _WINDOWS:
        told.append(words.MORE_WINDOWS.format(n=len(effect.changes) - _WINDOWS))
    if any(change.window["status"] == "open" for change in effect.changes):
        told.append(words.EFFECT_OPEN)
    return " ".join(told)


def _cells(board: Board, change: Change) -> list[cards.Cell]:
    row = change.window
    return [
        cards.Cell(cards.name(row["equipment"]), title=row["equipment"], classes="of-keep"),
        cards.Cell(_window(row), classes="of-keep"),
        *(_figure(change, name) for name in _SHOWN),
    ]


def _window(row: Row) -> str:
    told = day(row["production_date"])
    if row["by"] == "shift":
        told += f", {row['shift'].partition('/')[2]}"
    return f"{told} ({words.OPEN})" if row["status"] == "open" else told


def _figure(change: Change, name: str) -> cards.Cell:
    before, after = (NONE if row is None else _SHOWN[name](row[name]) for row in (change.before, change.after))
    if before == after:
        return cards.Cell(after, classes="of-num of-fade")
    return cards.Cell(html=f"{escape(before)} \u2192 <b>{escape(after)}</b>", classes="of-num")
