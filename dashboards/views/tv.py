"""On the wall: every line as a band to be read from across the hall; `?equipment=` shows one alone."""

from functools import partial
from html import escape

import streamlit as st

from dashboards import cards, frame, line_board, reading, texts, tiles
from dashboards.board import Board
from dashboards.theme import LOOKS
from dashboards.tiles import Tile
from kpis.formats import clock, difference, duration, percent

_BANDS = 8
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
    wanted = st.query_params.get("equipment")
    found = [tile for tile in tiles.tiles(board) if wanted in (None, tile.path)][:_BANDS]
    head = f'<div class="of-wall-head"><b>{escape(board.plant.name)}</b><span>{frame.as_of(board)}</span></div>'
    bands = "".join(board.once(("band", tile.path), partial(_band, board, tile)) for tile in found)
    dead = f'<div class="of-wall-dead" role="alert">{escape(texts.NO_DATA)}</div>'
    st.html(f'<div class="of-wall" style="--n:{max(len(found), 2)}">{head}{bands}</div>{dead}')
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
