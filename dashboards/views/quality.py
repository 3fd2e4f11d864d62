"""Quality and throughput: what was rejected and why, how fast pieces came, and how a shift kept up with its target."""

from html import escape
from typing import Any

import polars as pl
import streamlit as st

from dashboards import cards, charts, filters, frame, past, reading, texts, throughput
from dashboards.board import Board, Row
from dashboards.past import Question
from kpis.formats import NONE, count, day, hours, percent
from storage import slices
from storage.slices import Slice


def screen(board: Board) -> None:
    """The page from top to bottom."""
    asked = past.selected(board, texts.QUALITY, _questions)
    if asked is None:
        return
    chosen, definition, sums = asked.chosen, asked.definition, asked.sums
    products = past.answer(_products_of(chosen, definition)).to_dicts()
    st.html(_headline(board, chosen, sums))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _rejects(chosen, sums)
    with right:
        st.html(cards.title(texts.BY_PRODUCT))
        made = [(_yield(row), "") for row in products if _total(row)]
        st.html(cards.table(texts.YIELD_HEAD, made) if made else cards.calm(texts.NO_PIECES_MADE))
    with frame.card("worm"):
        _worm(board, chosen)
    st.html(cards.title(texts.PACE, texts.PACE_NOTE))
    st.html(_pace(products, sums, definition))
    if chosen.first != chosen.last:
        _yields(asked.days)


def _questions(chosen: Slice, definition: str) -> list[Question]:
    return [_products_of(chosen, definition), _rejects_of(chosen)]


def _products_of(chosen: Slice, definition: str) -> Question:
    return Question(("products", chosen, definition), lambda reader: slices.sums(reader, chosen, definition, "product"))


def _rejects_of(chosen: Slice) -> Question:
    return Question(("rejects", chosen), lambda reader: slices.rejects(reader, chosen))


def _headline(board: Board, chosen: Slice, sums: Row) -> str:
    values = [
        (texts.FIRST_PASS, percent(sums["first_pass_yield"], 2)),
        (texts.GOOD_PIECES, count(sums["good"])),
        (texts.SCRAP_ONLY, count(sums["scrap"])),
        (texts.REWORK, count(sums["rework"])),
        (texts.SCRAP_RATIO, percent(sums["scrap_ratio"], 2)),
        (texts.COVERAGE_NAME, percent(sums["coverage"])),
    ]
    if (target := board.target(chosen.equipment, "scrap_ratio")) is not None:
        values.insert(5, (texts.SCRAP_TARGET, percent(target, 2)))
    return cards.strip(chosen.equipment, values, texts.from_to(day(chosen.first), day(chosen.last)))


def _rejects(chosen: Slice, sums: Row) -> None:
    st.html(cards.title(texts.REJECTS, texts.REJECTS_NOTE))
    rejects = past.answer(_rejects_of(chosen))
    found = throughput.by_reason(rejects, _total(sums))
    if not found:
        st.html(cards.calm(texts.NO_REJECTS))
        return
    most = max(*(reject.pieces for reject in found), 1)
    rows = [
        (
            [
                cards.Cell(reject.label),
                cards.Cell(html=cards.step(0, max(reject.pieces, 0) / most, "quality"), classes="of-wide of-stretch"),
                cards.number(count(reject.scrap)),
                cards.number(count(reject.rework)),
                cards.number(percent(reject.share, 2)),
            ],
            "",
        )
        for reject in found
    ]
    both = sums["scrap"] + sums["rework"]
    whole = [
        cards.Cell(texts.TOTAL),
        cards.Cell(classes="of-wide"),
        cards.number(count(sums["scrap"])),
        cards.number(count(sums["rework"])),
        cards.number(percent(both / _total(sums) if _total(sums) else None, 2)),
    ]
    st.html(cards.table(texts.REJECTS_HEAD, [*rows, (whole, "of-level")]))


def _yield(row: Row) -> list[cards.Cell]:
    return [
        cards.Cell(row["product"] or texts.OUTSIDE["product"]),
        cards.number(count(row["good"])),
        cards.number(count(row["scrap"])),
        cards.number(count(row["rework"])),
        cards.number(percent(row["first_pass_yield"], 2)),
    ]


def _worm(board: Board, chosen: Slice) -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.html(cards.title(texts.WORM, texts.WORM_NOTE))
    with right:
        name = filters.shift(board, chosen.equipment, chosen.first, chosen.last, "worm", texts.WORM_SHIFT)
    if name is None:
        st.html(cards.empty(texts.NO_TIME, texts.NO_TIME_HINT))
        return
    shown = slices.one_shift(chosen.equipment, name)
    pieces = reading.read(("pieces", shown), lambda reader: slices.pieces(reader, shown))
    timed = reading.read(("timed", shown), lambda reader: slices.timed(reader, shown))
    if timed.is_empty():
        st.html(cards.empty(texts.NO_TIME))
        return
    made = throughput.worm(pieces, timed, board.plant, board.target(chosen.equipment, "oee"))
    if made.ahead is not None:
        told = texts.AHEAD if made.ahead >= 0 else texts.BEHIND
        st.html(cards.badge(told.format(n=count(abs(made.ahead))), "flag", act=made.ahead < 0))
    start, end = throughput.extent(timed)
    ticks = charts.ticks(start, end, board.zone)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _chart([*made.rows, *ticks], charts.WORM, texts.WORM, "worm-chart")
    with right:
        st.html(f'<p class="of-note">{escape(texts.RATE)}. {escape(texts.SHIFT_RATE_NOTE)}</p>')
        _chart([*throughput.rates(pieces, timed, board.plant), *ticks], charts.RATE, texts.RATE, "rate-chart")


def _pace(products: list[Row], sums: Row, definition: str) -> str:
    rows = [(_paced(row["product"] or texts.OUTSIDE["product"], row, definition), "") for row in products]
    return cards.table(texts.PACE_HEAD, [*rows, (_paced(texts.TOTAL, sums, definition), "of-level")])


def _paced(name: str, row: Row, definition: str) -> list[cards.Cell]:
    pace = throughput.pace(row, definition)
    return [
        cards.Cell(name),
        cards.number(hours(pace.planned_us)),
        cards.number(count(pace.per_hour)),
        *(cards.number(_seconds(value)) for value in (pace.ideal_s, pace.running_s, pace.planned_s)),
        cards.number(percent(row["performance"])),
    ]


def _yields(days: pl.DataFrame) -> None:
    rows = throughput.yields(days)
    if len(rows) > 1:
        with frame.card("yields"):
            st.html(cards.title(texts.YIELD_TREND))
            _chart(rows, charts.YIELD, texts.YIELD_TREND, "yield-chart")


def _chart(rows: list[dict[str, Any]], spec: charts.Spec, alt: str, key: str) -> None:
    data = pl.DataFrame(rows, infer_schema_length=None)
    st.vega_lite_chart(data, spec, width="stretch", theme=None, alt=alt, key=key)


def _seconds(value: float | None) -> str:
    return NONE if value is None else texts.SECONDS.format(value=f"{value:.2f}")


def _total(row: Row) -> int:
    return int(row["good"] + row["scrap"] + row["rework"])


frame.live(screen)
