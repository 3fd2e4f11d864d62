"""Numbers and times for people: the same everywhere, a dash where something is undefined.

Groups of digits and units are held together by spaces that do not break.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

NONE: Final = "\u2013"
_THIN: Final = "\u202f"
_MINUS: Final = "\u2212"
_SECOND_US: Final = 1_000_000
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:-])")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def percent(ratio: float | None, digits: int = 1) -> str:
    r"""A ratio in per cent.

    >>> print(ascii((percent(0.4561), percent(None))))
    ('45.6\u202f%', '\u2013')
    """
    return NONE if ratio is None else f"{_signed(ratio * 100, digits)}{_THIN}%"


def points(gap: float | None) -> str:
    r"""A difference of ratios in percentage points, with its sign.

    >>> print(ascii((points(-0.2939), points(0.05))))
    ('\u221229.4\u202fpts', '+5.0\u202fpts')
    """
    if gap is None:
        return NONE
    shown = f"{_signed(gap * 100, 1)}{_THIN}pts"
    return shown if shown.startswith(_MINUS) else f"+{shown}"


def count(pieces: float | None) -> str:
    r"""Whole pieces in groups of three.

    >>> print(ascii((count(13899), count(-24))))
    ('13\u202f899', '\u221224')
    """
    return NONE if pieces is None else _signed(pieces, 0)


def difference(pieces: float | None) -> str:
    r"""Pieces more or less, with the sign.

    >>> print(ascii((difference(1200), difference(0), difference(-3))))
    ('+1\u202f200', '0', '\u22123')
    """
    if pieces is None:
        return NONE
    return f"+{count(pieces)}" if round(pieces) > 0 else count(pieces)


def duration(us: int | None) -> str:
    r"""A length of time in its two leading units.

    >>> print(ascii((duration(5_160_000_000), duration(45_000_000), duration(-61_000_000))))
    ('1\u202fh 26\u202fmin', '45\u202fs', '\u22121\u202fmin 1\u202fs')
    """
    if us is None:
        return NONE
    sign, seconds = (_MINUS if us < 0 else ""), abs(us) // _SECOND_US
    sizes = (("d", seconds // 86_400), ("h", seconds // 3_600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60))
    parts = [f"{value}{_THIN}{unit}" for unit, value in sizes]
    first = next((at for at, (_, value) in enumerate(sizes) if value), 3)
    shown = [part for part, (_, value) in zip(parts[first : first + 2], sizes[first : first + 2], strict=True) if value]
    return sign + (" ".join(shown) or parts[3])


def clock_duration(us: int | None) -> str:
    r"""A length of time as h:mm:ss, for columns.

    >>> print(ascii((clock_duration(5_160_000_000), clock_duration(-61_000_000))))
    ('1:26:00', '\u22120:01:01')
    """
    if us is None:
        return NONE
    seconds = abs(us) // _SECOND_US
    return f"{_MINUS if us < 0 else ''}{seconds // 3_600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def hours(us: int | None) -> str:
    r"""A length of time in hours, to compare.

    >>> print(ascii(hours(128_880_000_000)))
    '35.8\u202fh'
    """
    return NONE if us is None else f"{_signed(us / 3_600_000_000, 1)}{_THIN}h"


def local(us: int, zone: ZoneInfo) -> datetime:
    """An instant in µs since 1970 as local time."""
    return (_EPOCH + timedelta(microseconds=us)).astimezone(zone)


def clock(us: int | None, zone: ZoneInfo) -> str:
    """Hour and minute.

    >>> clock(0, ZoneInfo("Europe/Berlin"))
    '01:00'
    """
    return NONE if us is None else f"{local(us, zone):%H:%M}"


def day(at: date) -> str:
    """Weekday and date.

    >>> day(date(2026, 3, 24))
    'Tue 24 Mar'
    """
    return f"{at:%a} {at.day} {at:%b}"


def moment(us: int | None, zone: ZoneInfo) -> str:
    """Time with its day.

    >>> moment(0, ZoneInfo("UTC"))
    'Thu 1 Jan, 00:00'
    """
    return NONE if us is None else f"{day(local(us, zone))}, {clock(us, zone)}"


def since(us: int, now: int, zone: ZoneInfo) -> str:
    """A time as told at another: the day only where it is not the same.

    >>> since(0, 60_000_000, ZoneInfo("UTC"))
    '00:00'
    """
    return clock(us, zone) if local(us, zone).date() == local(now, zone).date() else moment(us, zone)


def plain(text: str) -> str:
    r"""A text for where Streamlit reads Markdown, so that it shows as it is.

    >>> print(plain("jam <at> *infeed* :red[1]"))
    jam \<at\> \*infeed\* \:red\[1\]
    """
    return _MARKDOWN.sub(r"\\\1", text)


def _signed(value: float, digits: int) -> str:
    shown = f"{abs(value):,.{digits}f}".replace(",", _THIN)
    return f"{_MINUS}{shown}" if value < 0 and float(f"{value:.{digits}f}") != 0 else shown
