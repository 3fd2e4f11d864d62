"""Reads of the past that the accounting needs: what happened in a span, just before it, and next after it.

Searches widen step by step, so that what happened lately is found without reading what happened long ago; and what is
asked of times far apart is asked in turn, so that what happened in between is not read either.
"""

from collections.abc import Callable

import polars as pl

from kpis.work import FACTS, MINUTE_US
from storage.database import Connection, bound, instants, microseconds
from storage.schema import EVENT_COLUMNS

_HOUR_US = 60 * MINUTE_US
_APART_US = 6 * _HOUR_US
_FLUSHES_APART = 8
_TURNS = 8
REACHES = (_HOUR_US, 24 * _HOUR_US, 30 * 24 * _HOUR_US, 400 * 365 * 24 * _HOUR_US)

EVENT_FIELDS = tuple(name for name, _, _ in EVENT_COLUMNS)
_EVENT = ", ".join(f'e."{name}"' for name in EVENT_FIELDS)
# A join and not a condition: for NOT EXISTS DuckDB would first hold all the rows that it is asked of.
_KEPT = "ANTI JOIN retracted r ON r.equipment = e.equipment AND r.target = e.id"

ASKED = pl.Schema(
    {
        "unit": pl.UInt32,  # span that asks
        "role": pl.String,  # what for, see kpis.work.PRIOR_ROLES
        "equipment": pl.String,  # whose events
        "own": pl.Boolean,  # whether that is the span's own equipment
        "type": pl.String,
        "quality": pl.String,  # of readings, else null
        "at": pl.Int64,  # before or after which instant
        "limit": pl.Int64,  # there are none of that type beyond this instant
    }
)

RETRACTED = pl.Schema({"equipment": pl.String, "target": pl.String})
"""Events that count as never sent."""


def in_turn(
    windows: pl.DataFrame, answer: Callable[[pl.DataFrame], pl.DataFrame], apart: int = _APART_US
) -> pl.DataFrame:
    """The answers to questions about windows from `first` to `last`, asked apart where much lies between them."""
    windows = windows.sort("first")
    gap = pl.col("first") - pl.col("last").cum_max().shift(1)
    gaps = windows.select(gap.alias("gap")).with_row_index("place").filter(pl.col("gap") > apart)
    places = sorted(gaps.top_k(_TURNS - 1, by="gap")["place"])
    ends = zip([0, *places], [*places, windows.height], strict=True)
    return pl.concat([answer(windows[begin:end]) for begin, end in ends])


def _bounds(windows: pl.DataFrame) -> tuple[object, ...]:
    return instants(windows.select(pl.col("first").min(), pl.col("last").max()), "first", "last").row(0)


def nearest(con: Connection, asked: pl.DataFrame, retracted: pl.DataFrame, *, before: bool) -> pl.DataFrame:
    """The last event of each kind asked for before an instant, or the first one after it.

    At most one row for each `unit`, `role` and `quality`, with `own` and the columns of the event.
    """
    found = []
    for reach in REACHES:
        ahead = pl.col("at") + (-reach if before else reach)
        window = asked.with_columns(
            first=ahead if before else pl.col("at") + 1, last=pl.col("at") - 1 if before else ahead
        )
        rows = in_turn(window, lambda part: _search(con, part, retracted, before=before))
        found.append(rows)
        beyond = pl.col("limit") < pl.col("first") if before else pl.col("limit") > pl.col("last")
        keys = ["unit", "role", "quality"]
        asked = window.filter(beyond).join(rows, on=keys, how="anti", nulls_equal=True).select(asked.columns)
        if asked.is_empty():
            break
    return pl.concat(found)


def _search(con: Connection, window: pl.DataFrame, retracted: pl.DataFrame, *, before: bool) -> pl.DataFrame:
    pick, order = ("max", "DESC") if before else ("min", "ASC")
    with bound(con, asked=instants(window, "first", "last"), retracted=retracted):
        found = con.execute(
            f"""
            WITH candidates AS NOT MATERIALIZED (
                SELECT a.unit, a.role, a.own, a.quality AS asked, {_EVENT}
                FROM asked a JOIN events e
                  ON e.equipment = a.equipment AND e.type = a.type AND e.ts BETWEEN a.first AND a.last
                 AND (a.quality IS NULL OR e.quality = a.quality)
                 AND (a.role <> 'base' OR e.type <> 'status' OR NOT e.online)
                {_KEPT}
                WHERE e.ts BETWEEN $1 AND $2
            ), instants AS (
                SELECT unit, role, asked, {pick}(ts) AS ts FROM candidates GROUP BY ALL
            )
            SELECT unit, role, own, {_EVENT} FROM candidates e SEMI JOIN instants i
              ON i.unit = e.unit AND i.role = e.role AND i.asked IS NOT DISTINCT FROM e.asked AND i.ts = e.ts
            QUALIFY row_number() OVER (
                PARTITION BY unit, role, asked ORDER BY id {order}, own {order}) = 1
            """,
            _bounds(window),
        ).pl()
    return microseconds(found)


def events_in(con: Connection, ranges: pl.DataFrame, retracted: pl.DataFrame) -> pl.DataFrame:
    """The events of `equipment` with `first` <= ts < `last`, but for retracted ones and corrections."""
    return in_turn(ranges, lambda part: _events_in(con, part, retracted))


