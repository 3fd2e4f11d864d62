"""Shift report: what is handed over, as on paper; signed off here, and taken as a file."""

from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

import streamlit as st

from dashboards import cards, filters, frame, reading, roles, texts
from dashboards.board import Board
from dashboards.roles import Right
from kpis.formats import moment
from storage.reports import reading as reports
from storage.reports import revisions, words
from storage.reports.content import Figure, Report
from storage.reports.sections import Row, Section, facts, sections, title
from storage.reports.writing import MEDIA_TYPES, FileKind, file_name, written

_DAYS: Final = 31
_MOST: Final = 25
"""Rows shown of a section: all hours of the longest day."""
_FILES: Final[tuple[FileKind, ...]] = ("pdf", "xlsx", "csv")
_RATIOS: Final = ("oee", "availability", "performance", "quality")
_LEFT: Final = ("text", "clock", "moment")
_HIDDEN: Final = {"waterfall": ("factor",), "hours": ("end", "difference", "lost_us"), "stops": ("lasted_us",)}
_SECONDARY: Final = ("machine", "state", "wanted", "rejected", "end", "by", "rework", "signed_at")
"""Columns that a phone leaves out."""


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.REPORT, board, board.plant.name)
    left, middle, right = st.columns([3, 2, 3], vertical_alignment="bottom")
    with left:
        path = filters.equipment(board)
    today = filters.today(board, path)
    with middle:
        first = min(today - timedelta(days=_DAYS), _asked(today))
        shift = filters.shift(board, path, first, today, "shift", texts.SHIFT)
    if shift is None:
        st.html(cards.empty(texts.NO_SHIFTS.format(n=_DAYS)))
        return
    content = reading.past(("report", path, shift), lambda reader: reports.read(reader, path, shift))
    now = revisions.current(reading.places(), content)
    with right:
        shown = _revision(now)
    _deeds(shown, latest=shown is now)
    with frame.card("sheet"):
        _sheet(shown)


def _asked(today: date) -> date:
    """The production day that the address names, however long ago; else today."""
    with suppress(ValueError):
        return date.fromisoformat(st.query_params.get("shift", "").partition("/")[0])
    return today


def _revision(now: Report) -> Report:
    """The report as of now, or one that was signed off."""
    content = now.content
    kept = revisions.kept(reading.places(), content.equipment, content.shift)
    there = [now, *(one for one in kept if one.revision != now.revision)]
    if len(there) == 1:
        return now
    told = {_told(one): one for one in there}
    if st.session_state.get("revision") not in (None, *told):
        st.session_state["revision"] = None
    return told[st.selectbox(texts.REVISION, list(told), key="revision", bind="query-params") or _told(now)]


def _told(report: Report) -> str:
    if report.signed is None:
        return texts.REVISION_NOW.format(n=report.revision)
    at = moment(report.signed.at, ZoneInfo(report.content.timezone))
    return texts.REVISION_KEPT.format(n=report.revision, at=at, by=report.signed.by)


