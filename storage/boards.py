"""What a board on the wall needs beside KPI rows: states in force, orders under way, time and pieces by the hour.

Everything is read from one instant on, so that it stays cheap however long the store has been filled.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import polars as pl

from storage.grains import IS_OPEN, MINUTE_US, RUNS
from storage.reader import Reader
from storage.selection import instant, overlapping, text, texts

DAY_US: Final = 1_440 * MINUTE_US
REACH_US: Final = 8 * DAY_US
"""How far back the beginning of a state in force is looked for."""

Run = tuple[str, str, int]
"""A run of an order: equipment, order, and when it started (µs)."""


@dataclass(frozen=True)
class Extent:
    """From where to where the store knows something, in µs since 1970; None: it knows nothing yet."""

    first: int | None
    horizon: int | None


def extent(reader: Reader) -> Extent:
    """The first instant that is accounted, and the horizon."""
    rows = reader.query(
        "SELECT epoch_us((SELECT min(accounted_from) FROM equipment)) AS first, "
        "epoch_us((SELECT max(horizon) FROM horizons)) AS horizon"
    )
    return Extent(*rows.row(0))


def current(reader: Reader, horizon: int) -> pl.DataFrame:
    """What every equipment with own events is doing at the horizon.

    `since` is when its account began, for down and idle time when the stretch began; null where that is longer ago
    than REACH_US. `last_event` is its last own sign of life: state, count, counter or status.
    """
    rows = reader.query(
        f"""
        WITH alive AS (
            SELECT equipment, max(last_ts) AS last_event FROM event_ranges
            WHERE type IN ('state', 'count', 'counter', 'status') GROUP BY equipment
        )
        SELECT o.equipment, q.parent, o.account, o.category, o.reason, r.label AS reason_label, o.product, o."order",
            o.run_start, o.production_date, o.shift, o.schedule, {_BEGAN} AS since, a.last_event
        FROM ({_OPEN}) o JOIN equipment q ON q.equipment = o.equipment
        LEFT JOIN alive a ON a.equipment = o.equipment
        LEFT JOIN reasons r ON r.reason = o.reason
        ORDER BY o.equipment
        """
    )
    for reach in (DAY_US, REACH_US):
        unknown = rows.filter(pl.col("since").is_null())["equipment"].to_list()
        if not unknown:
            break
        since = _since(reader, unknown, horizon - reach)
        rows = rows.join(since, on="equipment", how="left", maintain_order="left")
        rows = rows.with_columns(pl.coalesce("since", "found").alias("since")).drop("found")
    return rows


_OPEN: Final = f"SELECT * FROM intervals WHERE {IS_OPEN}"
_BEGAN: Final = "CASE WHEN o.account IN ('minor_stop', 'down', 'idle') THEN o.stretch_start END"


def _since(reader: Reader, equipment: list[str], start: int) -> pl.DataFrame:
    """Since when equipment is in its account, where that is after an instant: `equipment` and `found`."""
    return reader.query(
        f"""
        SELECT o.equipment, coalesce(max(i."end"), any_value(q.accounted_from)) AS found
        FROM ({_OPEN}) o JOIN equipment q ON q.equipment = o.equipment
        LEFT JOIN (SELECT * FROM intervals_now WHERE {overlapping(start)} AND equipment IN {texts(equipment)}) i
          ON i.equipment = o.equipment AND i.account <> o.account AND i."start" >= {instant(start)}
        WHERE o.equipment IN {texts(equipment)} GROUP BY o.equipment
        HAVING max(i."end") IS NOT NULL OR any_value(q.accounted_from) >= {instant(start)}
        """
    )


def contributors(reader: Reader) -> pl.DataFrame:
    """Whose elements make up those of each equipment."""
    return reader.query("SELECT equipment, contributor, gives_time, gives_pieces FROM contributors ORDER BY ALL")


def shift_bounds(reader: Reader, start: int, end: int) -> pl.DataFrame:
    """Shifts that overlap a time, with their nominal bounds."""
    return reader.query(
        f'SELECT * FROM shifts WHERE "end" > {instant(start)} AND "start" < {instant(end)} ORDER BY "start", calendar'
    )


def ordered(reader: Reader, starts: Collection[int]) -> pl.DataFrame:
    """Quantities of the orders that were started at these instants, by the equipment that was told."""
    return reader.query(
        f"""
        SELECT equipment, "order", any_value(product) AS product, max(quantity) AS quantity, ts AS run_start
        FROM events WHERE type = 'order' AND action = 'start' AND ts IN ({_instants(starts)})
        GROUP BY equipment, "order", ts ORDER BY ts, equipment
        """
    )


def hourly_time(reader: Reader, equipment: list[str], start: int, end: int) -> pl.DataFrame:
    """Microseconds of each account and product, and reason of it, in each hour of a time."""
    hour = 60 * MINUTE_US
    return reader.query(
        f"""
        SELECT equipment, make_timestamptz(w * {hour}) AS hour, account, reason, product,
            sum(least(e, (w + 1) * {hour}, {end}) - greatest(s, w * {hour}, {start}))::BIGINT AS us
        FROM (
            SELECT *, unnest(range(greatest(s, {start}) // {hour}, (least(e, {end}) - 1) // {hour} + 1)) AS w
            FROM intervals_now WHERE equipment IN {texts(equipment)} AND {overlapping(start, end)} AND e > s
        ) GROUP BY ALL ORDER BY ALL
        """
    )


def pieces_by_minutes(reader: Reader, start: int, end: int, minutes: int) -> pl.DataFrame:
    """Pieces of each equipment in steps of so many minutes, aligned in UTC."""
    step = minutes * MINUTE_US
    return reader.query(
        f"""
        SELECT equipment, make_timestamptz(epoch_us(window_start) // {step} * {step}) AS window_start,
            sum(pieces)::BIGINT AS pieces
        FROM count_elements WHERE window_start >= {instant(start)} AND window_start < {instant(end)}
        GROUP BY ALL ORDER BY ALL
        """
    )


def unclassified(reader: Reader, start: int) -> pl.DataFrame:
    """Stops of category down that nobody gave a reason for, minor ones left out, that reach beyond an instant.

    They began at most REACH_US before it.
    """
    return reader.query(
        f"""
        SELECT equipment, "start", us FROM stops_now
        WHERE booked_at > {instant(start - REACH_US)} AND "end" > {instant(start)}
          AND category = 'down' AND reason IS NULL AND NOT minor
        ORDER BY "start", equipment
        """
    )


def last_change(reader: Reader) -> int:
    """The last commit that changed what was told before; 0: none did."""
    return int(reader.query("SELECT coalesce(max(flush), 0) AS flush FROM changes").item())


def good_of_runs(reader: Reader, runs: Collection[Run], first: int | None, last: int) -> dict[Run, int]:
    """Good pieces that runs of orders made from `first` to before `last`, whole minutes.

    `first` None: from the beginning; pieces that name the order are looked for from REACH_US before the first run.
    """
    if not runs:
        return {}
    orders, starts = {order for _, order, _ in runs}, {started for *_, started in runs}
    start = min(starts) - REACH_US
    near = f'"order" IN {texts(orders)}'
    made = f"{near} AND window_start >= {instant(start if first is None else first)} AND window_start < {instant(last)}"
    of_runs = f"quality = 'good' AND (run_start IS NULL OR run_start IN ({_instants(starts)}))"
    summed = 'equipment, "order", epoch_us(run_start) AS started, sum(pieces)::BIGINT AS good'
    found = reader.query(f"SELECT {summed} FROM count_elements WHERE {made} AND {of_runs} GROUP BY ALL")
    if found["started"].null_count():  # pieces that name an order which is not in force: whose they are is looked for
        found = reader.query(
            f"""
            WITH intervals AS (SELECT * FROM main.intervals_now WHERE {near} AND {overlapping(start)}),
            count_elements AS (SELECT * FROM main.count_elements WHERE {made})
            SELECT {summed} FROM ({RUNS}) WHERE {of_runs} GROUP BY ALL
            """
        )
    good = {(path, order, started): pieces for path, order, started, pieces in found.iter_rows()}
    return {run: good.get(run, 0) for run in runs}


def below(reader: Reader, path: str) -> list[str]:
    """The equipment with own events at a path or below it."""
    rows = reader.query(
        f"SELECT equipment FROM equipment WHERE accounted_from IS NOT NULL AND (equipment = {text(path)} "
        f"OR starts_with(equipment, {text(path + '/')})) ORDER BY equipment"
    )
    return rows["equipment"].to_list()


def _instants(values: Collection[int]) -> str:
    return ", ".join(map(instant, sorted(values))) or "NULL"


def intake(reader: Reader, start: int) -> pl.DataFrame:
    """What was taken in, by source, in the commits whose horizon lies at or after an instant."""
    return reader.query(
        f"""
        SELECT source, sum(taken)::BIGINT AS taken, sum(duplicates)::BIGINT AS duplicates,
            sum(rejected)::BIGINT AS rejected, sum(late)::BIGINT AS late, max(committed_at) AS committed_at
        FROM flushes WHERE horizon >= {instant(start)} GROUP BY source ORDER BY taken DESC, source
        """
    )


def rejections(reader: Reader) -> pl.DataFrame:
    """Rejected events that are still there, by reason: how many, the last of them, and what it says."""
    return reader.query(
        """
        SELECT reason, count(*) AS events, max(rejected_at) AS last_at, arg_max(detail, rejected_at) AS detail
        FROM rejected_events GROUP BY reason ORDER BY events DESC, reason
        """
    )


def late_changes(reader: Reader, start: int) -> pl.DataFrame:
    """How often later events changed time of each machine at or after an instant."""
    return reader.query(
        f"""
        SELECT equipment, count(DISTINCT flush) AS commits FROM changes WHERE "end" > {instant(start)}
        GROUP BY equipment ORDER BY equipment
        """
    )


def undeclared(reader: Reader, start: int, states: Collection[str]) -> pl.DataFrame:
    """Products and reasons in force at or after an instant that the plant file does not know, with where they are.

    Also the names of states told since then that are none of the known `states`.
    """
    return reader.query(
        f"""
        WITH seen AS (SELECT * FROM intervals_now WHERE {overlapping(start)})
        SELECT 'product' AS kind, product AS name, list_sort(list(DISTINCT equipment)) AS equipment FROM seen
        WHERE product IS NOT NULL AND product NOT IN (SELECT product FROM products WHERE product IS NOT NULL)
        GROUP BY product
        UNION ALL
        SELECT 'reason', reason, list_sort(list(DISTINCT equipment)) FROM seen
        WHERE reason IS NOT NULL AND reason NOT IN (SELECT reason FROM reasons) GROUP BY reason
        UNION ALL
        SELECT 'state', state, list_sort(list(DISTINCT equipment)) FROM events
        WHERE type = 'state' AND ts >= {instant(start)} AND state NOT IN {texts(states)} GROUP BY state
        ORDER BY kind, name
        """
    )
