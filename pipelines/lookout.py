"""What the engine sees by its own clock, for alert rules about that: its sources, its channels, its lag, bad data."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from kpis.alert_scope import in_scope
from kpis.alert_watch import Held, named, place_of, speakers
from kpis.plant import Plant
from kpis.plant_alerts import AlertRule
from kpis.plant_people import AndonChannel
from kpis.plant_sources import MqttSource
from pipelines.notify.sender import FAILURES, ChannelStatus
from pipelines.source_watch import SourceWatch
from pipelines.vitals import Vitals
from storage.batches import Pending

LOOK_EVERY: Final = 1.0
"""seconds from one look to the next."""
_MINUTE_US: Final = 60_000_000


@dataclass
class _Tally:
    """How often something happened to each equipment and what is below it: in the last minutes, and by minute."""

    window: int
    sums: Counter[str] = field(default_factory=Counter)
    minutes: deque[tuple[int, Counter[str]]] = field(default_factory=deque)

    def add(self, minute: int, counted: Mapping[str, int]) -> None:
        if not self.minutes or self.minutes[-1][0] < minute:
            self.minutes.append((minute, Counter()))
        self.minutes[-1][1].update(counted)
        self.sums.update(counted)

    def at(self, minute: int) -> Counter[str]:
        while self.minutes and self.minutes[0][0] <= minute - self.window // _MINUTE_US:
            self.sums -= self.minutes.popleft()[1]
        return self.sums


class Lookout:
    """Looks when it is asked which of these conditions hold. `questions` gives those that the store answers.

    What it counts begins anew with the engine.
    """

    def __init__(
        self,
        plant: Plant,
        vitals: Vitals,
        watch: SourceWatch,
        channels: Callable[[], dict[str, ChannelStatus]],
        questions: Callable[[], list[Held]],
    ) -> None:
        self._plant, self._vitals, self._watch = plant, vitals, watch
        self._channels, self._questions = channels, questions
        self._rules = [(number, rule) for number, rule in enumerate(plant.alerts) if rule.watched]
        self._sources = {source.name: source for source in plant.sources if isinstance(source, MqttSource)}
        self._andons = {each.name for each in plant.calling.channels if isinstance(each, AndonChannel)}
        self._tallies = {
            (rule.when.kind, rule.when.window): _Tally(rule.when.window)
            for _, rule in self._rules
            if rule.when.kind in ("rejected", "late")
        }
        self._scopes = {number: frozenset(in_scope(rule, plant)) for number, rule in self._rules}
        self._told: int | None = None
        self._last: tuple[float, list[Held]] = (0.0, [])

    def hear(self, pending: Pending) -> None:
        """A batch was committed: count what of it could not be used, and what came late."""
        told, self._told = self._told, pending.ledger.told
        if not self._tallies:
            return
        new = pending.admitted.new
        late = new.filter(pl.col("ts") < told)["equipment"] if told is not None else new["equipment"].clear()
        for kind, paths in (("rejected", pending.rejected["equipment"]), ("late", late)):
            if len(paths):
                counted = self._rolled_up(paths)
                for (of, _), tally in self._tallies.items():
                    if of == kind:
                        tally.add(_minute(), counted)

    def holding(self) -> list[Held] | None:
        """The conditions that hold; None: there is no rule about such."""
        if not self._rules:
            return None
        now = time.monotonic()
        if now >= self._last[0]:
            held = [each for number, rule in self._rules for each in self._look(number, rule)]
            self._last = (now + LOOK_EVERY, [*held, *self._questions()])
        return self._last[1]

    def _look(self, number: int, rule: AlertRule) -> Iterable[Held]:
        when = rule.when
        if when.disconnected is not None:
            yield from self._lost(number, rule, when.disconnected)
        elif when.skew is not None:
            for source, skew in self._watch.skews().items():
                if abs(skew) > when.skew:
                    yield Held(number, self._place(rule, source), source, skew)
        elif when.kind in ("rejected", "late"):
            limit = when.rejected if when.rejected is not None else when.late or 0
            for path, count in self._tallies[when.kind, when.window].at(_minute()).items():
                if count > limit and path in self._scopes[number]:
                    yield Held(number, path, value=count)
        elif when.lag is not None:
            seconds = self._vitals.lag()[1]
            if seconds * 1e6 > when.lag:
                yield Held(number, place_of(self._plant, rule), value=seconds * 1e6)
        elif when.outbox is not None:
            for name, status in self._channels().items():
                if status.age * 1e6 > when.outbox:
                    yield Held(number, place_of(self._plant, rule), name, status.age * 1e6)
        elif when.failing is not None:
            statuses = self._channels()
            for name in named(statuses, when.failing):
                if statuses[name].failures >= (1 if name in self._andons else FAILURES):
                    yield Held(number, place_of(self._plant, rule), name)

    def _lost(self, number: int, rule: AlertRule, names: list[str]) -> Iterable[Held]:
        statuses = {status.name: status for status in (ingest.status() for ingest in self._vitals.ingests)}
        for name in named(statuses, names):
            if not statuses[name].connected:
                yield Held(number, self._place(rule, name), name, since=statuses[name].since)

    def _place(self, rule: AlertRule, source: str) -> str:
        known = self._sources.get(source)
        return place_of(self._plant, rule, speakers(self._plant, rule, known) if known is not None else ())

    def _rolled_up(self, paths: pl.Series) -> dict[str, int]:
        """How many of these there are for each equipment and all above it; what nobody knows is the plant's."""
        counted: Counter[str] = Counter()
        for path, count in paths.value_counts().iter_rows():
            chain = [] if path is None else [path, *self._plant.ancestors(path)]
            known = [place for place in chain if place in self._plant.equipment]
            for place in known or [place_of(self._plant, self._rules[0][1])]:
                counted[place] += count
        return counted


def _minute() -> int:
    return int(time.monotonic() // 60)
