"""How far back events are to stay in the store, as people say it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from kpis.duration import parse_duration
from kpis.errors import ConfigError


def first_day(keep: str | None, before: str | None) -> Callable[[str, datetime], date]:
    """The first production day whose events stay, by the time zone of the plant and the horizon of the store.

    `keep` is how long before the horizon that day is, `before` the day itself. Raises ConfigError unless one of them is
    given, and for what is no duration or no date.

    >>> first_day("400d", None)("UTC", datetime.fromisoformat("2026-03-02T06:00Z")).isoformat()
    '2025-01-26'
    """
    if (keep is None) == (before is None):
        msg = "say how much is to stay"
        raise ConfigError(msg, hint="give --keep with a duration such as 400d, or --before with a date, but not both")
    if keep is not None:
        length = timedelta(microseconds=_length(keep))
        return lambda zone, horizon: (horizon - length).astimezone(ZoneInfo(zone)).date()
    try:
        day = date.fromisoformat(before or "")
    except ValueError as error:
        msg = f'"{before}" is no date'
        raise ConfigError(msg, hint="write it like 2026-01-01") from error
    return lambda zone, horizon: day


def _length(text: str) -> int:
    try:
        return parse_duration(text)
    except ConfigError as error:
        msg = f'"{text}" is {error}'
        raise ConfigError(msg, hint=error.hint) from error
