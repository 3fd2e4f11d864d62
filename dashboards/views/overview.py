"""Plant overview: which line needs somebody now. Tiles, what needs attention, and the last day hour by hour."""

from html import escape
from urllib.parse import urlencode

import streamlit as st

from dashboards import attention, cards, frame, routes, texts, tiles
from dashboards.board import Board
from dashboards.theme import gap_fill
from kpis.formats import clock, count, duration, percent, points, since
from storage.grains import MINUTE_US

_ALL_TILES = 15
_TILES = 10
_COLUMNS = 5
_MATTERS = 12


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(board.plant.name, board, texts.OVERVIEW)
    found = tiles.tiles(board)
    shown = len(found) if len(found) <= _ALL_TILES else _TILES
    grid = st.grid(min(max(shown, 1), _COLUMNS), min_column_width=250, border=True)
    for tile in found[:shown]:
        with grid.cell():
            _tile(board, tile)
    _attention(board)
    if found[shown:]:
        st.html(cards.title(texts.MORE_LINES))
        st.html(_rows(found[shown:]))
    st.html(cards.title(texts.HEAT, texts.HEAT_NOTE))
    st.html(board.once("heat", lambda: _heat(board, found)))


def _tile(board: Board, tile: tiles.Tile) -> None:
    frame.link(routes.LINE, cards.name(tile.path), "arrow_forward", equipment=tile.path)
    st.html(board.once(("tile", tile.path), lambda: _told(board, tile)))


def _told(board: Board, tile: tiles.Tile) -> str:
    now = _standing(board, tile) + _now(board, tile)
    before = _shift(tile) + _spark(board, tile) + _badges(tile)
    return f'<div class="of-tile"><div>{now}</div><div>{before}</div></div>'


def _standing(board: Board, tile: tiles.Tile) -> str:
    standing = tile.standing
    where = f'<div class="of-where">{escape(cards.crumbs(tile.path))}</div>'
    if standing is None:
        return where
    age = texts.LONG_AGO if standing.since is None else duration(board.horizon - standing.since)
    some = texts.MACHINES.format(n=standing.machines, all=standing.of) if standing.of > 1 else ""
    why = " · ".join(part for part in (some, standing.reason or "") if part)
    return (
        f"{where}<div class='of-row' style='align-items:center'>{cards.state(standing.account)}"
        f"<span class='of-fade'>{age}</span></div>"
        f"<div class='of-fade of-cut' title='{escape(why)}'>{escape(why) or '&nbsp;'}</div>"
    )


def _now(board: Board, tile: tiles.Tile) -> str:
    minutes = board.plant.sliding_length_us // MINUTE_US
    gap = f'<span class="of-gap{_below(tile.gap)}">{points(tile.gap)}</span>' if tile.gap is not None else ""
    label = f"OEE {texts.LAST_MINUTES.format(n=minutes).lower()}: {cards.against(tile.oee, tile.target)}"
    return (
        f'<div><div class="of-fade">OEE · {texts.LAST_MINUTES.format(n=minutes)}</div>'
        f'<div class="of-row"><span class="of-big">{percent(tile.oee)}</span>{gap}</div>'
        f"{cards.bar(tile.oee, tile.target, label)}</div>"
    )


def _shift(tile: tiles.Tile) -> str:
    name = texts.shift_name(tile.shift)
    wanted = texts.NO_TARGET if tile.target is None else percent(tile.target, 0)
    made = count(tile.good)
    if tile.wanted:
        made = texts.OF_TARGET.format(made=made, wanted=count(tile.wanted))
    gap = f" ({points(tile.shift_gap)})" if tile.shift_gap is not None else ""
    return cards.facts([(name, percent(tile.shift_oee) + gap), (texts.GOOD_PIECES, made), (texts.OEE_TARGET, wanted)])


def _spark(board: Board, tile: tiles.Tile) -> str:
    values = [
        (hour.oee, hour.gap is not None and hour.gap < 0, f"{clock(hour.start, board.zone)}: {percent(hour.oee)}")
        for hour in tile.hours
    ]
    return cards.spark(values, tile.target, f"{texts.HEAT}: {', '.join(title for _, _, title in values)}")


def _badges(tile: tiles.Tile) -> str:
    badges = []
    if tile.alerts:
        inbox = f"{routes.ALERTS.address}?{urlencode({'where': tile.path})}"
        badges.append(cards.badge(texts.alerts(tile.alerts), "notifications", act=True, href=inbox))
    if tile.performance is not None and tile.performance > 1:
        badges.append(cards.badge(texts.TOO_FAST.format(value=percent(tile.performance, 0)), "speed", act=True))
    if tile.coverage is not None:
        known = texts.COVERAGE.format(value=percent(tile.coverage, 0))
        badges.append(
            cards.badge(known, "visibility", act=tile.coverage < texts.COVERAGE_LOW, title=texts.COVERAGE_HELP)
        )
    return f'<div class="of-badges">{"".join(badges)}</div>'


