"""Places in a message: the few forms of JSON path that plants need."""

import re
from typing import Any, Final, NamedTuple

from kpis.errors import ConfigError

_STEP: Final = re.compile(r"""\.([^.\[\]{}\s"']+)|\[(-?[0-9]{1,6})\]|\["([^"{}]+)"\]|\['([^'{}]+)'\]""")
_EVERY: Final = "[*]"


class JsonPath(NamedTuple):
    """A place in a message (`$`), or in one element of the array that a mapping goes through (`@`)."""

    relative: bool
    steps: tuple[str | int, ...]

    def find(self, value: Any) -> Any:
        """What is at this place of a JSON value; None where there is nothing.

        >>> parse_path("$.a[0].b").find({"a": [{"b": 5}]})
        5
        """
        for step in self.steps:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                inside = isinstance(value, list) and -len(value) <= step < len(value)
                value = value[step] if inside else None
        return value


def is_path(text: str) -> bool:
    """Whether a text is meant as a path."""
    return text.startswith(("$", "@"))


def parse_path(text: str) -> JsonPath:
    """Read a path: `$` or `@`, then `.name`, `["any name"]` and `[index]`; -1 is the last. Raises ConfigError.

    >>> parse_path('@.readings[-1]["unit.name"]')
    JsonPath(relative=True, steps=('readings', -1, 'unit.name'))
    """
    steps: list[str | int] = []
    position = 1
    while position < len(text) and (step := _STEP.match(text, position)):
        name, index, *quoted = step.groups()
        steps.append(int(index) if index else name or next(filter(None, quoted)))
        position = step.end()
    if not is_path(text) or position < len(text):
        message = "not a JSON path"
        raise ConfigError(message, hint='such as "$.machine.state", "$.readings[0].value" or \'$["any name"]\'')
    return JsonPath(text[0] == "@", tuple(steps))


def parse_each(text: str) -> JsonPath:
    """Read the path of an array, `$.readings[*]`. Raises ConfigError."""
    if not text.startswith("$") or not text.endswith(_EVERY):
        message = "not the path of an array"
        raise ConfigError(message, hint='it begins with $ and ends with [*], such as "$.readings[*]" or "$[*]"')
    return parse_path(text.removesuffix(_EVERY))
