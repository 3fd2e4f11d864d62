"""Messages that are no canonical events become some, as `[[sources.mappings]]` of the plant file say."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from kpis.events import INSTANTS
from kpis.instants import END_OF_TIME
from kpis.json_path import JsonPath, parse_each, parse_path
from kpis.plant_mappings import EventMapping, Level, Mapping, Value
from kpis.topics import TopicPattern

EVENTS_LIMIT: Final = 10_000
"""A message may hold so many events."""

NOT_JSON: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
"""What the JSON parser raises."""

_UNITS: Final = {"s": Decimal(1_000_000), "ms": Decimal(1_000), "us": Decimal(1), "ns": Decimal("0.001")}
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NUMBER: Final = 60
_LARGEST_EXPONENT: Final = 40
_TOPICS_KNOWN: Final = 10_000
_SHOWN: Final = 80


class Reading(NamedTuple):
    """What became of one event that a message should hold: its fields as texts, or the reason why there is none.

    `passed_over`: the plant file does not ask for it.
    """

    fields: dict[str, str]
    reason: str | None = None
    detail: str | None = None
    passed_over: bool = False


class Message(NamedTuple):
    """A message: its bytes, what they say (JSON, or else a text), the levels of its topic, when it came in (µs)."""

    topic: str
    payload: bytes
    content: Any
    levels: dict[str, str]
    received_at: int


class _FaultError(Exception):
    """Why a value cannot be used: a reason code and a sentence."""

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Mapper:
    """Reads the messages of a source by its mappings: the first whose topic fits counts."""

    def __init__(self, mappings: Sequence[Mapping]) -> None:
        compiled = [(TopicPattern(mapping.topic), _MessageReader(mapping)) for mapping in mappings]

        def route(topic: str) -> tuple[_MessageReader, dict[str, str]] | None:
            matches = ((reader, pattern.match(topic)) for pattern, reader in compiled)
            return next(((reader, levels) for reader, levels in matches if levels is not None), None)

        self._route = lru_cache(_TOPICS_KNOWN)(route)

    def read(self, topic: str, payload: bytes, received_at: int) -> list[Reading]:
        """What a message says: at least one reading."""
        found = self._route(topic)
        if found is None:
            detail = f"no mapping of the source fits the topic {topic[:_SHOWN]!r}"
            return [Reading({}, "unknown_topic", detail)]
        reader, levels = found
        try:
            content = msgspec.json.decode(payload)
        except NOT_JSON as error:
            try:
                content = payload.decode().strip()
            except UnicodeDecodeError:
                return [Reading({}, "not_json", "the message is neither JSON nor a text in UTF-8")]
            if reader.needs_json:
                return [Reading({}, "not_json", f"the message is not JSON: {str(error)[:_SHOWN]}")]
        return reader.read(Message(topic, payload, content, levels, received_at))


class _MessageReader:
    """One mapping, ready for work."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._each = None if mapping.each is None else parse_each(mapping.each)
        self._equipment = _Field("equipment", mapping.equipment)
        self._ts = _Field("ts", mapping.ts)
        self._id = None if mapping.id is None else _Field("id", mapping.id)
        self._events = [_Event(event) for event in mapping.events]
        own_id = mapping.id is not None and any(
            isinstance(part, JsonPath) and part.relative for part in mapping.id.parts
        )
        self._id_by_element = own_id
        paths = [part for _, value in mapping.values for part in value.parts if isinstance(part, JsonPath)]
        conditions = any(event.when for event in mapping.events)
        self.needs_json = self._each is not None or conditions or any(path.steps for path in paths)

    def read(self, message: Message) -> list[Reading]:
        elements = [message.content] if self._each is None else self._each.find(message.content)
        if not isinstance(elements, list) or not elements:
            found = "is empty" if elements == [] else "is no array"
            return [Reading({}, "no_event", f"the message holds no event: {self._mapping.each} {found}")]
        if len(elements) * len(self._events) > EVENTS_LIMIT:
            return [Reading({}, "too_long", f"the message holds more than {EVENTS_LIMIT:,} events")]
        return [reading for number, element in enumerate(elements) for reading in self._read(message, element, number)]

    def _read(self, message: Message, element: Any, number: int) -> Iterator[Reading]:
        """The events of one element: those that are asked for, and of which it holds what matters."""
        asked = [(place, event) for place, event in enumerate(self._events) if event.holds(message, element)]
        given = [(place, event) for place, event in asked if not event.missing(message, element)]
        if not asked:
            yield Reading({}, passed_over=True)
        elif not given:
            absent = ", ".join(sorted({name for _, event in asked for name in event.missing(message, element)}))
            where = "the message" if self._each is None else f"element {number} of {self._mapping.each}"
            yield Reading({}, "no_event", f"{where} holds no event: nothing is there for {absent}")
        for place, event in given:
            yield self._event(message, element, event, place, number)

    def _event(self, message: Message, element: Any, event: "_Event", place: int, number: int) -> Reading:
        fields: dict[str, str] = {"type": event.type}
        fault: _FaultError | None = None
        own = (self._equipment, self._ts) if self._id is None else (self._equipment, self._ts, self._id)
        for field in (*own, *event.fields):
            try:
                if (text := field.read(message, element)) is not None:
                    fields[field.name] = text
            except _FaultError as error:
                fault = fault or error
        if event.details and (details := event.detailed(message, element)):
            fields["details"] = details
        position = place if self._id_by_element else number * len(self._events) + place
        fields["id"] = _numbered(fields.get("id") or self._digest(message), position)
        if fault is not None:
            return Reading(fields, fault.reason, str(fault))
        return Reading(fields)

    def _digest(self, message: Message) -> str:
        """An id that a message has again when the broker sends it again, unless its time is that of its arrival."""
        digest = blake2b(message.topic.encode("utf-8", "surrogatepass"), digest_size=16)
        digest.update(b"\x00" + message.payload)
        if self._mapping.ts.received:
            digest.update(b"\x00%d" % message.received_at)
        return digest.hexdigest()


