"""The shape of the plant file: its tables, its keys, and what each of them may hold."""

import re
import zoneinfo
from datetime import date, time
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from kpis.duration import DURATION_PATTERN, parse_duration
from kpis.errors import ConfigError
from kpis.faults import nearest
from kpis.plant_sources import Source

LEVELS = ("enterprise", "site", "area", "line", "unit")
CATEGORIES = ("producing", "setup", "down", "idle", "planned", "unknown")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
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


def _refuse(message: str, hint: str | None = None) -> NoReturn:
    refusal = PydanticCustomError("plant_file", "{message}", {"message": message, "hint": hint})
    raise refusal


def _duration(value: object) -> int:
    if not isinstance(value, str):
        _refuse("a duration must be text with a unit", 'such as "500ms", "1.5s", "2m", "8h" or "1d"')
    try:
        return parse_duration(value)
    except ConfigError as error:
        _refuse(str(error), error.hint)


def _positive(us: int) -> int:
    if us == 0:
        _refuse("must be longer than 0s")
    return us


def _timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        hint = nearest(name, zoneinfo.available_timezones()) or 'an IANA name, such as "Europe/Berlin"'
        _refuse("unknown time zone", hint)
    return name


def _loss(value: object) -> object:
    """Plants write the six big losses in many ways: case, spaces, hyphens and plurals do not matter."""
    return _LOSSES.get(re.sub(r"[\s_-]+", "_", value.strip().casefold()), value) if isinstance(value, str) else value


def _stop_after(text: str) -> str:
    cycles = _CYCLES.fullmatch(text)
    if not cycles:
        _duration(text)
    elif float(cycles[1]) == 0:
        _refuse("must be more than 0 cycles", '"0s" switches it off')
    return text


def _duration_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": ["500ms", "1.5s", "2m", "8h", "1d"]})


Duration = Annotated[int, BeforeValidator(_duration), _duration_schema(DURATION_PATTERN)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive), _duration_schema(DURATION_PATTERN)]
StopAfter = Annotated[str, AfterValidator(_stop_after)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Loss = Annotated[
    Literal["breakdown", "setup", "minor_stop", "reduced_speed", "process_defect", "startup_reject"],
    BeforeValidator(_loss),
    WithJsonSchema({"type": "string", "examples": list(SIX_BIG_LOSSES)}),
]
Name = Annotated[str, Field(min_length=1)]
Category = Literal["producing", "setup", "down", "idle", "planned", "unknown"]
StopCategory = Literal["setup", "down", "idle", "planned"]
Level = Literal["enterprise", "site", "area", "line", "unit"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Table(BaseModel):
    """A TOML table: unknown keys are faults, and nothing is converted (TOML has types of its own)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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

    @model_validator(mode="after")
    def _constraint_is_named(self) -> "EquipmentTable":
        if self.rollup == "constraint" and self.constraint is None:
            _refuse('rollup = "constraint" needs a constraint', "name the equipment that sets the pace")
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
    sliding_length: PositiveDuration = 3_600_000_000
    sliding_step: PositiveDuration = 60_000_000


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

    @property
    def calendars(self) -> tuple[str, ...]:
        """The names of the calendars in the order in which they first appear."""
        tables: list[ShiftTable | ExceptionTable] = [*self.shifts, *self.exceptions]
        return tuple(dict.fromkeys(table.calendar for table in tables))


def json_schema() -> dict[str, Any]:
    """The JSON schema of the plant file, for editors that check and complete TOML."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlantFile.model_json_schema()}
