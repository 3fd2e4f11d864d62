"""What every source of events yields."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl


class Chunk(NamedTuple):
    """Some events of a file as EVENTS, what is none as REJECTED, and how far this is.

    `end` is the number of the last line or row: reading goes on after it. `bytes_read` is the position in the file.
    `raw`, where lines have bytes of their own, gives the original bytes of lines by their numbers.
    """

    events: pl.DataFrame
    rejected: pl.DataFrame
    end: int
    bytes_read: int
    raw: Callable[[pl.Series], pl.Series] | None = None