def _rows(found: list[tiles.Tile]) -> str:
    rows = [
        (
            [
                cards.Cell(html=_line(tile.path, tile.path)),
                cards.Cell(html=cards.state(tile.standing.account) if tile.standing else ""),
                cards.number(percent(tile.oee), below=bool(_below(tile.gap))),
                cards.number(points(tile.gap)),
                cards.number(percent(tile.shift_oee)),
                cards.number(count(tile.good)),
            ],
            "",
        )
        for tile in found
    ]
    return cards.table(texts.MORE_LINES_HEAD, rows)


def _attention(board: Board) -> None:
    st.html(cards.title(texts.ATTENTION))
    minutes = st.segmented_control(
        texts.STOPPED_LONGER,
        [5, 10, 15, 30, 60],
        default=10,
        required=True,
        key="longer",
        bind="query-params",
        format_func=lambda n: texts.MINUTES.format(n=n),
    )
    found = attention.matters(board, (minutes or 10) * MINUTE_US)
    if not found:
        st.html(_open_alerts(board.alerts.height) if board.alerts.height else cards.calm(texts.ATTENTION_NONE))
        return
    rows = board.once(("rows", minutes), lambda: [(_matter(board, matter), "") for matter in found])
    st.html(cards.table(texts.ATTENTION_HEAD, rows[:_MATTERS]))
    if rows[_MATTERS:]:
        with st.expander(texts.MORE.format(n=len(rows) - _MATTERS)):
            st.html(cards.table(texts.ATTENTION_HEAD, rows[_MATTERS:]))


def _open_alerts(number: int) -> str:
    badge = cards.badge(texts.alerts(number), "notifications", act=True, href=routes.ALERTS.address)
    return f'<div class="of-badges"><span class="of-fade">{escape(texts.ATTENTION_ALERTS)}</span>{badge}</div>'


def _matter(board: Board, matter: attention.Matter) -> list[cards.Cell]:
    what = texts.MATTERS[matter.kind].format(
        age=duration(matter.us),
        stops=texts.stops(matter.number),
        value=percent(matter.ratio),
        reason=matter.reason or texts.NO_REASON,
    )
    if matter.kind == "stopped" and matter.number:
        what = f"{what} · {texts.waiting(matter.number)}"
    return [
        cards.Cell(html=cards.state(matter.account, texts.KINDS[matter.kind] if matter.kind != "stopped" else None)),
        cards.Cell(html=_line(matter.path, cards.name(matter.path)), title=matter.path),
        cards.Cell(cards.crumbs(matter.path), classes="of-fade of-wide"),
        cards.Cell(what),
        cards.Cell(
            "" if matter.since is None else since(matter.since, board.horizon, board.zone),
            classes="of-num of-fade of-wide",
        ),
    ]


def _heat(board: Board, found: list[tiles.Tile]) -> str:
    if not found:
        return ""
    hours = "".join(f'<th scope="col">{clock(hour.start, board.zone)[:2]}</th>' for hour in found[0].hours)
    body = "".join(
        f'<tr><th scope="row" title="{escape(tile.path)}">{_line(tile.path, cards.name(tile.path))}</th>'
        f"{''.join(_cell(board, hour) for hour in tile.hours)}</tr>"
        for tile in sorted(found, key=lambda tile: tile.path)
    )
    return (
        f'<div class="of-scroll of-end" tabindex="0"><table class="of-heat"><thead><tr><td></td>{hours}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{cards.gap_legend()}"
    )


def _line(path: str, text: str) -> str:
    return cards.link(routes.LINE.address, text, equipment=path)


def _cell(board: Board, hour: tiles.Hour) -> str:
    told = f"{clock(hour.start, board.zone)}: {percent(hour.oee)}"
    if hour.oee is None:
        return f'<td class="of-off" title="{told}"></td>'
    fill, on = gap_fill(hour.gap) if hour.gap is not None else ("var(--track)", "var(--ink)")
    shown = f"{hour.oee * 100:.0f}{'!' if hour.oee > 1 else ''}"
    return f'<td style="background:{fill};color:{on}" title="{told}">{shown}</td>'


def _below(gap: float | None) -> str:
    return " of-below" if gap is not None and gap < 0 else ""


frame.live(screen)
