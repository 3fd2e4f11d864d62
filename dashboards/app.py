"""The picture frame around every page: menu, style, warm-up. What is in the frame: dashboards/views."""

import gc
from contextlib import suppress
from importlib.resources import files

import streamlit as st

from dashboards import cards, entrance, reading, roles, theme
from dashboards import texts_correcting as words
from dashboards.roles import Right
from dashboards.routes import PAGES
from kpis.errors import ConfigError, OeeflowError


@st.cache_resource(show_spinner=False)
def _warm_up() -> bool:
    """Load what pages need once, then take it out of the garbage collection that follows every run of a page."""
    with suppress(OeeflowError):
        reading.board()
    gc.collect()
    gc.freeze()
    return True


def _plant_name() -> str:
    try:
        return reading.plant().name
    except OeeflowError:
        return "oeeflow"


def _pages() -> None:
    """The menu and the page that is asked for; nothing of them to who is not known."""
    pages = [
        st.Page(
            route.file,
            title=route.title,
            icon=f":material/{route.symbol}:",
            url_path=route.address,
            default=route is PAGES[0],
            visibility="visible" if route.listed else "hidden",
        )
        for route in PAGES
    ]
    try:
        visitor = roles.visitor()
    except ConfigError as error:
        st.navigation(pages, position="hidden")
        st.html(cards.empty(words.MISSET, f"{error}. {error.hint or ''}"))
        return
    if visitor is None or not visitor.may(Right.LOOK):
        st.navigation(pages, position="hidden")
        entrance.closed()
        return
    page = st.navigation(pages, position="top")
    entrance.trial(visitor)
    page.run()
    entrance.signed_in(visitor)


st.set_page_config(page_title=_plant_name(), page_icon=str(files("dashboards").joinpath("icon.svg")), layout="wide")
st.html(theme.style_sheet())
_warm_up()
_pages()
