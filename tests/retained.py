"""Stores whose old events were archived, as tests make them: at any line, and what may still come after it."""

import shutil
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from kpis.plant import Plant
from kpis.work import MINUTE_US
from storage.archive import Archive, prepare
from storage.ids import forget
from storage.places import Places
from storage.reader import Reader
from storage.retention import Part, move
from tests.engine import GRAINS, TABLES, new_year, opened
from tests.oracle.events import RejectedError, parse_event, parse_time
from tests.random_logs import Event
from tests.strategies import Case


def copied(db: Path, target: Path) -> None:
    """A closed store at another place, with what belongs to it."""
    shutil.copyfile(db, target)
    if Places(db).folder.exists():
        shutil.copytree(Places(db).folder, Places(target).folder)


def archived_before(db: Path, plant: Plant, line: int, first: int = 0) -> Part:
    """Move the events from `first` to before `line` (µs) into the archive, however short ago that is."""
    folder, days = Places(db).archive, (date(2026, 1, 1), date(2026, 1, 2))
    prepare(folder)
    with opened(db, plant) as store:
        part = move(store.connection, db, Archive(store.connection, folder), Part(first, line, *days), new_year())
    forget(Places(db).ids)
    return part


def results(db: Path, grains: Sequence[str] = GRAINS) -> dict[str, pl.DataFrame]:
    """What archiving events must not change: all rows of tables and KPI views, with their history, in an order."""
    asked = TABLES | {f"all of kpi_{grain}": f"* FROM kpi_{grain}" for grain in grains}
    with Reader(db) as reader:
        return {name: reader.query(f"SELECT {what} ORDER BY ALL") for name, what in asked.items() if name != "events"}


def reach(event: Event) -> int | None:
    """The first instant that an event says something about; None of what is no event, or is a retraction."""
    with suppress(RejectedError):
        parsed = parse_event(event)
        if parsed.type != "retract":
            return parse_time(event["start"]) if parsed.type == "reclassify" else parsed.ts
    return None


def instants(case: Case) -> list[int]:
    """The instants of the events of a case, in order."""
    return sorted(at for at in map(reach, case.events) if at is not None)


def later(case: Case, line: int, rng: Random) -> tuple[list[Event], list[Event]]:
    """The events of a case in two parts: the second has nothing that a line between them would refuse.

    An id that was used before the line is not used again after it: it is free then, which is a known difference.
    """
    names: dict[tuple[str, Any], list[int]] = defaultdict(list)
    for event in case.events:
        if "id" in event and (at := reach(event)) is not None:
            names[event["equipment"], event["id"]].append(at)

    def may_wait(event: Event) -> bool:
        with suppress(RejectedError):
            ts = parse_event(event).ts
            asked = (event["equipment"], event.get("target", event.get("id")))
            at = ts if event["type"] == "retract" else reach(event)
            own = names[event["equipment"], event.get("id")]
            return at is not None and at >= line and min([line, *names[asked], *own]) >= line
        return False

    second = [may_wait(event) and rng.random() < 0.5 for event in case.events]
    parts = tuple(
        [event for event, waits in zip(case.events, second, strict=True) if waits == part] for part in (False, True)
    )
    return parts[0], parts[1]


def some_line(case: Case, rng: Random) -> int:
    """A whole minute inside the log."""
    at = rng.choice(instants(case)) + rng.choice((-1, 0, 1)) * MINUTE_US
    return at - at % MINUTE_US
