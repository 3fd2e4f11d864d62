"""Reading the tables of the plant file; what is wrong with them is said in the words of the file."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kpis.faults import Fault, nearest, shown
from kpis.plant_file import PlantFile, json_schema
from kpis.toml_lines import Location, key_path, line_of

_MESSAGES = {
    "missing": ("missing", None),
    "string_type": ("must be text", 'in quotes, such as "text"'),
    "string_too_short": ("must not be empty", None),
    "int_type": ("must be a whole number", None),
    "float_type": ("must be a number", "without quotes"),
    "finite_number": ("must be a finite number", None),
    "greater_than": ("must be more than 0", None),
    "less_than_equal": ("is too large", None),
    "greater_than_equal": ("is too small", None),
    "string_pattern_mismatch": ("has characters that are not allowed", None),
    "list_type": ("must be an array", "in square brackets, or tables in double ones: [[…]]"),
    "too_short": ("must not be empty", None),
    "too_long": ("has too many entries", None),
    "dict_type": ("must be a table", None),
    "model_type": ("must be a table", None),
    "model_attributes_type": ("must be a table", None),
    "date_type": ("must be a local date", "without quotes, such as 2026-12-25"),
    "time_type": ("must be a local time", "without quotes and with seconds, such as 22:00:00"),
    "literal_error": ("not one of the valid values", None),
}


class Shape(NamedTuple):
    """The tables of a file, without those (`unread`) in which a key or a value is wrong, and what is wrong there."""

    file: PlantFile
    faults: list[Fault]
    unread: frozenset[str]


def read_shape(data: dict[str, Any], lines: Mapping[Location, int]) -> Shape:
    """The tables of a parsed TOML text."""
    try:
        return Shape(PlantFile.model_validate(data), [], frozenset())
    except ValidationError as error:
        details = error.errors(include_url=False)
    unread = frozenset(str(detail["loc"][0]) for detail in details)
    rest = PlantFile.model_validate({name: table for name, table in data.items() if name not in unread})
    return Shape(rest, [_fault(detail, lines) for detail in details], unread)


def _fault(detail: ErrorDetails, lines: Mapping[Location, int]) -> Fault:
    location, value, kind = detail["loc"], detail["input"], detail["type"]
    message, hint = _MESSAGES.get(kind, (detail["msg"], None))
    found = shown(value)
    place = _place(location)
    if kind == "plant_file":
        context = detail["ctx"]
        message, hint = context["message"], context["hint"]
        if context["key"] is not None:
            place, found = (*place, context["key"]), shown(value[context["key"]])
        if context["secret"]:
            found = ""
    elif kind == "missing":
        found = "nothing"
    elif kind == "extra_forbidden":
        message, found, hint = "unknown key", shown(location[-1]), _key_hint(location, value)
    elif kind == "literal_error":
        message, hint = _choice(value, [str(name) for name in _allowed(_schema_at(location))])
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        choice = _schema_at(location)["discriminator"]
        key = choice["propertyName"]
        place, found = (*place, key), shown(value[key]) if key in value else "nothing"
        message, hint = _choice(value.get(key), list(choice["mapping"]))
    return Fault(key_path(place), found, message, hint, line_of(place, lines))


def _choice(value: object, valid: list[str]) -> tuple[str, str | None]:
    hint = nearest(value, valid) if isinstance(value, str) else f"valid: {', '.join(valid)}"
    return "not one of the valid values", hint


def _key_hint(location: Location, value: object) -> str | None:
    if location[0] == "equipment" and isinstance(value, dict):
        path = "/".join(str(part) for part in location[1:])
        return f'a path is one quoted name: [equipment."{path}"]'
    return nearest(str(location[-1]), _schema_at(location[:-1]).get("properties", ()))


def _place(location: Location) -> Location:
    """A location as it is in the file: without the kind by which the shape of a table was chosen."""
    tags = [depth for depth in range(len(location)) if "discriminator" in _schema_at(location[:depth])]
    return tuple(part for depth, part in enumerate(location) if depth not in tags)


def _schema_at(location: Location) -> dict[str, Any]:
    """The part of the JSON schema that speaks of a place in the file."""
    schema = _schema()
    node = schema
    for part in location:
        below: dict[str, Any] | None
        if choice := node.get("discriminator"):
            below = {"$ref": choice["mapping"][part]}
        else:
            below = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        # Of a table that holds anything by name, what it holds; nothing more is said of a plain value.
        further = node.get("additionalProperties") or {}
        node = _direct(below or further, schema["$defs"])
    return node


def _direct(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Without the detours of a schema: a reference is what it refers to, an optional value is that value."""
    for option in node.get("anyOf", ()):
        if option.get("type") != "null":
            return _direct(option, definitions)
    if "$ref" in node:
        return _direct(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return node


def _allowed(node: dict[str, Any]) -> Iterator[str]:
    yield from node.get("enum") or node.get("examples") or [node["const"]]


@cache
def _schema() -> dict[str, Any]:
    return json_schema()
