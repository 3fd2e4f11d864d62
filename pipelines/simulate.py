"""What the simulated plant tells: a log with everything that goes wrong on the way, and the truth.

what happens ──► what the machines tell ──► the way to the log: late, twice, out of order, broken
                         └──► truth: what the results must be
"""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from kpis.plant import Plant
from pipelines.simulated_plant import Line, Machine, Made, Track, happen
from pipelines.simulated_story import LINE_1, LINE_2, Span, Story, march
from pipelines.simulated_time import EPOCH, MINUTE, MS, SECOND, date_of
from pipelines.simulated_truth import Reclassified, Row, Told, truth

Value = str | int | bool
Body = dict[str, Value]
ROLLOVER: Final = 100_000  # counters of the second line have five digits
QUALITIES: Final = ("good", "scrap", "rework")
HEARTBEAT: Final = 10 * MINUTE


class Message(NamedTuple):
    """An event on its way: when it reaches the log, which equipment sends it, and an event or bytes as they are."""

    arrival: int
    equipment: str
    told: Body | bytes

    @property
    def line(self) -> bytes:
        """The message as it is sent."""
        return self.told if isinstance(self.told, bytes) else orjson.dumps(_shown(self.told))


@dataclass(frozen=True)
class Simulation:
    """A log in the order of arrival, and what is known of it.

    `told` of each machine; `duplicates` and `rejected`: how many messages are no new event.
    """

    plant: Plant
    story: Story
    messages: list[Message]
    told: list[Told]
    duplicates: int
    rejected: int

    def truth(self, horizon: int | None = None) -> list[Row]:
        """What must come out: elements by machine and shift, up to a horizon or to the end of the story."""
        until = self.story.end if horizon is None else horizon
        offline = {LINE_1: (), LINE_2: self.story.offline}
        return [
            row
            for told in self.told
            for row in truth(self.plant, told, [span.start for span in offline[told.line.path]], until)
        ]

    def write(self, folder: Path) -> list[Path]:
        """The log as compressed files of JSON lines, one a day of arrival; the same log gives the same files."""
        folder.mkdir(parents=True, exist_ok=True)
        zone = ZoneInfo(self.plant.timezone)
        days = groupby(self.messages, key=lambda message: date_of(zone, message.arrival))
        return [write_lines(folder / f"{day}.jsonl.gz", messages) for day, messages in days]


def write_lines(path: Path, messages: Iterable[Message]) -> Path:
    """Messages as a compressed file of JSON lines."""
    lines = b"".join(message.line + b"\n" for message in messages)
    path.write_bytes(gzip.compress(lines, compresslevel=6, mtime=0))
    return path


def simulate(plant: Plant, seed: int = 1, story: Story | None = None) -> Simulation:
    """A story of the example plant, without one its week in March 2026. The same again is the same, byte for byte."""
    story = march(ZoneInfo(plant.timezone)) if story is None else story
    chance = Random(seed + 1)
    sent: list[tuple[int, Body]] = []
    all_told: list[Told] = []
    for line in happen(plant, story, seed):
        sent += _delayed(_of_line(line, story), line, story, chance)
        for machine in line.machines:
            told, events = (_counted if line.path == LINE_1 else _metered)(line, machine, story)
            told, corrections = _corrected(told, story)
            sent += _delayed(events, line, story, chance)
            sent += [(int(body["ts"]) + SECOND, body) for body in corrections]
            all_told.append(told)
    repeated = [(arrival + 5 * SECOND, body) for arrival, body in sent if chance.random() < 0.01]
    messages = [Message(arrival, str(body["equipment"]), body) for arrival, body in [*sent, *repeated]]
    broken = [message for ts in story.broken for message in _broken(ts)]
    messages = sorted([*messages, *broken], key=lambda message: message.arrival)
    return Simulation(plant, story, messages, all_told, len(repeated), len(broken))


