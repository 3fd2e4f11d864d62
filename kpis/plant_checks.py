"""All faults of a plant file at once: its syntax, its shape, and the names by which its tables refer to each other."""

import re
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, NamedTuple

from kpis.faults import Fault, Finding, nearest, shown
from kpis.json_path import is_path
from kpis.plant_file import PlantFile
from kpis.plant_model import ancestors_of
from kpis.plant_shape import read_shape
from kpis.registry import KPIS
from kpis.toml_lines import Location, key_lines

# A path is also an MQTT topic and a pattern's target: no separator at its ends, no wildcards, nothing invisible.
_NAME = r"[^/#+*\s\x00-\x1f]([^/#+*\x00-\x1f]*[^/#+*\s\x00-\x1f])?"
_PATH = re.compile(f"{_NAME}(/{_NAME})*")
_ANY: Final = "any key or index"
# Where the file refers to something by name (`_ANY` at the end: the keys there are the names), and to what.
_REFERENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("defaults", "calendar"), "calendar"),
    (("defaults", "targets", _ANY), "KPI"),
    (("equipment", _ANY, "calendar"), "calendar"),
    (("equipment", _ANY, "constraint"), "equipment"),
    (("equipment", _ANY, "output"), "equipment"),
    (("equipment", _ANY, "targets", _ANY), "KPI"),
    (("equipment", _ANY, "flow", _ANY), "equipment"),
    (("products", _ANY, "ideal_cycle", _ANY), "equipment"),
    (("sources", _ANY, "equipment"), "equipment"),
    (("duty", _ANY, "calendar"), "calendar"),
    (("duty", _ANY, "shifts"), "shift"),
    (("duty", _ANY, "people"), "person"),
    (("duty", _ANY, "deputy"), "person"),
    (("people", _ANY, "channels", _ANY), "channel"),
    (("routes", _ANY, "escalation", _ANY, "to"), "role or person"),
    (("notifications", "fallback"), "role or person"),
)
_UNIQUE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("sources", _ANY, "name"), "sources of the same name"),
    (("sources", _ANY, "client_id"), "sources of the same client id"),
    (("channels", _ANY, "name"), "channels of the same name"),
    (("people", _ANY, "name"), "people of the same name"),
    (("alerts", _ANY, "name"), "alerts of the same name"),
)


class Checked(NamedTuple):
    """Every fault of a file, in the order of its lines, and its tables: None where the text is not TOML.

    Tables in which a key or a value is wrong are left out of `file`: they are `unread`.
    """

    file: PlantFile | None
    faults: tuple[Fault, ...]
    unread: frozenset[str] = frozenset()


def find_faults(text: str) -> Checked:
    """What is wrong in the text of a plant file."""
    try:
        # Some editors put a byte order mark in front.
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        return Checked(None, (_syntax_fault(str(error), text),))
    lines = key_lines(text)
    file, faults, unread = read_shape(data, lines)
    # Looked up in the plain data, so that a wrong value elsewhere does not hide them.
    findings = (*_paths(data), *_references(data), *_named_equipment(data), *_circles(data), *_same_names(data))
    faults.extend(finding.fault(lines) for finding in findings)
    return Checked(file, tuple(sorted(faults, key=lambda fault: fault.line or 0)), unread)


def _syntax_fault(error: str, text: str) -> Fault:
    message, _, place = error.partition(" (at ")
    lines = text.rstrip("\n").split("\n")
    line = int(number[1]) if (number := re.search(r"line (\d+)", place)) else len(lines)
    found = lines[line - 1].strip() if line <= len(lines) else ""
    return Fault("", shown(found), f"not valid TOML: {message[:1].lower()}{message[1:]}", None, line)


def _paths(data: dict[str, Any]) -> Iterator[Finding]:
    hint = 'names with single slashes between them and no # + *, such as "acme/ulm/line-1"'
    for location, path in _strings(data, ("equipment", _ANY)):
        if not _PATH.fullmatch(path):
            yield Finding(location, path, "not an equipment path", hint)


def _references(data: dict[str, Any]) -> Iterator[Finding]:
    weekly = _named(data, ("shifts", _ANY, "calendar"))
    in_use = _named(data, ("defaults", "calendar")) | _named(data, ("equipment", _ANY, "calendar"))
    exceptional = _named(data, ("exceptions", _ANY, "calendar"))
    people, roles = _named(data, ("people", _ANY, "name")), _named(data, ("duty", _ANY, "role"))
    known = {
        "calendar": weekly | exceptional,
        "equipment": _equipment(data),
        "shift": _named(data, ("shifts", _ANY, "name")) | _named(data, ("exceptions", _ANY, "shifts", _ANY, "name")),
        "channel": _named(data, ("channels", _ANY, "name")),
        "person": people,
        "role or person": people | roles,
        "KPI": {kpi.name for kpi in KPIS},
    }
    # A calendar of exceptions alone that nothing uses is a mistyped name itself: none to suggest.
    sure = {**known, "calendar": weekly | (exceptional & in_use) or exceptional}
    for pattern, kind in _REFERENCES:
        for location, name in (*_strings(data, pattern), *_listed(data, pattern)):
            if name not in known[kind]:
                yield Finding(location, name, f"unknown {kind}", nearest(name, sorted(sure[kind])))
    for location, name in _strings(data, ("exceptions", _ANY, "calendar")):
        if name not in weekly | in_use:
            yield Finding(location, name, "unknown calendar", nearest(name, sorted(weekly)))


