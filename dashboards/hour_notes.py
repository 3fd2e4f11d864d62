"""What is said about the hours of a line: beside each hour, all that was said before, and a form to say it."""

import uuid
from html import escape
from typing import Any, Final

import streamlit as st

from dashboards import cards, deeds, door, roles, texts
from dashboards.board import HOUR_US, Board
from dashboards.door import Door, DoorClosed
from dashboards.roles import Right
from kpis.formats import clock, since
from storage import hour_notes
from storage.hour_notes import HourNotes

_HEAD: Final = texts.NOTES_HEAD


def cell(board: Board, notes: HourNotes | None) -> cards.Cell:
    """What holds of an hour: the comment with who said it, and who signed it off."""
    if notes is None:
        return cards.Cell(classes="of-wide")
    said, signed = notes.said, notes.signed
    parts = []
    if said is not None:
        changed = f" ({texts.NOTE_CHANGED.format(n=notes.revision)})" if notes.revision else ""
        parts.append(f'{escape(said["comment"])} <span class="of-fade">{escape(said["by"] + changed)}</span>')
    if signed is not None:
        at = since(signed["at"], board.horizon, board.zone)
        parts.append(cards.badge(texts.HOUR_SIGNED.format(by=signed["by"]), "draw", title=at))
    return cards.Cell(html=" ".join(parts), classes="of-wide")


def all_of(board: Board, notes: dict[int, HourNotes]) -> None:
    """Everything that was said about these hours, and when, with what no longer holds."""
    rows = [
        (
            [
                cards.Cell(clock(row["hour"], board.zone), classes="of-keep"),
                cards.Cell(texts.NOTE_KINDS[row["kind"]] if not row["comment"] else row["comment"]),
                cards.Cell(row["by"]),
                cards.Cell(since(row["at"], board.horizon, board.zone), classes="of-keep of-fade"),
            ],
            "",
        )
        for hour in sorted(notes)
        for row in notes[hour].rows
    ]
    if rows:
        with st.expander(texts.ALL_NOTES.format(n=len(rows))):
            st.html(cards.table(_HEAD, rows))


def form(board: Board, path: str, first: int, last: int) -> None:
    """For those who may: a comment on an hour of a time (µs since 1970), and its sign-off.

    The last hour that is over is chosen first.
    """
    visitor = roles.visitor()
    if visitor is None or not visitor.may(Right.NOTE):
        return
    try:
        way = door.find()
    except DoorClosed:
        st.html(f'<p class="of-note">{escape(texts.NOTES_NEED_ENGINE)}</p>')
        return
    hours = list(range(first, last, HOUR_US))
    over = [hour for hour in hours if hour + HOUR_US <= board.horizon]
    with st.form(f"note-{path}", border=False, clear_on_submit=True):
        left, middle, right = st.columns([1, 3, 2], vertical_alignment="bottom")
        hour = left.selectbox(
            texts.HOUR, hours, index=hours.index(over[-1]) if over else 0, key=f"note-hour-{path}",
            format_func=lambda at: clock(at, board.zone),
        )  # fmt: skip
        comment = middle.text_input(texts.NOTE, max_chars=500, key=f"note-text-{path}", placeholder=texts.NOTE_HINT)
        with right.container(horizontal=True):
            keep = st.form_submit_button(texts.KEEP_NOTE, key=f"note-keep-{path}")
            sign = st.form_submit_button(texts.SIGN_HOUR, key=f"note-sign-{path}", icon=":material/draw:")
    if keep:
        _send(way, {"equipment": path, "hour": hour, "kind": "comment", "comment": comment.strip()})
    if sign:
        _send(way, {"equipment": path, "hour": hour, "kind": "sign"})


def _send(way: Door, note: dict[str, Any]) -> None:
    visitor = roles.visitor()
    assert visitor is not None  # no page is shown to nobody
    name = uuid.uuid4().hex
    deeds.carry_out(lambda: way.note(visitor, {**note, "note": name}), lambda reader: hour_notes.kept(reader, name))
