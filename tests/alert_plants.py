"""A plant with rules of every kind, and logs of it at random, for tests of alerts."""

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.random_logs import Event

LINE = "acme/ulm/line-1"
UNITS = tuple(f"{LINE}/{name}" for name in ("blower", "filler", "packer"))
BEGIN = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)

PLANT = f"""
[plant]
name = "p"
timezone = "UTC"
[defaults]
minor_stop_under = "2m"
ideal_cycle = "10s"
calendar = "day"
targets = {{ oee = 0.7 }}
[[shifts]]
calendar = "day"
name = "early"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 06:00:00
end = 10:00:00
breaks = [{{ start = 08:00:00, minutes = 20 }}]
[equipment."{LINE}"]
level = "line"
rollup = "constraint"
constraint = "{LINE}/filler"
flow = ["{LINE}/blower", "{LINE}/filler", "{LINE}/packer"]
[equipment."{LINE}/blower"]
level = "unit"
[equipment."{LINE}/filler"]
level = "unit"
[equipment."{LINE}/packer"]
level = "unit"
[reasons.jam]
category = "down"
"""

RULES = """
[[alerts]]
name = "stopped"
when = { state = "down" }
level = "unit"
for = "5m"
[[alerts]]
name = "anything stopped"
when = { state = "down" }
for = "1m"
keep_for = "2m"
severity = "info"
[[alerts]]
name = "line stands"
when = { state = ["down", "unknown"] }
level = "line"
for = "4m"
severity = "critical"
[[alerts]]
name = "jammed"
when = { reason = "jam" }
keep_for = "10m"
grace = { shift = "15m", break = "5m", setup = "10m" }
[[alerts]]
name = "starved"
when = { state = "idle" }
level = "unit"
for = "3m"
quiet = ["break"]
[[alerts]]
name = "all stand"
when = { state = ["down", "idle", "unknown"] }
level = "site"
for = "2m"
[[alerts]]
name = "low oee"
when = { kpi = "oee", window = "30m", below_target = 0.2, clear = 0.05 }
for = "5m"
keep_for = "3m"
[[alerts]]
name = "low oee of a unit"
when = { kpi = "oee", window = "30m", below_target = 0.2, clear = 0.05 }
level = "unit"
for = "15m"
severity = "critical"
[[alerts]]
name = "scrap"
when = { scrap = 3, reason = "dented", window = "20m" }
quiet = []
[[alerts]]
name = "behind"
when = { behind = "25m" }
level = "line"
[[alerts]]
name = "silent"
when = { silence = "12m" }
for = "2m"
[[alerts]]
name = "silent for long"
when = { silence = "12m" }
level = "unit"
for = "10m"
keep_for = "5m"
"""

SOON = "".join(part for part in re.split(r"(?=\[\[alerts\]\]\n)", RULES) if '"behind"' not in part)
"""The rules that look back an hour at most."""


def random_log(seed: int, size: int = 70) -> list[Event]:
    """Events of five hours: states, counts, scrap, lost communication, corrections and retractions."""
    chance = random.Random(seed)
    events: list[Event] = []
    for number in range(size):
        at = BEGIN + timedelta(seconds=chance.randrange(0, 6 * 3600), microseconds=chance.choice((0, 0, 250_000)))
        if chance.random() < 0.3:
            at = at.replace(second=0, microsecond=0)
        unit = chance.choice(UNITS)
        content = _content(chance, at, events, unit)
        events.append({"id": f"e{number}", "equipment": unit, "ts": at.isoformat()} | content)
    return events


def _content(chance: random.Random, at: datetime, before: list[Event], unit: str) -> dict[str, Any]:
    kind = chance.random()
    if kind < 0.5:
        state = chance.choice(("producing", "producing", "down", "down", "idle", "setup", "planned", "unknown"))
        reason = chance.choice((None, None, "jam", "other"))
        return {"type": "state", "state": state} | ({"reason": reason} if reason else {})
    if kind < 0.85:
        scrap = {"scrap": chance.randrange(1, 5), "reason": chance.choice(("dented", "torn"))}
        return {"type": "count", "good": chance.randrange(1, 90)} | (scrap if chance.random() < 0.4 else {})
    if kind < 0.9:
        return {"type": "status", "online": chance.random() < 0.5}
    if kind < 0.95:
        end = at + timedelta(minutes=chance.randrange(1, 40))
        return {
            "type": "reclassify",
            "start": at.isoformat(),
            "end": end.isoformat(),
            "state": chance.choice(("planned", "down", "producing")),
        }
    target = chance.choice([event["id"] for event in before if event["equipment"] == unit] or ["none"])
    return {"type": "retract", "target": target}