def _events_in(con: Connection, ranges: pl.DataFrame, retracted: pl.DataFrame) -> pl.DataFrame:
    with bound(con, ranges=instants(ranges, "first", "last"), retracted=retracted):
        found = con.execute(
            f"""
            SELECT {_EVENT} FROM events e SEMI JOIN ranges g
              ON e.equipment = g.equipment AND e.ts >= g.first AND e.ts < g.last
            {_KEPT}
            WHERE e.ts BETWEEN $1 AND $2 AND e.type NOT IN ('reclassify', 'retract')
            """,
            _bounds(ranges),
        ).pl()
    return microseconds(found)


def touching(con: Connection, spans: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """The intervals that a change in [`start`, `end`) may join, lengthen or reclassify, by `unit`.

    These are the intervals that overlap or touch the span or the minutes it books pieces in, with the whole
    stretches that they belong to. An open interval ends at `horizon`.
    """
    asked = spans.select(
        "unit", "equipment", first=pl.min_horizontal("start", "count_start"), last=pl.max_horizontal("end", "count_end")
    )
    asked = asked.with_columns(last=pl.min_horizontal("last", pl.lit(horizon)))
    return in_turn(asked, lambda part: _touching(con, part)).with_columns(pl.col("end").fill_null(horizon))


def _touching(con: Connection, asked: pl.DataFrame) -> pl.DataFrame:
    facts = ", ".join(f'i."{name}"' for name in ("equipment", "start", "end", "account", *FACTS, "stretch_start"))
    with bound(con, asked=instants(asked, "first", "last")):
        found = con.execute(
            f"""
            WITH near AS (
                SELECT s.unit, i.* FROM intervals i JOIN asked s
                  ON i.equipment = s.equipment AND i.start <= s.last AND (i."end" IS NULL OR i."end" >= s.first)
                WHERE i.start <= $2 AND (i."end" IS NULL OR i."end" >= $1)
            ), stretches AS (
                SELECT DISTINCT unit, equipment, stretch_start FROM near WHERE stretch_start IS NOT NULL
            )
            SELECT i.unit, {facts} FROM near i
            UNION
            SELECT s.unit, {facts} FROM intervals i JOIN stretches s
              ON i.equipment = s.equipment AND i.stretch_start = s.stretch_start
            WHERE i.stretch_start >= (SELECT min(stretch_start) FROM stretches)
            """,
            _bounds(asked),
        ).pl()
    return microseconds(found)


def events_of(con: Connection, asked: pl.DataFrame) -> pl.DataFrame:
    """The events with the given `equipment` and `id` that a `flush` took in."""
    flushes = asked.with_columns(first="flush", last="flush")
    return in_turn(flushes, lambda part: _events_of(con, part), _FLUSHES_APART)


def _events_of(con: Connection, asked: pl.DataFrame) -> pl.DataFrame:
    with bound(con, asked=asked):
        found = con.execute(
            f"SELECT {_EVENT} FROM events e SEMI JOIN asked a ON a.flush = e.flush AND a.equipment = e.equipment "
            "AND a.id = e.id WHERE e.flush BETWEEN $1 AND $2",
            asked.select(pl.col("first").min(), pl.col("last").max()).row(0),
        ).pl()
    return microseconds(found)


def first_accounted(con: Connection, paths: list[str], retracted: pl.DataFrame) -> dict[str, int]:
    """For each path with own state, count or counter events the instant of the first."""
    with bound(con, asked=pl.DataFrame({"equipment": paths}, schema={"equipment": pl.String}), retracted=retracted):
        rows = con.execute(
            f"""
            SELECT e.equipment, epoch_us(min(e.ts)) FROM events e SEMI JOIN asked a ON a.equipment = e.equipment {_KEPT}
            WHERE e.type IN ('state', 'count', 'counter') GROUP BY ALL
            """
        ).fetchall()
    return dict(rows)


def corrections(con: Connection) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rulings on past times that hold, and all retractions: few, so they are kept at hand."""
    retracted = con.execute(
        "SELECT DISTINCT equipment, details->>'$.target' AS target FROM corrections WHERE type = 'retract'"
    ).pl()
    with bound(con, retracted=retracted):
        rulings = con.execute(f"SELECT {_EVENT} FROM corrections e {_KEPT} WHERE type = 'reclassify'").pl()
    return microseconds(rulings), retracted


def run_ends(con: Connection, changed: pl.DataFrame, now: int) -> pl.DataFrame:
    """Changes of an order (`below`, `until`), each lengthened to the end of the run that holds at its end.

    When the start of a run moves, the whole run changes with it.
    """
    with bound(con, changed=instants(changed.with_row_index("n"), "until")):
        ends = con.execute(
            """
            WITH through AS (
                SELECT DISTINCT c.n, i.equipment, i.run_start FROM changed c JOIN intervals i
                  ON i.equipment = c.below AND i.start <= c.until AND (i."end" IS NULL OR i."end" >= c.until)
                WHERE i.run_start IS NOT NULL
            )
            SELECT t.n::UINTEGER AS n, max(epoch_us(i."end")) AS last, bool_or(i."end" IS NULL) AS open
            FROM through t JOIN intervals i ON i.equipment = t.equipment AND i.run_start = t.run_start
            GROUP BY t.n
            """
        ).pl()
    last = pl.when("open").then(now).otherwise(pl.max_horizontal("last", "until"))
    return (
        changed.with_row_index("n")
        .join(ends, on="n", how="left", maintain_order="left")
        .with_columns(until=pl.when(pl.col("open").is_null()).then("until").otherwise(last))
        .select(changed.columns)
    )
