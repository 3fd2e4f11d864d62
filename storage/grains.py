"""Kinds of windows: how time, pieces, stops and changes are assigned to them, in SQL.

Instants are computed as integer microseconds, so that no view depends on the time zone of who asks.
"""

from dataclasses import dataclass
from typing import Final

MINUTE_US: Final = 60_000_000
IS_OPEN: Final = """
    ("end" IS NULL AND production_date
        >= (SELECT DATE '1970-01-01' + (epoch_us(max(horizon)) // 86400000000)::INTEGER - 3 FROM horizons))
"""
"""The condition that an interval is open. It is one of a production day near the horizon, so that what is older is
passed over: a shift may end two dates after its own, and a local date is at most one off that in UTC."""


@dataclass(frozen=True)
class Grain:
    """A kind of window.

    `parts` name a window within an equipment. `time`, `pieces` and `stops` are the tables of elements, each with an
    expression for every part; `us` is how much of a row of time falls into the window. `by_day`: time and pieces
    are taken from sums by production day and not from single intervals and minutes. `start` and `end` are the bounds
    once parts are known, by way of `joins` (`s` is the row, `q` its equipment). `changes` says which change falls into
    which window (`c` and `s`). Where a row falls into several windows, `summed_by` are columns that rows are summed by
    first, and `spread` makes the parts of them.
    """

    name: str
    meaning: str
    parts: tuple[str, ...]
    time: str
    pieces: str
    stops: str
    start: str
    end: str
    changes: str
    us: str = "i.e - i.s"
    joins: str = ""
    label: str = "NULL::VARCHAR"
    date: str = "NULL::DATE"
    never_closes: str = "false"
    by_day: bool = False
    summed_by: tuple[str, ...] = ()
    spread: str = "*"


@dataclass(frozen=True)
class _Tables:
    """Where windows of whole production days, or of parts of them, take their elements from."""

    time: str
    pieces: str
    us: str
    by_day: bool


_ROWS: Final = _Tables("intervals_now", "count_elements", "i.e - i.s", by_day=False)
_SUMS: Final = _Tables("time_by_day", "pieces_by_day", "i.us", by_day=True)


def _fixed(name: str, width: int) -> Grain:
    windows = f"unnest(range(i.s // {width}, (i.e - 1) // {width} + 1)) AS w"
    changed = f'unnest(range(epoch_us(c."start") // {width}, (epoch_us(c."end") - 1) // {width} + 1)) AS w'
    return Grain(
        name,
        f"UTC-aligned {name}s",
        parts=("w",),
        time=f"(SELECT i.*, {windows} FROM intervals_now i WHERE i.e > i.s)",
        pieces=f"(SELECT *, epoch_us(window_start) // {width} AS w FROM count_elements)",
        stops=f"(SELECT *, epoch_us(booked_at) // {width} AS w FROM stops_now)",
        start=f"make_timestamptz(s.w * {width})",
        end=f"make_timestamptz((s.w + 1) * {width})",
        changes=f"(SELECT c.*, {changed} FROM changes c)",
        us=f"least(i.e, (i.w + 1) * {width}) - greatest(i.s, i.w * {width})",
    )


def _days(name: str, date: str, after: str, of: _Tables = _SUMS) -> Grain:
    return Grain(
        name,
        f"production {name}s between local midnights",
        parts=("d",),
        time=f"(SELECT *, {date} AS d FROM {of.time})",
        pieces=f"(SELECT *, {date} AS d FROM {of.pieces})",
        stops=f"(SELECT *, {date} AS d FROM stops_now)",
        start='a."start"',
        end='b."start"',
        changes=f"(SELECT *, {date} AS d FROM changes)",
        joins=f"""
            JOIN production_days a ON a.timezone = q.timezone AND a.production_date = s.d
            JOIN production_days b ON b.timezone = q.timezone AND b.production_date = {after}""",
        date="s.d",
        us=of.us,
        by_day=of.by_day,
    )


