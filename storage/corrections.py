"""What people correct: stretches that want a reason, what was decided lately and by whom, figures before and after."""

from collections.abc import Collection
from typing import Final

import polars as pl

from kpis.errors import StorageError
from storage.grains import MINUTE_US
from storage.reader import Reader
from storage.schema import EVENT_COLUMNS
from storage.selection import Selection, instant, text, texts
from storage.slices import Slice

_DAY_US: Final = 1_440 * MINUTE_US
_LOST: Final = ("minor_stop", "down", "idle", "setup", "planned_stop", "unknown")
_EVENT: Final = ", ".join(f'"{name}"' for name, _, _ in EVENT_COLUMNS)
_OTHER_DAYS: Final = 1
"""How many days a stretch is followed beyond the days that are asked for."""


def stretches(reader: Reader, chosen: Slice, machines: Collection[str]) -> pl.DataFrame:
    """Times of one category and reason in which a machine did not produce, where they are at least partly in the slice.

    `us` is what of one counts as lost: its breaks and time outside shifts do not. `account` is where most of that went,
    `open` ones reach the horizon. A stretch is followed for a day before and after those of the slice.
    """
    near = (
        f"production_date BETWEEN DATE '{chosen.first}' - {_OTHER_DAYS} AND DATE '{chosen.last}' + {_OTHER_DAYS} "
        f"AND equipment IN {texts(machines)} AND e > s"
    )
    return reader.query(
        f"""
        WITH near AS (
            SELECT *, {chosen.conditions()} AS inside, account IN {texts(_LOST)} AS lost,
                (category, reason) IS DISTINCT FROM
                    lag((category, reason)) OVER (PARTITION BY equipment ORDER BY s) AS changes
            FROM intervals_now WHERE {near}
        ), numbered AS (
            SELECT *, sum(changes::INTEGER) OVER (PARTITION BY equipment ORDER BY s) AS piece FROM near
        ), found AS (
            SELECT equipment, any_value(category) AS category, any_value(reason) AS reason, min("start") AS "start",
                max("end") AS "end", max(e) - min(s) AS duration_us,
                coalesce(sum(e - s) FILTER (lost), 0)::BIGINT AS us, bool_or(open) AS open,
                arg_max(account, e - s) FILTER (lost) AS account,
                arg_min(production_date || '/' || shift, s) FILTER (lost) AS shift,
                arg_min(product, s) FILTER (lost) AS product
            FROM numbered WHERE category <> 'producing' GROUP BY equipment, piece HAVING bool_or(inside)
        )
        SELECT f.*, coalesce(r.label, f.reason) AS label FROM found f LEFT JOIN reasons r ON r.reason = f.reason
        WHERE f.us > 0 ORDER BY f.us DESC, f."start", f.equipment
        """
    )


def decided(reader: Reader, machines: Collection[str], days: int, most: int) -> pl.DataFrame:
    """Reclassifications, and counts that somebody put his name to, of the last days: the last decided first.

    `decided_at` is the time of the event for a reclassification, and when it was taken in for a count. `undone_by` and
    `undone_at` say who retracted it, and when; null: it holds.
    """
    first = int(
        reader.query(
            "SELECT coalesce(max(flush), 0) AS flush FROM flushes "
            f"WHERE committed_at < (SELECT max(committed_at) FROM flushes) - INTERVAL {days} DAY"
        ).item()
    )
    return reader.query(
        f"""
        WITH counted AS (
            SELECT * FROM events WHERE flush > {first} AND type = 'count' AND equipment IN {texts(machines)}
              AND details IS NOT NULL AND (details->>'$.by') IS NOT NULL
        ), found AS (
            SELECT {_EVENT}, ts AS decided_at FROM corrections
            WHERE type = 'reclassify' AND equipment IN {texts(machines)}
              AND ts >= (SELECT max(committed_at) FROM flushes) - INTERVAL {days} DAY
            UNION ALL BY NAME
            SELECT c.* EXCLUDE (flush), f.committed_at AS decided_at
            FROM counted c ASOF LEFT JOIN flushes f ON c.flush <= f.flush
        ), undone AS (
            SELECT equipment, details->>'$.target' AS target, min(ts) AS undone_at,
                arg_min(details->>'$.by', ts) AS undone_by
            FROM corrections WHERE type = 'retract' GROUP BY ALL
        )
        SELECT f.equipment, f.id, f.ts, f.type, f.state, f.reason, coalesce(r.label, f.reason) AS label, f.good,
            f.scrap, f.rework, f."start", f."end", f.details->>'$.by' AS "by", f.details->>'$.note' AS note,
            f.decided_at, u.undone_at, u.undone_by
        FROM found f LEFT JOIN undone u ON u.equipment = f.equipment AND u.target = f.id
        LEFT JOIN reasons r ON r.reason = f.reason
        ORDER BY f.decided_at DESC, f.equipment, f.id LIMIT {most}
        """
    )


def last_flush(reader: Reader) -> int:
    """The number of the last commit; 0: there is none."""
    return int(reader.query("SELECT coalesce(max(flush), 0) AS flush FROM flushes").item())


def taken(reader: Reader, ids: Collection[str], after_flush: int) -> bool:
    """Whether all events of these ids were taken in, at the earliest in the commit given."""
    found = reader.query(
        f"SELECT count(DISTINCT id) AS n FROM events WHERE flush >= {after_flush} AND id IN {texts(ids)}"
    )
    return bool(found.item() == len(set(ids)))


def figures(reader: Reader, equipment: Collection[str], start: int, end: int, definition: str) -> pl.DataFrame:
    """KPI rows of every shift and day of each equipment that a time overlaps, with `by`: shift or day.

    Time outside shifts is told with its day alone.
    """
    rows = [
        reader.kpi(by, Selection(path, None, start - 2 * _DAY_US, end), definition)
        .filter((pl.col("window_end").cast(pl.Int64) > start) & ((pl.lit(by) == "day") | pl.col("shift").is_not_null()))
        .with_columns(by=pl.lit(by))
        for path in equipment
        for by in ("shift", "day")
    ]
    return pl.concat(rows)


def spent(reader: Reader, machine: str, start: int, end: int) -> dict[str, int]:
    """The microseconds of a time by account."""
    rows = reader.query(
        f"""
        SELECT account, sum(least(e, {end}) - greatest(s, {start}))::BIGINT AS us FROM intervals_now
        WHERE equipment = {text(machine)} AND "start" < {instant(end)} AND "end" > {instant(start)} AND e > s
        GROUP BY account ORDER BY us DESC, account
        """
    )
    return dict(rows.iter_rows())


def good_pieces(reader: Reader, machine: str, at: int) -> int:
    """Good pieces of a machine in the shift that holds an instant; outside shifts, on that day outside shifts.

    Raises StorageError where the machine is not accounted at that instant.
    """
    rows = reader.query(
        f"""
        WITH held AS (
            SELECT shift, production_date FROM intervals_now
            WHERE equipment = {text(machine)} AND "start" <= {instant(at)} AND "end" > {instant(at)}
        )
        SELECT (SELECT count(*) FROM held) AS held, coalesce(sum(c.pieces), 0)::BIGINT AS good
        FROM count_elements c JOIN held h
          ON h.production_date = c.production_date AND h.shift IS NOT DISTINCT FROM c.shift
        WHERE c.equipment = {text(machine)} AND c.quality = 'good'
        """
    )
    held, good = rows.row(0)
    if not held:
        msg = f"{machine} is not accounted at that time"
        raise StorageError(msg, hint="take a time between its first event and now")
    return int(good)
