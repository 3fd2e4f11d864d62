"""Events that could not be used: each kept once, with its original bytes and where it came from."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import duckdb
import polars as pl

from storage.database import Connection, bound
from storage.writer import Transaction

_AT_ONCE = 100_000


def write(
    con: duckdb.DuckDBPyConnection,
    transaction: Transaction,
    rows: pl.DataFrame,
    source: str | None,
    origin: pl.DataFrame | None,
    at: datetime,
) -> None:
    """Keep rejected rows that are not known yet.

    They came from `source`, and `line` is their place in it; where there is an `origin` (`line`, `source`, `place`),
    that tells both.
    """
    if rows.is_empty():
        return
    with bound(con, batch=rows.with_row_index("n")):
        fresh = con.execute(
            """
            SELECT digest, line, equipment, id, reason, detail, raw FROM (SELECT *, md5(raw) AS digest FROM batch)
            WHERE digest NOT IN (SELECT digest FROM rejected_events)
            QUALIFY row_number() OVER (PARTITION BY digest ORDER BY n) = 1 ORDER BY n
            """
        ).pl()
    fresh = fresh.with_columns(source=pl.lit(source, pl.String), rejected_at=pl.lit(at))
    if origin is not None:
        told = origin.select("line", _source="source", _place="place")
        fresh = fresh.join(told, on="line", how="left", maintain_order="left")
        fresh = fresh.with_columns(source="_source", line="_place").drop("_source", "_place")
    transaction.insert("rejected_events", fresh)


def count(con: Connection) -> int:
    """How many rejected events there are."""
    return int(con.execute("SELECT count(*) FROM rejected_events").fetchall()[0][0])


def retriable(con: Connection, paths: Iterable[str]) -> Iterator[pl.DataFrame]:
    """Events rejected for their equipment, by `digest` and `raw` bytes, that is among `paths` by now."""
    with bound(con, known=pl.DataFrame({"equipment": list(paths)}, schema={"equipment": pl.String})):
        refused = con.execute(
            "SELECT digest, raw FROM rejected_events SEMI JOIN known USING (equipment) "
            "WHERE reason = 'unknown_equipment' ORDER BY rejected_at, line"
        ).pl()
    return refused.iter_slices(_AT_ONCE)
