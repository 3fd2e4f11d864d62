"""Short ways to write plants and logs of one hour from eight on, and to read what became of them."""

from typing import Any

from tests.oracle import Result
from tests.oracle.events import parse_time

UNIT = "acme/ulm/line/filler"
OTHER = "acme/ulm/line/capper"
LINE = "acme/ulm/line"
MINUTE = 60_000_000
EIGHT = parse_time("2026-03-02T08:00:00Z")  # a Monday
PLANT = '[plant]\nname = "p"\ntimezone = "UTC"\n'
TWO_UNITS = f'{PLANT}[equipment."{UNIT}"]\nlevel = "unit"\nideal_cycle = "1s"\n[equipment."{OTHER}"]\nlevel = "unit"\n'
NIGHT = """
[[shifts]]
calendar = "c"
name = "night"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 22:00:00
end = 06:00:00
breaks = [{ start = 02:00:00, minutes = 30 }]
"""
SHIFT_TABLE = '[[shifts]]\ncalendar = "c"\nname = "{name}"\ndays = ["mon"]\nstart = {start}\nend = {end}\n'


def one_unit(settings: str = "", tables: str = "", zone: str = "UTC") -> str:
    return f'[plant]\nname = "p"\ntimezone = "{zone}"\n{tables}\n[equipment."{UNIT}"]\nlevel = "unit"\n{settings}\n'


def at(minute: float) -> str:
    """Minutes after eight as RFC 3339 text."""
    micros = round(minute * MINUTE)
    seconds, fraction = divmod(micros, 1_000_000)
    hours, rest = divmod(seconds, 3600)
    return f"2026-03-02T{8 + hours:02}:{rest // 60:02}:{rest % 60:02}.{fraction:06}Z"


def event(kind: str, minute: float, **fields: Any) -> dict[str, Any]:
    """An event of the filler; its id is its instant unless given."""
    return {"id": f"{kind}{minute}", "equipment": UNIT, "ts": at(minute), "type": kind} | fields


def state(minute: float, name: str, **fields: Any) -> dict[str, Any]:
    return event("state", minute, state=name, **fields)


def count(minute: float, good: int, **fields: Any) -> dict[str, Any]:
    return event("count", minute, good=good, **fields)


def reading(minute: float, value: int, **fields: Any) -> dict[str, Any]:
    return event("counter", minute, value=value, **{"quality": "good"} | fields)


def order(minute: float, action: str, name: str, **fields: Any) -> dict[str, Any]:
    return event("order", minute, action=action, order=name, **fields)


def reclassify(minute: float, start: float, end: float, **fields: Any) -> dict[str, Any]:
    return event("reclassify", minute, start=at(start), end=at(end), **fields)


END = event("status", 60, online=True)  # carries the horizon to nine without changing a state


def spans(result: Result, column: str = "account", equipment: str = UNIT) -> list[tuple[float, float, Any]]:
    """The timeline in minutes after eight, neighbours with the same value joined."""
    joined: list[tuple[float, float, Any]] = []
    for row in result.timeline():
        if row["equipment"] != equipment:
            continue
        start, end, value = (row["start"] - EIGHT) / MINUTE, (row["end"] - EIGHT) / MINUTE, row[column]
        if joined and joined[-1][1:] == (start, value):
            start = joined.pop()[0]
        joined.append((start, end, value))
    return joined


def rows(result: Result, by: str, equipment: str = UNIT) -> list[dict[str, Any]]:
    return [row for row in result.kpi(by) if row["equipment"] == equipment]
