"""The simulated plant of the demo: its files in a folder, its history, and what it tells now.

Time. Events carry the time at which they happen in the simulation, and that is the time on the wall: a history of three
weeks ends now, and the plant goes on from there. With a speed above 1 the history ends two hours earlier; these hours
are told over MQTT at that speed until the plant has caught up with the clock, from when on it keeps to it. Nothing is
ever told of the future, which the engine would reject; while the plant is catching up, the engine's clock is ahead of
it, as it is of a gateway that sends late: the time in between is filled in, and closed windows become revised.

What an earlier demo told is not told again, but for its last half minute: messages may have been on their way when it
ended. What had come through counts once.
"""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

from kpis.plant import Plant
from pipelines.publish import Publisher
from pipelines.simulate import Message, write_lines
from pipelines.simulated_log import WEEK, PlantLog
from pipelines.simulated_time import MINUTE, SECOND, date_of

HISTORY_WEEKS: Final = 3
CATCHING_UP: Final = 120 * MINUTE
SOON: Final = 5 * MINUTE
"""a gap up to this long is told over MQTT; a longer one becomes history."""
ON_THE_WAY: Final = 30.0
"""seconds after which what was told has certainly arrived."""


def now() -> int:
    """The clock on the wall, in µs since 1970."""
    return time.time_ns() // 1_000


@dataclass(frozen=True)
class Told:
    """What makes the simulation the same at every start, and up to when it was told (µs)."""

    first_day: str
    fine_from: int
    until: int
    seed: int = 1

    @classmethod
    def begin(cls, zone: ZoneInfo, at: int) -> Self:
        """A plant whose history begins on a Monday about three weeks before an instant."""
        day = date_of(zone, at)
        monday = day - timedelta(days=day.weekday()) - (HISTORY_WEEKS - 1) * WEEK
        return cls(monday.isoformat(), fine_from=at - CATCHING_UP, until=0)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What an earlier demo left; None: nothing that can be used."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Leave it for the next demo, at once and whole."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(partial, path)


class DemoPlant:
    """The plant of a demo in a folder; `clock` tells the time on the wall in µs.

    `anew`: the store holds nothing of it yet, so all of its history is to be told.
    """

    def __init__(self, folder: Path, plant: Plant, speed: float, *, anew: bool, clock: Callable[[], int] = now) -> None:
        self._folder, self._clock, self._speed = folder, clock, speed
        self._path = folder / "simulation.json"
        told = Told.read(self._path) or Told.begin(ZoneInfo(plant.timezone), clock())
        self._told = replace(told, until=0) if anew else told
        self._told.write(self._path)  # so that the next attempt is of the same plant, even if this one is cut short
        self._log = PlantLog(plant, date.fromisoformat(told.first_day), told.fine_from, told.seed)
        self._arriving: deque[tuple[float, int]] = deque()
        self._began: tuple[int, int] | None = None
        self.messages = 0

    def history(self) -> Path | None:
        """A file of what happened since an earlier demo, or in three weeks; None if that was just now."""
        until = self._clock() - (CATCHING_UP if self._speed > 1 else 0)
        if until - self._told.until <= SOON:
            return None
        folder = self._folder / "history"
        folder.mkdir(exist_ok=True)
        path = write_lines(folder / f"until-{until // SECOND}.jsonl.gz", self._log.between(self._told.until, until))
        self._told = replace(self._told, until=until)
        return path

    def remember(self) -> None:
        """The history is in the store."""
        self._told.write(self._path)

    @property
    def behind(self) -> timedelta:
        """How far the plant is behind the clock."""
        return timedelta(microseconds=max(self._clock() - self._told.until, 0))

    def tell(self, publisher: Publisher) -> None:
        """Send what happened since the last time."""
        until = max(self._reached(self._clock()), self._told.until)
        self.messages += publisher.publish(_addressed(self._log.between(self._told.until, until)))
        publisher.flush()
        self._told = replace(self._told, until=until)
        self._arriving.append((time.monotonic(), until))
        while self._arriving[0][0] < time.monotonic() - ON_THE_WAY:
            replace(self._told, until=self._arriving.popleft()[1]).write(self._path)

    def _reached(self, at: int) -> int:
        """How far the plant has got when the clock shows `at`."""
        if self._began is None:
            self._began = at, self._told.until
        clock_began, plant_began = self._began
        return min(at, plant_began + round((at - clock_began) * self._speed)) if self._speed > 1 else at


def _addressed(messages: list[Message]) -> Iterator[tuple[str, bytes]]:
    """Messages with their topic: the path of the equipment."""
    return ((message.equipment, message.line) for message in messages)
