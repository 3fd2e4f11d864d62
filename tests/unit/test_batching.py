"""Chunks of a file on their way into the dataflow: read ahead, cut evenly, nothing lost where reading fails."""

import threading
from collections.abc import Iterator

import polars as pl
import pytest

from kpis.errors import SourceError
from kpis.events import EVENTS, REJECTED
from pipelines.sources.batching import MOST_BYTES, ahead, even
from pipelines.sources.chunk import Chunk


def chunk(first: int, size: int) -> Chunk:
    lines = pl.DataFrame({"line": range(first, first + size)}, schema={"line": pl.Int64})
    events = pl.concat([EVENTS.to_frame(), lines], how="diagonal")
    return Chunk(events, REJECTED.to_frame(), first + size - 1, 10 * (first + size - 1))


def lines_of(chunks: Iterator[Chunk]) -> list[list[int]]:
    return [one.events["line"].to_list() for one in chunks]


def test_chunks_of_any_size_become_even() -> None:
    given = iter([chunk(1, 3), chunk(4, 5), chunk(9, 1)])
    assert lines_of(even(given, 4)) == [[1, 2, 3, 4], [5, 6, 7, 8], [9]]


def test_events_with_long_texts_come_in_smaller_chunks() -> None:
    long = chunk(1, 20).events.with_columns(details=pl.lit("x" * (MOST_BYTES // 10)) + pl.col("line").cast(pl.String))
    given = [Chunk(part, REJECTED.to_frame(), int(part["line"][-1]), 0) for part in long.iter_slices(2)]
    assert [one.events.height for one in even(iter(given), 1000)] == [10, 10]


def test_the_next_chunk_is_read_while_one_is_worked_on() -> None:
    read = threading.Event()

    def reading() -> Iterator[Chunk]:
        yield chunk(1, 2)
        read.set()
        yield chunk(3, 2)

    chunks = ahead(reading())
    assert next(chunks).end == 2
    assert read.wait(20), "the second chunk is only read when it is asked for"
    assert [one.end for one in chunks] == [4]


def test_what_reading_raises_comes_after_everything_before_it() -> None:
    def damaged() -> Iterator[Chunk]:
        yield chunk(1, 2)
        yield chunk(3, 2)
        message = "torn"
        raise SourceError(message, hint="")

    chunks = ahead(even(damaged(), 3))
    assert [next(chunks).end, next(chunks).end] == [3, 4]
    with pytest.raises(SourceError, match="torn"):
        next(chunks)
