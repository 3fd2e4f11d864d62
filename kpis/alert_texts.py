"""What an alert says: what, where, since when, how bad, and why."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from kpis.alert_scope import Measure, measure_of
from kpis.plant_alerts import SHIFT, AlertRule
from kpis.plant_model import Plant
from kpis.registry import kpi_named

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_US = 60_000_000

_DEFAULTS: Mapping[str, str] = {
    "state": "{equipment}: {rule} since {since}, {reason}",
    "kpi": "{equipment}: {kpi} is {value}, limit {limit}",
    "scrap": "{equipment}: {value} scrapped, limit {limit}",
    "behind": "{equipment}: {value} behind plan",
    "silence": "{equipment}: nothing heard in the {limit} up to {since}",
    "disconnected": "source {reason}: no connection to its broker since {since}",
    "skew": "source {reason}: its events are {value} off the clock, limit {limit}",
    "rejected": "{equipment}: {value} events could not be used, limit {limit}",
    "late": "{equipment}: {value} events came late, limit {limit}",
    "sql": "{equipment}: {rule} since {since}",
    "overdue": "{equipment}: order {reason} is {value} overdue",
    "lag": "the engine is {value} behind, limit {limit}",
    "outbox": "channel {reason}: a message waits for {value}, limit {limit}",
    "failing": "channel {reason}: messages do not get out since {since}",
}
_LASTING = ("skew", "lag", "outbox")


def alert_id(rule: str, equipment: str, since: int) -> str:
    """The name of an alert: the same rule, equipment and beginning give the same one, whenever it is found."""
    return sha256(f"{rule}\n{equipment}\n{since}".encode()).hexdigest()[:16]


def line_of(plant: Plant, path: str) -> str:
    """What alerts are put together by: the line that an equipment is or belongs to, else itself."""
    for place in (path, *plant.ancestors(path)):
        if plant.equipment[place].level == "line":
            return place
    return path


def text_of(
    plant: Plant,
    rule: AlertRule,
    path: str,
    since: int,
    *,
    reason: str | None,
    value: float | None,
    limit: float | None,
    target: float | None,
) -> str:
    """The text of an alert in the words of its rule; times are local to the equipment."""
    item = plant.equipment[path]
    measure = measure_of(rule)
    known = plant.reasons.get(reason) if reason is not None and not rule.watched else None
    fields = {
        "equipment": path,
        "line": line_of(plant, path).rpartition("/")[2],
        "unit": path.rpartition("/")[2],
        "rule": rule.name,
        "severity": rule.severity,
        "since": f"{(_EPOCH + timedelta(microseconds=since)).astimezone(ZoneInfo(item.timezone)):%Y-%m-%d %H:%M}",
        "reason": (known.label if known else reason) or "no reason given",
        "kpi": kpi_label(measure) if measure else "",
        "value": _seen(rule, value) if rule.watched else shown(measure, value),
        "limit": _limit(rule, measure, limit),
        "target": shown(measure, target),
    }
    return (rule.text or _DEFAULTS[rule.when.kind]).format_map(fields)


def _limit(rule: AlertRule, measure: Measure | None, limit: float | None) -> str:
    if rule.watched:
        given = getattr(rule.when, rule.when.kind)
        return "-" if isinstance(given, list | str) else _seen(rule, given)
    return shown(measure, limit) if rule.when.silence is None else f"{rule.when.silence // _MINUTE_US} min"


def _seen(rule: AlertRule, value: float | None) -> str:
    """What the engine saw by its own clock, for people."""
    if value is None:
        return "-"
    if rule.when.kind == "overdue":
        return f"{value / _MINUTE_US:.0f} min"
    return f"{abs(value) / 1e6:.0f} s" if rule.when.kind in _LASTING else f"{value:g}"


def kpi_label(measure: Measure) -> str:
    """What is measured, with its window."""
    window = "since the shift began" if measure.window == SHIFT else f"of the last {measure.window // _MINUTE_US} min"
    name = kpi_named(measure.what).label if measure.what not in ("scrap", "behind") else measure.what
    return f"{name} {window}"


def shown(measure: Measure | None, value: float | None) -> str:
    """A measured value for people; - where there is none."""
    if measure is None or value is None:
        return "-"
    if measure.what == "behind":
        return f"{value / _MINUTE_US:.0f} min"
    if measure.what != "scrap" and kpi_named(measure.what).unit == "ratio":
        return f"{value * 100:.1f} %"
    return f"{value:g}"
