"""A simulated week of the example plant: an event log with everything that goes wrong on the way, and the truth.

what happens ──► what the machines tell ──► the way to the log: late, twice, out of order, broken
                         └──► truth: what the results must be
"""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from kpis.plant import Plant
from pipelines.simulated_plant import (
    FIRST_DAY,
    LINE_1,
    LINE_2,
    MINUTE,
    MS,
    SECOND,
    Clock,
    Line,
    Machine,
    Made,
    Track,
    happen,
    local,
)
from pipelines.simulated_truth import Reclassified, Told, truth

Value = str | int | bool
Body = dict[str, Value]
ROLLOVER: Final = 100_000  # counters of the second line have five digits
QUALITIES: Final = ("good", "scrap", "rework")
HEARTBEAT: Final = 10 * MINUTE
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Message(NamedTuple):
    """An event on its way: when it reaches the log, and what it says."""

    arrival: int
    body: Body


@dataclass(frozen=True)
class Simulation:
    """A log in the order of arrival, by the date of arrival, and what must come out of it.

    `rows`: elements by machine and shift. `duplicates` and `rejected`: how many lines are no new event.
    """

    days: dict[date, list[bytes]]
    rows: list[dict[str, int | str | None]]
    duplicates: int
    rejected: int

    def write(self, folder: Path) -> list[Path]:
        """The log as compressed files of JSON lines, one a day; the same log gives the same files."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for day, lines in self.days.items():
            paths.append(folder / f"{day}.jsonl.gz")
            paths[-1].write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines), compresslevel=6, mtime=0))
        return paths


class _Times(NamedTuple):
    """When what goes wrong goes wrong."""

    offline: int
    online: int
    lost_from: int
    lost_to: int
    restart: int
    horizon: int


def simulate(plant: Plant, seed: int = 1) -> Simulation:
    """The week of the example plant. Two simulations of one seed are the same, byte for byte."""
    lines = happen(plant, seed)
    zone = ZoneInfo(plant.timezone)

    def at(day: int, clock: str) -> int:
        return local(zone, FIRST_DAY + timedelta(days=day), clock)

    times = _Times(
        at(2, "09:20:07"), at(2, "10:05:00"), at(3, "15:03:00"), at(3, "15:52:00"), at(2, "13:15:30"), at(7, "06:10:00")
    )
    chance = Random(seed + 1)
    messages: list[Message] = []
    rows: list[dict[str, int | str | None]] = []
    for line in lines:
        offline = [times.offline] if line.path == LINE_2 else []
        messages += _delayed(_of_line(line, times), line, times, chance)
        for machine in line.machines:
            told, sent = (_counted if line.path == LINE_1 else _metered)(line, machine, times)
            told, corrections = _corrected(told, at)
            messages += _delayed(sent, line, times, chance)
            messages += [Message(int(body["ts"]) + SECOND, body) for body in corrections]
            rows += truth(plant, told, offline, times.horizon)
    repeated = [Message(message.arrival + 5 * SECOND, message.body) for message in messages if chance.random() < 0.01]
    days: dict[date, list[bytes]] = {}
    for message in sorted([*messages, *repeated], key=lambda message: message.arrival):
        day = (_EPOCH + timedelta(microseconds=message.arrival)).astimezone(zone).date()
        days.setdefault(day, []).append(orjson.dumps(_shown(message.body)))
    broken = _broken(at)
    days[FIRST_DAY][1000:1000] = broken
    return Simulation(days, rows, len(repeated), len(broken))


def _of_line(line: Line, times: _Times) -> Iterator[Body]:
    """Orders, and the lost connection of the second line."""
    for order in line.orders:
        event: Body = {"equipment": line.path, "type": "order", "order": order.name, "product": order.product}
        yield {**event, "id": f"{order.name}-start", "ts": order.start, "action": "start", "quantity": 60_000}
        if order.end is not None:
            yield {**event, "id": f"{order.name}-end", "ts": order.end, "action": "end"}
    if line.path == LINE_2:
        gateway: Body = {"equipment": line.path, "type": "status"}
        yield {**gateway, "id": "gateway-1", "ts": times.offline, "online": False}
        yield {**gateway, "id": "gateway-2", "ts": times.online, "online": True}


def _states(machine: Machine) -> Iterator[Body]:
    for number, (start, _, state) in enumerate(machine.states.parts()):
        event: Body = {"equipment": machine.path, "id": f"s{number}", "ts": start, "type": "state", "state": state.name}
        yield event if state.reason is None else {**event, "reason": state.reason}


def _counted(line: Line, machine: Machine, _: _Times) -> tuple[Told, list[Body]]:
    """A machine of the first line sends its states, and the bottles since its last count."""
    events: list[Body] = list(_states(machine))
    for number, made in enumerate(machine.made):
        event: Body = {"equipment": machine.path, "id": f"c{number}", "ts": made.ts, "type": "count"}
        event |= {name: getattr(made, name) for name in QUALITIES if getattr(made, name)}
        events.append(event if made.reason is None else {**event, "reason": made.reason})
    return Told(machine.path, line, machine.states, [], machine.made, []), events


def _metered(line: Line, machine: Machine, times: _Times) -> tuple[Told, list[Body]]:
    """A machine of the second line sends its states, what its counters show, and a sign of life every ten minutes.

    What the filler sent on Thursday afternoon is lost; but its counters went on, so no bottle is.
    """
    lost = (times.lost_from, times.lost_to) if machine.name == "filler" else (0, 0)
    started, ended = machine.states.start, times.horizon
    beats = [*range(started + 3 * SECOND, ended, HEARTBEAT), ended]
    online: Body = {"equipment": machine.path, "type": "status", "online": True}
    events: list[Body] = [
        *_states(machine),
        *({**online, "id": f"h{beat}", "ts": beat} for beat in beats),
    ]
    booked: list[Made] = []
    for quality in QUALITIES:
        booked += _readings(machine, quality, lost, times.restart, events)
    kept = [event for event in events if not lost[0] <= int(event["ts"]) < lost[1]]
    states = Track(started, machine.states.end, machine.states.at(started))
    reported = [part for part in machine.states.parts() if not lost[0] <= part[0] < lost[1]]
    for start, _, state in reported:
        states.paint(start, machine.states.end, state)
    return Told(machine.path, line, states, [int(event["ts"]) for event in kept], booked, []), list(kept)


def _readings(machine: Machine, quality: str, lost: tuple[int, int], restart: int, events: list[Body]) -> list[Made]:
    """Add the readings of one counter to the events; the bottles that they tell of, when they tell of them.

    The palletizer's counters start again from 0 when its controller does, and have no end.
    """
    resets = machine.name == "palletizer"
    reading: Body = {"equipment": machine.path, "type": "counter", "quality": quality}
    reading |= {} if resets else {"rollover": ROLLOVER}
    begun = machine.states.start
    events.append({**reading, "id": f"{quality}-0", "ts": begun, "value": 0})
    value, untold, restarted, booked = 0, 0, False, []
    for number, made in enumerate(machine.made, start=1):
        pieces = int(getattr(made, quality))
        if pieces == 0:
            continue
        if resets and made.ts > restart and not restarted:
            value, restarted = 0, True
        value = value + pieces if resets else (value + pieces) % ROLLOVER
        events.append({**reading, "id": f"{quality}-{number}", "ts": made.ts, "value": value})
        untold += pieces
        if not lost[0] <= made.ts < lost[1]:
            good, scrap, rework = (untold if name == quality else 0 for name in QUALITIES)
            booked.append(Made(made.ts, good, scrap, rework, None))
            untold = 0
    return booked


def _corrected(told: Told, at: Clock) -> tuple[Told, list[Body]]:
    """What people put right afterwards: events, and what they change."""
    correct: Body = {"equipment": told.path, "by": "shift lead"}
    if told.path == f"{LINE_1}/filler":
        start, end, decided, next_day = at(1, "17:24:00"), at(1, "17:46:00"), at(1, "21:40:00"), at(2, "08:15:00")
        events: list[Body] = [
            {**correct, "id": "r1", "ts": decided, "start": start, "end": end, "reason": "drive"},
            {**correct, "id": "r2", "ts": next_day, "start": start, "end": end, "reason": "no-material"},
        ]
        decisions = [Reclassified(start, end, None, "drive"), Reclassified(start, end, None, "no-material")]
        return replace(told, reclassified=decisions), [{**event, "type": "reclassify"} for event in events]
    if told.path == f"{LINE_2}/filler":
        start, end, decided = at(3, "15:20:00"), at(3, "15:35:00"), at(3, "16:30:00")
        ran: Body = {**correct, "id": "r1", "ts": decided, "start": start, "end": end, "state": "RUN"}
        return replace(told, reclassified=[Reclassified(start, end, "RUN", None)]), [{**ran, "type": "reclassify"}]
    if told.path == f"{LINE_1}/palletizer":
        ts, later = at(4, "11:07:00"), at(4, "12:30:00")
        count: Body = {**correct, "ts": ts, "type": "count"}
        wrong: Body = {**count, "id": "scan-77", "good": 5_000}
        retract: Body = {**correct, "id": "t1", "ts": later, "type": "retract", "target": "scan-77"}
        moved: Body = {**count, "id": "q1", "good": -24, "scrap": 24, "reason": "damaged"}
        made = [*told.made, Made(ts, -24, 24, 0, "damaged")]
        return replace(told, made=made), [wrong, retract, moved]
    return told, []


def _delayed(events: Iterable[Body], line: Line, times: _Times, chance: Random) -> Iterator[Message]:
    """Events with their time of arrival: seconds later, and all at once when the gateway is back."""
    for event in events:
        ts = int(event["ts"])
        kept_back = line.path == LINE_2 and times.offline < ts < times.online
        yield Message((times.online if kept_back else ts) + round(chance.random() * 3 * SECOND), event)


def _broken(at: Clock) -> list[bytes]:
    """Lines that cannot be used: a machine nobody declared, a time without offset, half a message."""
    unknown: Body = {"equipment": "acme/ulm/packing/line-3/filler", "ts": at(0, "08:00:00"), "type": "state"}
    return [
        orjson.dumps(_shown({**unknown, "state": "RUN"})),
        b'{"equipment":"acme/ulm/packing/line-1/filler","ts":"2026-03-23T08:00:00","type":"count","good":12}',
        b'{"equipment":"acme/ulm/packing/line-1/filler","ts":"2026-03-23T07:1',
    ]


def _shown(body: Body) -> Body:
    """The event as it is sent: the second line tells times in milliseconds, all others as text."""
    milliseconds = str(body["equipment"]).startswith(LINE_2)
    return {
        name: (int(value) // MS if milliseconds else _text(int(value))) if name in ("ts", "start", "end") else value
        for name, value in body.items()
    }


def _text(instant: int) -> str:
    moment = _EPOCH + timedelta(microseconds=instant)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
