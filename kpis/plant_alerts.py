"""The shape of `[[alerts]]`: what is worth telling somebody, where, after how long and in which words."""

from string import Formatter
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from kpis.elements import ACCOUNTS
from kpis.errors import OeeflowError
from kpis.faults import nearest
from kpis.plant_types import Category, Duration, Level, Name, PositiveDuration, Severity, Table, duration, refuse
from kpis.registry import KPIS, elements_of, kpi_named

MINUTE_US = 60_000_000
SHIFT = 0
"""The window that begins with the shift, in the place of a length."""
SOONEST_US = 10_000_000
"""A question in SQL is asked no more often than that."""
LONGEST_WINDOW_US = 7 * 24 * 60 * MINUTE_US

_PIECES = ("good", "scrap", "rework", "ideal_us", "good_ideal_us", "no_ideal")
MEASURED = (*(f"{account}_us" for account in ACCOUNTS), *_PIECES)
"""The elements that are summed up over a window for alerts."""

TEXT_FIELDS = ("equipment", "line", "unit", "rule", "severity", "since", "reason", "kpi", "value", "limit", "target")
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
DERIVED = ("state", "kpi", "scrap", "behind", "silence")
"""What events alone decide: the same events give the same alerts."""
WATCHED = ("disconnected", "skew", "rejected", "late", "sql", "overdue", "lag", "outbox", "failing")
"""What the running engine sees by its own clock: nothing that a replay could give again."""
KINDS = (*DERIVED, *WATCHED)
QUIET = ("unscheduled", "break", "planned_stop")

_LIMITS = ("below", "above", "below_target", "above_target")
_COUNTED = ("rejected", "late")
_NEEDS = {
    "window": ("kpi", "scrap", *_COUNTED),
    "clear": ("kpi", "scrap"),
    "every": ("sql",),
    **dict.fromkeys(_LIMITS, ("kpi",)),
}
_OF_EVENTS = ("quiet", "grace")


def measurable() -> tuple[str, ...]:
    """The KPIs that a rule can be about: those made of time accounts and pieces alone."""
    return tuple(kpi.name for kpi in KPIS if kpi.basis == "events" and set(elements_of(kpi.name)) <= set(MEASURED))


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _window(value: object) -> int:
    if value == "shift":
        return SHIFT
    us = duration(value)
    if us == 0 or us % MINUTE_US or us > LONGEST_WINDOW_US:
        refuse('must be whole minutes up to "7d"', 'such as "60m", or "shift": since it began')
    return us


def _kpi(name: str) -> str:
    try:
        kpi_named(name)
    except OeeflowError:
        refuse("no such KPI", nearest(name, measurable()))
    if name not in measurable():
        refuse("not a KPI of time accounts and pieces", f"one of {', '.join(measurable())}")
    return name


def _not_too_often(us: int) -> int:
    if us < SOONEST_US:
        refuse("too often", f'at most every "{SOONEST_US // 1_000_000}s"')
    return us


def _text(template: str) -> str:
    try:
        fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
    except ValueError as error:
        refuse(f"not a text with fields: {error}", 'write fields as {equipment}, and a brace itself as "{{"')
    for field in fields:
        if field not in TEXT_FIELDS:
            refuse(f'unknown field "{field}"', nearest(field, TEXT_FIELDS))
    return template


Window = Annotated[int, BeforeValidator(_window), WithJsonSchema({"type": "string", "examples": ["60m", "shift"]})]
States = Annotated[list[Category], BeforeValidator(_several)]
Names = Annotated[list[Name], BeforeValidator(_several)]
Quiet = Literal["unscheduled", "break", "planned_stop"]


class Grace(Table):
    """For how long nothing is told after the plant starts up again."""

    shift: Duration = 0
    break_: Duration = Field(0, alias="break")
    setup: Duration = 0


