"""Reclassify: stops that want a reason, what to make of one, and what was decided lately. Each decision is an event."""

from collections.abc import Sequence
from typing import Final

import polars as pl
import streamlit as st

from dashboards import cards, correction_forms, door, effects, filters, frame, reading, roles, texts
from dashboards import texts_correcting as words
from dashboards.board import Board, Row, micros
from dashboards.correction_forms import Desk
from dashboards.door import Door, DoorClosed
from dashboards.roles import Right
from kpis.formats import count, duration, moment, plain
from storage import boards, corrections
from storage.grains import MINUTE_US

_LONGER_THAN: Final = (2, 5, 10, 15, 30, 60)
_LONG: Final = 10
_MOST: Final = 25
_DAYS: Final = 14
_DECIDED: Final = 20


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.RECLASSIFY, board, board.plant.name)
    opened = _door()
    effects.show(board)
    chosen, rest = filters.where_and_when(board)
    machines = _machines(board, chosen.equipment, rest[0])
    found = reading.read(
        ("stretches", chosen, tuple(machines)), lambda reader: corrections.stretches(reader, chosen, machines)
    )
    queue = _wanted(found, rest[1:])
    left, right = st.columns([2, 3], gap="medium")
    with left, frame.card("queue"):
        stretch = _picked(board, queue)
    with right:
        if stretch is not None:
            with frame.card("stretch"):
                correction_forms.told(board, stretch)
                if opened is not None:
                    correction_forms.decide(Desk(board, opened, _visitor()), stretch, found)
        if opened is not None:
            with frame.card("pieces"):
                correction_forms.move_pieces(Desk(board, opened, _visitor()), chosen.equipment, found)
    _lately(board, opened, chosen.equipment)


def _visitor() -> roles.Visitor:
    visitor = roles.visitor()
    assert visitor is not None  # no page is shown to nobody
    return visitor


def _door() -> Door | None:
    """The way to the engine for those who may write; else it is said why nothing can be changed."""
    visitor = _visitor()
    if not visitor.may(Right.RECLASSIFY):
        st.html(cards.notice(words.LOOKS_ON.format(name=visitor.name, role=words.ROLES[visitor.role]), "visibility"))
        return None
    try:
        return door.find()
    except DoorClosed as closed:
        st.html(cards.notice(f"{words.ONLY_QUEUE}: {closed}. {closed.hint}", "power_off"))
        return None


def _machines(board: Board, path: str, place: "st.delta_generator.DeltaGenerator") -> list[str]:
    """Those whose time makes the figures of the equipment, or every one in it."""
    if place.toggle(texts.ALL_MACHINES, key="machines", bind="query-params", help=texts.ALL_MACHINES_HELP):
        return reading.read(("below", path), lambda reader: boards.below(reader, path))
    return board.timed_by(path)


def _wanted(found: pl.DataFrame, places: "Sequence[st.delta_generator.DeltaGenerator]") -> pl.DataFrame:
    """The stretches of the kind and length that are asked for, the longest first."""
    kind = places[0].segmented_control(
        words.SHOW, list(words.QUEUES), default="unclassified", required=True, wrap=True, key="queue",
        bind="query-params", format_func=words.QUEUES.__getitem__,
    )  # fmt: skip
    minutes = places[1].selectbox(
        words.LONGER_THAN, _LONGER_THAN, index=_LONGER_THAN.index(_LONG), key="longer", bind="query-params",
        format_func=lambda n: texts.MINUTES.format(n=n),
    )  # fmt: skip
    return correction_forms.queued(found, kind or "unclassified", (minutes or _LONG) * MINUTE_US)


def _picked(board: Board, queue: pl.DataFrame) -> Row | None:
    """The queue, and the stretch that is picked in it; None: there is none."""
    st.html(cards.title(words.QUEUE))
    rows = {f"{row['equipment']}@{row['start']}": row for row in queue.head(_MOST).iter_rows(named=True)}
    if not rows:
        st.html(cards.calm(words.QUEUE_CALM))
        return None
    if st.session_state.get("stretch") not in rows:
        st.session_state["stretch"] = next(iter(rows))
    picked = st.radio(
        words.QUEUE, list(rows), key="stretch", label_visibility="collapsed",
        format_func=lambda key: _headline(board, rows[key]),
        captions=[_caption(row) for row in rows.values()],
    )  # fmt: skip
    if queue.height > _MOST:
        st.html(f'<p class="of-note">{words.QUEUE_MORE.format(n=_MOST, all=count(queue.height))}</p>')
    return rows[picked] if picked else None


def _headline(board: Board, row: Row) -> str:
    """What does not change while a stop goes on: a choice whose words change is lost."""
    return f"{plain(moment(micros(row['start']), board.zone))} · {plain(cards.name(row['equipment']))}"


def _caption(row: Row) -> str:
    told = [
        duration(row["duration_us"]),
        texts.STATES[row["account"]],
        row["label"] or texts.NO_REASON,
        words.STILL if row["open"] else None,
    ]
    told.append(None if row["shift"] is None else row["shift"].partition("/")[2])
    return " · ".join(plain(part) for part in told if part)


def _lately(board: Board, opened: Door | None, path: str) -> None:
    """What was decided, by whom and when; with a button to undo it for those who may."""
    st.html(cards.title(words.LATELY, words.LATELY_NOTE.format(days=_DAYS)))
    machines = reading.read(("below", path), lambda reader: boards.below(reader, path))
    rows = reading.read(("decided", path), lambda reader: corrections.decided(reader, machines, _DAYS, _DECIDED))
    if rows.is_empty():
        st.html(cards.empty(words.NOTHING_LATELY.format(days=_DAYS)))
        return
    with frame.card("lately"):
        for row in rows.iter_rows(named=True):
            _decision(board, opened, row)


def _decision(board: Board, opened: Door | None, row: Row) -> None:
    left, right = st.columns([8, 1], vertical_alignment="center")
    left.html(correction_forms.decision(board, row))
    if opened is None or row["undone_at"] is not None:
        return
    visitor = _visitor()
    right_needed = Right.UNDO_OWN if row["by"] == visitor.name else Right.UNDO
    pressed = right.button(
        words.UNDO, key=f"undo-{row['equipment']}-{row['id']}", icon=":material/undo:",
        disabled=not visitor.may(right_needed), help=None if visitor.may(right_needed) else words.OTHERS,
    )  # fmt: skip
    if pressed:
        correction_forms.take_back(Desk(board, opened, visitor), row, right_needed)


frame.still(screen)
