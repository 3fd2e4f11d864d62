"""What alerts are derived from, as far back as their rules look: kept in memory, else read from the tables."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import polars as pl

from kpis.alert_conditions import HELD, held_minutes
from kpis.alert_scope import Scope
from kpis.alert_watch import LOST
from kpis.work import MINUTE_US, Accounts, Work, floor_minute
from storage.database import microseconds
from storage.history import REACHES
from storage.selection import instant, texts

Query = Callable[[str], pl.DataFrame]
"""Gives the rows of a statement."""

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
_POINTS_AT_ONCE: Final = 500_000
_NOTHING = pl.DataFrame(schema=CHANGES)
_SHOWN = ("account", "category", "reason", "schedule")


_SILENCES: Final = """
    WITH signs AS (
        SELECT DISTINCT e.equipment AS contributor, e.ts FROM events e
        WHERE e.equipment IN {whose} AND e.ts >= {first} AND e.type NOT IN ('reclassify', 'retract')
          AND NOT EXISTS (FROM corrections c WHERE c.type = 'retract' AND c.equipment = e.equipment
                          AND (c.details->>'$.target') = e.id)
    )
    SELECT contributor, ts AS "start", lead(ts) OVER (PARTITION BY contributor ORDER BY ts) AS "end" FROM signs
    QUALIFY "end" IS NULL OR epoch_us("end") - epoch_us("start") > {least}
"""


@dataclass
class AlertMemory:
    """Intervals and pieces of contributors, each from its instant in `since` on; the minutes that
    hold, the silences, and when contributors could not be heard (kpis.alert_watch.LOST)."""

    since: dict[str, int]
    intervals: pl.DataFrame
    pieces: pl.DataFrame
    held: pl.DataFrame
    gaps: pl.DataFrame
    lost: pl.DataFrame

    @staticmethod
    def empty() -> "AlertMemory":
        """Nothing is remembered."""
        return AlertMemory({}, *(pl.DataFrame(schema=schema) for schema in (INTERVALS, PIECES, HELD, GAPS, LOST)))

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
        return _first(spans.with_columns(floor_minute(pl.col("first"))), "first")

    def load(self, query: Query, contributors: Collection[str], first: int, *, pieces: bool) -> None:
        """Read the time, and the pieces if asked for, of some contributors from an instant on."""
        whose = f"equipment IN {texts(contributors)}"
        intervals = query(
            f'SELECT equipment AS contributor, "start", "end", {", ".join(_SHOWN)} FROM intervals '
            f'WHERE {whose} AND ("end" IS NULL OR "end" > {instant(first)})'
        )
        made = query(
            "SELECT equipment AS contributor, window_start, quality, reason, pieces, ideal_us, no_ideal "
            f"FROM count_elements WHERE {whose if pieces else 'false'} AND window_start >= {instant(first)}"
        )
        others = ~pl.col("contributor").is_in(_named(contributors))
        self.intervals = pl.concat([self.intervals.filter(others), _typed(intervals, INTERVALS)])
        self.pieces = pl.concat([self.pieces.filter(others), _typed(made, PIECES)])
        self.since.update(dict.fromkeys(contributors, first))

    def listen(self, query: Query, contributors: Collection[str], first: int, least: int) -> None:
        """Read the silences of some contributors, longer than `least` (µs), from an instant on."""
        begun = _last_signs(query, contributors, first)
        found = query(_SILENCES.format(whose=texts(contributors), first=instant(begun), least=least))
        others = ~pl.col("contributor").is_in(_named(contributors))
        self.gaps = pl.concat([self.gaps.filter(others), _typed(found, GAPS)])

    def hear(self, signs: pl.DataFrame, least: int) -> pl.DataFrame:
        """Take more signs of life (`contributor`, `at`); from when on whose silences changed (CHANGES)."""
        self.gaps, changes = broken(self.gaps, signs, least)
        return changes

    def measure(
        self,
        scope: Scope,
        paths: Collection[str],
        minutes: tuple[int, int],
        horizon: int,
        holding: pl.DataFrame | None = None,
    ) -> None:
        """Measure the equipment at the minutes from the first to the last, in the place of all from the first on.

        `holding` are the keys whose condition held before, if what is remembered of it counts no more.
        """
        chosen = sorted(scope.measured.intersection(paths))
        first, last = minutes
        times = pl.int_range(first, last + 1, MINUTE_US, dtype=pl.Int64, eager=True)
        if not chosen or times.is_empty():
            return
        mine = pl.col("equipment").is_in(_named(chosen))
        stays = ~mine if holding is not None else ~mine | (pl.col("at") < first)
        before = self.held.filter(pl.col("at") == first - MINUTE_US) if holding is None else holding
        made, step = [], max(1, _POINTS_AT_ONCE // len(times))
        for place in range(0, len(chosen), step):
            some = chosen[place : place + step]
            parts = {part for path in some for part in scope.contributors[path]}
            intervals, pieces = self.of(parts, horizon)
            known = before.filter(pl.col("equipment").is_in(_named(some)))
            made.append(held_minutes(scope, some, intervals, pieces, times, known))
        self.held = pl.concat([self.held.filter(stays), *made])

    def of(self, contributors: Collection[str], horizon: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Intervals, open ones up to the horizon, and pieces of some contributors."""
        chosen = pl.col("contributor").is_in(_named(contributors))
        intervals = self.intervals.filter(chosen).with_columns(pl.col("end").fill_null(horizon))
        return intervals.filter(pl.col("start") < pl.col("end")), self.pieces.filter(chosen)

    def silent(self, contributors: Collection[str], horizon: int) -> pl.DataFrame:
        """Silences of some contributors, those that go on up to the horizon."""
        chosen = pl.col("contributor").is_in(_named(contributors))
        return self.gaps.filter(chosen).with_columns(pl.col("end").fill_null(horizon))

    def forget(self, before: int) -> None:
        """Let go of what is too long ago to matter."""
        self.intervals = self.intervals.filter(pl.col("end").is_null() | (pl.col("end") > before))
        self.pieces = self.pieces.filter(pl.col("window_start") >= before)
        self.held = self.held.filter(pl.col("at") >= before)
        self.gaps = self.gaps.filter(pl.col("end").is_null() | (pl.col("end") >= before))
        self.since = {path: max(at, before) for path, at in self.since.items()}


