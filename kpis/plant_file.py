"""The shape of the plant file: its tables, its keys, and what each of them may hold."""

import re
import zoneinfo
from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from kpis.duration import parse_duration
from kpis.faults import nearest
from kpis.plant_alerts import AlertRule
from kpis.plant_people import Channel, Duty, Notifications, Person, Route
from kpis.plant_sources import Source
from kpis.plant_types import Category, Duration, Level, Name, PositiveDuration, Table, duration, refuse

LEVELS = ("enterprise", "site", "area", "line", "unit")
CATEGORIES = ("producing", "setup", "down", "idle", "planned", "unknown")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_OVERLAPPING = 100_000
"""In so many sliding windows an instant may be."""
SIX_BIG_LOSSES = ("breakdown", "setup", "minor_stop", "reduced_speed", "process_defect", "startup_reject")

_LOSS_SPELLINGS = {
    "breakdown": "breakdown breakdowns equipment_failure equipment_failures",
    "setup": "setup setups setup_adjustment setup_adjustments setup_and_adjustment setup_and_adjustments",
    "minor_stop": "minor_stop minor_stops idling idling_minor_stops idling_and_minor_stops minor_stops_and_idling",
    "reduced_speed": "reduced_speed speed speed_loss",
    "process_defect": "process_defect process_defects defect defects",
    "startup_reject": "startup startup_reject startup_rejects startup_loss startup_losses reduced_yield",
}
_LOSSES = {spelling: loss for loss, spellings in _LOSS_SPELLINGS.items() for spelling in spellings.split()}
_CYCLES = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)x")


def _timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        hint = nearest(name, zoneinfo.available_timezones()) or 'an IANA name, such as "Europe/Berlin"'
        refuse("unknown time zone", hint)
    return name


def _loss(value: object) -> object:
    """Plants write the six big losses in many ways: case, spaces, hyphens and plurals do not matter."""
    return _LOSSES.get(re.sub(r"[\s_-]+", "_", value.strip().casefold()), value) if isinstance(value, str) else value


def _stop_after(text: str) -> str:
    cycles = _CYCLES.fullmatch(text)
    if not cycles:
        duration(text)
    elif float(cycles[1]) == 0:
        refuse("must be more than 0 cycles", '"0s" switches it off')
    return text


def _whole_minutes(us: int) -> int:
    if us % 60_000_000:
        refuse("must be whole minutes", 'such as "90m" or "8h"')
    return us


StopAfter = Annotated[str, AfterValidator(_stop_after)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Loss = Annotated[
    Literal["breakdown", "setup", "minor_stop", "reduced_speed", "process_defect", "startup_reject"],
    BeforeValidator(_loss),
    WithJsonSchema({"type": "string", "examples": list(SIX_BIG_LOSSES)}),
]
# Pieces are kept by the minute.
WholeMinutes = Annotated[PositiveDuration, AfterValidator(_whole_minutes)]
StopCategory = Literal["setup", "down", "idle", "planned"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class PlantTable(Table):
    name: Name = "plant"
    timezone: Timezone = "UTC"
    oee_definition: Literal["standard", "iso22400", "smrp"] = "standard"


class StateFromCounts(Table):
    """Machines that send counts only: producing at a count, down when none came for ``stop_after``."""

    stop_after: StopAfter

    @property
    def us(self) -> int | None:
        """Microseconds, when given as a duration other than 0s."""
        return None if self.stop_after.endswith("x") else parse_duration(self.stop_after) or None

    @property
    def cycles(self) -> float | None:
        """Multiples of the ideal cycle, when given like ``5x``."""
        return float(self.stop_after.removesuffix("x")) if self.stop_after.endswith("x") else None


class Settings(Table):
    """What ``[defaults]`` and every equipment may set, and what is inherited downwards."""

    timezone: Timezone | None = None
    calendar: str | None = None
    minor_stop_under: Duration | None = None
    stale_after: Duration | None = None
    grace: Duration | None = None
    future_tolerance: Duration | None = None
    ideal_cycle: PositiveDuration | None = None
    state_from_counts: StateFromCounts | None = None
    targets: dict[str, float] = {}


class EquipmentTable(Settings):
    level: Level | None = None
    rollup: Literal["sum", "constraint"] = "sum"
    constraint: str | None = None
    output: str | None = None
    capacity_per_hour: Annotated[int, Field(gt=0, le=1_000_000_000)] | None = None
    flow: list[Name] = []

    @model_validator(mode="after")
    def _constraint_is_named(self) -> "EquipmentTable":
        if self.rollup == "constraint" and self.constraint is None:
            refuse('rollup = "constraint" needs a constraint', "name the equipment that sets the pace")
        return self


class BreakTable(Table):
    start: time
    minutes: Annotated[int, Field(gt=0, le=1_440)]


class ShiftTimes(Table):
    name: Name
    start: time
    end: time
    breaks: list[BreakTable] = []


class ShiftTable(ShiftTimes):
    calendar: Name
    days: Annotated[list[Weekday], Field(min_length=1)]


class ExceptionTable(Table):
    calendar: Name
    date: date
    shifts: list[ShiftTimes] = []
    reason: str | None = None


class ProductTable(Table):
    label: str | None = None
    ideal_cycle: dict[str, PositiveDuration] = {}


class ReasonTable(Table):
    label: str | None = None
    category: StopCategory | None = None
    loss: Loss | None = None
    maintenance: Literal["corrective", "preventive"] | None = None


class WindowsTable(Table):
    sliding_length: WholeMinutes = 3_600_000_000
    sliding_step: WholeMinutes = 60_000_000

    @model_validator(mode="after")
    def _not_too_many(self) -> "WindowsTable":
        if self.sliding_length // self.sliding_step > MOST_OVERLAPPING:
            refuse("too long for so short a step", "take a longer sliding_step", key="sliding_length")
        return self


class PlantFile(Table):
    """The whole file. A missing table means its defaults."""

    plant: PlantTable = PlantTable()
    defaults: Settings = Settings()
    windows: WindowsTable = WindowsTable()
    shifts: list[ShiftTable] = []
    exceptions: list[ExceptionTable] = []
    equipment: dict[str, EquipmentTable] = {}
    products: dict[str, ProductTable] = {}
    states: dict[str, Category] = {}
    reasons: dict[str, ReasonTable] = {}
    sources: list[Source] = []
    alerts: list[AlertRule] = []
    notifications: Notifications = Notifications()
    channels: list[Channel] = []
    people: list[Person] = []
    duty: list[Duty] = []
    routes: list[Route] = []

    @property
    def calendars(self) -> tuple[str, ...]:
        """The names of the calendars in the order in which they first appear."""
        tables: list[ShiftTable | ExceptionTable] = [*self.shifts, *self.exceptions]
        return tuple(dict.fromkeys(table.calendar for table in tables))


def json_schema() -> dict[str, Any]:
    """The JSON schema of the plant file, for editors that check and complete TOML."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlantFile.model_json_schema()}
