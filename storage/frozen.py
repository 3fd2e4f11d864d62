"""The time whose events are in an archive: its results stay, and what would change them can no longer be taken in.

See docs/adr/0014-retention-freezes-results.md; `storage.retention` moves events into the archive.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from storage.database import Connection, bound
from storage.tables import Table

REASON: Final = "before_retention"
RETENTIONS: Final = Table(
    "retentions",
    "Times whose events were moved into an archive, see docs/operations.md. The results before the last line stay as "
    "they are, and what would change them is rejected as before_retention.",
    (
        ("line", "TIMESTAMPTZ", "events before it are in this file or in one of an earlier line"),
        ("made_at", "TIMESTAMPTZ", "when they were moved"),
        ("file", "VARCHAR", "file of events, as seen from the folder of the store; null: there were none"),
        ("events", "BIGINT", "events in that file"),
        ("rejected_events", "BIGINT", "rejected events that were moved with them"),
        ("bytes", "BIGINT", "size of the files of both"),
    ),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Frozen:
    """Everything before the instant `before` (µs), the line: its events are in `files`, its results stay."""

    before: int
    files: tuple[Path, ...]

    @property
    def at(self) -> datetime:
        """The line."""
        return _EPOCH + timedelta(microseconds=self.before)

    @property
    def why(self) -> str:
        """What is told of an event that comes too late."""
        return f"it changes what was before {self.at:%Y-%m-%d %H:%MZ}: events until then are archived, results stay"

    def reached(self) -> pl.Expr:
        """Whether an event changes time before the line. What a retraction changes is told by its target alone."""
        at = pl.when(pl.col("type") == "reclassify").then("start").when(pl.col("type") != "retract").then("ts")
        return (at < self.before).fill_null(value=False)

    def archived(self, targets: pl.DataFrame) -> pl.DataFrame:
        """Those of the events named by `equipment` and `id` that are in the archive, as far as it is still there.

        This reads the ids of all its files: it is only asked about retractions of what the store does not have.
        """
        found = [targets.clear()]
        with duckdb.connect() as scratch:
            for file in self.files:
                try:
                    with bound(scratch, asked=targets):
                        query = "SELECT equipment, id FROM read_parquet($1) a SEMI JOIN asked USING (equipment, id)"
                        found.append(scratch.execute(query, [str(file)]).pl())
                except duckdb.Error:
                    continue  # it was moved away: `oeeflow doctor` tells
        return pl.concat(found).unique()


def frozen_of(con: Connection, db: Path) -> Frozen | None:
    """What is frozen in the store at `db`; None if nothing ever was archived."""
    rows = con.execute("SELECT epoch_us(line), file FROM retentions ORDER BY line").fetchall()
    if not rows:
        return None
    return Frozen(rows[-1][0], tuple(located(db, file) for _, file in rows if file is not None))


def located(db: Path, file: str) -> Path:
    """Where a file of the archive is: what is told without a folder of its own is told as seen from the store's."""
    return db.resolve().parent / file
