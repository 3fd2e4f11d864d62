"""Instants of the simulated plant: whole microseconds since 1970, and the clock on its wall."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MS: Final = 1_000
SECOND: Final = 1_000 * MS
MINUTE: Final = 60 * SECOND
DAY: Final = 24 * 60 * MINUTE
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[int, str], int]
"""The instant of a time of day on the nth day, from 0."""


def local(zone: ZoneInfo, day: date, clock: str) -> int:
    """The instant at which a clock on the wall shows a time.

    >>> local(ZoneInfo("Europe/Berlin"), date(1970, 1, 1), "01:00:02")
    2000000
    """
    wall = datetime.combine(day, datetime.strptime(clock, "%H:%M:%S").replace(tzinfo=zone).timetz())
    return (wall.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def clock_of(zone: ZoneInfo, first_day: date) -> Clock:
    """The clock on the wall of a zone, with days counted from a date."""
    return lambda day, clock: local(zone, first_day + timedelta(days=day), clock)


def date_of(zone: ZoneInfo, instant: int) -> date:
    """The local date at an instant."""
    return (EPOCH + timedelta(microseconds=instant)).astimezone(zone).date()
