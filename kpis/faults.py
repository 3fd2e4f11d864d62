"""What is wrong in a file that a person wrote, said so that they can put it right."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from kpis.toml_lines import Location, key_path, line_of

_LISTED = 12
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding: where (key path and line), what was found, what is wrong with it and what would be right.

    >>> print(Fault("plant.nmae", '"nmae"', "unknown key", 'did you mean "name"?', 2))
    line 2: plant.nmae: unknown key, found "nmae" (did you mean "name"?)
    """

    key: str
    found: str
    message: str
    hint: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        key = f"{self.key}: " if self.key else ""
        found = f", found {self.found}" if self.found else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{key}{self.message}{found}{hint}"


class Finding(NamedTuple):
    """A fault before it is put into words: its place as keys and indices, and the text found there."""

    location: Location
    found: str | None
    message: str
    hint: str | None = None

    def fault(self, lines: Mapping[Location, int]) -> Fault:
        """The finding with its key path and line."""
        found = "" if self.found is None else shown(self.found)
        return Fault(key_path(self.location), found, self.message, self.hint, line_of(self.location, lines))


def shown(value: object) -> str:
    """A value as it may stand in a message: JSON, cut to a readable length."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def nearest(found: str, valid: Iterable[str]) -> str | None:
    """A hint with the valid names nearest to the one found, else all of them when they are few.

    >>> nearest("levl", ["level", "targets"])
    'did you mean "level"?'
    >>> nearest("xyz", ["level", "targets"])
    'valid: level, targets'
    """
    folded = {name.casefold(): name for name in valid}
    close = get_close_matches(found.casefold(), folded, n=3)
    if close:
        return f"did you mean {' or '.join(shown(folded[name]) for name in close)}?"
    if not folded:
        return "there are none"
    return f"valid: {', '.join(folded.values())}" if len(folded) <= _LISTED else None
