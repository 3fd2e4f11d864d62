"""What a reader asks for: which equipment, which time; and the tables cut down to that, ahead of any sums."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase

from kpis.errors import ConfigError
from storage.grains import Grain

_TABLES = ("intervals_now", "count_elements", "stops_now", "changes")
_DAY_TABLES = ("time_by_day", "pieces_by_day", "stops_now", "changes")
_ORDER_TABLES = ("intervals_now", "count_runs", "stops_now", "changes")
_DAYS_IN = {"shift": 1, "day": 1, "week": 7, "month": 31}
_EARLIEST, _LATEST = 0, 7_258_118_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Selection:
    """Equipment and time that rows are wanted for; what is None does not restrict.

    `equipment` is a path, or a pattern in which `*` stands for anything. `start` and `end` are microseconds since the
    Unix epoch; `end` is excluded.
    """

    equipment: str | None = None
    level: str | None = None
    start: int | None = None
    end: int | None = None


def paths(selection: Selection, levels: Mapping[str, str]) -> list[str] | None:
    """The equipment selected, of those known with their levels; None: all.

    Raises ConfigError, with the nearest names, when nothing is meant by the equipment or the level.
    """
    if selection.equipment is None and selection.level is None:
        return None
    chosen = list(levels)
    if (wanted := selection.equipment) is not None:
        chosen = [path for path in chosen if path == wanted or ("*" in wanted and fnmatchcase(path, wanted))]
        if not chosen:
            msg = f'no equipment "{wanted}" in the plant'
            raise ConfigError(msg, hint=_nearest(wanted, levels))
    if selection.level is not None:
        if selection.level not in set(levels.values()):
            msg = f'no equipment of level "{selection.level}" in the plant'
            raise ConfigError(msg, hint=f"its levels are {', '.join(sorted(set(levels.values())))}")
        chosen = [path for path in chosen if levels[path] == selection.level]
    return chosen


def _nearest(path: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(path, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "name a path of the plant file, or a pattern such as 'acme/ulm/*'"


def narrowed(
    grain: Grain, selection: Selection, chosen: list[str] | None, given: list[str] | None, reach_us: int
) -> list[str]:
    """Common table expressions that stand before the tables of a grain's elements and leave out what is not needed.

    `given` is the equipment whose own elements are needed for those of `chosen`; `reach_us` is the length of a window
    of fixed length. Windows at the edges come out in part and have to be left out by their start afterwards.
    """
    parts = []
    if chosen is not None:
        parts.append(f"contributors AS (SELECT * FROM main.contributors WHERE equipment IN {texts(chosen)})")
    for table in _DAY_TABLES if grain.by_day else _ORDER_TABLES if grain.name == "order" else _TABLES:
        conditions = _time(grain, table, selection, reach_us)
        if given is not None:
            conditions.append(f"equipment IN {texts(given)}")
        if conditions:
            parts.append(f"{table} AS (SELECT * FROM main.{table} WHERE {' AND '.join(conditions)})")
    if selection.start is not None:
        # A window is closed by a commit that goes beyond its end, and so beyond its start.
        parts.append(f"flushes AS (SELECT * FROM main.flushes WHERE horizon >= {instant(selection.start)})")
    return parts


def _time(grain: Grain, table: str, selection: Selection, reach_us: int) -> list[str]:
    if selection.start is None and selection.end is None:
        return []
    start = _EARLIEST if selection.start is None else selection.start
    end = _LATEST if selection.end is None else selection.end
    if grain.name == "order":
        return [] if table == "changes" else [f"run_start BETWEEN {instant(start)} AND {instant(end)}"]
    if (days := _DAYS_IN.get(grain.name)) is not None:
        return [_dates(start, end, -1, days)]
    if table in ("intervals_now", "changes"):
        return [overlapping(start, end + reach_us)]
    at = "window_start" if table == "count_elements" else "booked_at"
    return [f"{at} >= {instant(start)}", f"{at} < {instant(end + reach_us)}"]


def overlapping(start: int, end: int = _LATEST) -> str:
    """The condition that an interval has an instant from `start` to before `end`.

    It is one of some production day, by which parts of a table are passed over that are of quite another time: a shift
    may end two dates after its own.
    """
    return f'"start" < {instant(end)} AND "end" > {instant(start)} AND {_dates(start, end, -3, 1)}'


def _dates(start: int, end: int, before: int, after: int) -> str:
    """Production days from some before the date of `start` to some after that of `end`.

    The local date of an instant, which is that of a window that starts then, is at most one day off its date in UTC.
    """
    first, last = _day(start) + timedelta(before), _day(end) + timedelta(after)
    return f"production_date BETWEEN DATE '{first}' AND DATE '{last}'"


def _day(us: int) -> date:
    return (_EPOCH + timedelta(microseconds=us)).date()


def instant(us: int) -> str:
    """An instant in microseconds as an SQL literal."""
    return f"make_timestamptz({us})"


def text(value: str | None) -> str:
    """A text as an SQL literal."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def texts(values: Collection[str]) -> str:
    """Texts as an SQL list for IN; an empty one matches nothing."""
    return f"({', '.join(map(text, values)) or 'NULL'})"