def _of_line(line: Line, story: Story) -> Iterator[Body]:
    """Orders, and the lost connection of the second line."""
    for order in line.orders:
        event: Body = {"equipment": line.path, "type": "order", "order": order.name, "product": order.product}
        wanted = line.wanted(order)
        yield {**event, "id": f"{order.name}-start", "ts": order.start, "action": "start", "quantity": wanted}
        if order.end is not None:
            yield {**event, "id": f"{order.name}-end", "ts": order.end, "action": "end"}
    if line.path == LINE_2:
        for number, silence in enumerate(story.offline):
            gateway: Body = {"equipment": line.path, "type": "status"}
            yield {**gateway, "id": f"{story.name}-off{number}", "ts": silence.start, "online": False}
            yield {**gateway, "id": f"{story.name}-on{number}", "ts": silence.end, "online": True}


def _states(machine: Machine, story: Story) -> Iterator[Body]:
    for number, (start, _, state) in enumerate(machine.states.parts()):
        name = f"{story.name}-s{number}"
        event: Body = {"equipment": machine.path, "id": name, "ts": start, "type": "state", "state": state.name}
        yield event if state.reason is None else {**event, "reason": state.reason}


def _states_in_force(machine: Machine, story: Story) -> Iterator[Body]:
    """The state of a machine right after its gateway lost the connection: without it nobody knew how it went on."""
    for number, silence in enumerate(story.offline):
        state = machine.states.at(silence.start + MS)
        name = f"{story.name}-f{number}"
        event: Body = {"equipment": machine.path, "id": name, "ts": silence.start + MS, "type": "state"}
        event["state"] = state.name
        yield event if state.reason is None else {**event, "reason": state.reason}


def _counted(line: Line, machine: Machine, story: Story) -> tuple[Told, list[Body]]:
    """A machine of the first line sends its states, and the bottles since its last count."""
    events: list[Body] = list(_states(machine, story))
    for number, made in enumerate(machine.made):
        event: Body = {"equipment": machine.path, "id": f"{story.name}-c{number}", "ts": made.ts, "type": "count"}
        event |= {name: getattr(made, name) for name in QUALITIES if getattr(made, name)}
        events.append(event if made.reason is None else {**event, "reason": made.reason})
    return Told(machine.path, line, machine.states, [], [], machine.made, []), events


def _metered(line: Line, machine: Machine, story: Story) -> tuple[Told, list[Body]]:
    """A machine of the second line sends its states, what its counters show, and a sign of life every ten minutes.

    What the gateway keeps while it is offline begins with the state in force. What the filler sends is lost at times;
    but its counters go on, so no bottle is.
    """
    lost = story.lost if machine.name == "filler" else ()
    started, ended = machine.states.start, story.end
    beats = [*range(started + 3 * SECOND, ended, HEARTBEAT), ended]
    online: Body = {"equipment": machine.path, "type": "status", "online": True}
    events: list[Body] = [
        *_states(machine, story),
        *_states_in_force(machine, story),
        *({**online, "id": f"{story.name}-h{beat}", "ts": beat} for beat in beats),
    ]
    booked: list[Made] = []
    for quality in QUALITIES:
        booked += _readings(machine, quality, story, lost, events)
    kept = [event for event in events if not _within(lost, int(event["ts"]))]
    states = Track(started, machine.states.end, machine.states.at(started))
    for start, _, state in machine.states.parts():
        if not _within(lost, start):
            states.paint(start, machine.states.end, state)
    signs = [int(event["ts"]) for event in kept]
    reports = [int(event["ts"]) for event in kept if event["type"] == "state"]
    return Told(machine.path, line, states, reports, signs, booked, []), kept


def _within(spans: tuple[Span, ...], instant: int) -> bool:
    return any(span.start <= instant < span.end for span in spans)


