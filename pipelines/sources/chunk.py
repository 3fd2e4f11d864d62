"""What every source of events yields."""

from typing import NamedTuple

import polars as pl


class Chunk(NamedTuple):
    """Some events of a file as EVENTS, what is none as REJECTED, and how far this is.

    `end` is the number of the last line or row: reading goes on after it. `bytes_read` is the position in the file.
    """

    events: pl.DataFrame
    rejected: pl.DataFrame
    end: int
    bytes_read: int
