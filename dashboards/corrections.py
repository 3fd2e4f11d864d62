"""Events that correct the past, and what they changed: figures before and after, window by window.

A correction never changes an event. It adds one that says who decided what; undoing adds another that takes it back.
"""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from dashboards import reading
from dashboards.board import Board, Row, micros
from dashboards.door import Door
from dashboards.roles import Right, Visitor
from kpis.errors import ConfigError
from kpis.plant import Plant
from storage import corrections
from storage.reader import Reader

Event = dict[str, Any]

CATEGORIES: Final = ("down", "idle", "setup", "planned", "producing", "unknown")
FIGURES: Final = ("oee", "availability", "performance", "quality", "good", "scrap")
_TOLD_WITHIN: Final = 15.0
_LOOK_EVERY: Final = 0.2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WINDOW: Final = ("equipment", "by", "window_start", "shift")


@dataclass(frozen=True)
class Ruling:
    """What a time is to be: a category, or None for what the machine told; a reason, or None for none; a note."""

    category: str | None
    reason: str | None
    note: str = ""

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return self.category is None and self.reason is None


@dataclass(frozen=True)
class Correction:
    """Events about a time of one machine (µs since 1970), and the right that is needed to send them."""

    machine: str
    start: int
    end: int
    events: tuple[Event, ...]
    right: Right


@dataclass(frozen=True)
class Change:
    """A window whose figures are not what they were: its KPI rows before and after; None: there was none."""

    before: Row | None
    after: Row | None

    @property
    def window(self) -> Row:
        """The row that tells which window it is."""
        return self.after or self.before or {}


@dataclass(frozen=True)
class Effect:
    """What a correction did. `spent_before` and `spent_after` are the accounts of the corrected time, in µs.

    `seen`: whether the readers had taken notice within some seconds; else the figures after are not yet those.
    """

    correction: Correction
    changes: tuple[Change, ...]
    spent_before: dict[str, int]
    spent_after: dict[str, int]
    seen: bool


def rule(plant: Plant, machine: str, start: int, end: int, ruling: Ruling, by: str) -> Event:
    """The event that says what a time was. Raises ConfigError when it says nothing."""
    if ruling.empty:
        msg = "neither a category nor a reason is chosen"
        raise ConfigError(msg, hint="choose at least one of them")
    event = _event("reclassify", machine, by, ruling.note) | {"start": rfc3339(start), "end": rfc3339(end)}
    if ruling.category is not None:
        event["state"] = state_named(plant, ruling.category)
    if ruling.reason is not None:
        event["reason"] = ruling.reason
    return event


def move_to_scrap(machine: str, at: int, pieces: int, ruling: Ruling, by: str, attempt: uuid.UUID) -> Event:
    """The event that books good pieces made at an instant as scrap. Sent again in the same attempt it counts once."""
    event = _event("count", machine, by, ruling.note) | {"ts": rfc3339(at), "good": -pieces, "scrap": pieces}
    if ruling.reason is not None:
        event["reason"] = ruling.reason
    said = json.dumps([value for name, value in event.items() if name != "id"])
    return event | {"id": f"dashboard-{uuid.uuid5(attempt, said)}"}


def undo(machine: str, target: str, by: str) -> Event:
    """The event that takes another one back."""
    return _event("retract", machine, by, "") | {"target": target}


def state_named(plant: Plant, category: str) -> str:
    """A state that the plant file puts into a category; the category itself unless the file means another by it.

    Raises ConfigError when there is none.
    """
    if plant.states.get(category, category) == category:
        return category
    for state, meant in plant.states.items():
        if meant == category:
            return state
    msg = f"the plant file means something else by {category}, and has no other state for it"
    raise ConfigError(msg, hint="give a state of that category another name in [states]")


def neighbours(found: pl.DataFrame, stretch: Row) -> list[Row]:
    """The stretches of the same machine next before and after one, as far as there are any."""
    same = found.filter(pl.col("equipment") == stretch["equipment"]).sort("start")
    before = same.filter(pl.col("end") <= stretch["start"]).tail(1)
    after = same.filter(pl.col("start") >= stretch["end"]).head(1)
    return [*before.iter_rows(named=True), *after.iter_rows(named=True)]


def instant_within(text: str, start: int, end: int, zone: ZoneInfo) -> int:
    """The first instant after `start` and before `end` at which local clocks show a time, hh:mm or hh:mm:ss.

    Raises ConfigError when it is no time, or there is none.
    """
    try:
        at = datetime.strptime(text.strip(), "%H:%M:%S" if text.count(":") > 1 else "%H:%M").time()  # noqa: DTZ007
    except ValueError as error:
        msg = f'"{text}" is no time of day'
        raise ConfigError(msg, hint="write it as 14:05 or 14:05:30") from error
    first, last = ((_EPOCH + timedelta(microseconds=us)).astimezone(zone).date() for us in (start, end))
    for day in _days(first, last):
        for fold in (0, 1):
            us = micros(datetime.combine(day, at, zone).replace(fold=fold))
            if us is not None and start < us < end:
                return us
    msg = f"{text} is not between the start and the end"
    raise ConfigError(msg, hint="take a time inside, in the plant's time zone")


def apply(board: Board, correction: Correction, door: Door, visitor: Visitor) -> Effect:
    """Send a correction, wait until readers see it, and tell what it changed.

    Raises NotAllowed, DoorClosed, and StorageError as the reader does.
    """
    before, spent_before, flush = reading.ask(lambda reader: _seen(reader, board, correction))
    door.send(visitor, correction.right, correction.events)
    ids = [event["id"] for event in correction.events]
    seen = _await(lambda: reading.ask(lambda reader: corrections.taken(reader, ids, flush)))
    reading.forget()
    after, spent_after, _ = reading.ask(lambda reader: _seen(reader, board, correction))
    return Effect(correction, tuple(changes(before, after)), spent_before, spent_after, seen)


def changes(before: pl.DataFrame, after: pl.DataFrame) -> list[Change]:
    """The windows with a figure that is not what it was, those of the machine first, shifts before days."""
    old = {_key(row): row for row in before.iter_rows(named=True)}
    new = {_key(row): row for row in after.iter_rows(named=True)}
    found = [Change(old.get(key), new.get(key)) for key in {**new, **old}]
    return [change for change in found if _figures(change.before) != _figures(change.after)]


def rfc3339(us: int) -> str:
    """A time in µs as events have it."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat()


def _event(kind: str, machine: str, by: str, note: str) -> Event:
    event = {
        "id": f"dashboard-{uuid.uuid4()}",
        "ts": rfc3339(time.time_ns() // 1_000),
        "equipment": machine,
        "type": kind,
        "by": by,
    }
    return event | ({"note": note} if note else {})


def _seen(reader: Reader, board: Board, correction: Correction) -> tuple[pl.DataFrame, dict[str, int], int]:
    """Figures of the windows that a correction can change, for the machine and its line, and the last commit."""
    machine, start, end = correction.machine, correction.start, correction.end
    concerned = dict.fromkeys((machine, board.line_of(machine)))
    rows = corrections.figures(reader, list(concerned), start, end, board.plant.oee_definition)
    return rows, corrections.spent(reader, machine, start, end), corrections.last_flush(reader)


def _await(what: Callable[[], bool]) -> bool:
    until = time.monotonic() + _TOLD_WITHIN
    while not (there := what()) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY)
    return there


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in _WINDOW)


def _figures(row: Row | None) -> Sequence[object]:
    return () if row is None else [row[name] for name in FIGURES]


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
