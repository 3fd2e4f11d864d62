"""The picture frame around every page: menu, style, warm-up. What is in the frame: dashboards/views."""

import gc
from contextlib import suppress
from importlib.resources import files

import streamlit as st

from dashboards import reading, theme
from dashboards.routes import PAGES
from kpis.errors import OeeflowError


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


st.set_page_config(page_title=_plant_name(), page_icon=str(files("dashboards").joinpath("icon.svg")), layout="wide")
st.html(theme.style_sheet())
_warm_up()
st.navigation(
    [
        st.Page(
            route.file,
            title=route.title,
            icon=f":material/{route.symbol}:",
            url_path=route.address,
            default=route is PAGES[0],
            visibility="visible" if route.listed else "hidden",
        )
        for route in PAGES
    ],
    position="top",
).run()
