"""What alerts are derived from, as far back as their rules look: kept in memory, else read from the tables."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from kpis.alert_conditions import HELD, held_minutes
from kpis.alert_scope import Scope
from kpis.alert_watch import LOST
from kpis.work import BEGINNING, MINUTE_US, Accounts, Work, floor_minute
from storage.alert_silences import CHANGES, GAPS, Query, Signs, heard, read_silences
from storage.database import microseconds
from storage.selection import instant, texts

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
REASONS = pl.Schema({"contributor": pl.String, "start": pl.Int64, "end": pl.Int64, "reason": pl.String})
"""Intervals with a reason."""

_POINTS_AT_ONCE: Final = 500_000
_MOST_CHUNKS: Final = 32
_NOTHING = pl.DataFrame(schema=CHANGES)
_SHOWN = ("account", "category", "reason", "schedule")


@dataclass
class AlertMemory:
    """Intervals and pieces of contributors, each from its instant in `since` on; the minutes that hold, of each
    equipment from its instant in `measured` on; the silences, when contributors could not be heard
    (kpis.alert_watch.LOST), and the last reason given before `since` that an alert of now may have (REASONS).

    Intervals are in order of their ends, open ones last, and pieces in order of time: what a commit changes is at the
    end, and what is before it is not touched. Signs of life before `heard_from` are archived but for the last ones:
    silences that ended before it are not known.
    """

    since: dict[str, int]
    intervals: pl.DataFrame
    pieces: pl.DataFrame
    held: pl.DataFrame
    gaps: pl.DataFrame
    lost: pl.DataFrame
    reasons: pl.DataFrame
    measured: dict[str, int] = field(default_factory=dict, kw_only=True)
    heard_from: int = field(default=BEGINNING, kw_only=True)

    @staticmethod
    def empty() -> "AlertMemory":
        """Nothing is remembered."""
        schemas = (INTERVALS, PIECES, HELD, GAPS, LOST, REASONS)
        return AlertMemory({}, *(pl.DataFrame(schema=schema) for schema in schemas))

    def take(
        self, work: Work, accounts: Accounts, known: int | None, *, pieces: bool
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Put accounts in the place of what they replace; from when on whose time and pieces changed (CHANGES).

        `known`: the instant up to which open intervals were known to go on.
        """
        gone, come = _exchanged(work.context, accounts.intervals, work.horizon)
        if gone.height or come.height:
            ends = pl.concat([gone["end"], come["end"]]).drop_nulls()
            settled, recent = parted(self.intervals, "end", min(ends, default=None))
            recent = pl.concat([_without(recent, gone), _without(come, recent)])
            self.intervals = _whole([settled, recent.sort("end", nulls_last=True)])
        return differences(gone, come, known), self._take_pieces(work, accounts) if pieces else _NOTHING

    def _take_pieces(self, work: Work, accounts: Accounts) -> pl.DataFrame:
        spans = work.spans.select(contributor="equipment", first="count_start", last="count_end")
        spans = spans.filter(pl.col("first") < pl.col("last"))
        made = accounts.pieces.rename({"equipment": "contributor"}).select(PIECES.names())
        begun = pl.concat([spans["first"], made["window_start"]])
        if begun.is_empty():
            return _NOTHING
        settled, recent = parted(self.pieces, "window_start", min(begun))
        places = recent.lazy().with_row_index("place")
        inside = pl.col("window_start").is_between("first", "last", closed="left")
        replaced = places.join(spans.lazy(), on="contributor").filter(inside)
        kept = places.join(replaced, on="place", how="anti").drop("place")
        recent = pl.concat([kept, made.lazy()]).sort("window_start").collect()
        self.pieces = _whole([settled, recent])
        return _first(spans.with_columns(floor_minute(pl.col("first"))), "first")

    def load(self, query: Query, contributors: Collection[str], first: int, until: int | None, *, pieces: bool) -> None:
        """Read the time, and the pieces if asked for, of some contributors from an instant on, up to another.

        An interval that ends later is open, as it was then. `until` is None for all that is known by now.
        """
        whose = f"equipment IN {texts(contributors)}"
        last = None if until is None else instant(until)
        end = '"end"' if last is None else f'CASE WHEN "end" <= {last} THEN "end" END'
        begun = [f"{name} < {last}" if last is not None else "true" for name in ('"start"', "window_start")]
        intervals = query(
            f'SELECT equipment AS contributor, "start", {end} AS "end", {", ".join(_SHOWN)} FROM intervals '
            f'WHERE {whose} AND ("end" IS NULL OR "end" > {instant(first)}) AND {begun[0]}'
        )
        made = query(
            "SELECT equipment AS contributor, window_start, quality, reason, pieces, ideal_us, no_ideal "
            f"FROM count_elements WHERE {whose if pieces else 'false'} "
            f"AND window_start >= {instant(first // MINUTE_US * MINUTE_US)} AND {begun[1]}"
        )
        others = ~pl.col("contributor").is_in(_named(contributors))
        intervals = pl.concat([self.intervals.filter(others), _typed(intervals, INTERVALS)])
        self.intervals = intervals.sort("end", nulls_last=True)
        made = pl.concat([self.pieces.filter(others), _typed(made, PIECES)])
        self.pieces = made.sort("window_start")
        self.since.update(dict.fromkeys(contributors, first))

    def explain(self, query: Query, contributors: Collection[str], since: int, first: int) -> None:
        """Read the last reason given for some contributors after an instant and before another."""
        whose = f"equipment IN {texts(contributors)} AND reason IS NOT NULL"
        found = query(
            'SELECT equipment AS contributor, max("start") AS "start", arg_max("end", "start") AS "end", '
            f'arg_max(reason, "start") AS reason FROM intervals '
            f'WHERE {whose} AND "end" > {instant(since)} AND "end" <= {instant(first)} GROUP BY equipment'
        )
        others = ~pl.col("contributor").is_in(_named(contributors))
        self.reasons = pl.concat([self.reasons.filter(others), _typed(found, REASONS)])

    def listen(self, query: Query, contributors: Collection[str], first: int, until: int | None, least: int) -> None:
        """Read the silences of some contributors, longer than `least` (µs), from an instant on, up to another."""
        found = read_silences(query, contributors, first, until, least)
        others = ~pl.col("contributor").is_in(_named(contributors))
        known = pl.col("end").is_null() | (pl.col("end") >= self.heard_from)
        self.gaps = pl.concat([self.gaps.filter(others), found.filter(known)])

    def hear(self, signs: Signs, known: pl.Series, least: int) -> pl.DataFrame:
        """Take more signs of life of `known` contributors; from when on whose silences changed (CHANGES)."""
        early = self._unplaced(signs.spans)
        self.gaps, changes = heard(self.gaps, signs, known, least)
        return pl.concat([changes, early]) if early.height else changes

    def _unplaced(self, spans: pl.DataFrame) -> pl.DataFrame:
        """The first sign of life of each contributor that may be in a silence that was let go of (CHANGES)."""
        early = spans.filter(pl.col("first") < max(self.since.values(), default=BEGINNING))
        if early.is_empty():
            return _NOTHING
        since = pl.DataFrame(list(self.since.items()), schema=CHANGES, orient="row").rename({"at": "since"})
        silent = self.gaps.group_by("contributor").agg(pl.col("start").min())
        known = early.join(since, on="contributor").join(silent, on="contributor", how="left")
        found = known.filter(pl.col("first") < pl.min_horizontal("since", "start"))
        return found.select("contributor", at="first")

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
            since = first - scope.window_us
            intervals, pieces = self.time_of(parts, horizon, since), self.pieces_of(parts, since)
            known = before.filter(pl.col("equipment").is_in(_named(some)))
            made.append(held_minutes(scope, some, intervals, pieces, times, known))
        self.held = pl.concat([self.held.filter(stays), *made])

    def time_of(self, contributors: Collection[str], horizon: int, since: int = BEGINNING) -> pl.DataFrame:
        """The intervals of contributors that end after an instant, open ones up to the horizon."""
        _, intervals = parted(self.intervals, "end", since + 1)
        intervals = intervals.filter(pl.col("contributor").is_in(_named(contributors)))
        return intervals.with_columns(pl.col("end").fill_null(horizon)).filter(pl.col("start") < pl.col("end"))

    def pieces_of(self, contributors: Collection[str], since: int) -> pl.DataFrame:
        """The pieces of contributors in minutes that end after an instant."""
        _, pieces = parted(self.pieces, "window_start", since - MINUTE_US)
        return pieces.filter(pl.col("contributor").is_in(_named(contributors)))

    def silent(self, contributors: Collection[str], horizon: int) -> pl.DataFrame:
        """Silences of some contributors, those that go on up to the horizon."""
        chosen = pl.col("contributor").is_in(_named(contributors))
        return self.gaps.filter(chosen).with_columns(pl.col("end").fill_null(horizon))

    def forget(self, before: int) -> None:
        """Let go of what is too long ago to matter."""
        given = self.intervals.filter(pl.col("end") <= before, pl.col("reason").is_not_null()).select(REASONS.names())
        self.reasons = pl.concat([self.reasons, given]).sort("start").unique("contributor", keep="last")
        self.intervals = self.intervals.filter(pl.col("end").is_null() | (pl.col("end") > before))
        self.pieces = self.pieces.filter(pl.col("window_start") >= before)
        self.held = self.held.filter(pl.col("at") >= before)
        self.gaps = self.gaps.filter(pl.col("end").is_null() | (pl.col("end") >= before))
        self.since = {path: max(at, before) for path, at in self.since.items()}
        first = -(-before // MINUTE_US) * MINUTE_US  # of a minute that had begun nothing is left
        self.measured = {path: max(at, first) for path, at in self.measured.items()}


def _whole(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Parts as one, which is copied only now and then."""
    rows = pl.concat(parts)
    return rows.rechunk() if rows.n_chunks() > _MOST_CHUNKS else rows


def parted(rows: pl.DataFrame, column: str, at: int | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows in order of a column, null last, in two: those before an instant (None: before null), and the others."""
    before = len(rows) - rows[column].null_count() if at is None else int((rows[column] < at).sum())
    return rows[:before], rows[before:]


def differences(gone: pl.DataFrame, come: pl.DataFrame, known: int | None) -> pl.DataFrame:
    """From when on the time of which contributor is different (CHANGES), given what intervals it has no more and anew.

    An interval of which only the end is another one, as that of an open interval which is closed, is as it was up to
    the earlier of its ends, as far as was `known` then.
    """
    sides = pl.concat([gone.with_columns(side=pl.lit(0)), come.with_columns(side=pl.lit(1))])
    same = sides.group_by("contributor", "start", *_SHOWN).agg(pl.len(), pl.col("side").n_unique(), pl.col("end").min())
    moved = (pl.col("len") == 2) & (pl.col("side") == 2)
    until = pl.min_horizontal("end", pl.lit(known, pl.Int64))
    changed = same.select("contributor", at=pl.when(moved).then(until).otherwise("start"))
    return _first(changed, "at")


def _named(paths: Collection[str]) -> pl.Series:
    return pl.Series(list(paths), dtype=pl.String).implode()


def _exchanged(before: pl.DataFrame, now: pl.DataFrame, horizon: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The intervals (INTERVALS) that only the earlier ones have, and those that only the later ones have."""
    end = pl.when(pl.col("end") < horizon).then("end").alias("end")
    sides = pl.concat(
        frame.lazy().rename({"equipment": "contributor"}).with_columns(end).select(*INTERVALS, side=pl.lit(side))
        for side, frame in enumerate((before, now))
    )
    once = sides.group_by(INTERVALS.names()).agg(pl.col("side").min(), other=pl.col("side").max())
    found = once.filter(pl.col("side") == pl.col("other")).drop("other").collect()
    gone, come = (found.filter(pl.col("side") == side).drop("side") for side in (0, 1))
    return gone, come


def _first(rows: pl.DataFrame, at: str) -> pl.DataFrame:
    return rows.group_by("contributor").agg(at=pl.col(at).min())


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return rows if others.is_empty() else rows.join(others, on=rows.columns, how="anti", nulls_equal=True)


def _typed(rows: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return microseconds(rows).select(pl.col(name).cast(kind) for name, kind in schema.items())
