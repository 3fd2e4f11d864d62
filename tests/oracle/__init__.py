"""A second, naive calculation of the same numbers: slow, plain, and written without a look at the first."""

from dataclasses import dataclass
from typing import Any

from tests.oracle.events import Intake, parse_time, take_in
from tests.oracle.plant import Plant, read_plant
from tests.oracle.timeline import Life, life_of
from tests.oracle.windows import ELEMENTS, Window, ratios, tables_of


@dataclass(frozen=True)
class Result:
    """Everything that follows from a plant file and a set of events."""

    plant: Plant
    intake: Intake
    horizon_us: int
    lives: dict[str, Life]

    def timeline(self) -> list[dict[str, Any]]:
        """Intervals cut by nothing but a change of what they show, for equipment with own events; times in µs."""
        rows: list[dict[str, Any]] = []
        for path, life in sorted(self.lives.items()):
            for segment in life.segments:
                row = {
                    "equipment": path,
                    "start": segment.start,
                    "end": segment.end,
                    "account": segment.account,
                    "category": segment.category,
                    "reason": segment.reason,
                    "product": segment.product,
                    "order": segment.order,
                    "shift": segment.slot.shift,
                }
                if rows and rows[-1] == row | {"start": rows[-1]["start"], "end": segment.start}:
                    rows[-1]["end"] = segment.end
                else:
                    rows.append(row)
        return rows

    def kpi(self, by: str, definition: str = "standard") -> list[dict[str, Any]]:
        """Rows of every equipment with accounted time or pieces; ratios are exact fractions or None."""

        def in_time(entry: tuple[Window, Any]) -> tuple[int, int, str, str, str]:
            window = entry[0]
            return (window.start, window.end, window.shift or "", window.order or "", window.product or "")

        rows = []
        for path, table in sorted(tables_of(self.plant, self.lives, by).items()):
            for window, elements in sorted(table.items(), key=in_time):
                values = tuple(elements[name] for name in ELEMENTS)
                row: dict[str, Any] = {
                    "equipment": path,
                    "window_start": window.start,
                    "window_end": window.end,
                    "shift": window.shift,
                }
                if by == "order":
                    row |= {"order": window.order, "product": window.product}
                rows.append(row | dict(zip(ELEMENTS, values, strict=True)) | ratios(values, definition))
        return rows

    def rejected(self) -> list[tuple[dict[str, Any], str]]:
        """What could not be used, as sent, with a reason code."""
        return self.intake.rejected

    def duplicates(self) -> int:
        """How many events were sent again with the same content."""
        return self.intake.duplicates


def compute(plant_toml: str, events: list[dict[str, Any]], until: str | None = None) -> Result:
    """Calculate everything from a plant file and events in their order of arrival.

    >>> plant = '[plant]\\nname = "p"\\ntimezone = "UTC"\\n[equipment."a/b"]\\nlevel = "unit"\\n'
    >>> log = [{"ts": 0, "equipment": "a/b", "type": "state", "state": "down"}]
    >>> compute(plant, log, until="1970-01-01T00:00:05Z").kpi("hour")[1]["down_us"]
    5000000
    """
    plant = read_plant(plant_toml)
    until_us = None if until is None else parse_time(until)
    intake = take_in(events, plant, until_us)
    taken = [event.ts for event in (*intake.events, *intake.retracted)]
    horizon = until_us if until_us is not None else max(taken, default=0)
    lives = {path: life_of(plant, path, intake.events, horizon) for path in plant.paths}
    return Result(plant, intake, horizon, {path: life for path, life in lives.items() if life is not None})
