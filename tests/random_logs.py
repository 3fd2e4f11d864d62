"""Random event logs for a plant: every type, ties, corrections and faults, not in the order of time."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from tests.random_plants import PRODUCTS, RandomPlant

SECOND = 1_000_000
MINUTE = 60 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LENGTHS = (20 * MINUTE, 5 * 60 * MINUTE, 26 * 60 * MINUTE, 60 * 60 * MINUTE)
GAPS = (0, 10 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE)  # the thresholds of the plants
STATES = ("RUN", "STOP", "WAIT", "SETUP", "LUNCH", "LOST", "producing", "down", "idle", "planned", "unknown", "WEIRD")
REASONS = ("jam", "starved", "changeover", "cleaning", "note", "never-heard-of")
ORDERS = ("O-1", "O-2", "O-3")
ID_STARTS = ("e", "", "Z", "a b", "\u00e9", "\uff5e", "\U0001f600")  # UTF-8 and UTF-16 order differ in the last two
ROLLOVER = 1_000
Event = dict[str, Any]


def time_value(rng: Random, instant: int) -> str | int:
    """One of the ways to write an instant given in microseconds."""
    if instant % 1_000 == 0 and rng.random() < 0.3:
        return instant // 1_000
    zone = timezone(timedelta(minutes=rng.choice((0, 0, 60, -300, 330, 630))))
    local = (EPOCH + timedelta(microseconds=instant)).astimezone(zone)
    digits = f"{local.microsecond:06}"
    fraction = rng.choice((digits.rstrip("0"), digits, f"{digits}{rng.randrange(1000):03}"))
    seconds, offset = local.isoformat(timespec="seconds")[:19], local.isoformat(timespec="seconds")[19:]
    if offset == "+00:00" and rng.random() < 0.8:
        offset = "Z"
    return seconds + (f".{fraction}" if fraction else "") + offset


class LogWriter:
    """Makes events one by one; instants are kept in microseconds until `written` formats them."""

    def __init__(self, rng: Random, plant: RandomPlant) -> None:
        self.rng = rng
        self.plant = plant
        self.length = rng.choice(LENGTHS)
        middle = (plant.around - EPOCH) // timedelta(microseconds=1)
        self.first = middle - rng.randrange(self.length)
        self.events: list[Event] = []
        self.instants: list[int] = [self.first]
        self.reserved: set[int] = set()

    def instant(self) -> int:
        """Any instant of the log: on a boundary, tied with another event, at a threshold from one, or anywhere."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.45:
            gap = rng.choice(GAPS) + (rng.choice((-1, 0, 0, 1)) if rng.random() < 0.5 else 0)
            chosen = rng.choice(self.instants) + gap
        else:
            grain = rng.choice((1, 1_000, SECOND, MINUTE, 15 * MINUTE, 60 * MINUTE))
            chosen = (self.first + rng.randrange(self.length)) // grain * grain
        while chosen in self.reserved:
            chosen += 1
        self.instants.append(chosen)
        return chosen

    def lonely_instant(self) -> int:
        """An instant that no other event shares: without an id the order of ties would depend on the hash."""
        chosen = self.first + self.rng.randrange(self.length)
        while chosen in self.reserved or chosen in self.instants:
            chosen += 1
        self.reserved.add(chosen)
        return chosen

    def new_id(self, equipment: str) -> str:
        """An id unique on the equipment, sometimes in use on another one."""
        taken = {event.get("id") for event in self.events if event["equipment"] == equipment}
        elsewhere = [event["id"] for event in self.events if "id" in event and event["id"] not in taken]
        if elsewhere and self.rng.random() < 0.05:
            return str(self.rng.choice(elsewhere))
        return f"{self.rng.choice(ID_STARTS)}{len(self.events)}"

    def optional(self, **choices: tuple[Any, ...]) -> Event:
        """Some of the fields, each with one of its values."""
        return {name: self.rng.choice(values) for name, values in choices.items() if self.rng.random() < 0.5}

    def add(self) -> None:
        """One more event."""
        rng = self.rng
        makers = {
            self.state: 32,
            self.count: 24,
            self.counter: 13,
            self.order: 11,
            self.status: 6,
            self.reclassify: 9,
            self.retract: 5,
        }
        make = rng.choices(list(makers), list(makers.values()))[0]
        higher = make in (self.order, self.status) and rng.random() < 0.6
        equipment = rng.choice(self.plant.paths if higher else self.plant.senders)
        nameless = make in (self.state, self.count, self.status) and rng.random() < 0.08
        event: Event = {"equipment": equipment} if nameless else {"id": self.new_id(equipment), "equipment": equipment}
        event["ts"] = self.lonely_instant() if nameless else self.instant()
        event |= make(equipment)
        if rng.random() < 0.1:
            event |= {"operator": rng.choice(("kim", "lee")), "lot": "L-7"}
        self.events.append(event)

    def state(self, _: str) -> Event:
        """A state with or without a reason."""
        return {"type": "state", "state": self.rng.choice(STATES), **self.optional(reason=REASONS)}

    def count(self, _: str) -> Event:
        """Good pieces mostly; corrections and counts of nothing now and then."""
        rng = self.rng
        pieces = {"good": rng.randint(1, 50)}
        if rng.random() < 0.3:
            pieces = {quality: rng.randint(-3, 9) for quality in ("good", "scrap", "rework") if rng.random() < 0.6}
        named = self.optional(product=PRODUCTS, order=ORDERS) if rng.random() < 0.4 else {}
        reason = {"reason": rng.choice(REASONS)} if rng.random() < 0.2 else {}
        return {"type": "count", **pieces, **named, **reason}

    def counter(self, _: str) -> Event:
        """A reading, given its value by `read_counters` once the order in time is known."""
        quality = self.rng.choice(("good", "good", "scrap", "rework"))
        return {"type": "counter", "quality": quality, "value": 0}

    def order(self, _: str) -> Event:
        """The start or the end of an order."""
        if self.rng.random() < 0.35:
            return {"type": "order", "action": "end", **self.optional(order=ORDERS)}
        start = {"type": "order", "action": "start", "order": self.rng.choice(ORDERS)}
        return start | self.optional(product=PRODUCTS, quantity=(1, 500))

    def status(self, _: str) -> Event:
        """Connection lost or back."""
        return {"type": "status", "online": self.rng.random() < 0.4}

    def reclassify(self, _: str) -> Event:
        """A correction of minutes or hours."""
        start = self.instant()
        end = start + self.rng.choice((1, 30 * SECOND, 10 * MINUTE, 3 * 60 * MINUTE))
        decided = self.rng.choice(({"state": self.rng.choice(STATES)}, {"reason": self.rng.choice(REASONS)}, {}))
        both = {"state": self.rng.choice(STATES), "reason": self.rng.choice(REASONS)}
        return {"type": "reclassify", "start": start, "end": end, "by": "kim", **(decided or both)}

    def retract(self, equipment: str) -> Event:
        """Takes back an event sent before, one sent later, one never sent, or a retract."""
        ids = [event["id"] for event in self.events if event["equipment"] == equipment and "id" in event]
        target = self.rng.choice(ids) if ids and self.rng.random() < 0.8 else f"e{self.rng.randrange(200)}"
        return {"type": "retract", "target": target, "by": "kim"}

    def read_counters(self) -> None:
        """Let the readings rise along the time, repeat, start anew or roll over."""
        last: dict[tuple[str, str], int] = defaultdict(int)
        for event in sorted(self.events, key=lambda event: int(event["ts"])):
            if event["type"] != "counter":
                continue
            counter = (event["equipment"], event["quality"])
            value = (last[counter] + self.rng.choice((0, 1, 7, 300))) % ROLLOVER
            if self.rng.random() < 0.1:
                value = self.rng.randrange(5)
            if self.rng.random() < 0.4:
                event["rollover"] = ROLLOVER
            event["value"] = last[counter] = value

    def written(self, event: Event) -> Event:
        """The event as a source would write it."""
        times = {name: time_value(self.rng, event[name]) for name in ("ts", "start", "end") if name in event}
        return event | times

    def unusable(self) -> Event:
        """An event that must be rejected and must not matter."""
        rng = self.rng
        good = {"id": f"bad-{len(self.events)}", "equipment": self.plant.senders[0], "type": "count", "good": 1}
        ts = time_value(rng, self.first + rng.randrange(3 * self.length))
        faults: tuple[Event, ...] = (
            {"equipment": "acme/elsewhere/robot"},
            {"equipment": f"{self.plant.senders[0]}-x"},
            {"ts": "2026-03-29T02:30:00"},
            {"ts": "2026-02-30T02:30:00Z"},
            {"ts": "soon"},
            {"ts": -1},
            {"type": "gossip"},
            {"type": "state"},
            {"type": "counter", "quality": "shiny", "value": 4},
            {"type": "counter", "quality": "good", "value": -4},
            {"type": "reclassify", "start": 2000, "end": 1000, "state": "idle"},
            {"good": "many"},
            {"good": 1.5},
        )
        return good | {"ts": ts} | rng.choice(faults)


def random_log(rng: Random, plant: RandomPlant, size: int) -> list[Event]:
    """About `size` events in an order of arrival near that of time, with repetitions, reused ids and unusable ones."""
    writer = LogWriter(rng, plant)
    for _ in range(size):
        writer.add()
    writer.read_counters()
    inserted: list[Event] = []
    arrived: list[Event] = []
    for event in sorted(writer.events, key=lambda event: int(event["ts"])):
        if rng.random() < 0.12:
            arrived.insert(rng.randint(0, len(arrived)), writer.written(event))
        else:
            arrived.append(writer.written(event))
        if rng.random() < 0.06:
            inserted.append(writer.written(event))
        if rng.random() < 0.03 and "id" in event:
            inserted.append(writer.written(event | {"note": "the same id, another content"}))
        if rng.random() < 0.03:
            inserted.append(writer.unusable())
    for event in inserted:
        original = [n for n, other in enumerate(arrived) if same_identity(event, other)]
        arrived.insert(rng.randint(original[-1] + 1 if original else 0, len(arrived)), event)
    return arrived


def same_identity(one: Event, other: Event) -> bool:
    """Whether two events bear the same id on the same equipment."""
    return "id" in one and (one["equipment"], one["id"]) == (other["equipment"], other.get("id"))
