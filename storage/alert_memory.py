"""What alerts are derived from, as far back as their rules look: kept in memory, else read from the tables."""

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from kpis.alert_conditions import HELD
from kpis.work import Accounts, Work
from storage.database import Connection, bound, instants, microseconds

INTERVALS = pl.Schema(
    {
        "contributor": pl.String,
        "start": pl.Int64,
        "end": pl.Int64,  # null: open
        "account": pl.String,
        "category": pl.String,
        "reason": pl.String,
        "schedule": pl.String,
    }
)
PIECES = pl.Schema(
    {
        "contributor": pl.String,
        "window_start": pl.Int64,
        "quality": pl.String,
        "reason": pl.String,
        "pieces": pl.Int64,
        "ideal_us": pl.Int64,
        "no_ideal": pl.Int64,
    }
)
GAPS = pl.Schema({"contributor": pl.String, "start": pl.Int64, "end": pl.Int64})
CHANGES = pl.Schema({"contributor": pl.String, "at": pl.Int64})
_NOTHING = pl.DataFrame(schema=CHANGES)
_SHOWN = ("account", "category", "reason", "schedule")


@dataclass
class AlertMemory:
    """Intervals and pieces of contributors, each from its instant in `since` on; and the minutes that hold."""

    since: dict[str, int]
    intervals: pl.DataFrame
    pieces: pl.DataFrame
    held: pl.DataFrame

    @staticmethod
    def empty() -> "AlertMemory":
        """Nothing is remembered."""
        return AlertMemory({}, *(pl.DataFrame(schema=schema) for schema in (INTERVALS, PIECES, HELD)))

    def take(self, work: Work, accounts: Accounts, *, pieces: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Put accounts in the place of what they replace; from when on whose time and pieces changed (CHANGES)."""
        old, new = (_open(frame, work.horizon) for frame in (work.context, accounts.intervals))
        gone, come = _without(old, new), _without(new, old)
        self.intervals = pl.concat([_without(self.intervals, gone), _without(come, self.intervals)])
        return _first(pl.concat([gone, come]), "start"), self._take_pieces(work, accounts) if pieces else _NOTHING

    def _take_pieces(self, work: Work, accounts: Accounts) -> pl.DataFrame:
        spans = work.spans.select(contributor="equipment", first="count_start", last="count_end")
        spans = spans.filter(pl.col("first") < pl.col("last"))
        inside = pl.col("window_start").is_between("first", "last", closed="left")
        replaced = self.pieces.join(spans, on="contributor").filter(inside).select(PIECES.names())
        made = accounts.pieces.rename({"equipment": "contributor"}).select(PIECES.names())
        self.pieces = pl.concat([_without(self.pieces, replaced), made])
        return _first(pl.concat([replaced, made]), "window_start")

    def load(self, con: Connection, contributors: Collection[str], first: int, *, pieces: bool) -> None:
        """Read the time of some contributors from an instant on."""
        wanted = pl.DataFrame({"contributor": list(contributors)}, schema={"contributor": pl.String})
        with bound(con, wanted=wanted):
            shown = ", ".join(f"i.{name}" for name in _SHOWN)
            intervals = con.execute(
                f'SELECT w.contributor, i."start", i."end", {shown} FROM intervals i '
                'JOIN wanted w ON w.contributor = i.equipment WHERE i."end" IS NULL OR i."end" > make_timestamptz($1)',
                [first],
            ).pl()
            made = (
                con.execute(
                    "SELECT w.contributor, c.window_start, c.quality, c.reason, c.pieces, c.ideal_us, c.no_ideal "
                    "FROM count_elements c JOIN wanted w ON w.contributor = c.equipment "
                    "WHERE c.window_start >= make_timestamptz($1)",
                    [first],
                ).pl()
                if pieces
                else pl.DataFrame(schema=PIECES)
            )
        others = ~pl.col("contributor").is_in(wanted["contributor"].implode())
        self.intervals = pl.concat([self.intervals.filter(others), _typed(intervals, INTERVALS)])
        self.pieces = pl.concat([self.pieces.filter(others), _typed(made, PIECES)])
        self.since.update(dict.fromkeys(contributors, first))

    def of(self, contributors: Collection[str], horizon: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Intervals, open ones up to the horizon, and pieces of some contributors."""
        chosen = pl.col("contributor").is_in(pl.Series(list(contributors), dtype=pl.String).implode())
        intervals = self.intervals.filter(chosen).with_columns(pl.col("end").fill_null(horizon))
        return intervals.filter(pl.col("start") < pl.col("end")), self.pieces.filter(chosen)

    def forget(self, before: int) -> None:
        """Let go of what is too long ago to matter."""
        self.intervals = self.intervals.filter(pl.col("end").is_null() | (pl.col("end") > before))
        self.pieces = self.pieces.filter(pl.col("window_start") >= before)
        self.held = self.held.filter(pl.col("at") >= before)
        self.since = {path: max(at, before) for path, at in self.since.items()}


def silent(con: Connection, contributors: Collection[str], first: int, least: int, horizon: int) -> pl.DataFrame:
    """Times without an event of its own for longer than `least` (µs), from an instant on; the last is open (GAPS)."""
    wanted = pl.DataFrame({"contributor": list(contributors)}, schema={"contributor": pl.String})
    with bound(con, wanted=instants(wanted)):
        found = con.execute(
            """
            WITH signs AS (
                SELECT w.contributor, e.ts FROM events e JOIN wanted w ON w.contributor = e.equipment
                WHERE e.type NOT IN ('reclassify', 'retract') AND e.ts >= make_timestamptz($1)
                  AND NOT EXISTS (FROM corrections c WHERE c.type = 'retract' AND c.equipment = e.equipment
                                  AND c.details::JSON ->> 'target' = e.id)
            )
            SELECT contributor, ts AS start, lead(ts) OVER (PARTITION BY contributor ORDER BY ts) AS "end" FROM signs
            QUALIFY "end" IS NULL OR epoch_us("end") - epoch_us(ts) > $2
            """,
            [first, least],
        ).pl()
    return _typed(found, GAPS).with_columns(pl.col("end").fill_null(horizon))


def _open(rows: pl.DataFrame, horizon: int) -> pl.DataFrame:
    end = pl.when(pl.col("end") < horizon).then("end").alias("end")
    return rows.rename({"equipment": "contributor"}).with_columns(end).select(INTERVALS.names()).unique()


def _first(rows: pl.DataFrame, at: str) -> pl.DataFrame:
    return rows.group_by("contributor").agg(at=pl.col(at).min())


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return rows if others.is_empty() else rows.join(others, on=rows.columns, how="anti", nulls_equal=True)


def _typed(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return microseconds(rows).select(pl.col(name).cast(kind) for name, kind in schema.items())
