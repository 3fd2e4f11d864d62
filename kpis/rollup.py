"""Roll-up over the ISA-95 tree: whose elements make up those of a level."""

from collections.abc import Collection
from typing import NamedTuple

from kpis.plant_model import Plant


class Contribution(NamedTuple):
    """`contributor`, which has own events, gives its time (accounts and ideal time), its pieces, or both."""

    equipment: str
    contributor: str
    gives_time: bool
    gives_pieces: bool


def contributions(plant: Plant, accounted: Collection[str]) -> list[Contribution]:
    """Who contributes to each equipment, given which equipment has own events (`accounted`).

    Equipment with own events speaks for itself. Otherwise a `sum` level adds its direct children, and a `constraint`
    level takes time and ideal time from its constraint and pieces from its output, if it names one. A unit that
    counts twice in a sum stands twice.
    """
    own = set(accounted)
    return [
        Contribution(path, *part)
        for path in plant.equipment
        for part in _merged(_parts(plant, own, path, time=True), _parts(plant, own, path, time=False))
    ]


def _parts(plant: Plant, own: set[str], path: str, *, time: bool, seen: frozenset[str] = frozenset()) -> list[str]:
    if path in own:
        return [path]
    if path in seen:  # a constraint that rolls up the level that names it
        return []
    seen = seen | {path}
    equipment = plant.equipment[path]
    if equipment.rollup == "constraint" and equipment.constraint:
        chosen = equipment.constraint if time else (equipment.output or equipment.constraint)
        return _parts(plant, own, chosen, time=time, seen=seen)
    return [part for child in plant.children(path) for part in _parts(plant, own, child, time=time, seen=seen)]


def _merged(time: list[str], pieces: list[str]) -> list[tuple[str, bool, bool]]:
    if time == pieces:
        return [(path, True, True) for path in time]
    return [(path, True, False) for path in time] + [(path, False, True) for path in pieces]
