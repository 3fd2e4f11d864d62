"""What really happens in the example plant: states, orders and bottles, exactly.

Nothing here knows of messages: `pipelines.simulate` tells what the machines report of it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate, chain
from random import Random
from typing import Final, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from kpis.plant import Plant, ShiftRule
from pipelines.simulated_story import LINE_1, LINE_2, Story
from pipelines.simulated_time import MINUTE, MS, SECOND, date_of, local

MACHINES: Final = ("blower", "filler", "labeller", "palletizer")  # the way of a bottle
FAULTS: Final = {"blower": "drive", "filler": "jam", "labeller": "label-roll", "palletizer": "jam"}
SLOWER: Final = {"blower": 1.03, "filler": 1.06, "labeller": 1.09, "palletizer": 1.11}  # than the ideal cycle
REJECTS: Final = {"filler": "underfill", "labeller": "label-skew", "palletizer": "damaged"}
BUFFER: Final = 45 * SECOND  # of bottles between two machines
LARGE_ORDER: Final = 80_000  # bottles
STOCK: Final = 500  # bottles that stand before each machine at the start
COARSE: Final = 3 * MINUTE  # from count to count
FINE: Final = 20 * SECOND

Value = TypeVar("Value")


class Track(Generic[Value]):
    """What holds when: from `start` to `end` one value at any instant, each until the next."""

    def __init__(self, start: int, end: int, value: Value) -> None:
        self.start, self.end = start, end
        self._starts, self._values = [start], [value]

    def paint(self, start: int, end: int, value: Value) -> None:
        """Let a value hold from `start` to `end`, whatever held before."""
        start, end = max(start, self.start), min(end, self.end)
        if start >= end:
            return
        first, last = bisect_left(self._starts, start), bisect_right(self._starts, end) - 1
        after = [] if end == self.end else [(end, self._values[last])]
        painted = [(start, value), *after]
        self._starts[first : last + 1] = [at for at, _ in painted]
        self._values[first : last + 1] = [held for _, held in painted]

    def at(self, instant: int) -> Value:
        """What holds at an instant."""
        return self._values[bisect_right(self._starts, instant) - 1]

    def parts(self, start: int | None = None, end: int | None = None) -> Iterator[tuple[int, int, Value]]:
        """Maximal parts of one value with their start and end, clipped to the range asked for."""
        low = self.start if start is None else max(start, self.start)
        high = self.end if end is None else min(end, self.end)
        began = low
        for index in range(bisect_right(self._starts, low) - 1, len(self._starts)):
            until = self._starts[index + 1] if index + 1 < len(self._starts) else self.end
            if until < high and self._values[index + 1] == self._values[index]:
                continue
            if began < high:
                yield began, min(until, high), self._values[index]
            if until >= high:
                return
            began = until


class State(NamedTuple):
    """A state as the machine names it."""

    name: str
    reason: str | None = None


class Slot(NamedTuple):
    """What the shift calendar says of an instant."""

    schedule: str
    shift: str | None
    day: date


class Order(NamedTuple):
    """A production order on a line; `end` None: still running when the week is over."""

    name: str
    product: str
    start: int
    end: int | None


class Made(NamedTuple):
    """Bottles since the last count."""

    ts: int
    good: int
    scrap: int
    rework: int
    reason: str | None


@dataclass
class Machine:
    """One machine: its states, and the bottles that it counts."""

    path: str
    states: Track[State]
    made: list[Made] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rsplit("/", 1)[1]


@dataclass
class Line:
    """A line: its machines in the way of a bottle, and its orders."""

    path: str
    machines: tuple[Machine, ...]
    orders: list[Order]

    def wanted(self, order: Order) -> int:
        """How many bottles an order is over: about as many as were made when it was ended."""
        if order.end is None:
            return LARGE_ORDER
        made = sum(count.good for count in self.machines[-1].made if order.start <= count.ts < order.end)
        return round(made, -3)

    def product_at(self, instant: int) -> str | None:
        """The product of the order that is running at an instant."""
        for order in self.orders:
            if order.start <= instant and (order.end is None or instant < order.end):
                return order.product
        return None


def calendar_of(plant: Plant, path: str, start: int, end: int) -> Track[Slot]:
    """The calendar of an equipment around a time, resolved one shift after the other."""
    equipment = plant.equipment[path]
    zone = ZoneInfo(equipment.timezone)
    first, last = date_of(zone, start), date_of(zone, end)
    days = [first + timedelta(days=number) for number in range(-1, (last - first).days + 2)]
    midnights = [local(zone, day, "00:00:00") for day in (*days, days[-1] + timedelta(days=1))]
    track = Track(midnights[0], midnights[-1], Slot("unscheduled", None, days[0]))
    for day, begin, finish in zip(days, midnights[:-1], midnights[1:], strict=True):
        track.paint(begin, finish, Slot("unscheduled", None, day))
    for day in days:
        for shift in plant.calendars[str(equipment.calendar)].on(day):
            _paint_shift(track, zone, day, shift)
    return track


def _paint_shift(track: Track[Slot], zone: ZoneInfo, day: date, shift: ShiftRule) -> None:
    next_day = day + timedelta(days=1)
    start = local(zone, day, str(shift.start))
    end = local(zone, next_day if shift.overnight else day, str(shift.end))
    track.paint(start, end, Slot("scheduled", shift.name, day))
    for pause in shift.breaks:
        late = shift.overnight and pause.start < shift.start
        began = local(zone, next_day if late else day, str(pause.start))
        track.paint(began, min(began + pause.minutes * MINUTE, end), Slot("break", shift.name, day))


def happen(plant: Plant, story: Story, seed: int) -> tuple[Line, Line]:
    """The days of both lines. Two of one story and one seed are the same."""
    chance = Random(seed)
    return _line(plant, LINE_1, story, chance), _line(plant, LINE_2, story, chance)


def _line(plant: Plant, path: str, story: Story, chance: Random) -> Line:
    start, end = story.start, story.end
    machines = tuple(Machine(f"{path}/{name}", Track(start, end, State("OFF"))) for name in MACHINES)
    line = Line(path, machines, [])
    calendar = calendar_of(plant, path, start, end)
    for begin, finish, slot in calendar.parts(start, end):
        # The first line runs through the breaks, the second one stops for them.
        if slot.schedule == "scheduled" or (slot.schedule == "break" and path == LINE_1):
            for machine in machines:
                machine.states.paint(begin, finish, State("RUN"))
    if path == LINE_1:
        for machine in machines:
            for span in story.overtime:
                machine.states.paint(*span, State("RUN"))
    for stop in _stops(chance, start, end, every=300 * MINUTE, shortest=4 * MINUTE, longest=35 * MINUTE):
        _stand_still(line, chance.choice(MACHINES), *stop)
    if path == LINE_1:
        for jam in story.jams:
            _stand_still(line, *jam)
    for machine in machines:
        for begin, finish in _stops(chance, start, end, every=12 * MINUTE, shortest=12 * SECOND, longest=100 * SECOND):
            _pause(machine, begin, finish, chance)
    _change_over(line, story, chance)
    for before, machine in zip((None, *machines), machines, strict=False):
        supply = _Supply(before.made if before else None)
        machine.made = list(_bottles(plant, line, machine, supply, story, chance))
    return line


def _stops(
    chance: Random, start: int, end: int, *, every: int, shortest: int, longest: int
) -> Iterator[tuple[int, int]]:
    """Stops at random times, to the millisecond; many are short, few are long."""
    at = start
    while (at := at + round(chance.expovariate(1 / every) / MS) * MS) < end:
        length = shortest + round((longest - shortest) * chance.random() ** 3 / MS) * MS
        yield at, at + length
        at += length


def _stand_still(line: Line, culprit: str, start: int, end: int) -> None:
    """One machine stops for a fault; what is before it is blocked and what is behind it starved, as buffers allow."""
    place = MACHINES.index(culprit)
    for index, machine in enumerate(line.machines):
        delay = abs(index - place) * BUFFER
        if machine.states.at(start).name == "OFF" or start + delay >= end:
            continue
        state = State("BLOCKED") if index < place else State("STARVED")
        fault = State("FAULT", FAULTS[culprit])
        machine.states.paint(start + delay, end + delay, state if delay else fault)


def _pause(machine: Machine, start: int, end: int, chance: Random) -> None:
    """A stop so short that the buffers hide it from the neighbours."""
    if machine.states.at(start) == machine.states.at(end) == State("RUN"):
        machine.states.paint(start, end, State("FAULT", "jam") if chance.random() < 0.4 else State("STARVED"))


def _change_over(line: Line, story: Story, chance: Random) -> None:
    """Orders one after the other, with a changeover between them, and what is cleaned."""
    products = ("P-100", "P-200", "P-300") if line.path == LINE_1 else ("P-200", "P-100")
    begin, number = story.first_order, 0
    while begin < story.last_order and (end := _finished(begin, chance)) < story.end:
        for index, machine in enumerate(line.machines):
            setup = (25 + round(chance.random() * 15)) * MINUTE
            machine.states.paint(end + index * 20 * SECOND, end + index * 20 * SECOND + setup, State("CHANGEOVER"))
        product = products[number % len(products)]
        line.orders.append(Order(_order(line, story, number), product, begin, end + 90 * SECOND))
        begin, number = end + 41 * MINUTE, number + 1
    line.orders.append(Order(_order(line, story, number), products[number % len(products)], begin, None))
    for machine in line.machines:
        for span in story.cleaning:
            machine.states.paint(*span, State("CLEANING", "cleaning"))


def _finished(begin: int, chance: Random) -> int:
    """When an order is done that begins at an instant: after 9 to 15 hours."""
    return begin + (9 * 60 + round(chance.random() * 360)) * MINUTE


def _order(line: Line, story: Story, number: int) -> str:
    return f"{story.name}{line.path[-1]}{number:02}"


class _Supply:
    """The bottles that a machine gets from the one before it; what it could have made without them is lost."""

    def __init__(self, made: list[Made] | None) -> None:
        self._instants = None if made is None else [count.ts for count in made]
        self._given = list(accumulate((count.good + count.rework for count in made or ()), initial=STOCK))
        self._taken = 0

    def take(self, ts: int, wanted: int) -> int:
        """Take what is wanted at an instant, as far as there is that much."""
        if self._instants is None:
            return wanted
        number = min(wanted, self._given[bisect_right(self._instants, ts)] - self._taken)
        self._taken += number
        return number


def _bottles(
    plant: Plant, line: Line, machine: Machine, supply: _Supply, story: Story, chance: Random
) -> Iterator[Made]:
    """Counts every so often while running, and just before each stop; more are bad after a changeover."""
    reject = REJECTS.get(machine.name)
    place = MACHINES.index(machine.name)
    begun = [order.start for order in line.orders]
    for start, end, state in machine.states.parts():
        if state.name != "RUN":
            continue
        ideal = plant.ideal_cycle_us(machine.path, line.product_at(start)) or SECOND
        cycle = round(ideal * (SLOWER[machine.name] + 0.02 * chance.random()))
        counted = 0
        split = min(max(start, story.fine_from), end)
        coarse = range(start - start % COARSE - place * SECOND - MS, split, COARSE)  # one just before the shift ends
        fine = range(split - split % FINE + place * 5 * SECOND - MS, end, FINE)
        grid = chain(coarse, (instant for instant in fine if instant > split))
        for ts in (*(instant for instant in grid if start < instant < end - MS), end - MS):
            possible = (ts - start) // cycle - counted
            counted += possible
            number = supply.take(ts, possible)
            if number == 0:
                continue
            fresh = ts - begun[max(bisect_right(begun, ts) - 1, 0)] in range(15 * MINUTE)
            trials, scale = (12, 1.0) if ts < story.fine_from else (4, 12 * FINE / COARSE / 4)
            likely = (0.8 if fresh else 0.3) * scale
            bad = sum(chance.random() < likely for _ in range(min(number, trials))) if reject else 0
            repaired = bad // 3 if machine.name == "labeller" and not fresh else 0
            yield Made(ts, number - bad, bad - repaired, repaired, ("startup" if fresh else reject) if bad else None)
