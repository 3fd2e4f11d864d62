"""What every source of events yields."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl


class RawPart(NamedTuple):
    """Where the original bytes of the lines up to `end` are to be had, by line number."""

    end: int
    lines: Callable[[pl.Series], pl.Series]


class Chunk(NamedTuple):
    """Some events of a file as EVENTS, what is none as REJECTED, and how far this is.

    `end` is the number of the last line or row: reading goes on after it. `bytes_read` is the position in the file.
    `raw` gives the original bytes of lines, where lines have bytes of their own, in parts one after another.
    """

    events: pl.DataFrame
    rejected: pl.DataFrame
    end: int
    bytes_read: int
    raw: tuple[RawPart, ...] = ()

    def raw_lines(self, lines: pl.Series) -> pl.Series:
        """The original bytes of some lines: few are asked for, those that turn out unusable later."""
        known: dict[int, bytes] = {}
        before = 0
        for end, part in self.raw:
            asked = lines.filter((lines > before) & (lines <= end))
            if len(asked):
                known |= dict(zip(asked, part(asked), strict=True))
            before = end
        return pl.Series("raw", [known.get(line) for line in lines], dtype=pl.Binary)
