"""The plant file as the oracle reads it: plain dictionaries and the rule "the nearest one wins"."""

import re
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

CATEGORIES = ("producing", "setup", "down", "idle", "planned", "unknown")
UNIT_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def duration_us(text: str) -> int:
    """Microseconds in a duration text.

    >>> duration_us("1.5s")
    1500000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)", text)
    if match is None:
        raise ValueError(text)
    return int(Fraction(match[1]) * UNIT_US[match[2]])


def lineage(path: str) -> list[str]:
    """The path itself and its ancestors, nearest first.

    >>> lineage("a/b/c")
    ['a/b/c', 'a/b', 'a']
    """
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


@dataclass(frozen=True)
class Plant:
    """The parsed file; `paths` holds every declared equipment and every ancestor of one."""

    file: dict[str, Any]
    paths: list[str]

    def own(self, path: str, key: str) -> Any:
        """A key of the equipment's own table, None when absent."""
        return self.file.get("equipment", {}).get(path, {}).get(key)

    def setting(self, path: str, key: str) -> Any:
        """The nearest of equipment, ancestors and [defaults]; None when nobody says."""
        for place in lineage(path):
            if self.own(place, key) is not None:
                return self.own(place, key)
        return self.file.get("defaults", {}).get(key)

    def setting_us(self, path: str, key: str) -> int:
        """A duration setting in microseconds, 0 when nobody says."""
        text = self.setting(path, key)
        return 0 if text is None else duration_us(text)

    def timezone(self, path: str) -> str:
        """The zone of the equipment's local time."""
        zone: str = self.setting(path, "timezone") or self.file.get("plant", {}).get("timezone", "UTC")
        return zone

    def children(self, path: str) -> list[str]:
        """The equipment one level below."""
        return [other for other in self.paths if other.rpartition("/")[0] == path]

    def ideal_cycle_us(self, path: str, product: str | None) -> int | None:
        """Ideal time per piece; None when neither the product nor the equipment has one."""
        cycles = self.file.get("products", {}).get(product, {}).get("ideal_cycle", {}) if product is not None else {}
        for place in lineage(path):
            if place in cycles:
                return duration_us(cycles[place])
        text = self.setting(path, "ideal_cycle")
        return None if text is None else duration_us(text)

    def state_category(self, state: str) -> str:
        """The category of a state name alone."""
        mapped: str = self.file.get("states", {}).get(state, state)
        return mapped if mapped in CATEGORIES else "unknown"

    def category(self, state_category: str, reason: str | None) -> str:
        """The category after the reason has had its say; a producing state stays producing."""
        if state_category == "producing" or reason is None:
            return state_category
        category: str = self.file.get("reasons", {}).get(reason, {}).get("category", state_category)
        return category


def read_plant(text: str) -> Plant:
    """Parse the file."""
    file = tomllib.loads(text)
    paths = {place for declared in file.get("equipment", {}) for place in lineage(declared)}
    return Plant(file, sorted(paths))
