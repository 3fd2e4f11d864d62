"""The simulated plant without end: what it tells from any time to any other, the same whenever it is asked."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kpis.plant import Plant
from pipelines.simulate import Message, simulate
from pipelines.simulated_story import ordinary
from pipelines.simulated_time import DAY, local

WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class PlantLog:
    """One ordinary week after the other, from a Monday at 06:00 on.

    Machines count every three minutes until `fine_from`, then every 20 seconds. Logs of the same plant, Monday,
    `fine_from` and seed are the same.
    """

    plant: Plant
    first_day: date
    fine_from: int
    seed: int = 1
    _weeks: dict[date, list[Message]] = field(default_factory=dict, repr=False)

    def between(self, after: int, until: int) -> list[Message]:
        """Messages that arrive after an instant and up to another, by arrival (µs since 1970)."""
        arriving = [
            message
            for monday in self._mondays(after - DAY, until)  # the last of a week arrive in the next
            for message in _between(self._week(monday), after, until)
        ]
        return sorted(arriving, key=_arrival)

    def _mondays(self, start: int, end: int) -> Iterator[date]:
        zone, monday = ZoneInfo(self.plant.timezone), self.first_day
        while local(zone, monday, "06:00:00") <= end:
            if local(zone, monday + WEEK, "06:00:00") > start:
                yield monday
            monday += WEEK

    def _week(self, monday: date) -> list[Message]:
        if monday not in self._weeks:
            for passed in [known for known in self._weeks if known < monday - WEEK]:
                del self._weeks[passed]
            seed = self.seed * 1_000_000 + monday.toordinal()
            story = ordinary(ZoneInfo(self.plant.timezone), monday, WEEK.days, seed, self.fine_from)
            self._weeks[monday] = simulate(self.plant, seed, story).messages
        return self._weeks[monday]


def _between(messages: list[Message], after: int, until: int) -> list[Message]:
    low, high = (bisect_right(messages, instant, key=_arrival) for instant in (after, until))
    return messages[low:high]


def _arrival(message: Message) -> int:
    return message.arrival
