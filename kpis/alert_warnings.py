"""Alert rules that can hardly be meant: those that never fire, or not where they seem to be for."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from kpis.alert_scope import in_scope, measure_of
from kpis.alert_watch import named
from kpis.faults import Finding, nearest
from kpis.plant_alerts import AlertRule
from kpis.plant_model import Calendar, Plant
from kpis.plant_sources import MqttSource
from kpis.registry import kpi_named
from kpis.toml_lines import Location

_MONDAY = datetime(1900, 1, 1)  # noqa: DTZ001 (wall clock of no zone)


def alert_warnings(plant: Plant) -> Iterator[Finding]:
    """Rules that can never fire, or not where they seem to be for."""
    for number, rule in enumerate(plant.alerts):
        place: Location = ("alerts", number)
        paths = in_scope(rule, plant)
        if not paths:
            found = ", ".join(rule.equipment) + (f" of level {rule.level}" if rule.level else "")
            hint = '"*" stands for anything, also for several levels'
            yield Finding((*place, "equipment"), found, "the rule is for no equipment: it never fires", hint)
            continue
        if rule.watched:
            yield from _watched(plant, rule, place)
            yield from _overdue(plant, rule, place, paths)
            continue
        yield from _reasons(plant, rule, place)
        yield from _quiet(rule, place)
        yield from _targets(plant, rule, place, paths)
        yield from _limits(rule, place)
        yield from _times(plant, rule, place, paths)


def _watched(plant: Plant, rule: AlertRule, place: Location) -> Iterator[Finding]:
    sources = [source.name for source in plant.sources if isinstance(source, MqttSource)]
    channels = [channel.name for channel in plant.calling.channels]
    for key, patterns, known in (
        ("disconnected", rule.when.disconnected, sources),
        ("failing", rule.when.failing, channels),
    ):
        if patterns is not None and not named(known, patterns):
            what = "live source" if key == "disconnected" else "channel"
            yield Finding((*place, "when", key), ", ".join(patterns), f"names no {what}: the rule never fires")


def _overdue(plant: Plant, rule: AlertRule, place: Location, paths: list[str]) -> Iterator[Finding]:
    if rule.when.overdue is None:
        return
    # A level may take its time, and with it the ideal cycle, from anything below it.
    places = {part for path in paths for part in (path, *plant.descendants(path))}
    if not any(plant.has_ideal_cycle(path) for path in places):
        message = "no equipment of the rule has an ideal cycle: it never fires"
        yield Finding((*place, "when", "overdue"), None, message, 'such as ideal_cycle = "500ms"')


def _reasons(plant: Plant, rule: AlertRule, place: Location) -> Iterator[Finding]:
    where = (*place, "when", "reason")
    for reason in rule.when.reason:
        known = plant.reasons.get(reason)
        if known is None:
            yield Finding(where, reason, "a reason that [reasons] does not have", nearest(reason, plant.reasons))
        elif rule.when.state and known.category is not None and known.category not in rule.when.state:
            message = f"its category is {known.category}, so the rule never fires for it"
            yield Finding(where, reason, message, f'add "{known.category}" to state, or leave state out')


def _quiet(rule: AlertRule, place: Location) -> Iterator[Finding]:
    states = rule.when.state
    if states and all(state == "planned" and "planned_stop" in rule.quiet for state in states):
        yield Finding((*place, "quiet"), ", ".join(rule.quiet), f"quiet in {states[0]}: the rule never fires")


def _targets(plant: Plant, rule: AlertRule, place: Location, paths: list[str]) -> Iterator[Finding]:
    measure, limit = measure_of(rule), rule.when.limit
    if measure is None or not (measure.what == "behind" or (limit and limit[0].endswith("target"))):
        return
    name = "oee" if measure.what == "behind" else measure.what
    without = [path for path in paths if name not in plant.equipment[path].targets]
    if without:
        all_ = len(without) == len(paths)
        message = f"{'no' if all_ else 'not all'} equipment of the rule has a target for {name}"
        message += ": it never fires" if all_ else f"; {without[0]} has none"
        yield Finding((*place, "when"), None, message, f"such as targets = {{ {name} = 0.80 }}")


def _limits(rule: AlertRule, place: Location) -> Iterator[Finding]:
    limit = rule.when.limit
    if limit is None or rule.when.kpi is None or kpi_named(rule.when.kpi).unit != "ratio":
        return
    key, value = limit
    if key == "below" and value <= 0:
        yield Finding((*place, "when", key), f"{value:g}", "nothing is below it: the rule never fires")
    elif value > 1 and rule.when.kpi != "performance":
        yield Finding((*place, "when", key), f"{value:g}", "a limit above 1", "60 % is 0.60")


def _times(plant: Plant, rule: AlertRule, place: Location, paths: list[str]) -> Iterator[Finding]:
    calendars = {plant.equipment[path].calendar for path in paths}
    measure = measure_of(rule)
    if measure is not None and measure.window == 0 and calendars == {None}:
        message = "counts from the start of a shift, and its equipment has no calendar: the rule never fires"
        yield Finding((*place, "when"), None, message, "set calendar on an equipment or in [defaults]")
    if "unscheduled" not in rule.quiet or None in calendars:
        return
    longest = max((_longest(plant.calendars[name]) for name in calendars if name is not None), default=timedelta())
    wait = timedelta(microseconds=rule.for_us + (rule.when.silence or 0))
    if calendars and timedelta() < longest <= wait:
        message = f"longer than any time of work on end ({longest}): the rule never fires"
        yield Finding((*place, "for"), str(wait), message, 'shorten it, or take "unscheduled" out of quiet')


def _longest(calendar: Calendar) -> timedelta:
    """The longest time of work on end in a plain week, shifts that follow on each other taken together."""
    spans = []
    for day in range(14):
        date = _MONDAY + timedelta(days=day)
        for shift in calendar.shifts:
            if day % 7 in shift.days:
                start = datetime.combine(date, shift.start)
                end = datetime.combine(date + timedelta(days=shift.overnight), shift.end)
                spans.append((start, end))
    longest, begun, reached = timedelta(), _MONDAY, _MONDAY
    for start, end in sorted(spans):
        if start > reached:
            begun = start
        reached = max(reached, end)
        longest = max(longest, reached - begun)
    return longest
