"""Losses: where the time went, how much it cost, and which stops it was."""

from html import escape
from typing import Any

import polars as pl
import streamlit as st

from dashboards import cards, charts, frame, losses, past, reading, texts
from dashboards.board import Board, Row, micros
from dashboards.past import Past, Question
from kpis.formats import clock_duration, count, day, duration, moment, percent
from storage import boards, slices
from storage.slices import Slice

_STOPS = 200


def screen(board: Board) -> None:
    """The page from top to bottom."""
    asked = past.selected(board, texts.LOSSES, _questions)
    if asked is None:
        return
    chosen, definition, sums = asked.chosen, asked.definition, asked.sums
    st.html(_headline(board, chosen, sums))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.html(cards.title(texts.CASCADE, texts.CASCADE_NOTE))
        st.html(_cascade(sums, definition))
    with right:
        _six(chosen)
    with frame.card("pareto"):
        _pareto(board, chosen)
    if chosen.first != chosen.last:
        with frame.card("trend"):
            _trend(board, asked)


def _questions(chosen: Slice, _: str) -> list[Question]:
    return [_six_of(chosen), _downtime_of(chosen, None)]


def _six_of(chosen: Slice) -> Question:
    return Question(("six", chosen), lambda reader: slices.six_big_losses(reader, chosen))


def _downtime_of(chosen: Slice, machines: list[str] | None) -> Question:
    key = ("downtime", chosen, None if machines is None else tuple(machines))
    return Question(key, lambda reader: slices.downtime(reader, chosen, machines))


def _headline(board: Board, chosen: Slice, sums: Row) -> str:
    target = board.target(chosen.equipment, "oee")
    values = [(texts.FACTORS[kpi], percent(sums[kpi])) for kpi in ("oee", "availability", "performance", "quality")]
    values += [(texts.GOOD_PIECES, count(sums["good"])), (texts.SCRAP, count(sums["scrap"] + sums["rework"]))]
    values += [(texts.COVERAGE_NAME, percent(sums["coverage"]))]
    if target is not None:
        values.insert(1, (texts.OEE_TARGET, percent(target, 0)))
    return cards.strip(chosen.equipment, values, texts.from_to(day(chosen.first), day(chosen.last)))


def _cascade(sums: Row, definition: str) -> str:
    rows = []
    for row in losses.cascade(sums, definition):
        name = texts.STEPS[row.name] if row.factor is None else f"\u2212 {texts.STEPS[row.name]}"
        bar = "" if row.left is None or row.width is None else cards.step(row.left, row.width, row.factor or "")
        told = texts.BELONGS_TO.get(row.factor or "", "")
        warn = f" {cards.badge(texts.FLAGS[row.flag], 'warning', act=True)}" if row.flag else ""
        cells = [
            cards.Cell(html=f"{escape(name)}{warn}", title=told),
            cards.Cell(html=bar, classes="of-wide of-stretch"),
            cards.number(clock_duration(row.us)),
            cards.number("" if row.share is None else percent(row.share)),
            cards.number(count(row.pieces) if row.pieces is not None else ""),
        ]
        rows.append((cells, "of-level" if row.factor is None else ""))
    return cards.table(texts.CASCADE_HEAD, rows) + _factors()


def _factors() -> str:
    parts = (
        f'<span><span class="of-key of-f-{factor}"></span>{escape(name)}</span>'
        for factor, name in texts.BELONGS_TO.items()
    )
    return f'<div class="of-legend" style="margin-top:.5rem">{"".join(parts)}</div>'


def _six(chosen: Slice) -> None:
    st.html(cards.title(texts.SIX_TITLE, texts.SIX_NOTE))
    days = past.answer(_six_of(chosen))
    six = losses.six_of_all(days)
    losing: list[int] = six["us"].to_list()
    total, most = sum(losing), max(*losing, 1)
    rows = []
    for row in six.sort("us", descending=True).iter_rows(named=True):
        warn = f" {cards.badge(texts.FLAGS[row['flag']], 'warning', act=True)}" if row["flag"] else ""
        cells = [
            cards.Cell(html=f"{escape(texts.SIX[row['loss']])}{warn}"),
            cards.Cell(html=cards.step(0, max(row["us"], 0) / most), classes="of-wide of-stretch"),
            cards.number(clock_duration(row["us"])),
            cards.number(percent(row["us"] / total if total > 0 else None)),
        ]
        rows.append((cells, ""))
    rows.append(
        (
            [
                cards.Cell(texts.TOTAL),
                cards.Cell(classes="of-wide"),
                cards.number(clock_duration(total)),
                cards.number(""),
            ],
            "of-level",
        )
    )
    st.html(cards.table(texts.SIX_HEAD, rows))
    if chosen.first != chosen.last:
        _chart(losses.six_by_day(days), charts.SIX, texts.SIX_TITLE, "six")