def _last_signs(query: Query, contributors: Collection[str], first: int) -> int:
    """An instant at or before which each contributor that was heard before `first` was heard last."""
    asked, earliest = set(contributors), first
    for reach in REACHES:
        if not asked:
            break
        since = instant(max(0, first - reach))
        found = query(
            f"SELECT equipment, epoch_us(max(ts)) AS last FROM events WHERE equipment IN {texts(sorted(asked))} "
            f"AND ts < {instant(first)} AND ts >= {since} GROUP BY equipment"
        )
        asked -= set(found["equipment"])
        earliest = min([earliest, *found["last"]])
    return earliest


def broken(gaps: pl.DataFrame, signs: pl.DataFrame, least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Silences after more signs of life (`contributor`, `at`), and from when on which contributor's changed (CHANGES).

    A contributor that was never heard before is silent from its last sign on.
    """
    known = gaps.with_row_index("gap")
    inside = known.join(signs, on="contributor").filter(
        pl.col("at") > pl.col("start"), pl.col("end").is_null() | (pl.col("at") < pl.col("end"))
    )
    fresh = signs.join(gaps, on="contributor", how="anti").with_columns(gap=pl.lit(None, pl.UInt32))
    if inside.is_empty() and fresh.is_empty():
        return gaps, _NOTHING
    parts = pl.concat(
        [
            known.join(inside, on="gap", how="semi").select("gap", "contributor", at="start"),
            inside.select("gap", "contributor", "at"),
            fresh.select("gap", "contributor", "at"),
        ]
    ).unique()
    parts = parts.sort("contributor", "at").join(known.select("gap", until="end"), on="gap", how="left")
    ends = pl.coalesce(pl.col("at").shift(-1).over("contributor", "gap"), "until")
    parts = parts.sort("contributor", "at").select("contributor", start="at", end=ends)
    long = pl.col("end").is_null() | (pl.col("end") - pl.col("start") > least)
    told = inside.filter(pl.col("end").is_not_null() | (pl.col("at") - pl.col("start") > least))
    kept = known.join(inside, on="gap", how="anti").drop("gap")
    return pl.concat([kept, parts.filter(long)]), _first(pl.concat([told.select("contributor", "at")]), "at")


def _named(paths: Collection[str]) -> pl.Series:
    return pl.Series(list(paths), dtype=pl.String).implode()


def _open(rows: pl.DataFrame, horizon: int) -> pl.DataFrame:
    end = pl.when(pl.col("end") < horizon).then("end").alias("end")
    return rows.rename({"equipment": "contributor"}).with_columns(end).select(INTERVALS.names()).unique()


def _first(rows: pl.DataFrame, at: str) -> pl.DataFrame:
    return rows.group_by("contributor").agg(at=pl.col(at).min())


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return rows if others.is_empty() else rows.join(others, on=rows.columns, how="anti", nulls_equal=True)


def _typed(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return microseconds(rows).select(pl.col(name).cast(kind) for name, kind in schema.items())
