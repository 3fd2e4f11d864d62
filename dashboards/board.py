"""What the live pages show at one moment, read at once: states in force, KPI rows, open matters."""

from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from threading import RLock
from typing import Any, Final, TypeVar, cast
from zoneinfo import ZoneInfo

import polars as pl

from dashboards.theme import URGENCY
from kpis.plant import Plant
from storage import boards
from storage.grains import MINUTE_US
from storage.reader import Reader
from storage.selection import Selection

HOUR_US: Final = 60 * MINUTE_US
HOURS: Final = 24
_LATEST_SHIFT_US: Final = 26 * HOUR_US
_STOPPED: Final = ("minor_stop", "down", "idle")
_AT_ONCE: Final = 4
"""questions at a time: the engine answers twice as many, and others ask too."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Row = dict[str, Any]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Standing:
    """What an equipment is doing: its account, since when (µs; None: for long), why, and how many machines so.

    `machines` of `of`: how many of the machines that make its time are in that account; the most urgent one counts.
    """

    account: str
    since: int | None
    reason: str | None
    machines: int
    of: int


@dataclass(frozen=True)
class Settled:
    """Hours, from the first to before the last, that stay as they are while the last change is the same one.

    But for stops that were going on when they were read, the earliest of them since `open_since`: how long a stop takes
    is booked where it began, and it may turn out not to be a minor one.
    """

    plant: Plant
    change: int
    first: int
    last: int
    open_since: int = field(compare=False)

    def after(self, before: "Settled | None") -> int:
        """From which hour on has to be read what was read `before` this."""
        if before is None or before != self:
            return self.first
        return max(min(self.last, before.open_since // HOUR_US * HOUR_US), self.first)


@dataclass(frozen=True)
class Board:
    """The frames of one moment. `last` are the sliding windows that end at the horizon, `shifts` the shifts in force
    (else the last ones), `hours` the last 24 hours, `time` those hours by account, reason and product,
    `unclassified` the stops in them that want a reason, `alerts` those that are firing."""

    plant: Plant
    first: int
    horizon: int
    settled: Settled
    current: pl.DataFrame
    contributors: pl.DataFrame
    last: pl.DataFrame
    shifts: pl.DataFrame
    hours: pl.DataFrame
    time: pl.DataFrame
    unclassified: pl.DataFrame
    alerts: pl.DataFrame

    @cached_property
    def _made(self) -> tuple[RLock, dict[Hashable, object]]:
        return RLock(), {}

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What is made of this board for everybody who looks at it; `key` names what that is."""
        lock, made = self._made
        with lock:
            if key not in made:
                made[key] = make()
            return cast(Made, made[key])  # a key belongs to one thing

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the plant."""
        return ZoneInfo(self.plant.timezone)

    @cached_property
    def machines(self) -> dict[str, Row]:
        """What every equipment with own events is doing."""
        return {row["equipment"]: row for row in self.current.iter_rows(named=True)}

    @property
    def labels(self) -> dict[str, str]:
        """What reasons are called."""
        return {name: reason.label for name, reason in self.plant.reasons.items()}

    @cached_property
    def _givers(self) -> dict[str, tuple[list[str], list[str]]]:
        givers: dict[str, tuple[list[str], list[str]]] = {}
        for path, contributor, time, pieces in self.contributors.iter_rows():
            timed, counted = givers.setdefault(path, ([], []))
            if time:
                timed.append(contributor)
            if pieces:
                counted.append(contributor)
        return givers

    def timed_by(self, path: str) -> list[str]:
        """The machines whose time makes the figures of an equipment."""
        return self._givers.get(path, ([], []))[0]

    def counted_by(self, path: str) -> list[str]:
        """The machines whose pieces make the figures of an equipment."""
        return self._givers.get(path, ([], []))[1]

    @cached_property
    def lines(self) -> list[str]:
        """What gets a tile: the lines that have figures, and machines that are in no line."""
        known = [path for path in self.plant.equipment if self.timed_by(path)]
        lines = {path for path in known if self.plant.equipment[path].level == "line"}
        alone = {path for path in self.machines if not lines.intersection((path, *self.plant.ancestors(path)))}
        return sorted(lines | alone)

    def line_of(self, machine: str) -> str:
        """The line that a machine is in, or itself."""
        return next((path for path in (machine, *self.plant.ancestors(machine)) if path in self.lines), machine)

    def machines_of(self, line: str) -> list[str]:
        """The machines of a line, as they stand in the plant file, then by name."""
        order = self._declared
        inside = (path for path in self.machines if path == line or path.startswith(f"{line}/"))
        return sorted(inside, key=lambda path: (order.get(path, len(order)), path))

    @cached_property
    def _declared(self) -> dict[str, int]:
        """Paths by their order in the plant file, which is the way of the pieces more often than the alphabet is."""
        places = {path: self.plant.text.find(f'equipment."{path}"') for path in self.plant.equipment}
        found = sorted((path for path, place in places.items() if place >= 0), key=places.__getitem__)
        return {path: at for at, path in enumerate(found)}

    def standing(self, path: str) -> Standing | None:
        """What an equipment is doing; None while none of its machines has told anything."""
        rows = [self.machines[machine] for machine in self.timed_by(path) if machine in self.machines]
        if not rows:
            return None
        worst = min((row["account"] for row in rows), key=URGENCY.index)
        same = [row for row in rows if row["account"] == worst]
        since = [micros(row["since"]) for row in same]
        oldest = None if None in since else min(at for at in since if at is not None)
        reasons = {row["reason_label"] or row["reason"] for row in same} - {None}
        return Standing(worst, oldest, ", ".join(sorted(reasons)) or None, len(same), len(rows))

    @cached_property
    def last_of(self) -> dict[str, Row]:
        """The row of each equipment in `last`."""
        return {row["equipment"]: row for row in self.last.iter_rows(named=True)}

    @cached_property
    def shift_of(self) -> dict[str, Row]:
        """The row of each equipment in `shifts`."""
        return {row["equipment"]: row for row in self.shifts.iter_rows(named=True)}

    @cached_property
    def _hours_of(self) -> dict[tuple[object, ...], pl.DataFrame]:
        return self.hours.partition_by("equipment", as_dict=True)

    @cached_property
    def _time_of(self) -> dict[tuple[object, ...], pl.DataFrame]:
        return self.time.partition_by("equipment", as_dict=True)

    def hours_of(self, path: str) -> pl.DataFrame:
        """The rows of an equipment in `hours`."""
        return self._hours_of.get((path,), self.hours.clear())

    def time_of(self, path: str) -> pl.DataFrame:
        """The rows in `time` of the machines whose time makes the figures of an equipment."""
        found = [self._time_of[(machine,)] for machine in self.timed_by(path) if (machine,) in self._time_of]
        return pl.concat(found) if found else self.time.clear()

    def target(self, path: str, kpi: str) -> float | None:
        """The target of an equipment for a KPI; for a line without its own that of the machine that makes its time."""
        for place in (path, *self.timed_by(path)[:1]):
            if (found := self.plant.equipment[place].targets.get(kpi)) is not None:
                return found
        return None


def load(reader: Reader, plant: Plant, before: Board | None = None) -> Board | None:
    """Read the board of this moment; None while nothing is accounted. Raises StorageError as the reader does.

    Of the board `before` it the hours are taken over that no commit has changed since.
    """
    extent = boards.extent(reader)
    if extent.first is None or extent.horizon is None:
        return None
    now, definition = extent.horizon, plant.oee_definition
    contributors = boards.contributors(reader)
    first, told = (now // HOUR_US - HOURS + 1) * HOUR_US, (now - plant.least_grace_us) // HOUR_US * HOUR_US
    settled = Settled(plant, boards.last_change(reader), first, max(first, told), now)
    since = settled.after(before.settled if before else None)
    # The last sliding window is the one that the horizon is in or at the end of.
    length, step = plant.sliding_length_us, plant.sliding_step_us
    start = -(-now // step) * step - length
    sliding = Selection(None, None, start, start + 1)
    around = Selection(None, None, now - _LATEST_SHIFT_US, now + 1)
    machines = contributors["contributor"].unique().to_list()
    kpi = partial(reader.kpi, definition=definition, history=False)
    # The engine answers some questions at once, each on a core of its own where there are as many.
    with ThreadPoolExecutor(_AT_ONCE) as asking:
        asked_hours = asking.submit(kpi, "hour", Selection(None, None, since, now))
        asked_shifts = asking.submit(kpi, "shift", around)
        asked_last = asking.submit(kpi, "sliding", sliding, length_us=length, step_us=step)
        asked_time = asking.submit(boards.hourly_time, reader, machines, since, now)
        asked_current = asking.submit(boards.current, reader, now)
        asked_unclassified = asking.submit(boards.unclassified, reader, now - HOURS * HOUR_US)
        asked_alerts = asking.submit(reader.alerts, Selection(), state="firing")
    hours, time, current = asked_hours.result(), asked_time.result(), asked_current.result()
    if before is not None and since > settled.first:
        hours = pl.concat([before.hours.filter(pl.col("window_start").cast(pl.Int64) < since), hours])
        time = pl.concat([before.time.filter(pl.col("hour").cast(pl.Int64) < since), time])
    return Board(
        plant,
        extent.first,
        now,
        replace(settled, open_since=_open_since(current, first, now)),
        current,
        contributors,
        asked_last.result(),
        _in_force(asked_shifts.result(), now),
        hours.sort("equipment", "window_start"),
        time.sort("equipment", "hour"),
        asked_unclassified.result(),
        asked_alerts.result(),
    )


def micros(at: datetime | None) -> int | None:
    """A time out of a frame as µs since 1970."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def _open_since(current: pl.DataFrame, first: int, now: int) -> int:
    """When the earliest stop began that is going on; `first` where that is longer ago than is known."""
    since = current.filter(pl.col("account").is_in(_STOPPED))["since"].cast(pl.Int64).fill_null(first)
    return min(since, default=now)


def _in_force(shifts: pl.DataFrame, now: int) -> pl.DataFrame:
    """Of each equipment the shift that holds the horizon, else the last shift, else the day without shifts."""
    holds = (pl.col("window_start").cast(pl.Int64) <= now) & (pl.col("window_end").cast(pl.Int64) > now)
    in_shift = pl.col("shift").is_not_null()
    ranked = shifts.with_columns(_rank=pl.when(in_shift & holds).then(2).when(in_shift).then(1).otherwise(0))
    ordered = ranked.sort("equipment", "_rank", "window_start")
    return ordered.group_by("equipment", maintain_order=True).last().drop("_rank")
