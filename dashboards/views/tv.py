"""On the wall: every line as a band to be read from across the hall; what more than fits comes in turns."""

import time
from functools import partial
from html import escape

import streamlit as st

from dashboards import cards, frame, line_board, reading, texts, tiles
from dashboards.board import Board
from dashboards.theme import LOOKS
from dashboards.tiles import Tile
from dashboards.wall import Wall
from kpis.formats import clock, difference, duration, percent

_DEAD_MS = 3 * reading.REFRESH_S * 1_000
_WATCH = """
<script>
window.oeeflowSeen = Date.now(); // at refresh NOW
window.oeeflowWatch ??= setInterval(() => {
  document.body.classList.toggle("of-dead", Date.now() - window.oeeflowSeen > LIMIT);
}, 1000);
</script>
"""


def screen(board: Board) -> None:
    """The page from top to bottom."""
    wall = Wall.read(st.query_params)
    found, turn, turns = wall.turn(tiles.tiles(board), time.time())
    place = board.plant.name if wall.place is None else f"{board.plant.name} · {cards.name(wall.place)}"
    told = f"{place} · {texts.TURN.format(n=turn, all=turns)}" if turns > 1 else place
    head = f'<div class="of-wall-head"><b>{escape(told)}</b><span>{frame.as_of(board)}</span></div>'
    bands = "".join(board.once(("band", tile.path), partial(_band, board, tile)) for tile in found)
    dead = f'<div class="of-wall-dead" role="alert">{escape(texts.NO_DATA)}</div>'
    night, rows = (" of-night" if wall.night else ""), max(len(found), 2)
    content = bands or cards.empty(texts.NO_LINES)
    st.html(f'<div class="of-wall{night}" style="--n:{rows}">{head}{content}</div>{dead}')
    # The number makes it another script at every refresh, so that it runs: a page without news says so by itself.
    watch = _WATCH.replace("LIMIT", str(_DEAD_MS)).replace("NOW", str(frame.ticking()))
    st.html(watch, unsafe_allow_javascript=True)


def _band(board: Board, tile: Tile) -> str:
    account = "unknown" if tile.standing is None else tile.standing.account
    age = ""
    if tile.standing is not None and tile.standing.since is not None:
        age = duration(board.horizon - tile.standing.since)
    why = "" if tile.standing is None else tile.standing.reason or ""
    rows = line_board.hour_rows(board, tile.path)
    ahead = rows[-1].ahead if rows else None
    below = " of-below" if tile.gap is not None and tile.gap < 0 else ""
    behind = " of-below" if ahead is not None and ahead < 0 else ""
    values = [
        (hour.oee, hour.gap is not None and hour.gap < 0, clock(hour.start, board.zone)) for hour in tile.hours[-12:]
    ]
    target = texts.NO_TARGET if tile.target is None else texts.TARGET.format(value=percent(tile.target, 0))
    told = escape(" · ".join(filter(None, (age, why))))
    name, shift = escape(cards.name(tile.path)), escape(texts.shift_name(tile.shift))
    return (
        f'<section class="of-band"><div class="of-band-state of-{account}">{cards.icon(LOOKS[account].symbol)}'
        f"<div><b>{escape(texts.STATES[account])}</b><span>{told}</span></div></div>"
        f'<div class="of-band-name">{name}<span>{shift}</span></div>'
        f'<div class="of-band-value{below}">{percent(tile.oee, 0)}<span>OEE · {escape(target)}</span></div>'
        f'<div class="of-band-value{behind}">{difference(ahead)}<span>{escape(texts.PIECES_AHEAD)}</span></div>'
        f'<div class="of-band-hours">{cards.spark(values, tile.target, texts.HEAT)}</div></section>'
    )


frame.live(screen)
