"""The life of one equipment: what it did at every instant, and the pieces it booked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, TypeVar

from tests.oracle.calendar import Slot, calendar_of
from tests.oracle.events import QUALITIES, Event
from tests.oracle.plant import Plant, duration_us, lineage


class Timed(Protocol):
    """Anything that holds from an instant on."""

    @property
    def ts(self) -> int:
        """The instant."""


T = TypeVar("T", bound=Timed)


@dataclass(frozen=True)
class StateChange:
    """From `ts` on this is the state, before silence and reclassification."""

    ts: int
    state_category: str
    reason: str | None


@dataclass(frozen=True)
class OrderChange:
    """From `ts` on this order is in force, or none."""

    ts: int
    order: str | None
    product: str | None


@dataclass(frozen=True)
class Booking:
    """Pieces booked at an instant."""

    ts: int
    event: Event
    pieces: dict[str, int]
    product: str | None
    order: str | None

    @property
    def total(self) -> int:
        """All pieces of it."""
        return sum(self.pieces.values())

    @property
    def is_empty(self) -> bool:
        """Whether no piece was booked: a baseline, a repeated reading, a count of nothing."""
        return not any(self.pieces.values())


@dataclass(frozen=True)
class Segment:
    """A time in which nothing changes."""

    start: int
    end: int
    account: str
    category: str
    reason: str | None
    product: str | None
    order: str | None
    slot: Slot


@dataclass(frozen=True)
class Run:
    """An order running on the equipment, within its accounted time; an open one is in force beyond the horizon."""

    order: str
    product: str | None
    start: int
    end: int
    in_force_until: int


@dataclass(frozen=True)
class Life:
    """Everything accounted of one equipment; `booking_slots` are the calendar slots of the bookings."""

    start: int
    segments: list[Segment]
    bookings: list[Booking]
    booking_slots: list[Slot]
    runs: list[Run]


def in_force(changes: Sequence[T], instant: int) -> T | None:
    """The last one at or before the instant."""
    found = None
    for change in changes:
        if change.ts > instant:
            break
        found = change
    return found


def inherited(events: list[Event], path: str, kind: str) -> list[Event]:
    """The events of a type of an equipment and its ancestors, in order; on a full tie the ancestor comes first."""
    family = [event for event in events if event.type == kind and event.equipment in lineage(path)]
    return sorted(family, key=lambda event: (*event.order_key, len(event.equipment)))


def order_changes(events: list[Event], path: str) -> list[OrderChange]:
    """Which order is in force from when on."""
    changes = []
    for event in inherited(events, path, "order"):
        if event.fields["action"] == "start":
            changes.append(OrderChange(event.ts, event.fields["order"], event.fields["product"]))
        else:
            changes.append(OrderChange(event.ts, None, None))
    return changes


def counter_pieces(own: list[Event]) -> list[tuple[Event, dict[str, int]]]:
    """The pieces each counter reading stands for."""
    booked = []
    last: dict[str, int] = {}
    for event in own:
        if event.type != "counter":
            continue
        quality, value, rollover = event.fields["quality"], event.fields["value"], event.fields["rollover"]
        previous = last.get(quality, value)
        if value >= previous:
            pieces = value - previous
        elif rollover is not None:
            pieces = value + rollover - previous
        else:
            pieces = value
        last[quality] = value
        booked.append((event, {quality: pieces}))
    return booked


def bookings_of(own: list[Event], orders: list[OrderChange]) -> list[Booking]:
    """All pieces with their product and order, in order."""
    counted = [(event, {q: event.fields[q] for q in QUALITIES}) for event in own if event.type == "count"]
    bookings = []
    for event, pieces in sorted(counted + counter_pieces(own), key=lambda item: item[0].order_key):
        running = in_force(orders, event.ts) or OrderChange(event.ts, None, None)
        order = event.fields.get("order") or running.order
        product = event.fields.get("product") or (running.product if order == running.order else None)
        bookings.append(Booking(event.ts, event, pieces, product, order))
    return bookings


def stop_after_us(plant: Plant, path: str, booking: Booking) -> int | None:
    """How long after this count the equipment is taken to stand, None when never."""
    text = plant.setting(path, "state_from_counts")["stop_after"]
    if not text.endswith("x"):
        return duration_us(text)
    cycle = plant.ideal_cycle_us(path, booking.product)
    return None if cycle is None else int(float(text[:-1]) * cycle)


def state_changes(plant: Plant, path: str, events: list[Event], bookings: list[Booking]) -> list[StateChange]:
    """The states sent, lost with the connection, or inferred from counts."""
    causes: list[Event] = [event for event in events if event.equipment == path and event.type == "state"]
    causes += [event for event in inherited(events, path, "status") if event.fields["online"] is False]
    counts: dict[str, Booking] = {}
    if plant.setting(path, "state_from_counts") is not None:
        counts = {booking.event.id: booking for booking in bookings if booking.total > 0}
        causes += [booking.event for booking in counts.values()]
    changes: list[StateChange] = []
    stops_at: int | None = None
    for event in sorted(causes, key=lambda event: (*event.order_key, len(event.equipment))):
        if stops_at is not None and stops_at <= event.ts:
            changes.append(StateChange(stops_at, "down", None))
        stops_at = None
        if event.type == "state":
            category = plant.state_category(event.fields["state"])
            changes.append(StateChange(event.ts, category, event.fields["reason"]))
        elif event.type == "status":
            # no stop is inferred from counts that cannot arrive: stops_at stays empty
            changes.append(StateChange(event.ts, "unknown", None))
        else:
            changes.append(StateChange(event.ts, "producing", None))
            after = stop_after_us(plant, path, counts[event.id])
            stops_at = None if after is None else event.ts + after
    if stops_at is not None:
        changes.append(StateChange(stops_at, "down", None))
    return changes


def silences(own: list[Event], stale_after: int, horizon: int) -> list[tuple[int, int]]:
    """The times in which nothing was heard for too long."""
    if stale_after == 0:
        return []
    heard = [event.ts for event in own if event.type not in ("reclassify", "retract")]
    return [
        (before + stale_after, after)
        for before, after in zip(heard, [*heard[1:], horizon], strict=True)
        if after - before > stale_after
    ]


def account_of(category: str, schedule: str, is_minor: bool) -> str:
    """The first account that fits."""
    if category == "producing":
        return "producing"
    if schedule != "scheduled":
        return schedule
    if category == "planned":
        return "planned_stop"
    if category in ("down", "idle") and is_minor:
        return "minor_stop"
    return category


def runs_of(orders: list[OrderChange], start: int, horizon: int) -> list[Run]:
    """The runs within the accounted time; one that starts at the horizon may still have pieces."""
    runs: list[Run] = []
    for change, following in pairwise([*orders, OrderChange(horizon + 1, None, None)]):
        if change.order is None or change.ts == following.ts:
            continue
        begin = change.ts
        last = runs[-1] if runs else None
        if last and (last.in_force_until, last.order, last.product) == (change.ts, change.order, change.product):
            begin = runs.pop().start
        runs.append(Run(change.order, change.product, begin, min(following.ts, horizon), following.ts))
    return [replace(run, start=max(run.start, start)) for run in runs if run.in_force_until > start]


def life_of(plant: Plant, path: str, events: list[Event], horizon: int) -> Life | None:
    """Account one equipment; None when it has no state, count or counter event of its own."""
    own = [event for event in events if event.equipment == path]
    accounted = [event.ts for event in own if event.type in ("state", "count", "counter")]
    if not accounted:
        return None
    start = accounted[0]
    orders = order_changes(events, path)
    bookings = bookings_of(own, orders)
    states = state_changes(plant, path, events, bookings)
    silent = silences(own, plant.setting_us(path, "stale_after"), horizon)
    corrections = [event for event in own if event.type == "reclassify"]
    calendar = calendar_of(plant, path, start, horizon)

    def condition(instant: int) -> tuple[str, str | None]:
        state_category, reason = "unknown", None
        change = in_force(states, instant)
        if change is not None:
            state_category, reason = change.state_category, change.reason
        if any(begin <= instant < end for begin, end in silent):
            state_category, reason = "unknown", None
        winners = [event for event in corrections if event.fields["start"] <= instant < event.fields["end"]]
        if winners:
            winner = winners[-1].fields
            reason = winner["reason"]
            if winner["state"] is not None:
                state_category = plant.state_category(winner["state"])
        return plant.category(state_category, reason), reason

    cuts = calendar.cuts() | {change.ts for change in states} | {change.ts for change in orders}
    cuts |= {edge for silence in silent for edge in silence}
    cuts |= {edge for event in corrections for edge in (event.fields["start"], event.fields["end"])}
    instants = [start, *sorted(cut for cut in cuts if start < cut < horizon), horizon]
    spans = [(a, b, *condition(a)) for a, b in pairwise(instants) if a < b]
    minor = minor_stretches([(a, b, category) for a, b, category, _ in spans], plant, path)
    segments = []
    for (a, b, category, reason), is_minor in zip(spans, minor, strict=True):
        slot = calendar.at(a)
        running = in_force(orders, a) or OrderChange(a, None, None)
        account = account_of(category, slot.schedule, is_minor)
        segments.append(Segment(a, b, account, category, reason, running.product, running.order, slot))
    slots = [calendar.at(booking.ts) for booking in bookings]
    return Life(start, segments, bookings, slots, runs_of(orders, start, horizon))


def minor_stretches(spans: list[tuple[int, int, str]], plant: Plant, path: str) -> list[bool]:
    """For each span whether it lies in a down-or-idle stretch shorter than the equipment's threshold."""
    threshold = plant.setting_us(path, "minor_stop_under")
    answers: list[bool] = []
    position = 0
    while position < len(spans):
        stretch_end = position
        while stretch_end < len(spans) and spans[stretch_end][2] in ("down", "idle"):
            stretch_end += 1
        if stretch_end == position:
            answers.append(False)
            position += 1
            continue
        length = spans[stretch_end - 1][1] - spans[position][0]
        answers += [length < threshold] * (stretch_end - position)
        position = stretch_end
    return answers
