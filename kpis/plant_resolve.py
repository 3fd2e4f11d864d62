"""From the plant file's tables to the plant: nearest settings, implied ancestors, calendars, fingerprint."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from hashlib import sha256
from typing import Any

from kpis.plant_file import LEVELS, WEEKDAYS, EquipmentTable, PlantFile, Settings, ShiftTimes
from kpis.plant_model import Break, Calendar, Calling, Equipment, Plant, Product, Reason, ShiftRule, ancestors_of

_GRACE_US = 120_000_000
_FUTURE_TOLERANCE_US = 300_000_000


def resolve(file: PlantFile, text: str) -> Plant:
    """The plant of a file that has no faults."""
    equipment = _equipment(file)
    calendars = _calendars(file)
    return Plant(
        name=file.plant.name,
        timezone=file.plant.timezone,
        oee_definition=file.plant.oee_definition,
        text=text,
        fingerprint=_fingerprint(file, equipment, calendars),
        equipment=equipment,
        products={name: Product(name, table.label, table.ideal_cycle) for name, table in file.products.items()},
        states=file.states,
        reasons={
            name: Reason(table.label or name, table.category, table.loss, table.maintenance)
            for name, table in file.reasons.items()
        },
        sources=tuple(file.sources),
        alerts=tuple(file.alerts),
        calling=Calling(
            settings=file.notifications,
            channels=tuple(file.channels),
            people={person.name: person for person in file.people},
            duty=tuple(file.duty),
            routes=tuple(file.routes),
        ),
        calendars=calendars,
        sliding_length_us=file.windows.sliding_length,
        sliding_step_us=file.windows.sliding_step,
    )


def _equipment(file: PlantFile) -> dict[str, Equipment]:
    paths = sorted({place for path in file.equipment for place in (path, *ancestors_of(path))})
    levels = _levels(file, paths)
    return {path: _one(file, path, levels[path]) for path in paths}


def _one(file: PlantFile, path: str, level: str) -> Equipment:
    own = file.equipment.get(path, EquipmentTable())
    ancestors = ancestors_of(path)
    tables = [own, *(file.equipment[place] for place in ancestors if place in file.equipment), file.defaults]
    stop = _nearest(tables, "state_from_counts")
    return Equipment(
        path=path,
        level=level,
        parent=ancestors[0] if ancestors else None,
        declared=path in file.equipment,
        timezone=_nearest(tables, "timezone", file.plant.timezone),
        calendar=_nearest(tables, "calendar"),
        minor_stop_under_us=_nearest(tables, "minor_stop_under", 0),
        stale_after_us=_nearest(tables, "stale_after", 0),
        grace_us=_nearest(tables, "grace", _GRACE_US),
        future_tolerance_us=_nearest(tables, "future_tolerance", _FUTURE_TOLERANCE_US),
        ideal_cycle_us=_nearest(tables, "ideal_cycle"),
        rollup=own.rollup,
        constraint=own.constraint,
        output=own.output,
        targets={name: value for table in reversed(tables) for name, value in table.targets.items()},
        stop_after_us=stop.us if stop else None,
        stop_after_cycles=stop.cycles if stop else None,
        capacity_per_hour=own.capacity_per_hour,
        flow=tuple(own.flow),
    )


def _nearest(tables: list[Settings], setting: str, otherwise: Any = None) -> Any:
    return next((value for table in tables if (value := getattr(table, setting)) is not None), otherwise)


def _levels(file: PlantFile, paths: list[str]) -> dict[str, str]:
    """Levels as declared; else one above the highest of the children; else, at the end of a path, a unit."""
    levels: dict[str, str] = {}
    highest_child: dict[str, int] = {}
    for path in sorted(paths, key=lambda path: path.count("/"), reverse=True):
        table = file.equipment.get(path)
        above_children = max(0, highest_child.get(path, len(LEVELS)) - 1)
        rank = LEVELS.index(table.level) if table and table.level else above_children
        levels[path] = LEVELS[rank]
        parent = path.rpartition("/")[0]
        highest_child[parent] = min(rank, highest_child.get(parent, rank))
    return levels


def _calendars(file: PlantFile) -> dict[str, Calendar]:
    return {name: Calendar(name, _weekly(file, name), _exceptions(file, name)) for name in file.calendars}


def _weekly(file: PlantFile, calendar: str) -> tuple[ShiftRule, ...]:
    return tuple(_rule(table, table.days) for table in file.shifts if table.calendar == calendar)


def _exceptions(file: PlantFile, calendar: str) -> dict[date, tuple[ShiftRule, ...]]:
    days: dict[date, tuple[ShiftRule, ...]] = {}
    for table in file.exceptions:
        if table.calendar == calendar:
            days[table.date] = (*days.get(table.date, ()), *(_rule(shift) for shift in table.shifts))
    return days


def _rule(table: ShiftTimes, days: Iterable[str] = ()) -> ShiftRule:
    return ShiftRule(
        name=table.name,
        days=frozenset(WEEKDAYS.index(day) for day in days),
        start=table.start,
        end=table.end,
        breaks=tuple(Break(pause.start, pause.minutes) for pause in table.breaks),
    )


def _fingerprint(file: PlantFile, equipment: dict[str, Equipment], calendars: dict[str, Calendar]) -> str:
    """A hash of what changes a number or a window: not of names, targets, alerts or the order of the tables."""
    content = {
        "equipment": {
            path: _without(asdict(node), "declared", "targets", "future_tolerance_us", "flow")
            for path, node in equipment.items()
        },
        "products": {name: table.ideal_cycle for name, table in file.products.items()},
        "states": file.states,
        "reasons": {name: table.model_dump(exclude={"label"}) for name, table in file.reasons.items()},
        "calendars": {name: _calendar_content(calendar) for name, calendar in calendars.items()},
        "windows": file.windows.model_dump(),
    }
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _calendar_content(calendar: Calendar) -> dict[str, Any]:
    return {
        "shifts": [_rule_content(rule) for rule in calendar.shifts],
        "exceptions": {
            day.isoformat(): [_rule_content(rule) for rule in rules] for day, rules in calendar.exceptions.items()
        },
    }


def _rule_content(rule: ShiftRule) -> list[Any]:
    breaks = [[pause.start.isoformat(), pause.minutes] for pause in rule.breaks]
    return [rule.name, sorted(rule.days), rule.start.isoformat(), rule.end.isoformat(), breaks]
