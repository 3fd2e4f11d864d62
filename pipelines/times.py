"""Times as people type them on a command line."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from kpis.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str, zone: str) -> int:
    """An instant in µs: RFC 3339 with an offset, or a local date or time in `zone`.

    Raises ConfigError for anything else.

    >>> parse_time("2026-03-02T06:00:00+01:00", "UTC") == parse_time("2026-03-02 06:00", "Europe/Berlin")
    True
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f'"{text}" is no time'
        raise ConfigError(msg, hint="write 2026-03-02T06:00:00Z, or a local date or time such as 2026-03-02") from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(zone))
    whole = found.astimezone(UTC) - _EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
