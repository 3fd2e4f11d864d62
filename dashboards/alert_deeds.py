"""What a visitor can do about an alert: the buttons, and what they send through the engine's door."""

import time
import uuid
from typing import Any

import streamlit as st

from dashboards import cards, deeds, door, roles
from dashboards import texts_alerts as words
from dashboards import texts_correcting as refusals
from dashboards.door import Door, DoorClosed
from dashboards.roles import Right, Visitor
from kpis.errors import ConfigError
from storage import inbox
from storage.grains import MINUTE_US
from storage.inbox import Item


def opened(visitor: Visitor) -> Door | None:
    """The way to the engine for those who may act; else it is said why nothing can be done."""
    if not visitor.may(Right.ACT):
        role = refusals.ROLES[visitor.role]
        st.html(cards.notice(words.LOOKS_ON.format(name=visitor.name, role=role), "visibility"))
        return None
    try:
        return door.find()
    except DoorClosed as closed:
        st.html(cards.notice(f"{words.ONLY_LOOK}: {closed}. {closed.hint}", "power_off"))
        return None


def acknowledge(way: Door, item: Item) -> None:
    """A button that acknowledges an alert at once; named so that it is told apart by ear."""
    if st.button(words.ACKNOWLEDGE, key=f"ack-{item.name}", icon=":material/check:"):
        _do(way, item, {"kind": "acknowledge"})


def form(way: Door, item: Item, now: int) -> None:
    """All that can be done about an open alert."""
    with st.form(f"deed-{item.name}", clear_on_submit=True, border=False):
        text = st.text_input(words.SAY, max_chars=500, key=f"say-{item.name}").strip()
        minutes = st.selectbox(
            words.SHELVE_FOR, list(words.LENGTHS), index=1, format_func=words.LENGTHS.__getitem__,
            key=f"shelve-for-{item.name}",
        )  # fmt: skip
        kinds = {"acknowledge": words.ACKNOWLEDGE, "take": words.TAKE, "comment": words.COMMENT}
        kinds |= {"unshelve": words.UNSHELVE} if item.shelf(now) else {"shelve": words.SHELVE}
        if item.holder is not None:
            del kinds["acknowledge"]
        with st.container(horizontal=True):
            pressed = [kind for kind, label in kinds.items() if st.form_submit_button(label, key=f"{kind}-{item.name}")]
    if pressed:
        _do(way, item, _action(pressed[0], text, minutes or 60))


def _action(kind: str, text: str, minutes: int) -> dict[str, Any]:
    action: dict[str, Any] = {"kind": kind}
    if kind == "shelve":
        action["until"] = time.time_ns() // 1_000 + minutes * MINUTE_US
    return action | ({"comment": text} if text else {})


def _do(way: Door, item: Item, action: dict[str, Any]) -> None:
    """Send an action, and show the page with what it did."""
    visitor = roles.visitor()
    assert visitor is not None  # no page is shown to nobody
    name = uuid.uuid4().hex

    def send() -> None:
        if action["kind"] in ("comment", "shelve") and "comment" not in action:
            raise ConfigError(words.NO_WORDS, hint=words.NO_WORDS_HINT)
        way.act(visitor, item.name, {**action, "action": name})

    deeds.carry_out(send, lambda reader: inbox.acted(reader, name))
