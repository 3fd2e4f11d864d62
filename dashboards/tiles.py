"""The tiles of the plant overview: one for each line, the one with the worst gap to its own target first."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from dashboards.board import HOUR_US, HOURS, Board, Row, Standing, micros
from kpis.wanted import wanted

_NOT_PLANNED: Final = 2.0


@dataclass(frozen=True)
class Hour:
    """One hour of a line: its start (µs), its OEE, and the gap to target; None where undefined."""

    start: int
    oee: float | None
    gap: float | None


@dataclass(frozen=True)
class Tile:
    """What a tile tells of a line. Ratios are fractions, `gap` is the worse of now and shift less the target.

    `shift` is the name of the shift that `shift_oee`, `good` and `wanted` are of; None: the day, there is no shift.
    `running` tells whether that shift is still on.
    """

    path: str
    standing: Standing | None
    target: float | None
    oee: float | None
    shift: str | None
    running: bool
    shift_oee: float | None
    good: int | None
    wanted: float | None
    hours: tuple[Hour, ...]
    alerts: int
    coverage: float | None
    performance: float | None

    @property
    def gap(self) -> float | None:
        """OEE now less its target; None where either is undefined."""
        return _gap(self.oee, self.target)

    @property
    def shift_gap(self) -> float | None:
        """OEE of the shift less its target."""
        return _gap(self.shift_oee, self.target)


def tiles(board: Board) -> list[Tile]:
    """A tile for every line, the worst gap to its own target first; those without a gap last, by name."""
    found = board.once("tiles", lambda: [_tile(board, path) for path in board.lines])
    return sorted(found, key=lambda tile: (_NOT_PLANNED if tile.gap is None else tile.gap, tile.path))


def hours(board: Board, path: str) -> tuple[Hour, ...]:
    """The last hours of an equipment, the current one last."""
    rows = board.hours_of(path)
    oee = {micros(at): value for at, value in rows.select("window_start", "oee").iter_rows()}
    target = board.target(path, "oee")
    current = board.horizon // HOUR_US - (board.horizon % HOUR_US == 0)
    starts = [(current - back) * HOUR_US for back in reversed(range(HOURS))]
    return tuple(Hour(start, oee.get(start), _gap(oee.get(start), target)) for start in starts)


def shift_time(board: Board, path: str, shift: Row) -> pl.DataFrame:
    """The time that makes the figures of an equipment, of the hours that a shift covers."""
    start, end = micros(shift["window_start"]), micros(shift["window_end"])
    at = pl.col("hour").cast(pl.Int64)
    return board.time_of(path).filter((at >= start) & (at < end))


def _tile(board: Board, path: str) -> Tile:
    now, shift = board.last_of.get(path) or {}, board.shift_of.get(path) or {}
    target = board.target(path, "oee")
    name = shift.get("shift")
    inside = (pl.col("equipment") == path) | pl.col("equipment").str.starts_with(f"{path}/")
    return Tile(
        path,
        board.standing(path),
        target,
        now.get("oee"),
        None if name is None else str(name),
        bool(shift) and (micros(shift["window_end"]) or 0) > board.horizon,
        shift.get("oee"),
        shift.get("good"),
        wanted(shift_time(board, path, shift), board.plant, target) if shift else None,
        hours(board, path),
        board.alerts.filter(inside).height,
        now.get("coverage"),
        shift.get("performance"),
    )


def _gap(value: float | None, target: float | None) -> float | None:
    return None if value is None or target is None else value - target