def _deeds(report: Report, *, latest: bool) -> None:
    """Take it as a file; sign it off."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for kind in _FILES:
            st.download_button(
                texts.DOWNLOADS[kind], partial(written, report, kind), file_name(report, kind), MEDIA_TYPES[kind],
                icon=":material/download:", key=f"file-{kind}", on_click="ignore",
            )  # fmt: skip
        if report.signed is not None:
            st.html(cards.calm(_told(report)))
            return
        visitor = roles.visitor()
        if not latest or visitor is None or not visitor.may(Right.SIGN_OFF):
            return
        if st.button(
            texts.SIGN_OFF.format(name=visitor.name), icon=":material/draw:", type="primary", key="sign",
            disabled=not report.content.over,
            help=texts.SIGN_OFF_HELP.format(n=report.revision) if report.content.over else texts.SIGN_OFF_LATER,
        ):  # fmt: skip
            visitor.need(Right.SIGN_OFF)
            revisions.sign_off(reading.places(), report, visitor.name, frame.ticking() // 1_000)
            st.rerun()
    if report.revision > 1:
        st.html(cards.badge(texts.CHANGED_SINCE.format(n=report.revision - 1), "history", act=True))


def _sheet(report: Report) -> None:
    st.html(_head(report))
    parts = {section.name: section for section in sections(report)}
    for place, figures in zip(st.columns([3, 2], gap="large"), _figures(report, parts["figures"]), strict=True):
        place.html(figures)
    for names in (("waterfall", "hours"), ("stops", "reasons"), ("rejects", "made")):
        for place, name in zip(st.columns(2, gap="medium"), names, strict=True):
            place.html(_section(report, parts[name], words.SECTIONS[name]))
    if report.content.notes:
        st.html(_section(report, parts["notes"], words.SECTIONS["notes"]))
    st.html(_section(report, parts["corrections"], words.SECTIONS["corrections"]))
    if report.differences:
        told = words.DIFFERENCES.format(now=report.revision, before=report.revision - 1)
        st.html(_section(report, parts["differences"], told))


def _head(report: Report) -> str:
    told = dict(facts(report))
    lines = (
        f"{told['equipment']} · {texts.from_to(told['from'], told['to'])}",
        " · ".join((told["status"], f"{words.FACTS['as of']} {told['as of']}", told["definition"])),
        f"{words.FACTS['revision']} {told['revision']}, {told['signed']}",
    )
    notes = "".join(f'<p class="of-note">{escape(line)}</p>' for line in lines)
    return f'<h2 class="of-title">{escape(title(report.content))}</h2>{notes}'


def _figures(report: Report, section: Section) -> tuple[str, str]:
    """The ratios as bars against their targets, and everything else that was counted."""
    zone = ZoneInfo(report.content.timezone)
    told = {row.key: section.text(1, row, zone) for row in section.rows}
    named = {figure.name: figure for figure in report.content.figures}
    ratios = "".join(_ratio(named[name], told[words.FIGURES[name]]) for name in _RATIOS)
    rest = [(called, told[called]) for name, called in words.FIGURES.items() if name not in _RATIOS]
    if named["good"].target is not None:
        at = next(at for at, row in enumerate(section.rows) if row.key == words.FIGURES["good"])
        wanted = section.text(2, section.rows[at], zone)
        rest.insert(2, (words.WANTED, wanted))
    return f'<div class="of-kpi">{ratios}</div>', cards.facts(rest)


def _ratio(figure: Figure, told: str) -> str:
    name = words.FIGURES[figure.name]
    bar = cards.bar(figure.value, figure.target, f"{name}: {cards.against(figure.value, figure.target)}")
    return f'<span class="of-name">{name}</span>{bar}<span class="of-value">{told}</span>'


def _section(report: Report, section: Section, name: str) -> str:
    if not section.rows:
        return cards.title(name) + cards.calm(words.NOTHING[section.name])
    columns = [at for at, column in enumerate(section.columns) if column.name not in _HIDDEN.get(section.name, ())]
    head = [words.COLUMNS[section.columns[at].name] for at in columns]
    rows = [
        (
            [_cell(report, section, row, at) for at in columns] + _bar(report, section, row, number),
            "of-level" if row.level else "",
        )
        for number, row in enumerate(section.rows[:_MOST])
    ]
    more = words.MORE.format(n=len(section.rows) - _MOST) if len(section.rows) > _MOST else ""
    return cards.title(name) + cards.table([*head, ""] if section.name == "waterfall" else head, rows, more)


def _cell(report: Report, section: Section, row: Row, at: int) -> cards.Cell:
    column, kind = section.columns[at], section.kind(at, row)
    told = section.text(at, row, ZoneInfo(report.content.timezone))
    wide = "of-wide" if column.name in _SECONDARY else ""
    if kind not in _LEFT:
        return cards.number(told, more=wide)
    return cards.Cell(told, classes=f"{wide} of-keep" if kind != "text" else wide)


def _bar(report: Report, section: Section, row: Row, number: int) -> list[cards.Cell]:
    if section.name != "waterfall":
        return []
    if row.bar is None:
        return [cards.Cell(classes="of-wide of-stretch")]
    first, last = row.bar
    factor = report.content.steps[number].factor or ""
    return [cards.Cell(html=cards.step(first, last - first, factor), classes="of-wide of-stretch")]


frame.live(screen)
