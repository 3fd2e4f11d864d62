"""From sent dictionaries to the events that count: validated, without duplicates, retractions done."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum, auto
from typing import Any

from tests.oracle.plant import Plant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US = 0
LAST_US = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LARGEST_PIECES = 2**53
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
QUALITIES = ("good", "scrap", "rework")
FIELDS: dict[str, dict[str, str]] = {
    "state": {"state": "text!", "reason": "text"},
    "count": {
        "good": "pieces",
        "scrap": "pieces",
        "rework": "pieces",
        "reason": "text",
        "product": "text",
        "order": "text",
    },
    "counter": {"quality": "text!", "value": "integer!", "rollover": "integer"},
    "order": {"action": "text!", "order": "text", "product": "text", "quantity": "integer"},
    "status": {"online": "boolean!"},
    "reclassify": {"start": "time!", "end": "time!", "state": "text", "reason": "text"},
    "retract": {"target": "text!"},
}


class Fault(StrEnum):
    """Why an event cannot be used."""

    BAD_TIME = auto()
    EMPTY_INTERVAL = auto()
    ID_REUSED = auto()
    MISSING_FIELD = auto()
    NAIVE_TIME = auto()
    OUT_OF_RANGE = auto()
    UNKNOWN_ACTION = auto()
    UNKNOWN_EQUIPMENT = auto()
    UNKNOWN_QUALITY = auto()
    UNKNOWN_TYPE = auto()
    WRONG_TYPE = auto()


class RejectedError(Exception):
    """The event cannot be used; the text is the code of the fault."""


@dataclass(frozen=True)
class Event:
    """A usable event; `fields` holds the normalised fields of its type, absent ones as None (pieces as 0)."""

    equipment: str
    id: str
    ts: int
    type: str
    fields: dict[str, Any]
    content: str

    @property
    def order_key(self) -> tuple[int, bytes]:
        """The order within an equipment."""
        return (self.ts, self.id.encode())


@dataclass(frozen=True)
class Intake:
    """What became of everything sent."""

    events: list[Event]
    retracted: list[Event]
    rejected: list[tuple[dict[str, Any], str]]
    duplicates: int


def parse_time(value: object) -> int:
    """Microseconds since the epoch of an RFC 3339 text or of integer epoch milliseconds."""
    if isinstance(value, str):
        match = TIME.fullmatch(value)
        if match is None:
            raise RejectedError(Fault.BAD_TIME)
        fraction, offset = match[7], match[8]
        if offset is None:
            raise RejectedError(Fault.NAIVE_TIME)
        try:
            year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
            local = datetime(year, month, day, hour, minute, second, tzinfo=parse_offset(offset))
        except ValueError as fault:
            raise RejectedError(Fault.BAD_TIME) from fault
        instant = (local - EPOCH) // timedelta(microseconds=1) + int((fraction or "")[:6].ljust(6, "0"))
    else:
        instant = parse_integer(value) * 1_000
    if not FIRST_US <= instant <= LAST_US:
        raise RejectedError(Fault.OUT_OF_RANGE)
    return instant


def parse_offset(text: str) -> timezone:
    """The fixed zone of `Z` or `+hh:mm`."""
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if text[0] == "-" else size)


def parse_integer(value: object) -> int:
    """A whole number, also written 5.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or value in (1e999, -1e999):
        raise RejectedError(Fault.WRONG_TYPE)
    if int(value) != value:
        raise RejectedError(Fault.WRONG_TYPE)
    return int(value)


def parse_field(kind: str, value: object) -> object:
    """A field's normalised value."""
    if value is None:
        return 0 if kind == "pieces" else None
    if kind == "time":
        return parse_time(value)
    if kind in ("pieces", "integer"):
        number = parse_integer(value)
        if abs(number) > LARGEST_PIECES:
            raise RejectedError(Fault.OUT_OF_RANGE)
        return number
    if not isinstance(value, bool if kind == "boolean" else str):
        raise RejectedError(Fault.WRONG_TYPE)
    return value


def parse_event(sent: dict[str, Any]) -> Event:
    """One event, or the reason why not."""
    given = {name: value for name, value in sent.items() if value is not None and value != ""}
    for name in ("ts", "equipment", "type"):
        if name not in given:
            raise RejectedError(Fault.MISSING_FIELD)
    for name in ("id", "equipment", "type"):
        if not isinstance(given.get(name, ""), str):
            raise RejectedError(Fault.WRONG_TYPE)
    if given["type"] not in FIELDS:
        raise RejectedError(Fault.UNKNOWN_TYPE)
    fields: dict[str, Any] = {}
    for name, kind in FIELDS[given["type"]].items():
        if kind.endswith("!") and name not in given:
            raise RejectedError(Fault.MISSING_FIELD)
        fields[name] = parse_field(kind.rstrip("!"), given.get(name))
    check(given["type"], fields)
    ts = parse_time(given["ts"])
    whole = given | {name: value for name, value in fields.items() if value is not None} | {"ts": ts}
    whole.pop("id", None)
    content = json.dumps(whole, sort_keys=True)
    identity = given.get("id", hashlib.sha256(content.encode()).hexdigest())
    return Event(given["equipment"], identity, ts, given["type"], fields, content)


def check(kind: str, fields: dict[str, Any]) -> None:
    """Rules between and beyond the single fields of a type."""
    if kind == "counter":
        if fields["quality"] not in QUALITIES:
            raise RejectedError(Fault.UNKNOWN_QUALITY)
        if fields["value"] < 0 or (fields["rollover"] is not None and fields["rollover"] <= 0):
            raise RejectedError(Fault.OUT_OF_RANGE)
    if kind == "order":
        if fields["action"] not in ("start", "end"):
            raise RejectedError(Fault.UNKNOWN_ACTION)
        if fields["action"] == "start" and fields["order"] is None:
            raise RejectedError(Fault.MISSING_FIELD)
    if kind == "reclassify":
        if fields["start"] >= fields["end"]:
            raise RejectedError(Fault.EMPTY_INTERVAL)
        if fields["state"] is None and fields["reason"] is None:
            raise RejectedError(Fault.MISSING_FIELD)


def taken_until(event: Event, until_us: int | None) -> bool:
    """Whether a replay to `until` takes the event in: corrections are judged by what they refer to."""
    if until_us is None or event.type == "retract":
        return True
    return bool((event.fields["start"] if event.type == "reclassify" else event.ts) < until_us)


def take_in(sent_events: list[dict[str, Any]], plant: Plant, until_us: int | None) -> Intake:
    """Sort what was sent into events that count, retracted ones, rejected ones and duplicates."""
    first: dict[tuple[str, str], Event] = {}
    rejected: list[tuple[dict[str, Any], str]] = []
    duplicates = 0
    for sent in sent_events:
        try:
            event = parse_event(sent)
            if event.equipment not in plant.paths:
                raise RejectedError(Fault.UNKNOWN_EQUIPMENT)
            if not taken_until(event, until_us):
                continue
            known = first.setdefault((event.equipment, event.id), event)
            if known.content != event.content:
                raise RejectedError(Fault.ID_REUSED)
            duplicates += known is not event
        except RejectedError as fault:
            rejected.append((sent, str(fault)))
    retracts = {(event.equipment, event.fields["target"]) for event in first.values() if event.type == "retract"}
    events: list[Event] = []
    retracted: list[Event] = []
    for key, event in first.items():
        (retracted if key in retracts and event.type != "retract" else events).append(event)
    return Intake(sorted(events, key=lambda event: event.order_key), retracted, rejected, duplicates)
