"""The parts of the page that corrects the past: what a stretch is, what can be made of it, and pieces to scrap."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Final

import polars as pl
import streamlit as st

from dashboards import cards, charts, corrections, effects, reading, texts
from dashboards import texts_correcting as words
from dashboards import timeline as states
from dashboards.board import Board, Row, micros
from dashboards.corrections import CATEGORIES, Correction, Event, Ruling
from dashboards.door import Door
from dashboards.roles import Right, Visitor
from kpis.errors import ConfigError
from kpis.formats import clock, count, duration, local, moment, plain
from storage.corrections import good_pieces
from storage.grains import MINUTE_US
from storage.selection import Selection

_AROUND_US: Final = 30 * MINUTE_US
_LONGEST_NOTE: Final = 200


@dataclass(frozen=True)
class Desk:
    """What a decision is made with: what is known, the way to the engine, and who decides."""

    board: Board
    door: Door
    visitor: Visitor

    def rule(self, stretch: Row, start: int, end: int, ruling: Ruling) -> Event:
        """The event that says what a time of the machine of a stretch was."""
        return corrections.rule(self.board.plant, stretch["equipment"], start, end, ruling, self.visitor.name)

    def send(self, machine: str, start: int, end: int, events: list[Event], right: Right = Right.RECLASSIFY) -> None:
        """Have a correction take effect, and show what changed."""
        correction = Correction(machine, start, end, tuple(events), right)
        effects.carry_out(self.board, correction, self.door, self.visitor)


def queued(found: pl.DataFrame, kind: str, at_least_us: int) -> pl.DataFrame:
    """The stretches of a kind that are at least so long: down without a reason, any stop, unknown time, or all."""
    kinds = {
        "unclassified": (pl.col("category") == "down") & pl.col("reason").is_null(),
        "long": pl.col("category").is_in(["down", "idle"]),
        "unknown": pl.col("category") == "unknown",
        "all": pl.lit(value=True),
    }
    return found.filter(kinds[kind] & (pl.col("us") >= at_least_us))


def told(board: Board, stretch: Row) -> None:
    """What is known about a stretch, and what its machine did around it."""
    start, end = _bounds(stretch)
    facts = [
        (words.BEGAN, _second(board, start)),
        (words.ENDED, words.STILL if stretch["open"] else _second(board, end)),
        (words.LASTED, duration(stretch["duration_us"])),
        (words.COUNTED, duration(stretch["us"])),
        (words.STATE, texts.STATES[stretch["account"]]),
        (words.REASON, stretch["label"] or texts.NO_REASON),
    ]
    st.html(cards.strip(stretch["equipment"], facts))
    first, last = start - _AROUND_US, min(end + _AROUND_US, board.horizon)
    asked = Selection(stretch["equipment"], None, first, last)
    timeline = reading.read(("around", asked), lambda reader: reader.timeline(asked))
    shown = states.told(timeline, board.labels, board.zone)
    rows = states.rows(shown, [stretch["equipment"]], first, last, board.zone)
    st.vega_lite_chart(rows, charts.TIMELINE, width="stretch", theme=None, alt=words.AROUND, key="around")


def decide(desk: Desk, stretch: Row, found: pl.DataFrame) -> None:
    """What can be made of a stretch: another reason, two parts, or one with its neighbour."""
    deed = st.segmented_control(
        words.DEED, list(words.DEEDS), default="set", required=True, key="deed", label_visibility="collapsed",
        format_func=words.DEEDS.__getitem__,
    )  # fmt: skip
    if stretch["open"]:
        st.html(f'<p class="of-note">{words.OPEN_NOTE.format(clock=clock(desk.board.horizon, desk.board.zone))}</p>')
    {"set": _set, "split": _split, "merge": _merge}[deed or "set"](desk, stretch, found)


def _set(desk: Desk, stretch: Row, found: pl.DataFrame) -> None:
    key, (start, end) = _key(stretch), _bounds(stretch)
    with st.form(f"set-{key}", border=False):
        st.html(f'<p class="of-note">{words.SET_NOTE}</p>')
        ruling = _ruling(desk, found, key)
        pressed = st.form_submit_button(words.SET, type="primary")
    if pressed:
        with effects.told_if_not():
            desk.send(stretch["equipment"], start, end, [desk.rule(stretch, start, end, ruling)])


def _split(desk: Desk, stretch: Row, found: pl.DataFrame) -> None:
    key, (start, end) = _key(stretch), _bounds(stretch)
    with st.form(f"split-{key}", border=False):
        st.html(f'<p class="of-note">{words.SPLIT_NOTE}</p>')
        middle = local((start + end) // 2, desk.board.zone)
        at = st.text_input(words.SPLIT_AT, f"{middle:%H:%M:%S}", key=f"at-{key}")
        left, right = st.columns(2)
        with left:
            st.html(cards.title(words.FIRST_PART))
            first = _ruling(desk, found, f"first-{key}", side_by_side=False)
        with right:
            st.html(cards.title(words.SECOND_PART))
            second = _ruling(desk, found, f"second-{key}", side_by_side=False)
        pressed = st.form_submit_button(words.SPLIT, type="primary")
    if pressed:
        with effects.told_if_not():
            cut = corrections.instant_within(at, start, end, desk.board.zone)
            parts = [(start, cut, first), (cut, end, second)]
            if first.empty and second.empty:
                raise ConfigError(words.NOTHING_CHOSEN, hint=words.NOTHING_CHOSEN_HINT)
            events = [desk.rule(stretch, *part) for part in parts if not part[2].empty]
            desk.send(stretch["equipment"], start, end, events)


def _merge(desk: Desk, stretch: Row, found: pl.DataFrame) -> None:
    others = corrections.neighbours(found, stretch)
    if not others:
        st.html(cards.empty(words.NO_NEIGHBOUR))
        return
    key = _key(stretch)
    with st.form(f"merge-{key}", border=False):
        st.html(f'<p class="of-note">{words.MERGE_NOTE}</p>')
        other = st.radio(
            words.MERGE_WITH, range(len(others)), key=f"with-{key}",
            format_func=lambda number: _neighbour(desk.board, stretch, others[number]),
        )  # fmt: skip
        ruling = _ruling(desk, found, f"merged-{key}", stretch)
        pressed = st.form_submit_button(words.MERGE, type="primary")
    if pressed:
        with effects.told_if_not():
            bounds = [*_bounds(stretch), *_bounds(others[other])]
            start, end = min(bounds), max(bounds)
            desk.send(stretch["equipment"], start, end, [desk.rule(stretch, start, end, ruling)])


def _neighbour(board: Board, stretch: Row, other: Row) -> str:
    (start, end), (first, last) = _bounds(stretch), _bounds(other)
    gap = max(start - last, first - end)
    told = (
        moment(first, board.zone), duration(last - first), texts.STATES[other["account"]],
        other["label"] or texts.NO_REASON, words.BETWEEN.format(time=duration(gap)),
    )  # fmt: skip
    return " · ".join(map(plain, told))


def _ruling(desk: Desk, found: pl.DataFrame, key: str, like: Row | None = None, *, side_by_side: bool = True) -> Ruling:
    """Category, reason and note; `like` a stretch from the start, and then with a category in any case."""
    left, right = st.columns(2) if side_by_side else (st.container(), st.container())
    names = [None, *CATEGORIES] if like is None else list(CATEGORIES)
    first = 0 if like is None or like["category"] not in CATEGORIES else names.index(like["category"])
    category = left.selectbox(
        words.CATEGORY, names, index=first, key=f"category-{key}",
        format_func=lambda name: words.AS_TOLD if name is None else words.CATEGORIES[name],
    )  # fmt: skip
    with right:
        reason = _reason(desk, found, f"reason-{key}", None if like is None else like["reason"])
    note = st.text_input(words.NOTE, key=f"note-{key}", placeholder=words.NOTE_HINT, max_chars=_LONGEST_NOTE)
    return Ruling(category, reason, note.strip())


def _reason(desk: Desk, found: pl.DataFrame, key: str, first: str | None = None) -> str | None:
    """A reason of the plant file, or one that was told; where the file has none, one may be written."""
    known = desk.board.plant.reasons
    seen = {reason for reason in found["reason"].unique().to_list() if reason is not None}
    names = sorted({*known, *seen}, key=lambda name: known[name].label.casefold() if name in known else name)
    return st.selectbox(
        words.REASON, names, index=names.index(first) if first in names else None, key=key,
        placeholder=words.NO_REASON, accept_new_options=not known,
        format_func=lambda name: known[name].label if name in known else name,
    )  # fmt: skip


def move_pieces(desk: Desk, path: str, found: pl.DataFrame) -> None:
    """Good pieces that turned out to be scrap."""
    st.html(cards.title(words.PIECES, words.PIECES_NOTE))
    board, machines = desk.board, desk.board.counted_by(path)
    now = local(board.horizon, board.zone).replace(tzinfo=None, second=0, microsecond=0)
    with st.form("pieces", border=False):
        left, middle, right = st.columns([2, 2, 1])
        machine = left.selectbox(words.MACHINE, machines, key="pieces-machine", format_func=cards.name) or machines[0]
        at = middle.datetime_input(words.MADE_AT, now, key="pieces-at", step=timedelta(minutes=1))
        pieces = right.number_input(words.NUMBER, min_value=1, value=1, step=1, key="pieces-number")
        reason = _reason(desk, found, "pieces-reason")
        note = st.text_input(words.NOTE, key="pieces-note", placeholder=words.NOTE_HINT, max_chars=_LONGEST_NOTE)
        pressed = st.form_submit_button(words.MOVE, type="primary")
    if pressed:
        with effects.told_if_not():
            when = _made_at(board, at)
            good = reading.ask(lambda reader: good_pieces(reader, machine, when))
            if pieces > good:
                raise ConfigError(words.TOO_MANY.format(good=count(good)), hint=words.TOO_MANY_HINT)
            ruling, by = Ruling(None, reason, note.strip()), desk.visitor.name
            event = corrections.move_to_scrap(machine, when, pieces, ruling, by, effects.attempt())
            desk.send(machine, when, when + 1, [event], Right.MOVE_PIECES)


def _made_at(board: Board, at: datetime | None) -> int:
    """A local time in µs. Raises ConfigError unless it is accounted already."""
    us = None if at is None else micros(at.replace(tzinfo=board.zone))
    if us is None or us >= board.horizon:
        raise ConfigError(
            words.LATER_THAN_NOW, hint=words.LATER_THAN_NOW_HINT.format(clock=clock(board.horizon, board.zone))
        )
    return us


def decision(board: Board, row: Row) -> str:
    """What somebody decided, and when and by whom, as HTML."""
    who = escape(f"{row['by'] or words.SOMEBODY}, {moment(micros(row['decided_at']), board.zone)}")
    if row["type"] == "reclassify":
        what = " · ".join(
            part
            for part in (_category(board, row["state"]), row["label"] or (row["state"] and texts.NO_REASON))
            if part
        )
        start, end = micros(row["start"]) or 0, micros(row["end"]) or 0
        told = words.TO.format(start=moment(start, board.zone), end=clock(end, board.zone), what=what)
    else:
        told = _moved(board, row)
    note = f" <i>{escape(row['note'])}</i>" if row["note"] else ""
    undone = ""
    if row["undone_at"] is not None:
        by = row["undone_by"] or words.SOMEBODY
        undone = cards.badge(words.UNDONE.format(by=by, at=moment(micros(row["undone_at"]), board.zone)), "undo")
    return (
        f'<div class="of-decision{" of-undone" if undone else ""}"><b>{escape(cards.name(row["equipment"]))}</b> '
        f'<span>{escape(told)}</span>{note}<div class="of-fade">{who} {undone}</div></div>'
    )


def _moved(board: Board, row: Row) -> str:
    at, reason = moment(micros(row["ts"]), board.zone), row["label"]
    good, scrap, rework = (row[name] or 0 for name in ("good", "scrap", "rework"))
    if good == -scrap and not rework:
        told = words.SCRAPPED.format(n=count(scrap), at=at)
    else:
        told = words.COUNTED_BY_HAND.format(at=at, good=good, scrap=scrap, rework=rework)
    return f"{told} · {reason}" if reason else told


def _category(board: Board, state: str | None) -> str | None:
    if state is None:
        return None
    return words.CATEGORIES.get(board.plant.states.get(state, state), state)


def take_back(desk: Desk, row: Row, right: Right) -> None:
    """Undo a decision."""
    start = micros(row["start"] or row["ts"]) or 0
    end = micros(row["end"]) or start + 1
    with effects.told_if_not():
        desk.send(
            row["equipment"], start, end, [corrections.undo(row["equipment"], row["id"], desk.visitor.name)], right
        )


def _second(board: Board, us: int) -> str:
    return f"{moment(us, board.zone)}:{local(us, board.zone):%S}"


def _bounds(stretch: Row) -> tuple[int, int]:
    start, end = micros(stretch["start"]), micros(stretch["end"])
    assert start is not None
    assert end is not None
    return start, end


def _key(stretch: Row) -> str:
    return f"{stretch['equipment']}@{stretch['start']}"
