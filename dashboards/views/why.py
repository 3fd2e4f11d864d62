"""Why this number: a figure unfolded to its formula, its elements, and the intervals, pieces and events behind it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from dashboards import cards, frame, reading, texts
from dashboards.board import Board, Row, micros
from kpis.derivation import Step, derivation, number
from kpis.elements import ELEMENTS
from kpis.errors import ConfigError
from kpis.formats import clock_duration, count, moment, percent
from kpis.kpi import Kpi
from kpis.registry import DEFINITIONS, KPIS, kpi_named
from storage.explaining import Explanation, explain
from storage.grains import MINUTE_US
from storage.reader import Reader

_WINDOWS: Final = ("sliding", "hour", "shift", "day", "week", "month")
_ROWS: Final = 60
_KNOWN: Final = tuple(kpi.name for kpi in KPIS if kpi.basis == "events")


@dataclass(frozen=True)
class _Asked:
    equipment: str
    by: str
    at: int | None
    kpi: Kpi
    definition: str


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.WHY, board, board.plant.name)
    asked = _asked(board)
    window = ("why", asked.equipment, asked.by, asked.at, asked.definition)
    found = reading.past(window, lambda reader: _explained(reader, board, asked, _ROWS))
    elements = {element.name: found.row[element.name] for element in ELEMENTS}
    steps = derivation(asked.kpi.name, elements, asked.definition)
    st.html(_answer(board, asked, found, steps[0]))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.html(cards.title(texts.FORMULA, texts.FORMULA_NOTE))
        st.html(_formulas(steps))
    with right:
        st.html(cards.title(texts.ELEMENTS))
        st.html(_elements(steps, elements))
        _summed_from(asked, found)
    _rows_behind(board, asked, found)


def _asked(board: Board) -> _Asked:
    first, second, third, fourth = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
    known = [path for path in board.plant.equipment if board.timed_by(path)]
    path = first.selectbox(
        texts.EQUIPMENT, known, index=known.index(board.lines[0]), key="equipment", bind="query-params"
    )
    by = second.segmented_control(
        texts.WINDOW, _WINDOWS, default="shift", required=True, wrap=True, key="by", bind="query-params"
    )
    at = third.text_input(texts.AT, key="at", bind="query-params", placeholder=texts.AT_HINT)
    kpi = fourth.selectbox(texts.FIGURE, _KNOWN, index=_KNOWN.index("oee"), key="kpi", bind="query-params")
    definition = st.segmented_control(
        texts.DEFINITION, DEFINITIONS, default=board.plant.oee_definition, required=True, key="definition",
        bind="query-params",
    )  # fmt: skip
    chosen = definition or board.plant.oee_definition
    return _Asked(path or known[0], by or "shift", _instant(at, board.zone), kpi_named(kpi or "oee"), chosen)


def _instant(text: str | None, zone: ZoneInfo) -> int | None:
    """A time as people write it, local unless it says otherwise; nothing: the last window."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f'"{text}" is no time'
        raise ConfigError(msg, hint=texts.AT_HINT) from error
    return micros(at if at.tzinfo is not None else at.replace(tzinfo=zone))


def _answer(board: Board, asked: _Asked, found: Explanation, top: Step) -> str:
    row = found.row
    value = percent(top.value) if asked.kpi.unit == "ratio" else f"{number(top.value)} {asked.kpi.unit}"
    start, end = (moment(micros(row[name]), board.zone) for name in ("window_start", "window_end"))
    status = row["status"] + (f", revision {row['revision']}" if row["revision"] else "")
    facts = [
        (asked.kpi.label, value),
        (_window_name(board, asked.by), row["shift"] or f"{start}"),
        (texts.FROM_TO, texts.from_to(start, end)),
        (texts.STATUS, status),
        (texts.COVERAGE_NAME, percent(row["coverage"])),
    ]
    meaning = f'<p class="of-note" style="margin-top:.5rem">{escape(asked.kpi.meaning)}</p>'
    return cards.strip(asked.equipment, facts) + meaning


def _window_name(board: Board, by: str) -> str:
    minutes = board.plant.sliding_length_us // MINUTE_US
    return texts.LAST_MINUTES.format(n=minutes) if by == "sliding" else texts.WINDOWS[by]


def _formulas(steps: list[Step]) -> str:
    parts = "".join(
        f"<dt>{escape(step.name)}</dt><dd>= {escape(step.formula)}<br>= {escape(step.numbers)}"
        f"<br>= <b>{number(step.value)}</b></dd>"
        for step in steps
    )
    return f'<dl class="of-code">{parts}</dl>'


def _elements(steps: list[Step], elements: Row) -> str:
    words = {word for step in steps for word in step.formula.replace("(", " ").replace(")", " ").split()}
    meanings = {element.name: element.meaning for element in ELEMENTS}
    rows = [
        (
            [
                cards.Cell(name, title=meanings[name]),
                cards.number(number(value)),
                cards.number(clock_duration(value) if name.endswith("_us") and value is not None else ""),
            ],
            "",
        )
        for name, value in elements.items()
        if name in words
    ]
    return cards.table(texts.ELEMENTS_HEAD, rows)


