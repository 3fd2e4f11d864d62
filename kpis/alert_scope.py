"""Which rule holds for which equipment, and whose time and pieces decide it: the rules, resolved, as frames."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property
from typing import NamedTuple

import polars as pl

from kpis.plant_alerts import MINUTE_US, QUIET, SEVERITIES, SHIFT, AlertRule
from kpis.plant_model import Plant
from kpis.rollup import contributions

LONGEST_SHIFT_US = 26 * 60 * MINUTE_US
"""A day and the clock change in it: how far back the start of a shift may be."""

KEY = ("rule", "equipment")
REACH = pl.Schema(
    {"contributor": pl.String, "rule": pl.UInt32, "equipment": pl.String, "alone": pl.Boolean, "begun": pl.Int64}
)
LIMITS = pl.Schema(
    {
        "rule": pl.UInt32,
        "equipment": pl.String,
        "on": pl.Float64,
        "off": pl.Float64,
        "sign": pl.Int8,
        "target": pl.Float64,
    }
)


class Measure(NamedTuple):
    """What is measured over a window: a KPI by its name, `behind`, or `scrap` of some reasons (none: of all)."""

    window: int
    what: str
    reasons: tuple[str, ...] = ()


def in_scope(rule: AlertRule, plant: Plant) -> list[str]:
    """The equipment that a rule is for."""
    named = {path for path in rule.equipment if path in plant.equipment}
    patterns = [re.compile(translate(pattern)) for pattern in rule.equipment if "*" in pattern]
    return [
        path
        for path, item in plant.equipment.items()
        if (rule.level is None or item.level == rule.level)
        and (path in named or rule.equipment == ["*"] or any(pattern.match(path) for pattern in patterns))
    ]


@dataclass(frozen=True)
class Reach:
    """Rows of REACH in order of the contributor, found by it at once."""

    rows: pl.DataFrame

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        return _places(self.rows["contributor"])

    def of(self, contributors: Iterable[str]) -> pl.DataFrame:
        """The rows of some contributors."""
        return _slices(self.rows, self._places, contributors)


def _places(sorted_: pl.Series) -> dict[str, tuple[int, int]]:
    """Where the rows of each value begin, and how many there are."""
    counts = sorted_.to_frame("value").group_by("value", maintain_order=True).len()
    ends = counts["len"].cum_sum().to_list()
    return {value: (end - length, length) for (value, length), end in zip(counts.iter_rows(), ends, strict=True)}


def _slices(rows: pl.DataFrame, places: Mapping[str, tuple[int, int]], values: Iterable[str]) -> pl.DataFrame:
    found = [rows.slice(*places[value]) for value in values if value in places]
    return pl.concat(found) if found else rows.clear()


@dataclass(frozen=True)
class Scope:
    """All rules over the equipment of a plant, given which equipment has events of its own.

    `rules` tells of each rule its times and flags. `members` are the keys in order of equipment, with the first rule of
    the same condition (`alike`). `reach` holds for each contributor the rule and equipment whose condition is about its
    time, whether about that alone, and since when it has time; `alike` only for the first of rules alike. `limits` are
    those of each measure. `shares` tells who gives time and pieces to measured equipment.
    """

    plant: Plant
    rules: pl.DataFrame
    members: pl.DataFrame
    reach: Reach
    alike: Reach
    limits: Mapping[Measure, pl.DataFrame]
    shares: pl.DataFrame
    _matches: dict[tuple[str, str | None], list[int]] = field(default_factory=dict, repr=False)

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The places of rules in the plant file, by their names."""
        return {rule.name: number for number, rule in enumerate(self.plant.alerts)}

    @cached_property
    def first_alike(self) -> tuple[int, ...]:
        """For each rule the first one of the same condition."""
        return _first_alike(self.plant)

    @cached_property
    def patience(self) -> pl.DataFrame:
        """For the first of rules alike (`alike`), the least `for` of any of them and whether any has a `keep_for`."""
        return self.rules.group_by("alike").agg(
            pl.col("measured").first(), least=pl.col("for_us").min(), keeps=(pl.col("keep_us") > 0).any()
        )

    @cached_property
    def silences(self) -> pl.DataFrame:
        """The first of rules alike about silence, and how long it must last (`least`, µs)."""
        silent = [
            (number, rule.when.silence)
            for number, rule in enumerate(self.plant.alerts)
            if rule.when.silence and number == self.first_alike[number]
        ]
        return pl.DataFrame(silent, schema={"rule": pl.UInt32, "least": pl.Int64}, orient="row")

    def firsts(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Rows of KEY with the first rule alike in the place of each rule, each once."""
        alike = pl.Series(self.first_alike, dtype=pl.UInt32)
        return keys.select(alike.gather(keys["rule"]).alias("rule"), "equipment").unique()

    @cached_property
    def _of_equipment(self) -> dict[str, tuple[int, int]]:
        return _places(self.members["equipment"])

    def members_of(self, paths: Iterable[str]) -> pl.DataFrame:
        """The keys of some equipment."""
        return _slices(self.members, self._of_equipment, paths)

    @cached_property
    def contributors(self) -> Mapping[str, frozenset[str]]:
        """By equipment that any rule is for, whose time or pieces decide it."""
        pairs = pl.concat([frame.select("equipment", "contributor") for frame in (self.reach.rows, self.shares)])
        grouped = pairs.unique().group_by("equipment").agg("contributor")
        return {path: frozenset(parts) for path, parts in grouped.iter_rows()}

    @cached_property
    def concerns(self) -> Mapping[str, frozenset[str]]:
        """By contributor, the equipment whose alerts it may change."""
        concerned: dict[str, set[str]] = {}
        for path, parts in self.contributors.items():
            for part in parts:
                concerned.setdefault(part, set()).add(path)
        return {part: frozenset(paths) for part, paths in concerned.items()}

    @cached_property
    def measured(self) -> frozenset[str]:
        """The equipment that any rule measures, and that has something to be measured."""
        limited = {path for frame in self.limits.values() for path in frame["equipment"]}
        return frozenset(limited & self.contributors.keys())

    def settled(self, horizon: int, minute: int) -> pl.DataFrame:
        """The rules, each with the instant up to which it is known whether it holds (`now`)."""
        now = pl.when("measured").then(pl.lit(minute + 1, pl.Int64)).otherwise(pl.lit(horizon, pl.Int64))
        return self.rules.select("rule", "for_us", "keep_us", now=now)

    @cached_property
    def back_us(self) -> int:
        """How far back a rule may look from an instant to know what holds at it."""
        return self.lasting_us + self.grace_us + self.window_us + 2 * MINUTE_US

    @cached_property
    def lasting_us(self) -> int:
        """The longest `for` and `keep_for` of a rule together."""
        return max((rule.for_us + rule.keep_for for rule in self.plant.alerts), default=0)

    @cached_property
    def grace_us(self) -> int:
        """The longest grace."""
        graces = (grace for rule in self.plant.alerts for grace in grace_of(rule).values())
        return max(graces, default=0)

    @cached_property
    def window_us(self) -> int:
        """The longest window."""
        return max((LONGEST_SHIFT_US if m.window == SHIFT else m.window for m in self.limits), default=0)

    def sharing(self, reach: Reach, keys: pl.DataFrame) -> pl.DataFrame:
        """All contributors of some keys, with when each of them began to have time."""
        paths = {part for path in keys["equipment"].unique() for part in self.contributors[path]}
        return reach.of(sorted(paths)).join(keys, on=KEY, how="semi").select(*KEY, "begun")

    def matching(self, category: str, reason: str | None) -> list[int]:
        """The rules about a state, the first of those alike, whose condition a category and reason fulfil."""
        if (category, reason) not in self._matches:
            self._matches[category, reason] = [
                number
                for number, rule in enumerate(self.plant.alerts)
                if rule.when.kind == "state"
                and number == self.first_alike[number]
                and (not rule.when.state or category in rule.when.state)
                and (not rule.when.reason or reason in rule.when.reason)
            ]
        return self._matches[category, reason]


def grace_of(rule: AlertRule) -> dict[str, int]:
    """How long a rule is quiet after what, by the name of the reason that is told."""
    return {
        "after shift start": rule.grace.shift,
        "after break": rule.grace.break_,
        "after setup": rule.grace.setup,
    }


def scope_of(plant: Plant, accounted: Mapping[str, int], before: Scope | None = None) -> Scope:
    """The rules of a plant over its equipment, `accounted` being what has events of its own, and since when.

    `before`: the same rules over other equipment, to be quick.
    """
    if before is None:
        scopes = [[] if rule.watched else in_scope(rule, plant) for rule in plant.alerts]
        members, rules = _members(plant, scopes), _rules(plant)
        limits: Mapping[Measure, pl.DataFrame] = _limits(plant, scopes)
    else:
        members, rules, limits = before.members, before.rules, before.limits
    wanted = set(members["equipment"].unique())
    parts = [part for part in contributions(plant, accounted) if part.equipment in wanted]
    shares = pl.DataFrame(
        parts,
        schema={
            "equipment": pl.String,
            "contributor": pl.String,
            "gives_time": pl.Boolean,
            "gives_pieces": pl.Boolean,
        },
        orient="row",
    )
    time = shares.filter("gives_time").select("equipment", "contributor").unique()
    begun = pl.col("contributor").replace_strict(dict(accounted), return_dtype=pl.Int64)
    time = time.with_columns(alone=pl.len().over("equipment") == 1, begun=begun)
    keys = members.select("equipment", "rule")
    firsts = members.select("equipment", rule="alike").unique()
    reach, alike = (
        Reach(frame.join(time, on="equipment").select(REACH.names()).sort("contributor", "rule", "equipment"))
        for frame in (keys, firsts)
    )
    measured = {path for frame in limits.values() for path in frame["equipment"]}
    shares = shares.filter(pl.col("equipment").is_in(list(measured)))
    return Scope(plant, rules, members, reach, alike, limits, shares)


def _members(plant: Plant, scopes: list[list[str]]) -> pl.DataFrame:
    firsts = _first_alike(plant)
    schema = {"equipment": pl.String, "rule": pl.UInt32, "alike": pl.UInt32}
    pairs = [
        pl.DataFrame({"equipment": paths}, schema={"equipment": pl.String}).with_columns(
            rule=pl.lit(number, pl.UInt32), alike=pl.lit(firsts[number], pl.UInt32)
        )
        for number, paths in enumerate(scopes)
    ]
    return pl.concat([pl.DataFrame(schema=schema), *pairs]).sort("equipment", "rule")


def _first_alike(plant: Plant) -> tuple[int, ...]:
    seen: dict[str, int] = {}
    return tuple(seen.setdefault(rule.when.model_dump_json(), number) for number, rule in enumerate(plant.alerts))


def _rules(plant: Plant) -> pl.DataFrame:
    rows = [
        (
            number,
            alike,
            rule.for_us,
            rule.keep_for,
            measure_of(rule) is not None,
            rule.inhibits,
            rule.when.kind == "state" and rule.when.state == ["idle"],
            SEVERITIES.index(rule.severity),
            *(why in rule.quiet for why in QUIET),
            *grace_of(rule).values(),
        )
        for number, (rule, alike) in enumerate(zip(plant.alerts, _first_alike(plant), strict=True))
    ]
    schema = {
        "rule": pl.UInt32,
        "alike": pl.UInt32,
        "for_us": pl.Int64,
        "keep_us": pl.Int64,
        "measured": pl.Boolean,
        "inhibits": pl.Boolean,
        "starving": pl.Boolean,
        "rank": pl.Int8,
        **dict.fromkeys(QUIET, pl.Boolean),
        **dict.fromkeys(("after shift start", "after break", "after setup"), pl.Int64),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _limits(plant: Plant, scopes: list[list[str]]) -> dict[Measure, pl.DataFrame]:
    paths: dict[int, dict[str, None]] = {}
    for number, alike in enumerate(_first_alike(plant)):
        paths.setdefault(alike, {}).update(dict.fromkeys(scopes[number]))
    rows: dict[Measure, list[tuple[int, str, float, float, int, float | None]]] = {}
    for number, its in paths.items():
        rule = plant.alerts[number]
        measure = measure_of(rule)
        if measure is None:
            continue
        into = rows.setdefault(measure, [])
        for path in its:
            target = plant.equipment[path].targets.get("oee" if measure.what == "behind" else measure.what)
            found = _limit(rule, target)
            if found is not None:
                into.append((number, path, *found, target))
    return {measure: pl.DataFrame(found, schema=LIMITS, orient="row") for measure, found in rows.items()}


def measure_of(rule: AlertRule) -> Measure | None:
    """What a rule measures; None: it is about states or silence."""
    when = rule.when
    if when.kpi is not None:
        return Measure(when.window, when.kpi)
    if when.scrap is not None:
        return Measure(when.window, "scrap", tuple(when.reason))
    return Measure(SHIFT, "behind") if when.behind is not None else None


def _limit(rule: AlertRule, target: float | None) -> tuple[float, float, int] | None:
    """Where an alert begins and ends, and which way is bad; None: the target that it is about is not set."""
    when = rule.when
    if when.limit is None:
        on = float(when.behind or when.scrap or 0)
        if when.behind is not None and target is None:
            return None
        return on, on if when.clear is None else when.clear, 1
    key, value = when.limit
    off = value if when.clear is None else when.clear
    sign = -1 if key.startswith("below") else 1
    if not key.endswith("target"):
        return value, off, sign
    # Rounded, because 0.8 - 0.2 is more than 0.6 to a computer.
    return None if target is None else (round(target + sign * value, 9), round(target + sign * off, 9), sign)
