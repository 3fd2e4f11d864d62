"""What pages about the past begin with: a head, the filters, and the sums of what they select."""

from dataclasses import dataclass
from typing import Final

import streamlit as st

from dashboards import cards, filters, frame, reading, texts
from dashboards.board import Board, Row
from storage import slices
from storage.slices import Slice

KEEP_S: Final = 30


@dataclass(frozen=True)
class Past:
    """What is selected, by which OEE definition it is shown, and the sums of it all with its KPIs."""

    chosen: Slice
    definition: str
    sums: Row


def selected(board: Board, title: str) -> Past | None:
    """The head of a page, its filters, and what they select; None: there is nothing in it, which is said."""
    frame.head(title, board, board.plant.name)
    chosen, definition = filters.chosen(board), filters.definition(board)
    found = reading.read(
        ("sums", chosen, definition), lambda reader: slices.sums(reader, chosen, definition), keep_s=KEEP_S
    )
    if found.is_empty():
        st.html(cards.empty(texts.NO_TIME, texts.NO_TIME_HINT))
        return None
    return Past(chosen, definition, found.row(0, named=True))
