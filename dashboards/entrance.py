"""What stands at the entrance of the pages: a way to sign in and out, and that a role is only for trying out."""

from html import escape

import streamlit as st

from dashboards import cards, roles
from dashboards import texts_correcting as words
from dashboards.roles import Visitor


def closed() -> None:
    """Before somebody is known: how he gets in."""
    if roles.ways().oidc is None:
        st.html(cards.empty(words.NO_NAME, words.NO_NAME_HINT))
        return
    st.html(cards.empty(words.SIGN_IN_FIRST, words.SIGN_IN_HINT))
    st.button(words.SIGN_IN, type="primary", icon=":material/login:", on_click=st.login)


def trial(visitor: Visitor) -> None:
    """Say on every page that everybody has this role."""
    if roles.ways().role is not None:
        told = words.TRIAL.format(role=words.ROLES[visitor.role], name=visitor.name)
        st.html(f'<div class="of-trial">{cards.notice(told, "science")}</div>')


def signed_in(visitor: Visitor) -> None:
    """Below a page: who looks at it, and the way out."""
    if roles.ways().oidc is None:
        return
    with st.container(key="visitor", horizontal=True, vertical_alignment="center", horizontal_alignment="right"):
        told = words.SIGNED_IN.format(name=visitor.name, role=words.ROLES[visitor.role])
        st.html(f'<span class="of-fade">{escape(told)}</span>', width="content")
        st.button(words.SIGN_OUT, on_click=st.logout, icon=":material/logout:")
