"""Alerts: what is open and who has it, the worst and oldest first; acknowledged, taken, commented and shelved here."""

from html import escape
from typing import Final

import streamlit as st

from dashboards import alert_card, alert_deeds, cards, deeds, filters, frame, inbox, reading, roles, texts
from dashboards import texts_alerts as words
from dashboards.board import Board
from dashboards.door import Door
from kpis.formats import duration, since
from kpis.routing import Dispatcher
from storage import inbox as alerts
from storage.inbox import Item

_MOST: Final = 30
"""Alerts shown one by one in each part."""
_RESOLVED: Final = 25
_ALERT: Final = "alert"


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.ALERTS, board, board.plant.name)
    visitor = roles.visitor()
    assert visitor is not None  # no page is shown to nobody
    way = alert_deeds.opened(visitor)
    deeds.said()
    if not board.plant.alerts:
        st.html(cards.empty(words.NO_RULES, words.NO_RULES_HINT))
        return
    asked = st.query_params.get(_ALERT)
    begun = inbox.earliest(board)
    found = reading.read(("inbox", begun, asked), lambda reader: alerts.items(reader, begun, asked))
    chosen = _chosen(board, found, inbox.names_of(board.plant, visitor))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if inbox.waiting(chosen):
            _parts(board, chosen, asked, way)
        else:
            st.html(cards.calm(words.CALM_HERE if inbox.waiting(found) else words.CALM))
    with right, frame.card("alert"):
        _picked(board, found, asked, way)
    _resolved(board, chosen)


def _chosen(board: Board, found: list[Item], names: frozenset[str]) -> list[Item]:
    """The alerts of the area or line and, if so asked, of the visitor."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    known = inbox.places(board)
    with left:
        place = filters.or_all(words.PLACE, known, "where", words.EVERYWHERE)
    mine = right.toggle(words.MINE, key="mine", bind="query-params", help=words.MINE_HELP)
    return [item for item in inbox.below(found, place) if not mine or inbox.concerns(item, names)]


def _parts(board: Board, chosen: list[Item], asked: str | None, way: Door | None) -> None:
    dispatcher = Dispatcher(board.plant)
    for group, items in inbox.grouped(chosen, board.horizon).items():
        if not items and group != "firing":
            continue
        st.html(cards.title(f"{words.GROUPS[group]} ({len(items)})", words.GROUP_NOTES[group]))
        if not items:
            st.html(cards.calm(words.CALM_GROUP))
        for item in items[:_MOST]:
            _row(board, dispatcher, item, way if group == "firing" else None, picked=item.name == asked)
        if items[_MOST:]:
            st.html(f'<p class="of-note">{escape(words.MORE.format(n=len(items) - _MOST))}</p>')


def _row(board: Board, dispatcher: Dispatcher, item: Item, way: Door | None, *, picked: bool) -> None:
    with st.container(key=f"row-{item.name}", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(alert_card.row(board, dispatcher, item, picked=picked), width="stretch")
        if way is not None:
            alert_deeds.acknowledge(way, item)
        st.button(
            words.SHOW, key=f"show-{item.name}", icon=":material/chevron_right:", on_click=_pick, args=(item.name,)
        )


def _pick(name: str) -> None:
    st.query_params[_ALERT] = name


def _picked(board: Board, found: list[Item], asked: str | None, way: Door | None) -> None:
    """The alert that the address names: all that is known of it, and what can be done."""
    if asked is None:
        st.html(cards.title(words.PICKED, words.PICK_ONE))
        return
    item = next((item for item in found if item.name == asked), None)
    if item is None:
        st.html(cards.empty(words.GONE.format(alert=asked), words.GONE_HINT))
        return
    alert_card.told(board, item)
    if way is not None and item.alert["state"] == "firing":
        alert_deeds.form(way, item, board.horizon)
    steps = reading.read(("transitions", asked), lambda reader: alerts.transitions(reader, asked))
    st.html(alert_card.recipients(board, item) + alert_card.history(board, item, steps))


def _resolved(board: Board, chosen: list[Item]) -> None:
    st.html(cards.title(words.RESOLVED, words.RESOLVED_NOTE))
    found = inbox.resolved(chosen, board)
    if not found:
        st.html(cards.calm(words.NO_RESOLVED))
        return
    rows = [(_over(board, item), "") for item in found[:_RESOLVED]]
    told = texts.MORE.format(n=len(found) - _RESOLVED) if found[_RESOLVED:] else ""
    st.html(cards.table(words.RESOLVED_HEAD, rows, told))


def _over(board: Board, item: Item) -> list[cards.Cell]:
    alert, holder = item.alert, item.holder
    return [
        cards.Cell(html=alert_card.severity(alert["severity"]), classes="of-tight"),
        cards.Cell(html=alert_card.link(item)),
        cards.Cell(alert["equipment"], classes="of-fade of-wide"),
        cards.Cell(since(alert["since"], board.horizon, board.zone), classes="of-keep of-wide"),
        cards.number(duration(alert["resolved_at"] - alert["since"])),
        cards.Cell(holder["by"] if holder else ""),
    ]


frame.live(screen)
