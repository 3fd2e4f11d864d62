"""The plant as everything else sees it: frozen, every setting resolved for every equipment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property
from typing import Literal

import polars as pl

from kpis.plant_alerts import AlertRule
from kpis.plant_file import CATEGORIES
from kpis.plant_people import Channel, Duty, Notifications, Person, Route
from kpis.plant_sources import Source


def ancestors_of(path: str) -> tuple[str, ...]:
    """The paths above a path, the nearest first.

    >>> ancestors_of("acme/ulm/packing")
    ('acme/ulm', 'acme')
    """
    parts = path.split("/")
    return tuple("/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1))


@dataclass(frozen=True, slots=True)
class Equipment:
    """One node of the plant with its settings: the nearest of its own, its ancestors' and ``[defaults]``.

    ``level``, ``rollup``, ``constraint``, ``output``, ``capacity_per_hour`` and ``flow`` are its own and never
    inherited; ``targets`` are inherited one by one. Times are microseconds; ``stale_after_us`` 0 means never stale.
    At most one of ``stop_after_us`` and ``stop_after_cycles`` is set; neither: states come from state events only.
    """

    path: str
    level: str
    parent: str | None
    declared: bool
    timezone: str
    calendar: str | None
    minor_stop_under_us: int
    stale_after_us: int
    grace_us: int
    future_tolerance_us: int
    ideal_cycle_us: int | None
    rollup: Literal["sum", "constraint"]
    constraint: str | None
    output: str | None
    targets: Mapping[str, float]
    stop_after_us: int | None
    stop_after_cycles: float | None
    capacity_per_hour: int | None
    flow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A product and its ideal cycle (microseconds a piece) by equipment path."""

    name: str
    label: str | None
    ideal_cycles_us: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code: its label (the code itself when none is given) and what kind of loss it is."""

    label: str
    category: str | None
    loss: str | None
    maintenance: str | None


@dataclass(frozen=True, slots=True)
class Break:
    """A break starts at a local time and lasts elapsed minutes."""

    start: time
    minutes: int


@dataclass(frozen=True, slots=True)
class ShiftRule:
    """One shift of a day, in local time. An end at or before the start is on the next day.

    ``days`` are weekdays from 0 (Monday); none for a shift of an exception, which has a date.
    """

    name: str
    days: frozenset[int]
    start: time
    end: time
    breaks: tuple[Break, ...]

    @property
    def overnight(self) -> bool:
        """Whether the shift ends on the day after its start date."""
        return self.end <= self.start


@dataclass(frozen=True, slots=True)
class Calendar:
    """The weekly shifts of a calendar, and the dates on which others replace them."""

    name: str
    shifts: tuple[ShiftRule, ...]
    exceptions: Mapping[date, tuple[ShiftRule, ...]]

    def __hash__(self) -> int:
        return hash(self.name)

    def on(self, day: date) -> tuple[ShiftRule, ...]:
        """The shifts that start on a date, in the order of the file."""
        if (instead := self.exceptions.get(day)) is not None:
            return instead
        weekday = day.weekday()
        return tuple(shift for shift in self.shifts if weekday in shift.days)


@dataclass(frozen=True, slots=True)
class Calling:
    """Who hears of alerts, when, and on which way."""

    settings: Notifications
    channels: tuple[Channel, ...]
    people: Mapping[str, Person]
    duty: tuple[Duty, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class Plant:
    """The plant file, resolved. ``text`` is the file itself; ``fingerprint`` changes with whatever changes a number.

    ``equipment`` holds the declared equipment and every ancestor that the paths imply, sorted by path.
    """

    name: str
    timezone: str
    oee_definition: Literal["standard", "iso22400", "smrp"]
    text: str
    fingerprint: str
    equipment: Mapping[str, Equipment]
    products: Mapping[str, Product]
    states: Mapping[str, str]
    reasons: Mapping[str, Reason]
    sources: tuple[Source, ...]
    alerts: tuple[AlertRule, ...]
    calling: Calling
    calendars: Mapping[str, Calendar]
    sliding_length_us: int
    sliding_step_us: int

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        children: dict[str, list[str]] = {}
        for path, equipment in self.equipment.items():
            if equipment.parent is not None:
                children.setdefault(equipment.parent, []).append(path)
        return {parent: tuple(paths) for parent, paths in children.items()}

    def ancestors(self, path: str) -> tuple[str, ...]:
        """Everything above a path, the nearest first."""
        return ancestors_of(path)

    @cached_property
    def least_grace_us(self) -> int:
        """The shortest grace of all equipment: no window is closed sooner after its end."""
        return min(equipment.grace_us for equipment in self.equipment.values())

    @cached_property
    def lineage(self) -> pl.DataFrame:
        """Whose events may hold for whom: pairs of `below` and `equipment`, itself (`own`) or an ancestor."""
        pairs = [(path, holder, holder == path) for path in self.equipment for holder in (path, *ancestors_of(path))]
        return pl.DataFrame(pairs, schema={"below": pl.String, "equipment": pl.String, "own": pl.Boolean}, orient="row")

    def children(self, path: str) -> tuple[str, ...]:
        """What is directly below a path, sorted."""
        return self._children.get(path, ())

    def descendants(self, path: str) -> tuple[str, ...]:
        """Everything below a path, sorted."""
        return tuple(other for other in self.equipment if other.startswith(f"{path}/"))

    def ideal_cycle_us(self, path: str, product: str | None) -> int | None:
        """Microseconds a piece of this product should take on an equipment; None when the plant file gives none.

        The product's own table counts first (for the equipment, then for the nearest ancestor), then the equipment's
        setting. Raises KeyError for an equipment that the plant does not have.
        """
        equipment = self.equipment[path]
        if product is not None and (known := self.products.get(product)):
            for place in (path, *self.ancestors(path)):
                if place in known.ideal_cycles_us:
                    return known.ideal_cycles_us[place]
        return equipment.ideal_cycle_us

    def has_ideal_cycle(self, path: str) -> bool:
        """Whether the plant file gives an equipment an ideal cycle, for any product.

        Raises KeyError for an equipment that the plant does not have.
        """
        places = {path, *self.ancestors(path)}
        of_products = any(not places.isdisjoint(product.ideal_cycles_us) for product in self.products.values())
        return self.equipment[path].ideal_cycle_us is not None or of_products

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of states that have a category: those of the plant file, and the categories themselves."""
        return (*self.states, *CATEGORIES)

    def category(self, state: str, reason: str | None) -> str:
        """The category of a state by its name, else ``unknown``; a reason's category counts unless it is producing."""
        category = self.states.get(state, state if state in CATEGORIES else "unknown")
        if category != "producing" and reason is not None and (known := self.reasons.get(reason)):
            return known.category or category
        return category
