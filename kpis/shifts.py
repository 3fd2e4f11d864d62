"""When the plant is scheduled to work: calendars laid out in time.

Rules are local, instants are UTC. A local time that a clock change skips moves forward by the gap; one that it repeats
is its first occurrence. Both are what `datetime` makes of a time with ``fold=0``.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from kpis.plant_model import Calendar, Plant

SCHEDULE = pl.Schema(
    {"start": pl.Int64, "end": pl.Int64, "schedule": pl.String, "shift": pl.String, "production_date": pl.Date}
)
SHIFT_INSTANCES = pl.Schema({"production_date": pl.Date, "shift": pl.String, "start": pl.Int64, "end": pl.Int64})
PRODUCTION_DAYS = pl.Schema({"date": pl.Date, "start": pl.Int64, "end": pl.Int64})

_UTC = ZoneInfo("UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_MINUTE_US = 60_000_000
# Longer than any shift or local day, even where the date line moved.
_REACH = timedelta(days=4)
_REACH_US = _REACH // _MICROSECOND


class _Shift(NamedTuple):
    """One shift of one date, in microseconds."""

    start: int
    end: int
    name: str
    production_date: date
    breaks: list[tuple[int, int]]


class _Tile(NamedTuple):
    start: int
    end: int
    schedule: str
    shift: str | None
    production_date: date


def schedule(plant: Plant, calendar: str | None, timezone: str, start_us: int, end_us: int) -> pl.DataFrame:
    """What is scheduled at every instant of ``[start_us, end_us)``, in order and without gaps.

    Columns: ``start``, ``end``, ``schedule`` (scheduled, break or unscheduled), ``shift`` (name, null outside shifts),
    ``production_date``. The first and the last row are whole and may reach beyond the range. A shift is not cut at
    midnight and belongs to the date it starts on; time outside shifts is cut at local midnights. Where shifts overlap,
    the one that started last counts. Without a calendar everything is scheduled and nothing is a shift.

    Raises KeyError for a calendar that the plant does not have.
    """
    rules = None if calendar is None else plant.calendars[calendar]
    years = range(_year(start_us - _REACH_US), _year(end_us - 1) + 1)
    tiles = pl.concat([_year_tiles(rules, timezone, year) for year in years])
    return tiles.filter(pl.col("end") > start_us, pl.col("start") < end_us)


def shift_instances(plant: Plant, calendar: str, timezone: str, first: date, last: date) -> pl.DataFrame:
    """The shifts of the dates from ``first`` to ``last`` (included) with their nominal bounds in microseconds.

    Columns: ``production_date``, ``shift`` (name), ``start``, ``end``; one row per date and name, in order of start.
    Breaks and overlaps do not change the bounds. A shift that a clock change leaves without time has no row.

    Raises KeyError for a calendar that the plant does not have.
    """
    shifts = _shifts(plant.calendars[calendar], ZoneInfo(timezone), first, last)
    rows = [(shift.production_date, shift.name, shift.start, shift.end) for shift in shifts]
    return (
        pl.DataFrame(rows, schema=SHIFT_INSTANCES, orient="row")
        .group_by("production_date", "shift", maintain_order=True)
        .agg(pl.col("start").min(), pl.col("end").max())
    )


def production_days(timezone: str, first: date, last: date) -> pl.DataFrame:
    """The local days from ``first`` to ``last`` (included): ``date``, and its midnights ``start`` and ``end``.

    A midnight that a clock change skips is the first instant after the gap; a day that a move of the date line skips
    is empty.
    """
    days = _days(first, last + _DAY)
    midnights = _midnights(ZoneInfo(timezone), days)
    rows = [(day, start, end) for day, (start, end) in zip(days, pairwise(midnights), strict=False)]
    return pl.DataFrame(rows, schema=PRODUCTION_DAYS, orient="row")


@lru_cache(maxsize=512)
def _year_tiles(calendar: Calendar | None, timezone: str, year: int) -> pl.DataFrame:
    """The tiles that start in a UTC year."""
    zone = ZoneInfo(timezone)
    begin, end = (_instant(date(number, 1, 1), time(), _UTC) for number in (year, year + 1))
    days = _days(date(year, 1, 1) - _REACH, date(year, 12, 31) + _REACH)
    midnights = _midnights(zone, days)
    shifts = [] if calendar is None else _shifts(calendar, zone, days[0], days[-1])
    outside = "scheduled" if calendar is None else "unscheduled"
    tiles = [tile for tile in _fill(_worked(shifts), outside, days, midnights) if begin <= tile.start < end]
    return pl.DataFrame(tiles, schema=SCHEDULE, orient="row")


def _shifts(calendar: Calendar, zone: ZoneInfo, first: date, last: date) -> list[_Shift]:
    """The shifts of a range of dates by start; of those that start together the one that counts comes last."""
    shifts: list[_Shift] = []
    for day in _days(first, last):
        for rule in calendar.on(day):
            start = _instant(day, rule.start, zone)
            end = _instant(day + _DAY if rule.overnight else day, rule.end, zone)
            if start < end:
                breaks = []
                for pause in rule.breaks:
                    next_day = rule.overnight and pause.start < rule.start
                    at = _instant(day + _DAY if next_day else day, pause.start, zone)
                    breaks.append((at, at + pause.minutes * _MINUTE_US))
                shifts.append(_Shift(start, end, rule.name, day, sorted(breaks)))
    return sorted(shifts, key=lambda shift: shift.start)


def _worked(shifts: list[_Shift]) -> Iterator[_Tile]:
    """Shifts and their breaks, in order; where shifts overlap, the one that started last."""
    under_way: list[_Shift] = []
    for position, shift in enumerate(shifts):
        under_way.append(shift)
        at = shift.start
        until = shifts[position + 1].start if position + 1 < len(shifts) else None
        while under_way and (until is None or at < until):
            latest = under_way[-1]
            if latest.end > at:
                stop = latest.end if until is None else min(latest.end, until)
                yield from _around_breaks(latest, at, stop)
                at = stop
            if latest.end <= at:
                under_way.pop()


def _around_breaks(shift: _Shift, start: int, end: int) -> Iterator[_Tile]:
    at = start
    for break_start, break_end in shift.breaks:
        pause, resume = max(break_start, at), min(break_end, end)
        if pause < resume:
            if at < pause:
                yield _Tile(at, pause, "scheduled", shift.name, shift.production_date)
            yield _Tile(pause, resume, "break", shift.name, shift.production_date)
            at = resume
    if at < end:
        yield _Tile(at, end, "scheduled", shift.name, shift.production_date)


def _fill(worked: Iterator[_Tile], outside: str, days: list[date], midnights: list[int]) -> Iterator[_Tile]:
    """The tiles with the time between them, which is cut at midnights."""
    at = midnights[0]
    for tile in worked:
        yield from _outside(at, tile.start, outside, days, midnights)
        yield tile
        at = tile.end
    yield from _outside(at, midnights[-1], outside, days, midnights)


def _outside(start: int, end: int, outside: str, days: list[date], midnights: list[int]) -> Iterator[_Tile]:
    at = start
    while at < end:
        # The rightmost of equal midnights: a day that the date line skips has no time.
        following = bisect_right(midnights, at)
        stop = min(midnights[following], end) if following < len(midnights) else end
        yield _Tile(at, stop, outside, None, days[following - 1])
        at = stop


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _midnights(zone: ZoneInfo, days: list[date]) -> list[int]:
    return [_instant(day, time(), zone) for day in days]


def _instant(day: date, at: time, zone: ZoneInfo) -> int:
    # Two aware times of different zones are subtracted in UTC; within one zone wall clocks would be.
    return (datetime.combine(day, at, tzinfo=zone) - _EPOCH) // _MICROSECOND


def _year(us: int) -> int:
    return (_EPOCH + us * _MICROSECOND).year
