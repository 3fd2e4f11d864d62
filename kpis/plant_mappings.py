"""`[[sources.mappings]]`: how messages that are no canonical events become some."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from kpis.errors import ConfigError
from kpis.events import ACTIONS, FORMS, FORMS_WITH, INSTANTS, INTEGERS, PIECES
from kpis.faults import nearest
from kpis.json_path import JsonPath, is_path, parse_each, parse_path
from kpis.plant_types import Table, refuse
from kpis.topics import TopicPattern

RECEIVED: Final = "received"
"""`ts = "received"`: the time at which the message came in."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_LEVEL_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_CONSTANTS: Final = {"quality": PIECES, "action": ACTIONS}


class Level(str):
    """The name of a level of the topic."""

    __slots__ = ()


Part = str | Level | JsonPath


def parse_value(text: str) -> tuple[Part, ...]:
    """What a value is made of: a path alone, or text with `{level}` and `{$.path}` in it. Raises ConfigError.

    >>> parse_value("acme/{line}/{$.machine}")
    ('acme/', 'line', '/', JsonPath(relative=False, steps=('machine',)))
    """
    if is_path(text):
        return (parse_path(text),)
    parts: list[Part] = []
    for number, part in enumerate(_PLACEHOLDER.split(text)):
        if number % 2 == 0:
            if "{" in part or "}" in part:
                message = "a brace without its partner"
                raise ConfigError(message, hint='placeholders look like "{machine}" or "{$.machine}"')
            parts += [part] if part else []
        elif is_path(part):
            parts.append(parse_path(part))
        elif _LEVEL_NAME.fullmatch(part):
            parts.append(Level(part))
        else:
            message = f"{{{part}}} is neither a level of the topic nor a path"
            raise ConfigError(message, hint='such as "{machine}" or "{$.machine}"')
    return tuple(parts)


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | bool | int | float):
        refuse("must be a text, a number, true or false")
    return value


def _checked(value: Any) -> Any:
    if isinstance(_scalar(value), str):
        try:
            parse_value(value)
        except ConfigError as error:
            refuse(str(error), error.hint)
    return value


def _pattern(text: str) -> str:
    try:
        TopicPattern(text)
    except ConfigError as error:
        refuse(str(error), error.hint)
    return text


def _each(text: str) -> str:
    try:
        parse_each(text)
    except ConfigError as error:
        refuse(str(error), error.hint)
    return text


def _condition(value: Any) -> Any:
    return [_scalar(one) for one in (value if isinstance(value, list) else [value])]


def _path(text: str) -> str:
    try:
        parse_path(text)
    except ConfigError as error:
        refuse(str(error), error.hint)
    return text


_SCALAR: Final = {"type": ["string", "number", "boolean"]}
Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema(_SCALAR)]
Condition = Annotated[
    Any, AfterValidator(_condition), WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]})
]


class Value(Table):
    """Where a value of an event comes from, and what is done to it: `map` first, then times `factor` plus `offset`.

    Written as a table, or as its `from` alone: a path, a text with placeholders, or a constant. `unit` says what a
    number is that is a time; a text is RFC 3339.
    """

    source: Annotated[Any, Field(alias="from"), AfterValidator(_checked), WithJsonSchema(_SCALAR)]
    map: dict[str, Scalar] = {}
    factor: float | None = None
    offset: float | None = None
    unit: Literal["iso", "s", "ms", "us", "ns"] = "iso"

    @model_validator(mode="before")
    @classmethod
    def _written_short(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"from": _checked(value)}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Either way to write it."""
        own = handler(core)
        resolved = handler.resolve_ref_schema(own)
        table = {**resolved}
        resolved.clear()
        resolved.update({"anyOf": [table, _SCALAR]})
        return own

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it is made of."""
        return parse_value(self.source) if isinstance(self.source, str) else (str(self.source),)

    @property
    def constant(self) -> bool:
        """Whether it is the same for every message."""
        return not any(isinstance(part, Level | JsonPath) for part in self.parts)

    @property
    def received(self) -> bool:
        """Whether it stands for the time at which a message came in."""
        return bool(self.source == RECEIVED)


class EventMapping(Table):
    """One event that a message, or each element of an array in it, gives: its type and the fields of that type."""

    type: Literal["state", "count", "counter", "order", "status", "reclassify", "retract"]
    when: dict[Annotated[str, AfterValidator(_path)], Condition] = {}
    state: Value | None = None
    reason: Value | None = None
    product: Value | None = None
    order: Value | None = None
    good: Value | None = None
    scrap: Value | None = None
    rework: Value | None = None
    quality: Value | None = None
    value: Value | None = None
    rollover: Value | None = None
    action: Value | None = None
    quantity: Value | None = None
    online: Value | None = None
    start: Value | None = None
    end: Value | None = None
    target: Value | None = None
    details: dict[str, Value] = {}

    @property
    def fields(self) -> dict[str, Value]:
        """The fields that are given, by name."""
        given = ((name, getattr(self, name)) for name in (*FORMS_WITH, "target"))
        return {name: value for name, value in given if value is not None}

    @property
    def essential(self) -> tuple[str, ...]:
        """The fields without which a message does not give this event: one of them missing, or of a count all."""
        return tuple(name for name in PIECES if name in self.fields) if self.type == "count" else self._form.required

    @property
    def _form(self) -> Any:
        return FORMS[self.type]

    @model_validator(mode="after")
    def _fields_fit(self) -> "EventMapping":
        own = (*self._form.required, *self._form.optional)
        for name, value in self.fields.items():
            if name not in own:
                refuse(f"{_a(self.type)} has no such field", f"its fields are: {', '.join(own)}", key=name)
            if value.unit != "iso" and name not in INSTANTS:
                refuse("is no time, and has no unit", key=name)
            if (value.factor is not None or value.offset is not None) and name not in INTEGERS:
                refuse("is no number that could be scaled", "map gives other texts", key=name)
            allowed = _CONSTANTS.get(name)
            if allowed and value.constant and not value.map and value.source not in allowed:
                refuse("not one of the valid values", nearest(str(value.source), allowed), key=name)
        if missing := [name for name in self._form.required if name not in self.fields]:
            refuse(f"{_a(self.type)} needs the field `{missing[0]}`")
        if self.type == "count" and not self.essential:
            refuse("a count needs `good`, `scrap` or `rework`")
        return self


class Mapping(Table):
    """What messages of some topics say: about which equipment, of which time, and which events."""

    topic: Annotated[str, AfterValidator(_pattern)]
    equipment: Value
    ts: Value
    id: Value | None = None
    each: Annotated[str, AfterValidator(_each)] | None = None
    events: Annotated[list[EventMapping], Field(min_length=1, max_length=32)]

    @property
    def values(self) -> Iterator[tuple[str, Value]]:
        """Every value with its key."""
        yield from (("equipment", self.equipment), ("ts", self.ts))
        if self.id is not None:
            yield "id", self.id
        for event in self.events:
            yield from event.fields.items()
            yield from event.details.items()

    @model_validator(mode="after")
    def _parts_are_there(self) -> "Mapping":
        levels = TopicPattern(self.topic).names
        for key, value in self.values:
            for part in value.parts:
                if isinstance(part, Level) and part not in levels:
                    refuse(
                        f"{key} names the level {part}, which the topic does not have",
                        nearest(part, levels),
                        key="topic",
                    )
        if self.ts.constant and not self.ts.received:
            refuse("is no time", 'a path such as "$.time", or "received"', key="ts")
        return self


def _a(kind: str) -> str:
    return f"{'an' if kind == 'order' else 'a'} {kind} event"
