"""What a plant file may say but hardly means: it is used as it is, and pointed out."""

from collections.abc import Collection, Iterable, Iterator

from kpis.alert_warnings import alert_warnings
from kpis.calendar_warnings import calendar_warnings
from kpis.faults import Fault, Finding, nearest
from kpis.people_warnings import people_warnings
from kpis.plant_file import CATEGORIES, LEVELS, PlantFile
from kpis.plant_model import Plant
from kpis.plant_sources import MqttSource
from kpis.registry import KPIS
from kpis.toml_lines import Location, key_lines

_SHORTEST_CYCLE_US = 10_000
_LONGEST_CYCLE_US = 3_600_000_000
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def find_warnings(file: PlantFile, plant: Plant) -> tuple[Fault, ...]:
    """What looks implausible in a file without faults, in the order of its lines."""
    findings = (
        *_in_tables(file),
        *_unused_calendars(file, plant),
        *_levels(plant),
        *_rollups(plant),
        *_without_cycle(plant),
        *alert_warnings(plant),
        *people_warnings(plant),
    )
    return _in_order(findings, plant.text)


def find_some_warnings(file: PlantFile, text: str, unread: Collection[str]) -> tuple[Fault, ...]:
    """What looks implausible in the tables of a file with faults, whatever these are; `unread` are left out of it."""
    return _in_order((finding for finding in _in_tables(file) if finding.location[0] not in unread), text)


def _in_order(findings: Iterable[Finding], text: str) -> tuple[Fault, ...]:
    lines = key_lines(text)
    return tuple(sorted((finding.fault(lines) for finding in findings), key=lambda warning: warning.line or 0))


def _in_tables(file: PlantFile) -> Iterator[Finding]:
    """What tables say by themselves."""
    yield from _empty(file)
    yield from calendar_warnings(file)
    yield from _cycles(file)
    yield from _targets(file)
    yield from _states(file)
    yield from _windows(file)
    yield from _mqtt(file)


def _empty(file: PlantFile) -> Iterator[Finding]:
    if "timezone" not in file.plant.model_fields_set:
        yield Finding(("plant",), None, "no timezone: days and shifts are in UTC", 'such as timezone = "Europe/Berlin"')
    if not file.equipment:
        hint = '[equipment."acme/ulm/line-1/filler"]'
        yield Finding(("equipment",), None, "no equipment: every event will be rejected", hint)


def _unused_calendars(file: PlantFile, plant: Plant) -> Iterator[Finding]:
    used = {equipment.calendar for equipment in plant.equipment.values()}
    for name in file.calendars:
        if name not in used:
            hint = "set calendar on an equipment or in [defaults]"
            yield Finding(_first_mention(file, name), name, "no equipment uses this calendar", hint)


def _first_mention(file: PlantFile, calendar: str) -> Location:
    for number, shift in enumerate(file.shifts):
        if shift.calendar == calendar:
            return ("shifts", number, "calendar")
    return ("exceptions", [table.calendar for table in file.exceptions].index(calendar), "calendar")


def _levels(plant: Plant) -> Iterator[Finding]:
    for path, equipment in plant.equipment.items():
        above = plant.equipment[equipment.parent].level if equipment.parent else "enterprise"
        if LEVELS.index(equipment.level) < LEVELS.index(above):
            yield Finding(("equipment", path, "level"), equipment.level, f"below an equipment of level {above}")


def _rollups(plant: Plant) -> Iterator[Finding]:
    for path, equipment in plant.equipment.items():
        for key, other in (("constraint", equipment.constraint), ("output", equipment.output)):
            if other is None:
                continue
            if equipment.rollup == "sum":
                hint = 'set rollup = "constraint"'
                yield Finding(("equipment", path, key), other, f'the {key} has no effect with rollup = "sum"', hint)
            elif not other.startswith(f"{path}/"):
                valid = nearest(other, plant.descendants(path))
                yield Finding(("equipment", path, key), other, f"the {key} is not below {path}", valid)


def _cycles(file: PlantFile) -> Iterator[Finding]:
    cycles = [
        (("defaults", "ideal_cycle"), file.defaults.ideal_cycle),
        *((("equipment", path, "ideal_cycle"), table.ideal_cycle) for path, table in file.equipment.items()),
        *(
            (("products", product, "ideal_cycle", path), us)
            for product, table in file.products.items()
            for path, us in table.ideal_cycle.items()
        ),
    ]
    for location, us in cycles:
        if us is not None and not _SHORTEST_CYCLE_US <= us <= _LONGEST_CYCLE_US:
            message = "an ideal cycle of more than an hour" if us > _LONGEST_CYCLE_US else "an ideal cycle under 10 ms"
            yield Finding(location, f"{us / 1_000_000:g} s", message, "it is the time for one piece")


def _without_cycle(plant: Plant) -> Iterator[Finding]:
    for path, equipment in plant.equipment.items():
        if equipment.declared and equipment.level == "unit" and not plant.has_ideal_cycle(path):
            message = "a unit without an ideal cycle: its performance and OEE stay undefined"
            yield Finding(("equipment", path), None, message, 'such as ideal_cycle = "500ms"')


def _targets(file: PlantFile) -> Iterator[Finding]:
    fractions = {kpi.name for kpi in KPIS if kpi.unit == "ratio"}
    tables = [(("defaults",), file.defaults), *((("equipment", path), table) for path, table in file.equipment.items())]
    for location, table in tables:
        for name, target in table.targets.items():
            if name in fractions and not 0 <= target <= 1:
                yield Finding((*location, "targets", name), f"{target:g}", "a target outside 0 to 1", "80 % is 0.80")


def _states(file: PlantFile) -> Iterator[Finding]:
    for name, category in file.states.items():
        if name in CATEGORIES and name != category:
            yield Finding(("states", name), category, f"the category {name} is given another meaning")


def _windows(file: PlantFile) -> Iterator[Finding]:
    if file.windows.sliding_step > file.windows.sliding_length:
        yield Finding(("windows", "sliding_step"), None, "sliding windows further apart than they are long")


def _mqtt(file: PlantFile) -> Iterator[Finding]:
    for number, source in enumerate(file.sources):
        if not isinstance(source, MqttSource):
            continue
        place = ("sources", number)
        if source.password and not source.encrypted and source.host not in _LOOPBACK:
            yield Finding(
                (*place, "broker"), source.broker, "the password goes over the network unencrypted", "mqtts://"
            )
        for position, mapping in enumerate(source.mappings):
            if mapping.ts.received and any(event.type == "count" for event in mapping.events):
                message = "a count that the broker sends again is counted again: it has no time of its own"
                yield Finding((*place, "mappings", position, "ts"), None, message, "use a cumulative counter")
