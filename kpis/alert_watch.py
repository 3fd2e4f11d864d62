"""Alerts on what the running engine sees by its own clock: a lost broker, late orders, a question in SQL, itself.

They are not derived from events: nobody can give the same facts again, so a replay raises none of them. What they share
with all others is how they go on: fired after `for`, kept for `keep_for`, at most one open at a time.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import polars as pl

from kpis.alert_scope import in_scope
from kpis.plant_alerts import AlertRule
from kpis.plant_model import Plant
from kpis.plant_sources import MqttSource


class Held(NamedTuple):
    """A condition that holds now, since an instant (µs) if that is known.

    `rule` is the place of the rule in the plant file; `subject` the source, channel or order it is about,
    if it is about one.
    """

    rule: int
    equipment: str
    subject: str | None = None
    value: float | None = None
    since: int | None = None

    @property
    def key(self) -> "Key":
        """What has at most one open alert."""
        return self.rule, self.equipment, self.subject


Key = tuple[int, str, str | None]
LOST = pl.Schema({"contributor": pl.String, "start": pl.Int64, "end": pl.Int64})
"""When equipment cannot be heard because its source is lost; an end of null: it still is."""


@dataclass
class Episode:
    """From when on (µs) a condition holds, since when it does no more, and when it fired."""

    since: int
    value: float | None = None
    ended: int | None = None
    fired_at: int | None = None
    resolved_at: int | None = None


class Watching:
    """Follows conditions from one look to the next."""

    def __init__(self, rules: Collection[AlertRule]) -> None:
        self._rules = tuple(rules)
        self.episodes: dict[Key, Episode] = {}
        """Those that wait for `for`, and those that have fired and are not over."""

    def look(self, holding: Iterable[Held], now: int) -> list[tuple[Key, Episode]]:
        """What fired or was resolved by a look at `now` (µs)."""
        held = {each.key: each for each in holding}
        changed: dict[Key, Episode] = {}
        for key in self.episodes.keys() - held.keys():
            episode = self.episodes[key]
            if episode.fired_at is None:
                del self.episodes[key]
                continue
            episode.ended = now if episode.ended is None else episode.ended
            over = episode.ended + self._rules[key[0]].keep_for
            if over <= now:
                episode.resolved_at = over
                changed[key] = self.episodes.pop(key)
        for key, fact in held.items():
            since = now if fact.since is None else min(fact.since, now)
            episode = self.episodes.setdefault(key, Episode(since))
            episode.ended = None
            ripe = episode.since + self._rules[key[0]].for_us
            if episode.fired_at is None and now >= ripe:
                episode.fired_at, episode.value = ripe, fact.value
                changed[key] = episode
        return sorted(changed.items(), key=lambda each: (each[0][0], each[0][1], each[0][2] or ""))


def place_of(plant: Plant, rule: AlertRule, paths: Collection[str] = ()) -> str:
    """Where an alert about a source or about the engine itself is told: at what all these paths belong to.

    Without paths, or where they belong to nothing together, at what the rule names outright, else at the first
    equipment.
    """
    outright = [path for path in rule.equipment if path in plant.equipment]
    chains = [(*reversed(plant.ancestors(path)), path) for path in (outright or paths)]
    shared: list[str] = [level[0] for level in zip(*chains, strict=False) if len(set(level)) == 1]
    if shared:
        return shared[-1]
    return outright[0] if outright else next(iter(plant.equipment))


def speakers(plant: Plant, rule: AlertRule, source: MqttSource) -> frozenset[str]:
    """The equipment that speaks through a source.

    What the rule names; else the equipment whose paths are its topics; if these tell nothing, everything.
    """
    if rule.equipment != ["*"]:
        return frozenset(in_scope(rule, plant))
    found = {path for path in plant.equipment if any(_fits(path, each) for each in source.filters)}
    return frozenset(found or plant.equipment)


def named(names: Iterable[str] | None, patterns: Collection[str]) -> list[str]:
    """Those of some names that fit one of the patterns."""
    return [name for name in names or () if any(fnmatchcase(name, pattern) for pattern in patterns)]


def lost_spans(plant: Plant, fired: Iterable[tuple[int, str | None, int, int | None]]) -> pl.DataFrame:
    """From alerts on lost sources (rule, source, fired and resolved) when which equipment could not be heard: LOST."""
    sources = {source.name: source for source in plant.sources if isinstance(source, MqttSource)}
    found = [
        (path, fired_at, resolved_at)
        for number, name, fired_at, resolved_at in fired
        if name in sources
        for path in sorted(speakers(plant, plant.alerts[number], sources[name]))
    ]
    return pl.DataFrame(found, schema=LOST, orient="row")


def _fits(path: str, topic: str) -> bool:
    """Whether a topic is that of an equipment: its path, or one level more that says what is told.

    >>> _fits("acme/ulm/line-1/filler", "acme/+/line-1/#"), _fits("acme/ulm/line-2", "acme/+/line-1/#")
    (True, False)
    >>> _fits("acme/ulm/line-1", "acme/ulm/+/state"), _fits("acme/ulm", "acme/ulm/line-1/#")
    (True, False)
    """
    levels, parts = topic.split("/"), path.split("/")
    whole = levels[-1] == "#"
    first = levels[:-1] if whole else levels[: len(parts)]
    if len(parts) < len(first) or (not whole and len(levels) - len(parts) not in (0, 1)):
        return False
    return all(level in ("+", part) for level, part in zip(first, parts, strict=False))