def _shift(of: _Tables = _SUMS) -> Grain:
    return Grain(
        "shift",
        "shifts, and for each production day the time outside every shift (shift is null)",
        parts=("d", "shift"),
        time=f"(SELECT *, production_date AS d FROM {of.time})",
        pieces=f"(SELECT *, production_date AS d FROM {of.pieces})",
        stops="(SELECT *, production_date AS d FROM stops_now)",
        start='coalesce(a."start", b."start")',
        end='coalesce(a."end", b."end")',
        changes="(SELECT *, production_date AS d FROM changes)",
        joins="""
                LEFT JOIN (SELECT calendar, timezone, production_date, shift, min("start") AS "start",
                                  max("end") AS "end"
                           FROM shifts GROUP BY ALL) a
                  ON a.calendar = q.calendar AND a.timezone = q.timezone
                 AND a.production_date = s.d AND a.shift = s.shift
                LEFT JOIN production_days b ON b.timezone = q.timezone AND b.production_date = s.d""",
        label="s.d || '/' || s.shift",
        date="s.d",
        us=of.us,
        by_day=of.by_day,
    )


_ORDER: Final = Grain(
    "order",
    "runs of an order on an equipment",
    parts=("run_start", "order", "product"),
    time="(SELECT * FROM intervals_now WHERE run_start IS NOT NULL)",
    pieces="count_runs",
    stops="(SELECT * FROM stops_now WHERE run_start IS NOT NULL)",
    start="s.run_start",
    end='coalesce(a."end", s.run_start)',
    changes="changes",
    joins="""
            LEFT JOIN runs a ON a.equipment = s.equipment AND a.run_start = s.run_start
             AND a."order" = s."order" AND a.product IS NOT DISTINCT FROM s.product""",
    never_closes="coalesce(a.open, true)",
)

_DAYS: Final = (
    ("day", "production_date", "s.d + 1"),
    ("week", "date_trunc('week', production_date)::DATE", "s.d + 7"),
    ("month", "date_trunc('month', production_date)::DATE", "(s.d + INTERVAL 1 MONTH)::DATE"),
)
GRAINS: Final = (
    _fixed("minute", MINUTE_US),
    _fixed("hour", 60 * MINUTE_US),
    _shift(),
    *(_days(*named) for named in _DAYS),
    _ORDER,
)
_OF_ROWS: Final = {grain.name: grain for grain in (_shift(_ROWS), *(_days(*named, of=_ROWS) for named in _DAYS))}


def of_rows(grain: Grain) -> Grain:
    """The same kind of window with single intervals and minutes as its elements."""
    return _OF_ROWS[grain.name] if grain.by_day else grain


RUNS: Final = """
    WITH known AS (
        SELECT equipment, run_start, any_value("order") AS "order", any_value(product) AS product,
            coalesce(any_value(product), '') AS made FROM intervals WHERE run_start IS NOT NULL GROUP BY ALL
    ), named AS (
        SELECT *, window_start + INTERVAL 1 MINUTE AS minute_end, coalesce(product, '') AS made
        FROM count_elements WHERE run_start IS NULL AND "order" IS NOT NULL
    ), found AS (
        SELECT n.*, coalesce(b.run_start, a.run_start) AS run
        FROM named n
        ASOF LEFT JOIN known b ON b.equipment = n.equipment AND b."order" = n."order" AND b.made = n.made
          AND b.run_start < n.minute_end
        ASOF LEFT JOIN known a ON a.equipment = n.equipment AND a."order" = n."order" AND a.made = n.made
          AND a.run_start >= n.minute_end
    )
    SELECT c.* EXCLUDE (product) , coalesce(k.product, CASE WHEN k.run_start IS NULL THEN c.product END) AS product,
        NULL::TIMESTAMPTZ AS own_end
    FROM count_elements c LEFT JOIN known k ON k.equipment = c.equipment AND k.run_start = c.run_start
    WHERE c.run_start IS NOT NULL
    UNION ALL BY NAME
    SELECT f.* EXCLUDE (run_start, run, minute_end, made),
        coalesce(f.run, min(f.window_start) FILTER (WHERE f.run IS NULL)
            OVER (PARTITION BY f.equipment, f."order", f.product)) AS run_start,
        CASE WHEN f.run IS NULL THEN f.minute_end END AS own_end
    FROM found f
"""

RUN_BOUNDS: Final = """
    CREATE OR REPLACE VIEW runs AS
    SELECT equipment, run_start, any_value("order") AS "order", any_value(product) AS product,
        max("end") AS "end", bool_or(open) AS open
    FROM intervals_now WHERE run_start IS NOT NULL GROUP BY equipment, run_start
    UNION ALL
    SELECT equipment, run_start, "order", product, max(own_end) AS "end", false AS open
    FROM count_runs WHERE own_end IS NOT NULL GROUP BY ALL
"""