class Condition(Table):
    """What a rule is about: exactly one of KINDS; `reason` alone is about states."""

    state: States = []
    reason: Names = []
    kpi: Annotated[str, AfterValidator(_kpi)] | None = None
    scrap: Annotated[int, Field(ge=0)] | None = None
    behind: PositiveDuration | None = None
    silence: PositiveDuration | None = None
    disconnected: Names | None = None
    skew: PositiveDuration | None = None
    rejected: Annotated[int, Field(ge=0)] | None = None
    late: Annotated[int, Field(ge=0)] | None = None
    sql: Name | None = None
    overdue: Duration | None = None
    every: Annotated[PositiveDuration, AfterValidator(_not_too_often)] = MINUTE_US
    lag: PositiveDuration | None = None
    outbox: PositiveDuration | None = None
    failing: Names | None = None
    window: Window = 60 * MINUTE_US
    below: float | None = None
    above: float | None = None
    below_target: float | None = None
    above_target: float | None = None
    clear: float | None = None

    @property
    def kind(self) -> str:
        """One of KINDS."""
        named = (name for name in KINDS[1:] if getattr(self, name) is not None)
        return next(named, "state")

    @property
    def limit(self) -> tuple[str, float] | None:
        """The limit of a KPI by the name of its key."""
        given = [(key, value) for key in _LIMITS if (value := getattr(self, key)) is not None]
        return given[0] if given else None

    @model_validator(mode="after")
    def _one_kind(self) -> "Condition":
        kinds = [name for name in KINDS if getattr(self, name) not in (None, [])]
        if not kinds and not self.reason:
            refuse("says nothing", f"name a state, a reason, or one of {', '.join(KINDS[1:])}")
        if len(kinds) > 1:
            refuse(f"{' and '.join(kinds)} in one rule", "make it a rule for each")
        if self.reason and self.kind not in ("state", "scrap"):
            refuse("reasons belong to a state or to scrap", key="reason")
        for key in self.model_fields_set & _NEEDS.keys():
            if self.kind not in _NEEDS[key]:
                refuse(f"belongs to {' or '.join(_NEEDS[key])}", key=key)
        self._check_limits()
        return self

    def _check_limits(self) -> None:
        if self.window == SHIFT and self.kind in _COUNTED:
            refuse("is counted by the clock", 'such as "60m"', key="window")
        limits = [key for key in _LIMITS if getattr(self, key) is not None]
        if self.kind == "kpi" and len(limits) != 1:
            refuse("a KPI needs one limit", f"one of {', '.join(_LIMITS)}")
        if self.clear is None:
            return
        if self.limit is None:
            wrong = self.clear > (self.scrap or 0)
        else:
            key, value = self.limit
            wrong = self.clear < value if key == "below" else self.clear > value
        if wrong:
            refuse("is on the wrong side of the limit", "an alert ends no sooner than its condition", key="clear")


class AlertRule(Table):
    """One rule: it raises at most one open alert at a time for each equipment in its scope."""

    name: Name
    when: Condition
    equipment: Names = ["*"]
    level: Level | None = None
    for_us: Duration = Field(0, alias="for")
    keep_for: Duration = 0
    severity: Severity = "warning"
    text: Annotated[str, AfterValidator(_text)] | None = None
    quiet: list[Quiet] = ["unscheduled", "break", "planned_stop"]
    grace: Grace = Grace.model_validate({})

    @property
    def inhibits(self) -> bool:
        """Whether an alert of it makes those of what hangs on the same equipment needless."""
        return self.when.kind in ("state", "silence")

    @property
    def watched(self) -> bool:
        """Whether it is about what the engine sees by its own clock."""
        return self.when.kind in WATCHED

    @model_validator(mode="after")
    def _fits(self) -> "AlertRule":
        if self.watched:
            for key in _OF_EVENTS:
                if key in self.model_fields_set:
                    refuse("belongs to conditions on events", "this one holds in shifts and outside", key=key)
        return self


def alerts_content(rules: list[AlertRule]) -> list[dict[str, Any]]:
    """What the rules say, in plain values."""
    return [rule.model_dump(by_alias=True) for rule in rules]
