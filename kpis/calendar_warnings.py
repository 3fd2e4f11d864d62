"""Calendars that may be meant otherwise: overlaps, breaks outside their shift, shifts of one name on one day."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from kpis.faults import Finding
from kpis.plant_file import WEEKDAYS, PlantFile, ShiftTimes
from kpis.toml_lines import Location

_DAY = timedelta(days=1)
# A Monday long before any exception, and the seven days after it, over which the last shift may reach.
_PLAIN_WEEK = tuple(date(1900, 1, 1) + number * _DAY for number in range(8))


class _Shift(NamedTuple):
    """One shift on one date by wall clock, without clock changes."""

    location: Location
    table: ShiftTimes
    day: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.day, self.table.start)

    @property
    def end(self) -> datetime:
        overnight = self.table.end <= self.table.start
        return datetime.combine(self.day + _DAY if overnight else self.day, self.table.end)


def calendar_warnings(file: PlantFile) -> Iterator[Finding]:
    """Findings about the shifts and exceptions of a file, each once."""
    yield from _doubled_days(file)
    for calendar in file.calendars:
        stretches = [
            [shift for day in days for shift in _on(file, calendar, day)] for days in _stretches(file, calendar)
        ]
        yield from _overlaps(stretches)
        # Findings that differ in nothing are one: most days of a calendar are alike.
        yield from dict.fromkeys(
            finding for shifts in stretches for finding in (*_same_names(shifts), *_breaks(shifts))
        )


def _doubled_days(file: PlantFile) -> Iterator[Finding]:
    for number, table in enumerate(file.shifts):
        for position, day in enumerate(table.days):
            if day in table.days[:position]:
                yield Finding(
                    ("shifts", number, "days", position), day, "a day that is there already", "name each once"
                )


def _stretches(file: PlantFile, calendar: str) -> Iterator[tuple[date, ...]]:
    """Days to look at together: a plain week, and each exception with its neighbours."""
    yield _PLAIN_WEEK
    for table in file.exceptions:
        if table.calendar == calendar:
            yield (table.date - _DAY, table.date, table.date + _DAY)


def _on(file: PlantFile, calendar: str, day: date) -> list[_Shift]:
    exceptions = [
        (n, table) for n, table in enumerate(file.exceptions) if (table.calendar, table.date) == (calendar, day)
    ]
    if exceptions:
        return [
            _Shift(("exceptions", number, "shifts", position), shift, day)
            for number, table in exceptions
            for position, shift in enumerate(table.shifts)
        ]
    return [
        _Shift(("shifts", number), table, day)
        for number, table in enumerate(file.shifts)
        if table.calendar == calendar and WEEKDAYS[day.weekday()] in table.days
    ]


def _overlaps(stretches: list[list[_Shift]]) -> Iterator[Finding]:
    """Two shifts of the file that overlap, once, with all the days on which the later one does."""
    found: dict[tuple[Location, Location], tuple[_Shift, _Shift, list[str]]] = {}
    for shifts in stretches:
        for earlier, later in pairwise(sorted(shifts, key=lambda shift: shift.start)):
            if later.start < earlier.end:
                *_, days = found.setdefault((earlier.location, later.location), (earlier, later, []))
                days.append(_weekday(later.day))
    for earlier, later, days in found.values():
        # Around an exception the weekly shifts overlap as in any week.
        shown = [day for day in WEEKDAYS if day in days] or dict.fromkeys(days)
        message = f"overlaps {earlier.table.name} on {', '.join(shown)}"
        hint = "where shifts overlap, the one that started last counts"
        yield Finding(later.location, later.table.name, message, hint)


def _same_names(shifts: list[_Shift]) -> Iterator[Finding]:
    seen: set[tuple[date, str]] = set()
    for shift in shifts:
        if (shift.day, shift.table.name) in seen:
            hint = "they are one shift in every result"
            yield Finding(shift.location, shift.table.name, "two shifts of one name on the same day", hint)
        seen.add((shift.day, shift.table.name))


def _breaks(shifts: list[_Shift]) -> Iterator[Finding]:
    for shift in shifts:
        pauses = []
        for position, pause in enumerate(shift.table.breaks):
            next_day = shift.end.date() > shift.day and pause.start < shift.table.start
            start = datetime.combine(shift.day + _DAY if next_day else shift.day, pause.start)
            end = start + timedelta(minutes=pause.minutes)
            place = (*shift.location, "breaks", position)
            pauses.append((start, end, place))
            if start < shift.start or end > shift.end:
                yield Finding(place, f"{pause.start}", "the break is not inside its shift", "only what is counts")
        for (begun, until, _), (start, _, place) in pairwise(sorted(pauses)):
            if start < until:
                message = f"overlaps the break at {begun:%H:%M:%S}"
                yield Finding(place, f"{start:%H:%M:%S}", message, "the time of both is one break")


def _weekday(day: date) -> str:
    return WEEKDAYS[day.weekday()] if day in _PLAIN_WEEK else day.isoformat()
