"""What pages about the past begin with: a head, the filters, and the sums of what they select."""

from collections.abc import Callable, Hashable, Iterable
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
    """What is asked about the past; `key` names it with all that it depends on, `keep_s` is that of Store.past."""

    key: Hashable
    compute: Callable[[Reader], pl.DataFrame]
    keep_s: float = reading.PAST_S


Questions = Callable[[Slice, str], list[Question]]
"""What a page asks about what is selected, by the OEE definition that it is shown by."""


@dataclass(frozen=True)
class Past:
    """What is selected, by which OEE definition it is shown, the sums of it all and of each day, with their KPIs."""

    chosen: Slice
    definition: str
    sums: Row
    days: pl.DataFrame


def answer(question: Question) -> pl.DataFrame:
    """What the store answers, or answered a short time ago. Raises StorageError."""
    return reading.past(question.key, question.compute, question.keep_s)


def begin(questions: Iterable[Question]) -> None:
    """Let the store look for the answers of all of them, that will be wanted one after the other."""
    for question in questions:
        reading.ahead(question.key, question.compute, question.keep_s)


def summed(chosen: Slice, definition: str) -> Past | None:
    """The sums of what is selected; None: there is nothing in it. Raises StorageError."""
    found = answer(_days(chosen, definition))
    if found.is_empty():
        return None
    of_all = pl.col("production_date").is_null()
    return Past(chosen, definition, found.row(by_predicate=of_all, named=True), found.filter(~of_all))


def selected(board: Board, title: str, questions: Questions) -> Past | None:
    """The head of a page, its filters, and what they select; None: there is nothing in it, which is said.

    The questions that the page is about to ask are asked meanwhile.
    """
    frame.head(title, board, board.plant.name)

    def asked(chosen: Slice, definition: str) -> None:
        begin([_days(chosen, definition), *questions(chosen, definition)])

    chosen, definition = filters.chosen(board, asked), filters.definition(board)
    asked(chosen, definition)
    found = summed(chosen, definition)
    if found is None:
        nothing()
    return found


def nothing() -> None:
    """Say that there is nothing in what is selected."""
    st.html(cards.empty(texts.NO_TIME, texts.NO_TIME_HINT))


def _days(chosen: Slice, definition: str) -> Question:
    return Question(("days", chosen, definition), lambda reader: slices.days(reader, chosen, definition))