def _readings(machine: Machine, quality: str, story: Story, lost: tuple[Span, ...], events: list[Body]) -> list[Made]:
    """Add the readings of one counter to the events; the bottles that they tell of, when they tell of them.

    Counters begin at 0 with the story, whatever they showed before. The palletizer's begin again when its controller
    does, and have no end.
    """
    resets = machine.name == "palletizer"
    reading: Body = {"equipment": machine.path, "type": "counter", "quality": quality}
    events.append({**reading, "id": f"{story.name}-{quality}-0", "ts": machine.states.start, "value": 0})
    reading |= {} if resets else {"rollover": ROLLOVER}
    restarts = list(story.restarts)
    value, untold, booked = 0, 0, []
    for number, made in enumerate(machine.made, start=1):
        pieces = int(getattr(made, quality))
        if pieces == 0:
            continue
        while resets and restarts and made.ts > restarts[0]:
            value = 0
            del restarts[0]
        value = value + pieces if resets else (value + pieces) % ROLLOVER
        events.append({**reading, "id": f"{story.name}-{quality}-{number}", "ts": made.ts, "value": value})
        untold += pieces
        if not _within(lost, made.ts):
            good, scrap, rework = (untold if name == quality else 0 for name in QUALITIES)
            booked.append(Made(made.ts, good, scrap, rework, None))
            untold = 0
    return booked


def _corrected(told: Told, story: Story) -> tuple[Told, list[Body]]:
    """What people put right afterwards: events, and what they change."""
    correct: Body = {"equipment": told.path, "by": "shift lead"}
    events: list[Body] = []
    reclassified, made = list(told.reclassified), list(told.made)
    for number, decision in enumerate(sorted(story.decisions, key=lambda decision: decision.ts)):
        if decision.machine == told.path:
            span: Body = {"ts": decision.ts, "start": decision.start, "end": decision.end}
            what = {"state": decision.state} if decision.state else {"reason": str(decision.reason)}
            events.append({**correct, **span, **what, "id": f"{story.name}-r{number}", "type": "reclassify"})
            reclassified.append(Reclassified(decision.start, decision.end, decision.state, decision.reason))
    if told.path == f"{LINE_1}/palletizer":
        for number, wrong in enumerate(story.miscounts):
            name = f"{story.name}-scan{number}"
            retract: Body = {**correct, "id": f"{name}-t", "ts": wrong.retracted, "type": "retract", "target": name}
            events += [{**correct, "id": name, "ts": wrong.ts, "type": "count", "good": wrong.good}, retract]
        for number, ts in enumerate(story.dented):
            moved: Body = {"ts": ts, "type": "count", "good": -24, "scrap": 24, "reason": "damaged"}
            events.append({**correct, **moved, "id": f"{story.name}-q{number}"})
            made.append(Made(ts, -24, 24, 0, "damaged"))
    return replace(told, reclassified=reclassified, made=made), events


def _delayed(events: Iterable[Body], line: Line, story: Story, chance: Random) -> Iterator[tuple[int, Body]]:
    """Events with their time of arrival: seconds later, and all at once when the gateway is back."""
    silences = story.offline if line.path == LINE_2 else ()
    for event in events:
        ts = int(event["ts"])
        held = next((span.end for span in silences if span.start < ts < span.end), ts)
        yield held + round(chance.random() * 3 * SECOND), event


def _broken(ts: int) -> list[Message]:
    """Messages that cannot be used: of a machine nobody declared, with a time without offset, half a one."""
    unknown, filler = "acme/ulm/packing/line-3/filler", f"{LINE_1}/filler"
    lost: Body = {"equipment": unknown, "ts": ts, "type": "state", "state": "RUN"}
    shown = _text(ts)
    naive = f'{{"equipment":"{filler}","ts":"{shown.removesuffix("Z")}","type":"count","good":12}}'
    half = f'{{"equipment":"{filler}","ts":"{shown[:14]}'
    return [Message(ts, unknown, lost), Message(ts, filler, naive.encode()), Message(ts, filler, half.encode())]


def _shown(body: Body) -> Body:
    """The event as it is sent: the second line tells times in milliseconds, all others as text."""
    milliseconds = str(body["equipment"]).startswith(LINE_2)
    shown = dict(body)
    for name in ("ts", "start", "end"):
        if name in body:
            shown[name] = int(body[name]) // MS if milliseconds else _text(int(body[name]))
    return shown


def _text(instant: int) -> str:
    return (EPOCH + timedelta(microseconds=instant)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
