"""One line live: what it does and why, its figures against target, its order, its last hours."""

from html import escape

import streamlit as st

from dashboards import cards, charts, deeds, frame, hour_notes, line_board, reading, routes, texts
from dashboards.board import HOUR_US, Board, Row, Standing
from dashboards.line_board import LineBoard, Order
from dashboards.theme import LOOKS
from kpis.formats import clock, clock_duration, count, difference, duration, local, moment, percent, points, since
from storage import hour_notes as stored
from storage.grains import MINUTE_US
from storage.hours import HourRow


def screen(board: Board) -> None:
    """The page from top to bottom."""
    path, hours = _chosen(board)
    lines = reading.lines(board)
    line = board.once(("line", path, hours), lambda: line_board.of_line(lines, board, path, hours))
    _hero(board, path)
    left, right = st.columns([3, 2], gap="medium")
    with left, frame.card("figures"):
        _figures(board, path)
    with right, frame.card("order"):
        _order(board, path, line.order)
    with frame.card("timeline"):
        _timeline(line)
    _hours(board, path)
    with frame.card("rate"):
        _rate(line)


def _chosen(board: Board) -> tuple[str, int]:
    """The line and how far to look back, both in the address."""
    known = [*board.lines, *(path for path in board.machines if path not in board.lines)]
    frame.head(cards.name(st.session_state.get("equipment") or board.lines[0]), board, texts.LINE)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    path = left.selectbox(texts.EQUIPMENT, known, key="equipment", bind="query-params")
    hours = right.segmented_control(
        texts.LOOK_BACK,
        [4, 8, 12, 24],
        default=8,
        required=True,
        key="hours",
        bind="query-params",
        format_func=lambda n: texts.HOURS_BACK.format(n=n),
    )
    return path or known[0], hours or 8


def _hero(board: Board, path: str) -> None:
    standing = board.standing(path)
    if standing is None:
        st.html(cards.empty(texts.NO_STATE, texts.NO_STATE_HINT))
        return
    word = f'<span class="of-word">{cards.icon(LOOKS[standing.account].symbol)}{texts.STATES[standing.account]}</span>'
    shift = board.shift_of.get(path)
    name = texts.shift_name(shift["shift"] if shift else None)
    st.html(
        f'<div class="of-hero of-{standing.account}">{word}<span class="of-said">{escape(_why(board, standing))}</span>'
        f'<span class="of-said">{escape(name)}</span></div>'
    )


def _why(board: Board, standing: Standing) -> str:
    parts = []
    if standing.of > 1:
        parts.append(texts.MACHINES.format(n=standing.machines, all=standing.of))
    if standing.since is None:
        parts.append(texts.LONG_AGO)
    else:
        parts.append(texts.FOR.format(age=duration(board.horizon - standing.since)))
        parts.append(texts.SINCE.format(clock=since(standing.since, board.horizon, board.zone)))
    if standing.account in ("down", "idle", "minor_stop"):
        parts.append(standing.reason or texts.NO_REASON)
    return " · ".join(parts)


def _figures(board: Board, path: str) -> None:
    minutes = board.plant.sliding_length_us // MINUTE_US
    st.html(cards.title(texts.FIGURES.format(n=minutes)))
    now, shift = board.last_of.get(path), board.shift_of.get(path)
    rows = [_figure(board, path, kpi, now, shift) for kpi in ("oee", "availability", "performance", "quality")]
    st.html(f'<div class="of-kpi">{"".join(rows)}</div>')
    with st.container(horizontal=True):
        if now is not None:
            told, at = texts.WHY_NOW.format(n=minutes), now["window_start"].isoformat()
            frame.link(routes.WHY, told, "account_tree", equipment=path, by="sliding", at=at)
        if shift is not None:
            at = shift["window_start"].isoformat()
            frame.link(routes.WHY, texts.WHY_SHIFT, "account_tree", equipment=path, by="shift", at=at)
            period = texts.PERIODS["shift" if shift["shift"] else "today"]
            frame.link(routes.LOSSES, texts.WHERE_WENT, "waterfall_chart", equipment=path, period=period)
            if shift["shift"] is not None:
                frame.link(routes.REPORT, texts.REPORT, "assignment", equipment=path, shift=shift["shift"])


def _figure(board: Board, path: str, kpi: str, now: Row | None, shift: Row | None) -> str:
    value, before = (None if row is None else row[kpi] for row in (now, shift))
    target = board.target(path, kpi)
    gap = f" ({points(before - target)})" if before is not None and target is not None else ""
    name, told = texts.FACTORS[kpi], texts.SHIFT.lower() if shift and shift["shift"] else texts.TODAY.lower()
    main = " of-main" if kpi == "oee" else ""
    return (
        f'<span class="of-name">{name}</span>{cards.bar(value, target, f"{name}: {cards.against(value, target)}")}'
        f'<span class="of-value"><span class="{main}">{percent(value)}</span>'
        f"<small>{escape(told)} {percent(before)}{gap}</small></span>"
    )


