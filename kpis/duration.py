"""Durations as people write them: ``500ms``, ``1.5s``, ``2m``, ``8h``, ``1d``."""

import re
from fractions import Fraction

from kpis.errors import ConfigError

DURATION_PATTERN = r"^[0-9]{1,15}(\.[0-9]{1,15})?(us|ms|s|m|h|d)$"
_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
# A century; keeps sums of durations and instants far inside 64 bits.
_LONGEST = 36_525 * _UNITS["d"]


def parse_duration(text: str) -> int:
    """Microseconds of a duration text, exactly.

    Raises ConfigError for anything else than a number with a unit, for a part of a microsecond and for more than a
    century.

    >>> parse_duration("1.5s"), parse_duration("2m"), parse_duration("0s")
    (1500000, 120000000, 0)
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        message = "not a duration"
        raise ConfigError(message, hint="a number and a unit (us, ms, s, m, h or d), such as 500ms, 1.5s, 2m, 8h or 1d")
    number = text.rstrip("umshd")
    us = Fraction(number) * _UNITS[text[len(number) :]]
    if us > _LONGEST:
        message = "a duration of more than 100 years"
        raise ConfigError(message, hint="give a shorter one")
    if us.denominator != 1:
        message = "a duration finer than one microsecond"
        raise ConfigError(message, hint="give whole microseconds, such as 250us")
    return us.numerator
