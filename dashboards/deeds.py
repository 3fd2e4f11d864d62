"""What a visitor does on a page that renews itself: sent, waited for until readers see it, and said when it failed."""

import time
from collections.abc import Callable
from typing import Final

import streamlit as st

from dashboards import cards, reading
from dashboards import texts_correcting as words
from kpis.errors import OeeflowError
from storage.reader import Reader

_SEEN_WITHIN: Final = 10.0
_LOOK_EVERY: Final = 0.1
_SAID: Final = "deed-said"


def carry_out(send: Callable[[], None], seen: Callable[[Reader], bool]) -> None:
    """Send something, wait some seconds until readers see it, and begin the page anew.

    Why it was not done, or cannot be seen yet, is said on the page until the next deed.
    """
    st.session_state[_SAID] = None
    try:
        send()
        if not _await(seen):
            st.session_state[_SAID] = words.SEEN_LATER
    except OeeflowError as error:
        st.session_state[_SAID] = f"{words.NOT_DONE}: {error}. {error.hint or ''}"
    reading.forget()
    st.rerun()


def said() -> None:
    """What the last deed of this visitor came to, as far as it has to be said."""
    if told := st.session_state.get(_SAID):
        st.html(cards.notice(str(told), "error", act=True))


def _await(seen: Callable[[Reader], bool]) -> bool:
    until = time.monotonic() + _SEEN_WITHIN
    while not (there := reading.ask(seen)) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY)
    return there
