"""Chunks of an even number of events: DuckDB stores 122,880 rows as a unit, and whole units are written once."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import polars as pl

from kpis.errors import SourceError
from pipelines.sources.chunk import Chunk

MOST_BYTES: Final = 64 << 20
"""of the events of a chunk, three times what is usual: those with long texts come in smaller chunks."""


def even(chunks: Iterator[Chunk], rows: int) -> Iterator[Chunk]:
    """The same events and rejected rows, in chunks of exactly `rows` events but for the last and for large ones.

    A SourceError that `chunks` raises comes after everything before it.
    """
    waiting: Chunk | None = None
    fault: SourceError | None = None
    try:
        for chunk in chunks:
            waiting = chunk if waiting is None else _joined(waiting, chunk)
            while waiting.events.height >= rows:
                full, waiting = _cut(waiting, rows)
                yield full
            if waiting.rejected.height >= rows or waiting.events.estimated_size() > MOST_BYTES:
                yield waiting
                waiting = None
    except SourceError as error:
        fault = error
    if waiting is not None:
        yield waiting
    if fault is not None:
        raise fault


def ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each read while the one before is worked on; what reading raises comes in its place.

    A chunk that was handed out is not held on to.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        coming = deque([pool.submit(next, chunks)])
        while not isinstance(coming[0].exception(), StopIteration):
            coming.append(pool.submit(next, chunks))
            yield coming.popleft().result()


def _joined(first: Chunk, second: Chunk) -> Chunk:
    return Chunk(
        pl.concat([first.events, second.events]),
        pl.concat([first.rejected, second.rejected]),
        second.end,
        second.bytes_read,
        first.raw + second.raw,
    )


def _cut(chunk: Chunk, rows: int) -> tuple[Chunk, Chunk]:
    """The first `rows` events with what was rejected among them, and the rest; in one piece each column is smaller."""
    head, tail = chunk.events.head(rows), chunk.events.slice(rows)
    end = int(head["line"][-1]) if tail.height else chunk.end
    before = pl.col("line") <= end
    raw = tuple(part for part in chunk.raw if part.end > end)
    return (
        chunk._replace(events=head.rechunk(), rejected=chunk.rejected.filter(before), end=end),
        chunk._replace(events=tail, rejected=chunk.rejected.filter(~before), raw=raw),
    )
