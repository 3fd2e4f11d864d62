"""What pages about the past begin with: a head, the filters, and the sums of what they select."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import polars as pl
import streamlit as st

from dashboards import cards, filters, frame, reading, texts
from dashboards.board import Board, Row
from storage import slices
from storage.reader import Reader
from storage.slices import Slice


@dataclass(frozen=True)
class Question:
    """What is asked about a slice of the past; `key` names it with all that it depends on."""

    key: Hashable
    compute: Callable[[Reader], pl.DataFrame]


Questions = Callable[[Slice, str], list[Question]]
"""What a page asks about what is selected, by the OEE definition that it is shown by."""


@dataclass(frozen=True)
class Past:
    """What is selected, by which OEE definition it is shown, and the sums of it all with its KPIs."""

    chosen: Slice
    definition: str
    sums: Row


def whole(chosen: Slice, definition: str) -> Question:
    """The sums of the slice."""
    return Question(("sums", chosen, definition), lambda reader: slices.sums(reader, chosen, definition))


def by_day(chosen: Slice, definition: str) -> Question:
    """The sums of each of its days."""
    return Question(
        ("trend", chosen, definition), lambda reader: slices.sums(reader, chosen, definition, "production_date")
    )


def answer(question: Question) -> pl.DataFrame:
    """What the store answers, or answered a short time ago. Raises StorageError."""
    return reading.past(question.key, question.compute)


def selected(board: Board, title: str, questions: Questions) -> Past | None:
    """The head of a page, its filters, and what they select; None: there is nothing in it, which is said.

    The questions that the page is about to ask are asked meanwhile.
    """
    frame.head(title, board, board.plant.name)
    chosen, definition = filters.chosen(board), filters.definition(board)
    for question in questions(chosen, definition):
        reading.ahead(question.key, question.compute)
    found = answer(whole(chosen, definition))
    if found.is_empty():
        st.html(cards.empty(texts.NO_TIME, texts.NO_TIME_HINT))
        return None
    return Past(chosen, definition, found.row(0, named=True))
