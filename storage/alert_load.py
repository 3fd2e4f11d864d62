"""How much people are asked to do by alerts, read from a store; also from one whose views are older than these."""

import polars as pl

from storage.alert_views import CALLS, LOAD
from storage.reader import Reader
from storage.selection import instant


def calls(reader: Reader, since: int) -> pl.DataFrame:
    """Who was called by which alert from an instant on (storage.alert_views.CALLS), in order of time."""
    return reader.query(f"SELECT * FROM ({CALLS}) WHERE told_at >= {instant(since)} ORDER BY told_at, alert, recipient")


def load(reader: Reader, since: int) -> pl.DataFrame:
    """The load of each person in each hour that begins at or after an instant (storage.alert_views.LOAD)."""
    return reader.query(
        f"WITH alert_calls AS ({CALLS}) SELECT * FROM ({LOAD}) WHERE window_start >= {instant(since)} "
        "ORDER BY window_start, recipient"
    )