def _pareto(board: Board, chosen: Slice) -> None:
    st.html(cards.title(texts.PARETO, texts.PARETO_NOTE))
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    right = right.container(horizontal=True, horizontal_alignment="right")
    whole = right.toggle(texts.ALL_MACHINES, key="machines", bind="query-params", help=texts.ALL_MACHINES_HELP)
    planned = right.toggle(texts.WITH_PLANNED, key="planned", bind="query-params")
    machines = (
        reading.read(("below", chosen.equipment), lambda reader: boards.below(reader, chosen.equipment))
        if whole
        else None
    )
    downtime = past.answer(_downtime_of(chosen, machines))
    with left:
        account = _picked(
            "loss",
            texts.LOSS_KIND,
            [row["key"] for row in losses.pareto(downtime, None, planned=planned)],
            texts.STATES,
        )
        labels = (
            {row["key"]: row["label"] for row in losses.pareto(downtime, account, planned=planned)} if account else {}
        )
        reason = _picked("reason", texts.REASON, list(labels), labels) if account else None
    rows = losses.pareto(downtime, account, planned=planned)
    if not rows:
        st.html(cards.empty(texts.NO_LOSSES))
        return
    by_time, by_stops = st.columns(2, gap="medium")
    level = "loss" if account is None else "reason"
    with by_time:
        st.html(f'<p class="of-note">{texts.BY_TIME}</p>')
        _bars(rows, charts.PARETO_TIME, f"pareto-time-{level}", level)
    with by_stops:
        st.html(f'<p class="of-note">{texts.BY_STOPS}</p>')
        _bars(sorted(rows, key=lambda row: -row["stops"]), charts.PARETO_STOPS, f"pareto-stops-{level}", level)
    if account is not None:
        _stops(board, chosen, machines, account, reason)


def _picked(name: str, title: str, there: list[str], labels: dict[str, str]) -> str | None:
    """One of the kinds or reasons, or all; kept in the address."""
    if st.session_state.get(name) not in (None, *there):
        st.session_state[name] = None
    return st.pills(
        title, there, wrap=True, key=name, bind="query-params", format_func=lambda value: labels.get(value, value)
    )


def _bars(rows: list[dict[str, Any]], spec: charts.Spec, key: str, level: str) -> None:
    """A chart whose bars can be picked: that drills down."""

    def pick() -> None:
        picked = st.session_state[key].selection.get("picked", [])
        if picked:
            st.session_state[level] = picked[0]["key"]

    data = pl.DataFrame(rows, infer_schema_length=None)
    st.vega_lite_chart(data, spec, width="stretch", theme=None, key=key, on_select=pick, alt=texts.PARETO)


def _stops(board: Board, chosen: Slice, machines: list[str] | None, account: str, reason: str | None) -> None:
    found = reading.past(
        ("stops", chosen, tuple(machines or ())), lambda reader: slices.stops(reader, chosen, machines)
    ).filter(pl.col("account") == account)
    if reason is not None:
        found = found.filter(pl.col("reason").fill_null(losses.NO_REASON) == reason)
    if found.is_empty():
        return
    st.html(cards.title(texts.STOPS_TITLE.format(n=texts.stops(found.height), us=duration(sum(found["us"].to_list())))))
    rows = [(_stop(board, row), "") for row in found.head(_STOPS).iter_rows(named=True)]
    st.html(cards.table(texts.STOPS_HEAD, rows, texts.STOPS_MORE.format(n=_STOPS) if found.height > _STOPS else ""))


def _stop(board: Board, row: Row) -> list[cards.Cell]:
    return [
        cards.Cell(moment(micros(row["start"]), board.zone)),
        cards.Cell(cards.name(row["equipment"]), title=row["equipment"]),
        cards.Cell(row["label"] or texts.NO_REASON),
        cards.number(clock_duration(row["duration_us"])),
        cards.number(clock_duration(row["us"])),
        cards.Cell(row["shift"] or texts.OUTSIDE["shift"], classes="of-wide"),
        cards.Cell(row["product"] or "", classes="of-wide"),
        cards.Cell(row["order"] or "", classes="of-wide"),
    ]


def _trend(board: Board, asked: Past) -> None:
    st.html(cards.title(texts.TREND))
    rows = losses.trend(asked.days, board.target(asked.chosen.equipment, "oee"))
    if rows:
        _chart(rows, charts.TREND, texts.TREND, "trend")


def _chart(rows: list[dict[str, Any]], spec: charts.Spec, alt: str, key: str) -> None:
    st.vega_lite_chart(
        pl.DataFrame(rows, infer_schema_length=None), spec, width="stretch", theme=None, alt=alt, key=key
    )


frame.live(screen)
