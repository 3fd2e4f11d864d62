"""What the books of the example plant must say: time accounts and pieces by machine and shift, counted plainly.

It is a calculation of its own, one machine after the other, to compare the results of the engine with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from kpis.plant import Plant
from pipelines.simulated_plant import Line, Made, Slot, State, Track, calendar_of

ACCOUNTS: Final = (
    "producing",
    "minor_stop",
    "down",
    "idle",
    "setup",
    "planned_stop",
    "break",
    "unscheduled",
    "unknown",
)
STOPPED: Final = ("down", "idle")

Row = dict[str, int | str | None]
"""A machine, a date, a shift, and their elements."""


class Reclassified(NamedTuple):
    """What a person decided about a stretch of time afterwards. Of several on one machine the last one counts."""

    start: int
    end: int
    state: str | None
    reason: str | None


@dataclass(frozen=True)
class Told:
    """What is known of a machine: the states that it reported, and when, when it gave a sign of life, its bottles."""

    path: str
    line: Line
    states: Track[State]
    reports: list[int]
    signs: list[int]
    made: list[Made]
    reclassified: list[Reclassified]


def truth(plant: Plant, told: Told, offline: list[int], horizon: int) -> list[Row]:
    """Rows of one machine by shift, with `shift` null for the time of a date outside every shift.

    `offline`: when the connection to its line broke; what holds then is unknown until the machine reports a state.
    """
    calendar = calendar_of(plant, told.path, told.states.start, horizon)
    rows: dict[tuple[date, str | None], dict[str, int]] = {}

    def row(slot: Slot) -> dict[str, int]:
        names = [*(f"{account}_us" for account in ACCOUNTS), "good", "scrap", "rework", "ideal_us", "good_ideal_us"]
        return rows.setdefault((slot.day, slot.shift), dict.fromkeys(names, 0))

    for start, end, category, minor in _stretches(plant, told, _known(plant, told, offline, horizon)):
        for begin, finish, slot in calendar.parts(start, end):
            row(slot)[f"{_account(category, slot.schedule, minor=minor)}_us"] += finish - begin
    for made in told.made:
        total = made.good + made.scrap + made.rework
        ideal = plant.ideal_cycle_us(told.path, told.line.product_at(made.ts)) or 0
        booked = row(calendar.at(made.ts))
        counted = (made.good, made.scrap, made.rework, total * ideal, made.good * ideal)
        for name, pieces in zip(("good", "scrap", "rework", "ideal_us", "good_ideal_us"), counted, strict=True):
            booked[name] += pieces
    return [
        {"equipment": told.path, "date": day.isoformat(), "shift": shift, **elements}
        for (day, shift), elements in sorted(rows.items(), key=str)
    ]


def _known(plant: Plant, told: Told, offline: list[int], horizon: int) -> Track[State]:
    """The states as reported, without what nobody can know, and with what people decided afterwards."""
    reported = list(told.states.parts())
    known = Track(told.states.start, horizon, reported[0][2])
    for start, _, state in reported:
        known.paint(start, horizon, state)
    for lost in offline:
        known.paint(lost, next((at for at in sorted(told.reports) if at > lost), horizon), State("unknown"))
    if stale_after := plant.equipment[told.path].stale_after_us:
        for last, sign in pairwise([*sorted(told.signs), horizon]):
            known.paint(last + stale_after, sign, State("unknown"))
    for decision in told.reclassified:
        for start, end, state in list(known.parts(decision.start, decision.end)):
            known.paint(start, end, State(decision.state or state.name, decision.reason))
    return known


def _stretches(plant: Plant, told: Told, known: Track[State]) -> Iterator[tuple[int, int, str, bool]]:
    """Parts of one category, and whether they belong to a stop too short to count as one."""
    limit = plant.equipment[told.path].minor_stop_under_us
    parts = [(start, end, plant.category(*state)) for start, end, state in known.parts()]
    for stopped, group in groupby(parts, key=lambda part: part[2] in STOPPED):
        stretch = list(group)
        minor = stopped and stretch[-1][1] - stretch[0][0] < limit
        yield from ((*part, minor) for part in stretch)


def _account(category: str, schedule: str, *, minor: bool) -> str:
    if category == "producing":
        return category
    if schedule != "scheduled":
        return schedule
    if minor:
        return "minor_stop"
    return {"planned": "planned_stop"}.get(category, category)