class _Event:
    """One event of a mapping, ready for work."""

    def __init__(self, event: EventMapping) -> None:
        self.type = event.type
        self.fields = [_Field(name, value) for name, value in event.fields.items()]
        self.details = [_Field(name, value) for name, value in event.details.items()]
        self._when = [(parse_path(path), {_spelled(one) for one in wanted}) for path, wanted in event.when.items()]
        self._essential = [field for field in self.fields if field.name in event.essential]
        self._any = event.type == "count"

    def holds(self, message: Message, element: Any) -> bool:
        """Whether its conditions hold."""
        for path, wanted in self._when:
            found = path.find(element if path.relative else message.content)
            if found is None or isinstance(found, dict | list) or _spelled(found) not in wanted:
                return False
        return True

    def missing(self, message: Message, element: Any) -> list[str]:
        """Fields for want of which the message does not give this event."""
        absent = [field.name for field in self._essential if field.find(message, element) is None]
        return absent if len(absent) == len(self._essential) or not self._any else []

    def detailed(self, message: Message, element: Any) -> str | None:
        """The details as a JSON object."""
        found = {field.name: field.find(message, element) for field in self.details}
        given = {name: value for name, value in found.items() if value is not None and value != ""}
        return msgspec.json.encode(given, order="sorted").decode() if given else None


class _Field:
    """One value of an event, ready for work."""

    def __init__(self, name: str, value: Value) -> None:
        self.name = name
        self._value = value
        self._map = {text: _spelled(mapped) for text, mapped in value.map.items()}
        scaled = value.factor is not None or value.offset is not None
        self._scaling = (_decimal(value.factor, 1), _decimal(value.offset, 0)) if scaled else None
        self.find = _finder(value)

    def read(self, message: Message, element: Any) -> str | None:
        """The value as a text, mapped and scaled; None where the message has none."""
        if self.name in INSTANTS and self._value.received:
            return _rfc3339(message.received_at)
        found = self.find(message, element)
        if found is None:
            return None
        if isinstance(found, dict | list):
            kind = "an object" if isinstance(found, dict) else "an array"
            detail = f"`{self.name}` is {kind}, not one value"
            raise _FaultError(detail, reason="wrong_type")
        if isinstance(found, int) and abs(found) >= 10**_LARGEST_EXPONENT:
            detail = f"`{self.name}` has more than {_LARGEST_EXPONENT} digits"
            raise _FaultError(detail, reason="out_of_range")
        text = _spelled(found)
        text = self._map.get(text, text)
        if self.name in INSTANTS:
            return self._instant(text, number=not isinstance(found, str))
        return text if self._scaling is None else self._scaled(text, *self._scaling)

    def _scaled(self, text: str, factor: Decimal, offset: Decimal) -> str:
        number = _number(text)
        if number is None:
            return text
        result = number * factor + offset
        return str(int(result)) if result == result.to_integral_value() else format(result, "f")

    def _instant(self, text: str, *, number: bool) -> str:
        unit = self._value.unit
        if unit == "iso":
            if number or text.lstrip("-").isdecimal():
                detail = f'`{self.name}` {text[:_SHOWN]} is a number; say its unit in the mapping, such as unit = "ms"'
                raise _FaultError(detail, reason="bad_time")
            return text
        since = _number(text)
        if since is None:
            detail = f"`{self.name}` {text[:_SHOWN]!r} is not a number of {unit}"
            raise _FaultError(detail, reason="bad_time")
        us = int(since * _UNITS[unit])
        if not 0 <= us < END_OF_TIME:
            detail = f"`{self.name}` {text} ({unit}) is outside the years 1970 to 2199"
            raise _FaultError(detail, reason="out_of_range")
        return _rfc3339(us)


def _finder(value: Value) -> Callable[[Message, Any], Any]:
    """What finds the value in a message, as it is there."""
    parts = value.parts
    if value.constant:
        constant = value.source
        return lambda message, element: constant
    if len(parts) == 1 and isinstance(path := parts[0], JsonPath):
        return lambda message, element: path.find(element if path.relative else message.content)

    def join(message: Message, element: Any) -> str | None:
        texts = []
        for part in parts:
            if isinstance(part, JsonPath):
                found = part.find(element if part.relative else message.content)
                if found is None or isinstance(found, dict | list):
                    return None
                texts.append(_spelled(found))
            else:
                texts.append(message.levels[part] if isinstance(part, Level) else part)
        return "".join(texts)

    return join


def _spelled(value: str | bool | float) -> str:
    """A value as a text: whole numbers without a point, truth values in lower case."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return str(value) if abs(value) < 10**_LARGEST_EXPONENT else f"{float('inf') if value > 0 else float('-inf')}"


def _number(text: str) -> Decimal | None:
    """A number exactly as it is written; None for anything else, and for sizes that nothing in a plant has."""
    try:
        number = Decimal(text) if len(text) <= _LONGEST_NUMBER else None
    except InvalidOperation:
        return None
    small = number is not None and number.is_finite() and abs(number.adjusted()) <= _LARGEST_EXPONENT
    return number if small else None


def _decimal(value: float | None, otherwise: int) -> Decimal:
    return Decimal(otherwise) if value is None else Decimal(repr(value))


def _rfc3339(us: int) -> str:
    return (_BEGIN + timedelta(microseconds=us)).isoformat()


def _numbered(name: str, position: int) -> str:
    """The id of an event by its position among those of its message: the first has that of the message itself."""
    return name if position == 0 else f"{name}.{position + 1}"