def _listed(data: dict[str, Any], pattern: tuple[str, ...]) -> Iterator[tuple[Location, str]]:
    """The texts of a list at a place where one text may be instead."""
    if pattern[-1] != _ANY:
        for location, name in _strings(data, (*pattern, _ANY)):
            if isinstance(location[-1], int):
                yield location, name


def _named_equipment(data: dict[str, Any]) -> Iterator[Finding]:
    """Equipment, sources and channels that a mapping or an alert rule names outright."""
    known = _equipment(data)
    pattern = ("alerts", _ANY, "equipment")
    for location, name in (*_strings(data, pattern), *_listed(data, pattern)):
        if name not in known and "*" not in name:
            yield Finding(location, name, "unknown equipment", nearest(name, sorted(known)))
    for word, table in (("disconnected", "sources"), ("failing", "channels")):
        names = _named(data, (table, _ANY, "name"))
        where = ("alerts", _ANY, "when", word)
        for location, name in (*_strings(data, where), *_listed(data, where)):
            if name not in names and "*" not in name:
                yield Finding(location, name, f"unknown {table[:-1]}", nearest(name, sorted(names)))
    for key in (("equipment",), ("equipment", "from")):
        for location, name in _strings(data, ("sources", _ANY, "mappings", _ANY, *key)):
            if name not in known and not is_path(name) and "{" not in name:
                yield Finding(location, name, "unknown equipment", nearest(name, sorted(known)))


def _equipment(data: dict[str, Any]) -> set[str]:
    declared = {path for path in _named(data, ("equipment", _ANY)) if _PATH.fullmatch(path)}
    return declared.union(*map(ancestors_of, declared))


def _circles(data: dict[str, Any]) -> Iterator[Finding]:
    """An equipment that would, over its constraint or output, be rolled up from itself."""
    below: dict[str, set[str]] = {path: set() for path in _equipment(data)}
    for path in below:
        if (parent := path.rpartition("/")[0]) in below:
            below[parent].add(path)
    chosen = [found for key in ("constraint", "output") for found in _strings(data, ("equipment", _ANY, key))]
    for location, name in chosen:
        below.setdefault(str(location[1]), set()).add(name)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        circle = set(error.args[1])
        for location, name in chosen:
            if location[1] in circle and name in circle:
                yield Finding(location, name, "would be rolled up from itself", "name an equipment below this one")


def _same_names(data: dict[str, Any]) -> Iterator[Finding]:
    for pattern, what in _UNIQUE:
        seen: set[str] = set()
        for location, name in _strings(data, pattern):
            if name in seen:
                yield Finding(location, name, f"two {what}", "each needs its own")
            seen.add(name)
    people = _named(data, ("people", _ANY, "name"))
    for location, name in _strings(data, ("duty", _ANY, "role")):
        if name in people:
            yield Finding(location, name, "a role with the name of a person", "who is meant would not be clear")
    lights = {name for location, name in _strings(data, ("channels", _ANY, "name")) if _is_andon(data, location)}
    for location, name in _strings(data, ("people", _ANY, "channels", _ANY)):
        if name in lights:
            yield Finding(location, name, "an andon channel is nobody's own", "it shows all alerts by itself")


def _is_andon(data: dict[str, Any], location: Location) -> bool:
    return bool(data["channels"][location[1]].get("kind") == "andon")


def _named(data: dict[str, Any], pattern: tuple[str, ...]) -> set[str]:
    return {name for _, name in _strings(data, pattern)}


def _strings(node: Any, pattern: tuple[str, ...], location: Location = ()) -> Iterator[tuple[Location, str]]:
    """The texts at a place in the file, each with its own location; where a pattern ends in `_ANY`, a table's keys."""
    if not pattern:
        if isinstance(node, str):
            yield location, node
        return
    part, rest = pattern[0], pattern[1:]
    inside: list[tuple[str | int, Any]] = []
    if part == _ANY and isinstance(node, list):
        inside = list(enumerate(node))
    elif part == _ANY and isinstance(node, dict):
        inside = [(key, value if rest else key) for key, value in node.items()]
    elif isinstance(node, dict) and part in node:
        inside = [(part, node[part])]
    for key, value in inside:
        yield from _strings(value, rest, (*location, key))
