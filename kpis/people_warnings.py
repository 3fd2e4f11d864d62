"""Gaps in who hears of alerts: hours in which nobody is there, rules that no route is for."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from kpis.alert_scope import in_scope
from kpis.duty import Roster, matches
from kpis.faults import Finding
from kpis.plant_alerts import AlertRule
from kpis.plant_model import Plant
from kpis.plant_people import Route
from kpis.shifts import schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK = timedelta(days=7)
# A Monday without exceptions, and without clock changes in its week.
_MONDAY = datetime(2001, 1, 8, tzinfo=UTC)


def people_warnings(plant: Plant) -> Iterator[Finding]:
    """Findings about routes, duty and people of a plant file without faults."""
    if not plant.calling.routes:
        return
    called: dict[int, list[tuple[AlertRule, str]]] = {}
    for number, rule in enumerate(plant.alerts):
        routed = False
        for path in in_scope(rule, plant):
            place = _route(plant, rule, path)
            if place is not None:
                called.setdefault(place, []).append((rule, path))
                routed = True
        if not routed:
            hint = "add a [[routes]] that fits it"
            yield Finding(("alerts", number, "name"), rule.name, "nobody is told of this alert", hint)
    for number, cases in sorted(called.items()):
        yield from _gaps(plant, number, cases)


def _route(plant: Plant, rule: AlertRule, path: str) -> int | None:
    """The number of the first route for alerts of a rule on an equipment."""
    for number, route in enumerate(plant.calling.routes):
        if _fits(route, rule, path, plant.equipment[path].level):
            return number
    return None


def _fits(route: Route, rule: AlertRule, path: str, level: str) -> bool:
    return (
        (not route.severity or rule.severity in route.severity)
        and (route.level is None or route.level == level)
        and matches(route.rule, rule.name)
        and matches(route.equipment, path)
    )


def _gaps(plant: Plant, number: int, cases: list[tuple[AlertRule, str]]) -> Iterator[Finding]:
    """For each step of a route the first hour of the week at which nobody is there, though an alert may come."""
    roster = Roster(plant)
    always = {path for rule, path in cases if "unscheduled" not in rule.quiet}
    # Equipment with the same calendar and the same people on duty has the same gaps.
    alike: dict[object, str] = {}
    for path in dict.fromkeys(path for _, path in cases):
        item = plant.equipment[path]
        duty = tuple(matches(each.equipment, path) for each in plant.calling.duty)
        alike.setdefault((item.calendar, item.timezone, duty, path in always), path)
    for place, step in enumerate(plant.calling.routes[number].escalation):
        for path in alike.values():
            at = _uncovered(plant, roster, step.to, path, always=path in always)
            if at is not None:
                where = ("routes", number, "escalation", place, "to")
                hint = "put somebody on [[duty]] then, or name a `fallback` in [notifications]"
                message = f"nobody to notify on {at:%A} at {at:%H:%M} of an alert on {path}"
                yield Finding(where, ", ".join(step.to), message, hint)
                break


def _uncovered(plant: Plant, roster: Roster, names: list[str], path: str, *, always: bool) -> datetime | None:
    """The first local time of a plain week at which none of the names is there, nor the fallback."""
    item = plant.equipment[path]
    zone = ZoneInfo(item.timezone)
    begin = _MONDAY.replace(tzinfo=zone)
    at, end = ((time.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) for time in (begin, begin + _WEEK))
    tiles = schedule(plant, item.calendar, item.timezone, at, end).select("start", "end", "schedule")
    for start, stop, kind in tiles.iter_rows():
        moment = max(start, at)
        while moment < min(stop, end) and (always or kind == "scheduled"):
            if not roster.called(names, path, moment) and not roster.fallback(path, moment):
                return (_EPOCH + timedelta(microseconds=moment)).astimezone(zone)
            moment = roster.changes_at(path, moment)
    return None
