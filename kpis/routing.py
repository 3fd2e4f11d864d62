"""Whom to tell what, now: from open alerts, what was told of them before and what people did, to messages.

    alert ─► route ─► step of the escalation ─► people on duty ─► notes ─► by line and person ─► messages
                            ▲                                                     │
                            └──── what was told before, acknowledgements ◄────────┘

Pure: the same alerts, history and instant give the same messages with the same ids. All instants are µs since 1970 UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, NamedTuple

from kpis.duty import Roster, matches, quiet_until
from kpis.plant_model import Plant
from kpis.plant_people import HOUR_US, Route

FIRED: Final = "fired"
ESCALATED: Final = "escalated"
REPEATED: Final = "repeated"
HANDED_OVER: Final = "handed_over"
CORRECTED: Final = "corrected"
REOPENED: Final = "reopened"
RESOLVED: Final = "resolved"
WITHDRAWN: Final = "withdrawn"
ENDS: Final = (RESOLVED, WITHDRAWN)
_CALLS: Final = (FIRED, ESCALATED, REPEATED, CORRECTED, REOPENED)

DIGEST_EVERY_US: Final = 600_000_000
"""Who has had as many messages as he may in an hour gets one digest in this time."""
NEVER: Final = 2**62


class Told(NamedTuple):
    """That somebody was to be told of an alert: `level` counts the steps of the escalation from 0."""

    kind: str
    level: int
    recipient: str | None
    at: int


@dataclass(frozen=True)
class Case:
    """An alert with its history: what was told, and what people did about it.

    `state` is that of the alert (firing, resolved, withdrawn, suppressed); `over_at` when it was found to be over.
    `corrects`: it took the place of a withdrawn one, and so did what was told of that.
    """

    alert: str
    rule: str
    equipment: str
    line: str
    severity: str
    state: str
    fired_at: int
    over_at: int | None = None
    told: tuple[Told, ...] = ()
    acknowledged_by: str | None = None
    shelved_until: int = 0
    corrects: bool = False

    @property
    def open(self) -> bool:
        """Whether it is firing."""
        return self.state == "firing"

    @property
    def recipients(self) -> dict[str, Told]:
        """Everybody who was told of it, with what he was told last."""
        return {told.recipient: told for told in self.told if told.recipient is not None}


class Note(NamedTuple):
    """One alert for one person: not before `due`, but with others of its line from `earliest` on."""

    case: Case
    recipient: str | None
    kind: str
    level: int
    due: int
    earliest: int

    @property
    def identity(self) -> str:
        """What makes it another note than all others."""
        before = sum(
            (told.kind, told.level, told.recipient) == (self.kind, self.level, self.recipient)
            for told in self.case.told
        )
        return f"{self.case.alert} {self.level} {self.kind} {before}"


@dataclass(frozen=True)
class Message:
    """What one person is told at once; None: nobody is there to be told."""

    message: str
    recipient: str | None
    at: int
    notes: tuple[Note, ...]
    digest: bool = False


@dataclass
class Planned:
    """Messages that are due, and when to ask again although nothing happens."""

    messages: list[Message] = field(default_factory=list)
    again: int = NEVER

    def wake(self, at: int) -> None:
        """Ask again at that time, at the latest."""
        self.again = min(self.again, at)


class Dispatcher:
    """Decides by the routes of a plant file."""

    def __init__(self, plant: Plant) -> None:
        self._plant, self._calling = plant, plant.calling
        self._roster = Roster(plant)
        self._routes: dict[tuple[str, str, str], Route | None] = {}

    def route(self, case: Case) -> Route | None:
        """The first route that an alert fits; None: nobody is told of it."""
        key = (case.severity, case.rule, case.equipment)
        if key not in self._routes:
            self._routes[key] = next((route for route in self._calling.routes if self._fits(route, case)), None)
        return self._routes[key]

    def _fits(self, route: Route, case: Case) -> bool:
        known = self._plant.equipment.get(case.equipment)
        return (
            known is not None
            and (not route.severity or case.severity in route.severity)
            and (route.level is None or known.level == route.level)
            and matches(route.rule, case.rule)
            and matches(route.equipment, case.equipment)
        )

    def plan(self, cases: Iterable[Case], sent: Mapping[str, Sequence[tuple[int, bool]]], now: int) -> Planned:
        """The messages that are due now.

        `sent` tells by person when he got messages lately, in order, and whether each was a digest.
        """
        planned = Planned()
        groups: dict[tuple[str | None, str, str, int], list[Note]] = {}
        for case in cases:
            route = self.route(case)
            if route is None:
                continue
            for note in self._notes(case, route, now, planned):
                groups.setdefault((note.recipient, case.line, note.kind, note.level), []).append(note)
        due: dict[str | None, list[list[Note]]] = {}
        for (recipient, *_), notes in groups.items():
            first = min(note.due for note in notes)
            if first > now:
                planned.wake(first)
                continue
            together = [note for note in notes if note.earliest <= now]
            due.setdefault(recipient, []).append(sorted(together, key=lambda note: note.case.alert))
        for recipient, bundles in due.items():
            self._guarded(recipient, bundles, sent.get(recipient or "", ()), now, planned)
        return planned

    def next_call(self, case: Case, now: int) -> tuple[int, tuple[str, ...]] | None:
        """When and whom the next step of an open alert calls if nobody acknowledges it; None: it goes no further."""
        route = self.route(case)
        if route is None or not case.open or case.acknowledged_by is not None:
            return None
        reached = max((told.level for told in case.told), default=-1)
        notes = list(self._next(case, route, reached, now))
        if not notes:
            return None
        held = max(quiet_until(route.quiet, self._plant, case.equipment, now) or 0, case.shelved_until)
        called = tuple(note.recipient for note in notes if note.recipient is not None)
        return max(min(note.due for note in notes), held), called

    def _notes(self, case: Case, route: Route, now: int, planned: Planned) -> Iterator[Note]:
        """All that is or will be due of an alert as things stand."""
        until = quiet_until(route.quiet, self._plant, case.equipment, now)
        hold = max(until or 0, case.shelved_until if case.open else 0)
        if hold > now:
            planned.wake(hold)
            return
        lately = case.recipients
        if not case.open:
            kind = RESOLVED if case.state == RESOLVED else WITHDRAWN
            over = case.over_at if case.over_at is not None else now
            for recipient, told in lately.items():
                if told.kind not in ENDS:
                    yield Note(case, recipient, kind, told.level, over + route.wait, over)
            return
        for recipient, told in lately.items():
            if told.kind in ENDS:
                yield Note(case, recipient, REOPENED, told.level, now, now)
            elif case.corrects and not any(each[::2] == (CORRECTED, recipient) for each in case.told):
                yield Note(case, recipient, CORRECTED, told.level, now, now)
        reached = max((told.level for told in case.told), default=-1)
        if reached >= 0:
            planned.wake(self._roster.changes_at(case.equipment, now))
            yield from self._handed_over(case, route, reached, now)
        if case.acknowledged_by is None:
            yield from self._next(case, route, reached, now)

    def _handed_over(self, case: Case, route: Route, reached: int, now: int) -> Iterator[Note]:
        """For those who have come on duty since."""
        there = dict.fromkeys(case.recipients)
        for level, step in enumerate(route.escalation[: reached + 1]):
            for person in self._roster.called(step.to, case.equipment, now):
                if person not in there:
                    there[person] = None
                    yield Note(case, person, HANDED_OVER, level, now, now)

    def _next(self, case: Case, route: Route, reached: int, now: int) -> Iterator[Note]:
        """The next step, one at a time and each with its own time, however long nobody looked; or the last again."""
        steps = route.escalation
        if reached < 0:
            earliest = case.fired_at + steps[0].after
            yield from self._to(case, steps[0].to, FIRED, 0, earliest + route.wait, earliest, now)
            return
        reached = min(reached, len(steps) - 1)
        called = max((told.at for told in case.told if told.kind in _CALLS), default=now)
        since = max(called, case.shelved_until)
        if reached + 1 < len(steps):
            due = since + steps[reached + 1].after - steps[reached].after
            yield from self._to(case, steps[reached + 1].to, ESCALATED, reached + 1, due, due, now)
        elif route.repeat:
            due = since + route.repeat
            yield from self._to(case, steps[reached].to, REPEATED, reached, due, due, now)

    def _to(
        self, case: Case, names: Sequence[str], kind: str, level: int, due: int, earliest: int, now: int
    ) -> Iterator[Note]:
        there = self._roster.called(names, case.equipment, now) or self._roster.fallback(case.equipment, now)
        for person in there or (None,):
            yield Note(case, person, kind, level, due, earliest)

    def _guarded(
        self,
        recipient: str | None,
        bundles: list[list[Note]],
        sent: Sequence[tuple[int, bool]],
        now: int,
        planned: Planned,
    ) -> None:
        """Bundles as a message each, as long as there are not too many of them; then all in one, and not too often."""
        lately = [(at, digest) for at, digest in sent if at > now - HOUR_US]
        plain = sum(not digest for _, digest in lately)
        if recipient is None or plain + len(bundles) <= self._calling.settings.per_hour:
            planned.messages += [_message(recipient, notes, now) for notes in bundles]
            return
        free = max((at for at, digest in lately if digest), default=-NEVER) + DIGEST_EVERY_US
        if free > now:
            planned.wake(free)
            return
        notes = sorted(
            (note for bundle in bundles for note in bundle), key=lambda note: (note.case.line, note.identity)
        )
        planned.messages.append(replace(_message(recipient, notes, now), digest=True))


def _message(recipient: str | None, notes: Sequence[Note], now: int) -> Message:
    text = "\n".join([recipient or "", *sorted(note.identity for note in notes)])
    return Message(sha256(text.encode()).hexdigest()[:16], recipient, now, tuple(notes))


def after(case: Case, notes: Iterable[Note], at: int) -> Case:
    """A case when notes of it have become messages."""
    told = tuple(Told(note.kind, note.level, note.recipient, at) for note in notes)
    return replace(case, told=case.told + told)


def in_place_of(case: Case, old: Case) -> Case:
    """A case that takes the place of another, withdrawn one: whoever heard of that one hears of the correction."""
    return replace(
        case,
        told=old.told + case.told,
        acknowledged_by=case.acknowledged_by or old.acknowledged_by,
        shelved_until=max(case.shelved_until, old.shelved_until),
        corrects=True,
    )
