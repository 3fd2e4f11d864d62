"""One flush, one transaction: events, elements, what they stand for, and the position in the source."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import duckdb
import polars as pl

from kpis.work import PIECES
from storage.changes import changed_pieces
from storage.database import instants, microseconds, streamed
from storage.frozen import Frozen
from storage.history import EVENT_FIELDS
from storage.rewriting import Rewrite
from storage.selection import instant

SUMS: Final = ("summed_time", "summed_pieces", "summed_days")
FEW: Final = 2
"""rows that are sooner written as values than handed over as a table."""


@dataclass(frozen=True)
class Position:
    """How far a source has been taken in."""

    digest: str
    source: str
    position: int
    complete: bool


@dataclass(frozen=True)
class Changed:
    """What the accounts of some spans changed: segments (SEGMENTS) that were told before, production days of rows."""

    segments: pl.DataFrame
    days: pl.Series


class Transaction:
    """A flush on its way into the store.

    A thread of its own begins it and writes the events while their accounts are made, and writes these and commits it
    while the next one is prepared. `after` is the one before it: if that failed, so does this.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        pool: ThreadPoolExecutor,
        *,
        after: "Transaction | None" = None,
        events: pl.DataFrame | None = None,
        flush: int = 0,
    ) -> None:
        self._con = con
        self._pool = pool
        self._step: Future[None] = pool.submit(self._begin, after, events, flush)

    def _begin(self, after: "Transaction | None", events: pl.DataFrame | None, flush: int) -> None:
        if after is not None:
            after.wait()
        self._con.execute("BEGIN")
        if events is not None:
            rows = instants(events.select(EVENT_FIELDS), "ts", "start", "end")
            self.insert("events", rows.with_columns(flush=pl.lit(flush, pl.Int32)))

    def wait(self) -> None:
        """Until its last step, begin or commit, is done. Raises what went wrong with it."""
        self._step.result()

    def insert(self, table: str, rows: pl.DataFrame) -> None:
        """Add rows, by column name."""
        if rows.is_empty():
            return
        if rows.height <= FEW:
            names = ", ".join(f'"{name}"' for name in rows.columns)
            places = ", ".join(f"({', '.join('?' * rows.width)})" for _ in range(rows.height))
            values = [value for row in rows.iter_rows() for value in row]
            self._con.execute(f'INSERT INTO "{table}" ({names}) VALUES {places}', values)
            return
        with streamed(self._con, rows) as con:
            con.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM batch')

    def replace(self, table: str, rows: pl.DataFrame, *on: str) -> None:
        """Put rows in the place of those with the same values in the columns `on`."""
        if rows.is_empty():
            return
        same = " AND ".join(f't."{name}" IS NOT DISTINCT FROM b."{name}"' for name in on)
        with streamed(self._con, rows) as con:
            con.execute(f'DELETE FROM "{table}" AS t USING batch AS b WHERE {same}')
        self.insert(table, rows)

    def refill(self, table: str, rows: pl.DataFrame) -> None:
        """Put rows in the place of all."""
        self._con.execute(f'DELETE FROM "{table}"')
        self.insert(table, rows)

    def write_accounts(self, made: Rewrite) -> Changed:
        """Put the accounts of some spans in the place of the old ones."""
        self._delete("intervals", made.gone, "t.start = b.start")
        self.insert("intervals", made.come)
        self._delete("stops", made.reach, "t.start >= b.first AND t.start < b.last")
        self.insert("stops", made.stops)
        pieces = self._write_pieces(made)
        return Changed(pl.concat([made.segments, pieces.segments]), pl.concat([made.days, pieces.days]))

    def _delete(self, table: str, rows: pl.DataFrame, where: str) -> None:
        """Take away what is of the same equipment and fulfils a condition, where `t` is the table and `b` the rows."""
        if rows.height:
            with streamed(self._con, rows) as con:
                con.execute(f'DELETE FROM "{table}" AS t USING batch AS b WHERE t.equipment = b.equipment AND {where}')

    def _write_pieces(self, made: Rewrite) -> Changed:
        pieces, asked = made.pieces, made.counted
        if asked.is_empty():
            return Changed(changed_pieces(pieces, pieces), pieces["production_date"])
        bounds = asked.select(pl.col("first").min(), pl.col("last").max()).row(0)
        where = (
            "t.equipment = b.equipment AND t.window_start >= b.first AND t.window_start < b.last "
            "AND t.window_start >= $1 AND t.window_start < $2"
        )
        columns = ", ".join(f't."{name}"' for name in PIECES.names())
        query = f"SELECT {columns}, t.window_start < b.begin AS kept FROM count_elements t JOIN batch b ON {where}"
        with streamed(self._con, asked) as con:
            old = con.execute(query, bounds).pl()
        if old.height:
            with streamed(self._con, asked) as con:
                con.execute(f"DELETE FROM count_elements AS t USING batch AS b WHERE {where}", bounds)
        old = microseconds(old)
        if old["kept"].any():
            pieces = _added(pieces, old.filter("kept").select(pieces.columns))
        self.insert("count_elements", instants(pieces, "window_start", "run_start"))
        before = pl.col("window_start") < pl.lit(made.told, pl.Int64)
        old = old.drop("kept")
        segments = changed_pieces(old.filter(before), pieces.select(old.columns).filter(before))
        return Changed(segments, pl.concat([old["production_date"], pieces["production_date"]]).unique())

    def execute(self, statement: str) -> None:
        """Run a statement in it."""
        self._con.execute(statement)

    def forget_rejected(self, digests: pl.Series) -> None:
        """Take rejected events out of their table: they are tried again."""
        with streamed(self._con, digests.to_frame("digest")) as con:
            con.execute("DELETE FROM rejected_events AS t USING batch AS b WHERE t.digest = b.digest")

    def set_horizon(self, horizon: int) -> None:
        """Move the instant up to which open intervals are accounted."""
        self.refill("horizons", instants(pl.DataFrame({"horizon": [horizon]}), "horizon"))

    def remove_flush(self, flush: int) -> None:
        """Take a commit out of their record: a later one stands for it."""
        self._con.execute("DELETE FROM flushes WHERE flush = ?", [flush])

    def clear_results(self, frozen: Frozen | None) -> None:
        """Forget everything that is made from the events in the store, and that a plant file made it.

        What is frozen stays; an interval that goes on after it ends with it, until what follows is known.
        """
        for table in ("plants", "alert_rules"):
            self._con.execute(f"UPDATE {table} SET fingerprint = ''")
        for table in SUMS:
            self._con.execute(f'DELETE FROM "{table}"')
        for table, at in (("intervals", "start"), ("count_elements", "window_start"), ("stops", "start")):
            since = f' WHERE "{at}" >= {instant(frozen.before)}' if frozen else ""
            self._con.execute(f'DELETE FROM "{table}"{since}')
        if frozen:
            line = instant(frozen.before)
            self._con.execute(f'UPDATE intervals SET "end" = {line} WHERE "end" IS NULL OR "end" > {line}')

    def commit(self, write: Callable[[], None] = lambda: None) -> None:
        """Write the rest and make all of it durable, in the thread of its own; `wait` tells when and whether it is."""
        self._step = self._pool.submit(self._commit, self._step, write)

    def _commit(self, begun: Future[None], write: Callable[[], None]) -> None:
        begun.result()
        try:
            write()
            self._con.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):  # a failed COMMIT leaves nothing to roll back
                self._con.execute("ROLLBACK")
            raise

    def roll_back(self) -> None:
        """Leave the store as it was."""
        begun = self._step.exception() is None
        if begun:
            self._con.execute("ROLLBACK")


def _added(pieces: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Pieces with those of the same minutes that were there before."""
    minute = ["equipment", "window_start"]
    shared = pl.concat([kept, pieces.join(kept, on=minute, how="semi")])
    sums = [pl.col(name).sum() for name in PIECES.names()[9:]]
    together = shared.group_by(PIECES.names()[:9]).agg(sums).select(PIECES.names())
    return pl.concat([pieces.join(kept, on=minute, how="anti"), together])