def _order(board: Board, path: str, order: Order | None) -> None:
    st.html(cards.title(texts.ORDER))
    if order is None:
        st.html(f'<p class="of-note">{texts.NO_ORDER}</p>')
        return
    product = f"{order.product or texts.OUTSIDE['product']}{f' · {order.label}' if order.label else ''}"
    made = count(order.good)
    end = texts.NOT_MOVING if order.end is None else moment(order.end, board.zone)
    facts = [(texts.PRODUCT, product), (texts.STARTED, moment(order.started, board.zone))]
    done = ""
    if order.quantity is not None:
        made = texts.OF_TARGET.format(made=made, wanted=count(order.quantity))
        minutes = board.plant.sliding_length_us // MINUTE_US
        facts += [(texts.EXPECTED_END.format(n=minutes), end if order.good < order.quantity else texts.DONE)]
        done = cards.bar(order.done, None, f"{texts.GOOD_PIECES}: {percent(order.done)}")
    facts.append((texts.GOOD_PIECES, made))
    part = f'<span class="of-gap">{percent(order.done)}</span>' if order.done is not None else ""
    st.html(
        f'<div class="of-row"><span class="of-big">{escape(order.order)}</span>{part}</div>{done}'
        f'<div style="height:.5rem"></div>{cards.facts(facts)}'
    )


def _timeline(line: LineBoard) -> None:
    st.html(cards.title(texts.TIMELINE))
    st.vega_lite_chart(line.lanes, charts.TIMELINE, width="stretch", theme=None, alt=texts.TIMELINE_ALT, key="timeline")
    told = {account: duration(line.spent[account]) for account in LOOKS if account in line.spent}
    st.html(cards.legend(told, told))


def _hours(board: Board, path: str) -> None:
    st.html(cards.title(texts.HOUR_BOARD, texts.HOUR_BOARD_NOTE))
    rows = line_board.hour_rows(board, path)
    if not rows:
        st.html(cards.empty(texts.NO_HOURS))
        return
    first, last = rows[0].start, rows[-1].end
    if _under_way(board, rows[0]):
        first -= HOUR_US  # whoever takes over a shift has its last hour still to say something about
    notes = reading.read(("notes", path, first, last), lambda reader: stored.read(reader, path, first, last))
    targeted = any(row.wanted is not None for row in rows)
    head = texts.HOUR_BOARD_HEAD if targeted else texts.HOUR_BOARD_HEAD_NO_TARGET
    told = [
        (
            [*_hour(board, path, row, targeted), hour_notes.cell(board, notes.get(row.start))],
            "of-now" if _under_way(board, row) else "",
        )
        for row in rows
    ]
    st.html(cards.table(head, told))
    deeds.said()
    hour_notes.form(board, path, first, last)
    hour_notes.all_of(board, notes)


def _hour(board: Board, path: str, row: HourRow, targeted: bool) -> list[cards.Cell]:
    lost = ""
    if row.loss is not None:
        key = f'<span class="of-key of-{row.loss.account}"></span> ' if row.loss.account else ""
        lost = f"{key}{escape(row.loss.name)} <span class='of-fade'>{clock_duration(row.loss.us)}</span>"
    short, behind = (row.difference or 0) < 0, (row.ahead or 0) < 0
    at = local(row.start, board.zone).isoformat()
    end = texts.NOW if _under_way(board, row) else clock(row.end, board.zone)
    why = cards.link(routes.WHY.address, percent(row.oee, 0), equipment=path, by="hour", at=at)
    against = [
        cards.number(difference(row.difference), below=short, more="of-wide"),
        cards.number(difference(row.ahead), below=behind),
    ]
    return [
        cards.Cell(
            texts.from_to(clock(row.start, board.zone), end),
            classes="of-keep",
        ),
        *([cards.number(count(row.wanted), more="of-wide")] if targeted else []),
        cards.number(count(row.good)),
        *(against if targeted else []),
        cards.Cell(html=why, classes="of-num", title=texts.WHY),
        cards.Cell(html=lost),
    ]


def _under_way(board: Board, row: HourRow) -> bool:
    return row.end > board.horizon


def _rate(line: LineBoard) -> None:
    st.html(cards.title(texts.RATE, texts.RATE_NOTE))
    if line.rate.is_empty():
        st.html(cards.empty(texts.NO_PIECES))
        return
    st.vega_lite_chart(line.rate, charts.RATE, width="stretch", theme=None, alt=texts.RATE, key="rate")


frame.live(screen)
