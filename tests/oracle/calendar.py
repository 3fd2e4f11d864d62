"""Shifts, breaks and production days of one equipment, instant by instant."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.events import EPOCH
from tests.oracle.plant import Plant

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE_US = 60_000_000
DAY = timedelta(days=1)


def instant_us(day: date, clock: time, zone: ZoneInfo) -> int:
    """A local time as an instant: a skipped one moves forward by the gap, a repeated one is its first occurrence.

    That is what fold 0 means: before the change the old offset holds.
    """
    local = datetime.combine(day, clock, tzinfo=zone).replace(fold=0)
    return (local.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def local_date(instant: int, zone: ZoneInfo) -> date:
    """The date on the wall at an instant."""
    return (EPOCH + timedelta(microseconds=instant)).astimezone(zone).date()


def midnight_us(day: date, zone: ZoneInfo) -> int:
    """The nominal start of a local day."""
    return instant_us(day, time(), zone)


@dataclass(frozen=True)
class Shift:
    """One shift on one date; `rank` is its place among that date's declarations."""

    label: str
    day: date
    rank: int
    start: int
    end: int
    breaks: list[tuple[int, int]]


@dataclass(frozen=True)
class Slot:
    """What the calendar says about an instant; start and end are the shift's nominal bounds, or the day's outside."""

    schedule: str
    shift: str | None
    day: date
    start: int
    end: int


@dataclass(frozen=True)
class Calendar:
    """The calendar of an equipment in its zone; `shifts` is None when it has no calendar."""

    zone: ZoneInfo
    shifts: list[Shift] | None
    midnights: list[int]

    def cuts(self) -> set[int]:
        """Every instant at which the answer of `at` may change."""
        cuts = set(self.midnights)
        for shift in self.shifts or []:
            cuts |= {shift.start, shift.end}
            for pause in shift.breaks:
                cuts |= set(pause)
        return cuts

    def at(self, instant: int) -> Slot:
        """The slot of an instant: of overlapping shifts the one that started last."""
        current = [shift for shift in self.shifts or [] if shift.start <= instant < shift.end]
        if current:
            shift = max(current, key=lambda shift: (shift.start, shift.day, shift.rank))
            pausing = any(start <= instant < end for start, end in shift.breaks)
            return Slot("break" if pausing else "scheduled", shift.label, shift.day, shift.start, shift.end)
        day = local_date(instant, self.zone)
        schedule = "scheduled" if self.shifts is None else "unscheduled"
        return Slot(schedule, None, day, midnight_us(day, self.zone), midnight_us(day + DAY, self.zone))


def rules_of(plant: Plant, calendar: str, day: date) -> list[dict[str, Any]]:
    """The shift tables in force on a date: its exceptions if there are any, else the weekday's."""
    exceptions = [
        entry for entry in plant.file.get("exceptions", []) if entry["calendar"] == calendar and entry["date"] == day
    ]
    if exceptions:
        return [rule for entry in exceptions for rule in entry.get("shifts", [])]
    return [
        rule
        for rule in plant.file.get("shifts", [])
        if rule["calendar"] == calendar and DAYS[day.weekday()] in rule["days"]
    ]


def shift_on(rule: dict[str, Any], day: date, rank: int, zone: ZoneInfo) -> Shift | None:
    """The shift a rule makes on a date; None when a clock change leaves nothing of it."""
    overnight = rule["end"] <= rule["start"]
    start = instant_us(day, rule["start"], zone)
    end = instant_us(day + DAY if overnight else day, rule["end"], zone)
    if start >= end:
        return None
    breaks = []
    for pause in rule.get("breaks", []):
        next_day = overnight and pause["start"] < rule["start"]
        begin = instant_us(day + DAY if next_day else day, pause["start"], zone)
        breaks.append((begin, begin + pause["minutes"] * MINUTE_US))
    return Shift(f"{day}/{rule['name']}", day, rank, start, end, breaks)


def calendar_of(plant: Plant, path: str, first_us: int, last_us: int) -> Calendar:
    """The equipment's calendar over all days that reach into the time from first to last."""
    zone = ZoneInfo(plant.timezone(path))
    name = plant.setting(path, "calendar")
    day, last = local_date(first_us, zone) - 2 * DAY, local_date(last_us, zone) + 2 * DAY
    midnights: list[int] = []
    shifts: list[Shift] = []
    while day <= last:
        midnights.append(midnight_us(day, zone))
        if name is not None:
            made = [shift_on(rule, day, rank, zone) for rank, rule in enumerate(rules_of(plant, name, day))]
            shifts += [shift for shift in made if shift is not None]
        day += DAY
    return Calendar(zone, None if name is None else shifts, midnights)
