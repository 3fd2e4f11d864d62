"""Windows, roll-up and ratios."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.oracle.calendar import DAY, MINUTE_US, Slot, midnight_us
from tests.oracle.plant import Plant
from tests.oracle.timeline import Booking, Life, Run

ACCOUNTS = (
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
TIMES = tuple(f"{account}_us" for account in ACCOUNTS)
PIECES = ("good", "scrap", "rework")
IDEALS = ("ideal_us", "good_ideal_us", "no_ideal")
ELEMENTS = (*TIMES, *PIECES, *IDEALS)
GRAINS = {"minute": MINUTE_US, "hour": 60 * MINUTE_US}


class Window(NamedTuple):
    """What a row is about."""

    start: int
    end: int
    shift: str | None = None
    order: str | None = None
    product: str | None = None


# elements by name; `bookings` says how often pieces were booked, even if they add up to nothing
Elements = Counter[str]
Table = dict[Window, Elements]


def calendar_window(by: str, slot: Slot, zone: ZoneInfo) -> Window:
    """The shift, day, week or month an instant with this slot belongs to."""
    if by == "shift":
        return Window(slot.start, slot.end, slot.shift)
    first, after = slot.day, slot.day + DAY
    if by == "week":
        first = slot.day - timedelta(days=slot.day.weekday())
        after = first + 7 * DAY
    if by == "month":
        first = slot.day.replace(day=1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return Window(midnight_us(first, zone), midnight_us(after, zone))


def grain_windows(grain: int, start: int, end: int) -> Iterator[tuple[Window, int]]:
    """The aligned windows that a time touches, with the microseconds in each."""
    while start < end:
        window = Window(start // grain * grain, start // grain * grain + grain)
        stop = min(end, window.end)
        yield window, stop - start
        start = stop


def run_window(run: Run) -> Window:
    """A run as a window."""
    return Window(run.start, run.end, None, run.order, run.product)


def run_of_booking(booking: Booking, life: Life, in_force: Run | None) -> Window | None:
    """The run that pieces belong to; None when they have no order."""
    if booking.order is None:
        return None
    if in_force is not None and in_force.order == booking.order:
        return run_window(in_force)
    key = (booking.order, booking.product)
    candidates = [run for run in life.runs if (run.order, run.product) == key]
    # Pieces are kept by the minute, so that is how finely they are matched with runs.
    earlier = [run for run in candidates if run.start < minute_of(booking.ts) + MINUTE_US]
    if candidates:
        return run_window(earlier[-1] if earlier else candidates[0])
    strays = [
        other.ts
        for other in life.bookings
        if (other.order, other.product) == key and not other.is_empty and not in_run(life, other)
    ]
    return Window(minute_of(strays[0]), minute_of(strays[-1]) + MINUTE_US, None, *key)


def in_run(life: Life, booking: Booking) -> bool:
    """Whether the order of the pieces is in force when they are booked."""
    run = run_at(life, booking.ts)
    return run is not None and run.order == booking.order


def minute_of(ts: int) -> int:
    """Start of the minute of an instant."""
    return ts - ts % MINUTE_US


def own_table(plant: Plant, path: str, life: Life, by: str) -> Table:
    """The elements of an equipment's own events."""
    zone = ZoneInfo(plant.timezone(path))
    table: Table = {}

    def add(window: Window, name: str, amount: int) -> None:
        table.setdefault(window, Counter())[name] += amount

    for segment in life.segments:
        name = f"{segment.account}_us"
        if by in GRAINS:
            for window, microseconds in grain_windows(GRAINS[by], segment.start, segment.end):
                add(window, name, microseconds)
        elif by == "order":
            run = run_at(life, segment.start)
            if run is not None:
                add(run_window(run), name, segment.end - segment.start)
        else:
            add(calendar_window(by, segment.slot, zone), name, segment.end - segment.start)

    for booking, slot in zip(life.bookings, life.booking_slots, strict=True):
        if booking.is_empty:
            continue
        if by in GRAINS:
            grain = GRAINS[by]
            target: Window | None = Window(booking.ts // grain * grain, booking.ts // grain * grain + grain)
        elif by == "order":
            target = run_of_booking(booking, life, run_at(life, booking.ts))
        else:
            target = calendar_window(by, slot, zone)
        if target is None:
            continue
        add(target, "bookings", 1)
        for quality, pieces in booking.pieces.items():
            add(target, quality, pieces)
        cycle = plant.ideal_cycle_us(path, booking.product)
        if cycle is None:
            add(target, "no_ideal", booking.total)
        else:
            add(target, "ideal_us", booking.total * cycle)
            add(target, "good_ideal_us", booking.pieces.get("good", 0) * cycle)
    return table


def run_at(life: Life, instant: int) -> Run | None:
    """The run in force at an instant; the horizon still belongs to the run that reaches it."""
    for run in reversed(life.runs):
        if run.start <= instant < run.in_force_until:
            return run
    return None


def tables_of(plant: Plant, lives: dict[str, Life], by: str) -> dict[str, Table]:
    """The elements of every equipment, rolled up where it has no events of its own."""
    done: dict[str, Table] = {}

    def table(path: str) -> Table:
        if path not in done:
            done[path] = made(path)
        return done[path]

    def made(path: str) -> Table:
        if path in lives:
            return own_table(plant, path, lives[path], by)
        if plant.own(path, "rollup") == "constraint":
            constraint = plant.own(path, "constraint")
            output = table(plant.own(path, "output") or constraint)
            counted = {window: elements for window, elements in output.items() if elements["bookings"]}
            return (
                constrained(*one_run([table(constraint), counted]))
                if by == "order"
                else constrained(table(constraint), output)
            )
        children = [table(child) for child in plant.children(path)]
        total: Table = {}
        for child in one_run(children) if by == "order" else children:
            for window, elements in child.items():
                total.setdefault(window, Counter()).update(elements)
        return total

    return {path: table(path) for path in plant.paths}


def one_run(tables: list[Table]) -> list[Table]:
    """The same tables with one window for runs of an order that overlap or touch, on whatever machine."""
    windows: dict[tuple[str | None, str | None], list[Window]] = {}
    for window in sorted({window for table in tables for window in table}, key=lambda each: (each.start, each.end)):
        windows.setdefault((window.order, window.product), []).append(window)
    joined: dict[Window, Window] = {}
    for (order, product), runs in windows.items():
        group: list[Window] = []
        for run in [*runs, None]:
            if group and (run is None or run.start > max(other.end for other in group)):
                whole = Window(group[0].start, max(other.end for other in group), None, order, product)
                joined.update(dict.fromkeys(group, whole))
                group = []
            if run is not None:
                group.append(run)
    found: list[Table] = []
    for table in tables:
        found.append({})
        for window, elements in table.items():
            found[-1].setdefault(joined[window], Counter()).update(elements)
    return found


def constrained(constraint: Table, output: Table) -> Table:
    """Times and ideal times of the constraint, pieces of the output."""
    total: Table = {}
    for window, elements in constraint.items():
        times = Counter({name: elements[name] for name in (*TIMES, *IDEALS)})
        if any(times[name] for name in TIMES):
            total[window] = times
    for window, elements in output.items():
        if elements["bookings"]:
            pieces = Counter({name: elements[name] for name in (*PIECES, "bookings")})
            ideals = Counter({name: constraint.get(window, Counter())[name] for name in IDEALS})
            total.setdefault(window, ideals).update(pieces)
    return total


def ratio(part: int, whole: int) -> Fraction | None:
    """A ratio, undefined unless the whole is above zero."""
    return Fraction(part, whole) if whole > 0 else None


@lru_cache(maxsize=100_000)
def ratios(values: tuple[int, ...], definition: str) -> dict[str, Fraction | None]:
    """Every ratio of a row from its elements, in the order of ELEMENTS."""
    e = dict(zip(ELEMENTS, values, strict=True))
    planned = e["producing_us"] + e["minor_stop_us"] + e["down_us"] + e["idle_us"] + e["setup_us"]
    if definition == "smrp":
        planned += e["planned_stop_us"]
    run = e["producing_us"] if definition == "iso22400" else e["producing_us"] + e["minor_stop_us"]
    everything = sum(e[name] for name in TIMES)
    total = e["good"] + e["scrap"] + e["rework"]
    performance = None if e["no_ideal"] != 0 else ratio(e["ideal_us"], run)
    quality = ratio(e["good"], total)

    def effectiveness(base: int) -> Fraction | None:
        if base > 0 and (run <= 0 or total <= 0):
            return Fraction(0)
        share = ratio(run, base)
        if share is None or performance is None or quality is None:
            return None
        return share * performance * quality

    unknown_share = ratio(e["unknown_us"], planned + e["unknown_us"])
    return {
        "availability": ratio(run, planned),
        "performance": performance,
        "quality": quality,
        "oee": effectiveness(planned),
        "ooe": effectiveness(everything - e["unscheduled_us"]),
        "teep": effectiveness(everything),
        "scrap_ratio": ratio(e["scrap"], total),
        "throughput_per_hour": ratio(total * 60 * MINUTE_US, planned),
        "coverage": None if unknown_share is None else 1 - unknown_share,
    }
