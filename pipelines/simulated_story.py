"""What goes wrong in the example plant, and when: in the week of March 2026 that is told, and on ordinary days."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipelines.simulated_time import MINUTE, SECOND, Clock, clock_of

LINE_1: Final = "acme/ulm/packing/line-1"
LINE_2: Final = "acme/ulm/packing/line-2"
FIRST_DAY: Final = date(2026, 3, 23)
SHIFT: Final = 8 * 60 * MINUTE


class Span(NamedTuple):
    """From when to when."""

    start: int
    end: int


class Jam(NamedTuple):
    """A stop of one machine of line 1 that its neighbours feel."""

    machine: str
    start: int
    end: int


class Decision(NamedTuple):
    """What a person decides afterwards, at `ts`, about a stretch of time of a machine."""

    machine: str
    ts: int
    start: int
    end: int
    state: str | None
    reason: str | None


class Miscount(NamedTuple):
    """Bottles counted at the palletizer of line 1 that never were: the count is retracted later."""

    ts: int
    retracted: int
    good: int


@dataclass(frozen=True)
class Story:
    """Some days of the plant, from `start` to `end`; all instants in µs since 1970.

    Orders begin from `first_order` on and before `last_order`. Machines count every three minutes, from `fine_from` on
    every 20 seconds. `offline`: the gateway of line 2 keeps back what its machines send; `lost`: what its filler sends
    is gone; `restarts`: the counters of its palletizer begin again. `dented`: good bottles of line 1 turn out to be
    scrap; `broken`: messages that nobody can use.
    """

    first_day: date
    start: int
    end: int
    first_order: int
    last_order: int
    fine_from: int
    overtime: tuple[Span, ...] = ()
    cleaning: tuple[Span, ...] = ()
    jams: tuple[Jam, ...] = ()
    offline: tuple[Span, ...] = ()
    lost: tuple[Span, ...] = ()
    restarts: tuple[int, ...] = ()
    decisions: tuple[Decision, ...] = ()
    miscounts: tuple[Miscount, ...] = ()
    dented: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()

    @cached_property
    def name(self) -> str:
        """Year and week, for names that do not come back."""
        year, week, _ = self.first_day.isocalendar()
        return f"{year % 100:02}{week:02}"


def march(zone: ZoneInfo) -> Story:
    """The week of 23 March 2026, which examples/README.md tells."""
    at = clock_of(zone, FIRST_DAY)
    filler_1, filler_2 = f"{LINE_1}/filler", f"{LINE_2}/filler"
    third = Span(at(1, "17:24:00"), at(1, "17:46:00"))
    return Story(
        FIRST_DAY,
        start=at(0, "05:50:00"),
        end=at(7, "06:10:00"),
        first_order=at(0, "06:00:00"),
        last_order=at(5, "06:00:00"),
        fine_from=at(7, "06:10:00"),
        overtime=(Span(at(5, "14:00:00"), at(5, "14:20:00")),),
        cleaning=(Span(at(3, "07:30:00"), at(3, "08:15:00")),),
        jams=(
            Jam("palletizer", at(1, "16:10:12"), at(1, "16:48:40")),
            Jam("labeller", at(1, "16:57:05"), at(1, "17:11:31")),
            Jam("filler", *third),
            Jam("blower", at(1, "18:41:20"), at(1, "18:47:50")),
        ),
        offline=(Span(at(2, "09:20:07"), at(2, "10:05:00")),),
        lost=(Span(at(3, "15:03:00"), at(3, "15:52:00")),),
        restarts=(at(2, "13:15:30"),),
        decisions=(
            Decision(filler_1, at(1, "21:40:00"), *third, None, "drive"),
            Decision(filler_1, at(2, "08:15:00"), *third, None, "no-material"),
            Decision(filler_2, at(3, "16:30:00"), at(3, "15:18:00"), at(3, "15:48:00"), "RUN", None),
        ),
        miscounts=(Miscount(at(4, "11:07:00"), at(4, "12:30:00"), 5_000),),
        dented=(at(4, "11:07:00"),),
        broken=(at(0, "08:00:00"),),
    )


def ordinary(zone: ZoneInfo, first_day: date, days: int, seed: int, fine_from: int | None = None) -> Story:
    """Days from 06:00 to 06:00, in every shift of which something goes wrong, at times that the seed decides."""
    at, chance = clock_of(zone, first_day), Random(seed)
    start, end = at(0, "06:00:00"), at(days, "06:00:00")
    shifts = [_Shift(begin, chance) for begin in range(start, end - SHIFT // 2, SHIFT)]
    waves = [shift.wave() for shift in shifts]
    halves = [at(day, "13:00:00") for day in range(0, days, 2)]
    lost = [Span(half, half + 49 * MINUTE) for half in halves]
    return Story(
        first_day,
        start=start,
        end=end,
        first_order=start,
        last_order=end - 2 * 60 * MINUTE,
        fine_from=end if fine_from is None else fine_from,
        cleaning=tuple(_cleaning(at, day) for day in range(2, days, 4)),
        jams=tuple(jam for wave in waves for jam in wave),
        offline=tuple(shift.silence() for shift in shifts),
        lost=tuple(lost),
        restarts=tuple(half + 90 * MINUTE for half in halves),
        decisions=(
            *(decision for wave in waves for decision in _second_thoughts(wave, end, chance)),
            *(
                Decision(f"{LINE_2}/filler", end_ + 38 * MINUTE, begin + 15 * MINUTE, begin + 45 * MINUTE, "RUN", None)
                for begin, end_ in lost
            ),
        ),
        miscounts=tuple(Miscount(half + 7 * MINUTE, half + 60 * MINUTE, 5_000) for half in halves),
        dented=tuple(half + 11 * MINUTE for half in halves),
        broken=tuple(half + 13 * MINUTE for half in halves),
    )


def _cleaning(at: Clock, day: int) -> Span:
    return Span(at(day, "07:30:00"), at(day, "08:15:00"))


class _Shift:
    """Where in a shift its troubles fall: a wave of jams on line 1 and a silent gateway on line 2."""

    def __init__(self, begin: int, chance: Random) -> None:
        self._begin = begin
        self._chance = chance

    def _between(self, low: int, high: int) -> int:
        """A length between two, in whole seconds."""
        return round((low + (high - low) * self._chance.random()) / SECOND) * SECOND

    def wave(self) -> tuple[Jam, Jam, Jam]:
        """A jam that comes back twice, each time one machine further up the line."""
        first = self._begin + self._between(40 * MINUTE, 300 * MINUTE)
        second = first + self._between(14 * MINUTE, 24 * MINUTE)
        third = second + self._between(14 * MINUTE, 24 * MINUTE)
        return (
            Jam("palletizer", first, first + self._between(5 * MINUTE, 12 * MINUTE)),
            Jam("labeller", second, second + self._between(4 * MINUTE, 9 * MINUTE)),
            Jam("filler", third, third + self._between(6 * MINUTE, 12 * MINUTE)),
        )

    def silence(self) -> Span:
        """A time in which the gateway is offline."""
        start = self._begin + self._between(15 * MINUTE, 420 * MINUTE)
        return Span(start, start + self._between(8 * MINUTE, 25 * MINUTE))


def _second_thoughts(wave: tuple[Jam, ...], end: int, chance: Random) -> list[Decision]:
    """The last jam of a wave had another reason, says the shift lead within the hour; sometimes twice."""
    jam = wave[-1]
    at = [jam.end + round(chance.random() * 60) * MINUTE]
    reasons = ["drive", "no-material"] if chance.random() < 0.3 else ["no-material"]
    if len(reasons) > 1:
        at.append(at[0] + 20 * MINUTE)
    return [
        Decision(f"{LINE_1}/{jam.machine}", ts, jam.start, jam.end, None, reason)
        for ts, reason in zip(at, reasons, strict=True)
        if ts < end
    ]
