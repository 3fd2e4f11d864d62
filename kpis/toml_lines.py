"""On which line of a TOML text a key stands, so that a message can point there."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping

Location = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=""")


def key_lines(text: str) -> Mapping[Location, int]:
    """The line (from 1) of every table header and of every key at the start of a line.

    Keys of inline tables have no entry of their own: ask `line_of`, which falls back on what encloses them.
    """
    lines: dict[Location, int] = {}
    counts: Counter[Location] = Counter()
    table: Location = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _numbered(_key(header[2]), counts)
            if header[1] == "[[":
                table = (*table, counts[table])
                counts[table[:-1]] += 1
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_key(key[1])), number)
    return lines


def line_of(location: Location, lines: Mapping[Location, int]) -> int | None:
    """The line of the nearest enclosing key that stands at the start of a line."""
    while location and location not in lines:
        location = location[:-1]
    return lines.get(location)


def _numbered(key: Location, counts: Counter[Location]) -> Location:
    """Below an array of tables, a header speaks of the array's latest table: ``[a.b]`` after ``[[a]]`` is a[-1].b."""
    table: Location = ()
    for position, part in enumerate(key, start=1):
        table = (*table, part)
        if position < len(key) and counts[table]:
            table = (*table, counts[table] - 1)
    return table


def _key(text: str) -> Location:
    """The parts of a dotted key; text that is no key after all (a line of a longer value) has none."""
    try:
        node: object = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    parts: list[str] = []
    while isinstance(node, dict):
        ((part, node),) = node.items()
        parts.append(part)
    return tuple(parts)


def key_path(location: Location) -> str:
    """A location as people read it.

    >>> key_path(("shifts", 0, "breaks", 1, "start"))
    'shifts[0].breaks[1].start'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
