"""Who is there to hear of an alert: roles by the shift calendar, people away, deputies, the fallback."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kpis.plant_model import Calling, Plant
from kpis.plant_people import Duty, Person, QuietHours
from kpis.shifts import schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)


def matches(patterns: Sequence[str], text: str) -> bool:
    """Whether one of the patterns is the text, or fits it.

    >>> matches(["acme/ulm/*"], "acme/ulm/line-1"), matches(["acme/ulm"], "acme/ulm/line-1")
    (True, False)
    """
    return any(text == pattern or ("*" in pattern and fnmatchcase(text, pattern)) for pattern in patterns)


class _While(NamedTuple):
    """A time in which the same people are there: those called, by whom is asked for."""

    start: int
    end: int
    called: dict[tuple[str, ...], tuple[str, ...]]


class Roster:
    """The people of a plant file, asked at instants (µs since 1970 UTC)."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._calling: Calling = plant.calling
        self._shifts: dict[tuple[str, str], tuple[int, int, str | None]] = {}
        self._whiles: dict[str, _While] = {}

    def called(self, names: Sequence[str], equipment: str, at: int) -> tuple[str, ...]:
        """The people meant by roles and names who are there: nobody twice, in the order of the file."""
        known, key = self._while(equipment, at).called, tuple(names)
        if key not in known:
            known[key] = self._called(names, equipment, at)
        return known[key]

    def _called(self, names: Sequence[str], equipment: str, at: int) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name in names:
            person = self._calling.people.get(name)
            if person is not None:
                found |= dict.fromkeys(self._there([name], equipment, at))
                continue
            for duty in self._calling.duty:
                if duty.role == name and matches(duty.equipment, equipment) and self._on(duty, equipment, at):
                    there = self._there(duty.people, equipment, at) or self._there(duty.deputy, equipment, at)
                    found |= dict.fromkeys(there)
        return tuple(found)

    def fallback(self, equipment: str, at: int) -> tuple[str, ...]:
        """Who is told when nobody else is there."""
        return self.called(self._calling.settings.fallback, equipment, at)

    def changes_at(self, equipment: str, at: int) -> int:
        """The next instant at which somebody else may be there: the end of a shift, or of the day."""
        return self._while(equipment, at).end

    def _while(self, equipment: str, at: int) -> "_While":
        """The time around an instant in which nothing changes, as far as it is known."""
        known = self._whiles.get(equipment)
        if known is None or not known.start <= at < known.end:
            known = self._whiles[equipment] = _While(at, self._ends_at(equipment, at), {})
        return known

    def _ends_at(self, equipment: str, at: int) -> int:
        local = _local(self._plant, equipment, at)
        ends = [_instant(local.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY)]
        for calendar in {duty.calendar for duty in self._calling.duty if duty.shifts}:
            named = calendar or self._plant.equipment[equipment].calendar
            if named is not None:
                ends.append(self._shift(named, equipment, at)[1])
        return min(ends)

    def _on(self, duty: Duty, equipment: str, at: int) -> bool:
        if not duty.shifts:
            return True
        calendar = duty.calendar or self._plant.equipment[equipment].calendar
        return calendar is not None and self._shift(calendar, equipment, at)[2] in duty.shifts

    def _shift(self, calendar: str, equipment: str, at: int) -> tuple[int, int, str | None]:
        """Start, end and name of the shift in force, or of the time without one or the part of a shift it is."""
        key = (calendar, self._plant.equipment[equipment].timezone)
        known = self._shifts.get(key)
        if known is None or not known[0] <= at < known[1]:
            found = schedule(self._plant, *key, at, at + 1).select("start", "end", "shift").row(0)
            self._shifts[key] = known = found
        return known

    def _there(self, names: Sequence[str], equipment: str, at: int) -> list[str]:
        return [name for name in names if not _away(self._calling.people[name], _local(self._plant, equipment, at))]


def quiet_until(hours: QuietHours | None, plant: Plant, equipment: str, at: int) -> int | None:
    """The end of the quiet hours that an instant is in; None: it is in none."""
    if hours is None:
        return None
    local = _local(plant, equipment, at)
    for day in (local.date() - _DAY, local.date()):
        start = datetime.combine(day, hours.start, tzinfo=local.tzinfo)
        end = datetime.combine(day + _DAY if hours.end <= hours.start else day, hours.end, tzinfo=local.tzinfo)
        if _instant(start) <= at < _instant(end):
            return _instant(end)
    return None


def _away(person: Person, local: datetime) -> bool:
    return any(away.first <= local.date() <= away.last for away in person.away)


def _local(plant: Plant, equipment: str, at: int) -> datetime:
    return (_EPOCH + at * _MICROSECOND).astimezone(ZoneInfo(plant.equipment[equipment].timezone))


def _instant(at: datetime) -> int:
    return (at.astimezone(UTC) - _EPOCH) // _MICROSECOND
