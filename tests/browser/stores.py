"""Stores that pages are tried on: a small plant with a story, one machine alone, nothing at all, and a large plant."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.engine import fill
from tests.random_logs import Event

START = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)  # a Monday, 06:00 in Berlin: the early shift begins
LINE = "acme/ulm/packing/line-1"
FILLER, PACKER = f"{LINE}/filler", f"{LINE}/packer"
OTHER = "acme/ulm/packing/line-2"
PLANT = f"""
[plant]
name = "Acme Ulm"
timezone = "Europe/Berlin"
[defaults]
minor_stop_under = "2m"
[[shifts]]
calendar = "day"
name = "early"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 06:00:00
end = 14:00:00
breaks = [{{ start = 08:00:00, minutes = 30 }}]
[equipment."acme/ulm"]
level = "site"
calendar = "day"
targets = {{ oee = 0.75 }}
[equipment."{LINE}"]
level = "line"
rollup = "constraint"
constraint = "{FILLER}"
output = "{PACKER}"
[equipment."{FILLER}"]
level = "unit"
ideal_cycle = "1s"
[equipment."{PACKER}"]
level = "unit"
ideal_cycle = "1s"
[equipment."{OTHER}"]
level = "line"
[equipment."{OTHER}/press"]
level = "unit"
ideal_cycle = "2s"
[states]
RUN = "producing"
STOP = "down"
WAIT = "idle"
[reasons.jam]
label = "Bottle jam <at> infeed & outfeed"
"""


def _at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def _event(equipment: str, minutes: float, kind: str, **fields: object) -> Event:
    return {
        "id": f"{kind}-{minutes}-{fields.get('action', '')}",
        "ts": _at(minutes),
        "equipment": equipment,
        "type": kind,
        **fields,
    }


def bottling(db: Path) -> None:
    """Two lines up to 11:00 local: line 1 has been down for 20 minutes with a jam, line 2 runs too fast to be true."""
    fill(db, PLANT, [story()])


def story() -> list[Event]:
    """What happens in `bottling`."""
    events = [
        _event(LINE, 0, "order", action="start", order="4711", product="P-1", quantity=20_000),
        _event(FILLER, 0, "state", state="RUN"),
        _event(PACKER, 0, "state", state="RUN"),
        _event(f"{OTHER}/press", 0, "state", state="RUN"),
        _event(FILLER, 60, "state", state="STOP"),  # 10 minutes without a reason
        _event(FILLER, 70, "state", state="RUN"),
        _event(FILLER, 200, "state", state="STOP", reason="jam"),  # one minute: a minor stop
        _event(FILLER, 201, "state", state="RUN"),
        _event(FILLER, 280, "state", state="STOP", reason="jam"),
        _event(PACKER, 282, "state", state="WAIT"),
    ]
    for minute in range(5, 280, 5):
        if not 60 < minute <= 70 and not 120 < minute <= 150:
            events.append(_event(FILLER, minute, "count", good=270, scrap=3))
            events.append(_event(PACKER, minute, "count", good=268, scrap=2))
    events += [_event(f"{OTHER}/press", minute, "count", good=180) for minute in range(5, 300, 5)]
    events.append(_event(f"{OTHER}/press", 300, "state", state="RUN"))
    return events


def offline() -> list[Event]:
    """What is told when nothing more is heard of the machines of the story from 11:00 on."""
    return [_event(path, 300, "status", online=False) for path in (FILLER, PACKER, f"{OTHER}/press")]


def alone(db: Path) -> None:
    """One machine without calendar, target, order or ideal cycle."""
    toml = '[plant]\nname = "Workshop"\ntimezone = "UTC"\n[equipment."shop/mill"]\nlevel = "unit"\n'
    events: list[Event] = [
        {"id": "a", "ts": _at(0), "equipment": "shop/mill", "type": "state", "state": "producing"},
        {"id": "b", "ts": _at(30), "equipment": "shop/mill", "type": "count", "good": 12},
        {"id": "c", "ts": _at(90), "equipment": "shop/mill", "type": "state", "state": "CALIBRATING"},
    ]
    fill(db, toml, [events])


def empty(db: Path) -> None:
    """A plant from which nothing has come yet."""
    fill(db, PLANT, [[]])


def large(db: Path, lines: int = 40, machines: int = 5) -> None:
    """Many lines with long names, an hour of each."""
    toml = [PLANT]
    events: list[Event] = []
    for line in range(lines):
        path = f"acme/ulm/hall-{line % 3}/very-long-name-of-an-assembly-line-number-{line:02}"
        toml.append(f'[equipment."{path}"]\nlevel = "line"\n')
        for machine in range(machines):
            unit = f"{path}/station-{machine}-with-a-long-name"
            toml.append(f'[equipment."{unit}"]\nlevel = "unit"\nideal_cycle = "1s"\n')
            events.append(_event(unit, 0, "state", state="RUN"))
            events.append(_event(unit, 30, "count", good=1_000 + 20 * line))
            events.append(_event(unit, 40 + line % 20, "state", state=("STOP", "RUN", "WAIT")[(line + machine) % 3]))
    events.append(_event(FILLER, 60, "state", state="RUN"))
    fill(db, "".join(toml), [events])