def _summed_from(asked: _Asked, found: Explanation) -> None:
    if found.contributors["contributor"].to_list() == [asked.equipment]:
        return
    st.html(cards.title(texts.SUMMED_FROM))
    gives = {(True, True): texts.GIVES_BOTH, (True, False): texts.GIVES_TIME, (False, True): texts.GIVES_PIECES}
    rows = [
        ([cards.Cell(row["contributor"]), cards.Cell(gives[row["gives_time"], row["gives_pieces"]])], "")
        for row in found.contributors.iter_rows(named=True)
    ]
    st.html(cards.table(texts.SUMMED_HEAD, rows))


def _explained(reader: Reader, board: Board, asked: _Asked, most_events: int | None) -> Explanation:
    length, step = board.plant.sliding_length_us, board.plant.sliding_step_us
    return explain(
        reader, asked.equipment, asked.by, asked.at, asked.definition,
        length_us=length, step_us=step, most_events=most_events,
    )  # fmt: skip


def _rows_behind(board: Board, asked: _Asked, found: Explanation) -> None:
    accounts = found.time_by_account().sort("us", descending=True)
    st.html(cards.title(texts.BY_ACCOUNT))
    rows = [
        (
            [
                cards.Cell(html=cards.state(row["account"])),
                cards.number(count(row["intervals"])),
                cards.number(count(row["us"])),
                cards.number(clock_duration(row["us"])),
            ],
            "",
        )
        for row in accounts.iter_rows(named=True)
    ]
    st.html(cards.table(texts.BY_ACCOUNT_HEAD, rows))
    _part(texts.PIECES, texts.PIECES_HEAD, found.pieces, _piece)
    _part(texts.INTERVALS, texts.INTERVALS_HEAD, found.intervals, lambda row: _interval(board, row))
    store = reading.store()  # the file is made in another thread, when somebody takes it
    _part(
        texts.EVENTS,
        texts.EVENTS_HEAD,
        found.events,
        lambda row: _event(board, row),
        found.all_events,
        lambda: store.ask(lambda reader: _explained(reader, board, asked, None)).events,
    )
    _part(texts.CHANGES, texts.CHANGES_HEAD, found.changes, lambda row: _change(board, row))


def _part(
    title: str,
    head: tuple[str, ...],
    rows: pl.DataFrame,
    cells: Callable[[Row], list[cards.Cell]],
    height: int | None = None,
    whole: Callable[[], pl.DataFrame] | None = None,
) -> None:
    """The first rows of a part, and all of them as a file: `height` rows, `whole`, where `rows` are the first only."""
    if rows.is_empty():
        return
    height = rows.height if height is None else height
    with st.expander(f"{title} ({count(height)})"):
        told = texts.FIRST_ROWS.format(n=_ROWS) if height > _ROWS else ""
        st.html(cards.table(head, [(cells(row), "") for row in rows.head(_ROWS).iter_rows(named=True)], told))
        st.download_button(
            texts.ALL_AS_CSV,
            lambda: _csv(rows if whole is None else whole()),
            f"{title.lower()}.csv",
            "text/csv",
            key=f"csv-{title}",
        )


def _csv(rows: pl.DataFrame) -> str:
    return rows.with_columns(pl.col(pl.Datetime("us", "UTC")).dt.to_string("iso:strict")).write_csv()


def _piece(row: Row) -> list[cards.Cell]:
    return [
        cards.Cell(cards.name(row["equipment"]), title=row["equipment"]),
        *(cards.Cell(row[name] or "") for name in ("quality", "reason", "product", "order")),
        cards.number(count(row["pieces"])),
        cards.number(number(row["ideal_cycle_us"]) if row["ideal_cycle_us"] is not None else ""),
        cards.number(clock_duration(row["ideal_us"])),
    ]


def _interval(board: Board, row: Row) -> list[cards.Cell]:
    return [
        cards.Cell(cards.name(row["equipment"]), title=row["equipment"]),
        *(cards.Cell(f"{moment(micros(row[name]), board.zone)}:{row[name]:%S}") for name in ("start", "end")),
        cards.Cell(html=cards.state(row["account"])),
        *(cards.Cell(row[name] or "") for name in ("reason", "product", "order")),
        cards.number(count(row["us"])),
    ]


def _event(board: Board, row: Row) -> list[cards.Cell]:
    shown = ("state", "action", "order", "product", "good", "scrap", "rework", "quality", "value", "online", "reason")
    said = " ".join(f"{name}={row[name]}" for name in shown if row[name] not in (None, 0))
    return [
        cards.Cell(f"{moment(micros(row['ts']), board.zone)}:{row['ts']:%S}"),
        cards.Cell(cards.name(row["equipment"]), title=row["equipment"]),
        cards.Cell(row["type"]),
        cards.Cell(said),
        cards.Cell(texts.RETRACTED if row["retracted"] else row["role"]),
        cards.Cell(row["id"], classes="of-wide of-fade"),
    ]


def _change(board: Board, row: Row) -> list[cards.Cell]:
    times = (moment(micros(row[name]), board.zone) for name in ("committed_at", "start", "end"))
    return [*(cards.Cell(time) for time in times), cards.Cell(row["equipment"]), cards.Cell(row["source"] or "")]


frame.still(screen)
