"""Chunks of an even number of events: DuckDB stores 122,880 rows as a unit, and whole units are written once."""

from collections.abc import Iterator

import polars as pl

from pipelines.sources.chunk import Chunk


def even(chunks: Iterator[Chunk], rows: int) -> Iterator[Chunk]:
    """The same events and rejected rows, in chunks of exactly `rows` events but for the last."""
    waiting: Chunk | None = None
    for chunk in chunks:
        waiting = chunk if waiting is None else _joined(waiting, chunk)
        while waiting.events.height >= rows:
            full, waiting = _cut(waiting, rows)
            yield full
        if waiting.rejected.height >= rows:
            yield waiting
            waiting = None
    if waiting is not None:
        yield waiting


def _joined(first: Chunk, second: Chunk) -> Chunk:
    def raw(lines: pl.Series) -> pl.Series:
        """Few lines are asked for: those that turn out unusable later."""
        known: dict[int, bytes] = {}
        for chunk, asked in ((first, lines.filter(lines <= first.end)), (second, lines.filter(lines > first.end))):
            if chunk.raw is not None:
                known |= dict(zip(asked, chunk.raw(asked), strict=True))
        return pl.Series("raw", [known.get(line) for line in lines], dtype=pl.Binary)

    return Chunk(
        pl.concat([first.events, second.events]),
        pl.concat([first.rejected, second.rejected]),
        second.end,
        second.bytes_read,
        raw if first.raw is not None else None,
    )


def _cut(chunk: Chunk, rows: int) -> tuple[Chunk, Chunk]:
    """The first `rows` events with what was rejected among them, and the rest."""
    head, tail = chunk.events.head(rows), chunk.events.slice(rows)
    end = int(head["line"][-1]) if tail.height else chunk.end
    before = pl.col("line") <= end
    return (
        chunk._replace(events=head, rejected=chunk.rejected.filter(before), end=end),
        chunk._replace(events=tail, rejected=chunk.rejected.filter(~before)),
    )
