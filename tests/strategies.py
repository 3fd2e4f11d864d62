"""Random plants with event logs, from a seed or from Hypothesis, and the faults of transport a log may suffer.

An event without id never shares its instant with another one, since the order of such a tie depends on the hash that
stands in for the id. Of two events with the same id and other content the first to arrive stays: every variant below
keeps their order.
"""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from hypothesis import strategies as st

from tests.oracle.events import EPOCH, RejectedError, parse_event
from tests.random_logs import Event, random_log
from tests.random_plants import random_plant


@dataclass(frozen=True)
class Case:
    """A plant file and the events in their order of arrival."""

    plant_toml: str
    events: list[Event]


def make_case(rng: Random, size: int) -> Case:
    """A plant and a log of about `size` events drawn from a source of randomness."""
    plant = random_plant(rng)
    return Case(plant.toml, random_log(rng, plant, size))


def random_case(seed: int, size: int) -> Case:
    """The same case for the same seed and size."""
    return make_case(Random(seed), size)


def cases(max_size: int = 60) -> st.SearchStrategy[Case]:
    """Cases that Hypothesis can shrink."""
    return st.builds(make_case, st.randoms(use_true_random=False), st.integers(1, max_size))


def random_until(case: Case, seed: int) -> str:
    """A time to replay up to: at, just before or just after one of the events."""
    rng = Random(seed)
    times = []
    for event in case.events:
        with suppress(RejectedError):
            times.append(parse_event(event).ts)
    instant = rng.choice(times or [0]) + rng.choice((-1, 0, 0, 1, 60_000_000))
    return (EPOCH + timedelta(microseconds=max(0, instant))).isoformat()


def shuffled(events: list[Event], seed: int) -> list[Event]:
    """Another order of arrival."""
    order = list(range(len(events)))
    Random(seed).shuffle(order)
    places: dict[object, list[int]] = defaultdict(list)
    for place, index in enumerate(order):
        places[identity(events[index], index)].append(place)
    arrived = list(events)
    for index, event in enumerate(events):
        arrived[places[identity(event, index)].pop(0)] = event
    return arrived


def duplicated(events: list[Event], seed: int) -> list[Event]:
    """Every third event again, at once or any time later."""
    rng = Random(seed)
    arrived: list[Event] = []
    waiting: list[Event] = []
    for event in events:
        arrived.append(event)
        if rng.random() < 0.3:
            waiting.append(event)
        if waiting and rng.random() < 0.3:
            arrived.append(waiting.pop(rng.randrange(len(waiting))))
    return arrived + waiting


def split(events: list[Event], seed: int, parts: int) -> list[list[Event]]:
    """The log in batches, some of them empty."""
    rng = Random(seed)
    cuts = sorted(rng.randint(0, len(events)) for _ in range(parts - 1))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]


def identity(event: Event, index: int) -> object:
    """What two events share that claim to be the same one; nothing without an id."""
    return (event.get("equipment"), event["id"]) if "id" in event else index
