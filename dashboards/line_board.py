"""One line live: its hours against target, its order, its rate, and what its machines did."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from dashboards import charts, texts
from dashboards.board import HOUR_US, Board, Row, micros
from kpis.formats import clock
from storage import boards, hours
from storage.grains import MINUTE_US
from storage.hours import HourRow
from storage.reader import Reader
from storage.selection import Selection

RATE_MINUTES: Final = 5
_NAMES: Final = {**texts.STEPS, **texts.STATES}
_LOSSES: Final = ("down", "idle", "setup", "minor_stop", "planned_stop", "unknown")


@dataclass(frozen=True)
class Order:
    """The order in force on a line. `end` is when it is done at the pace of the last windows; None: not moving."""

    order: str
    product: str | None
    label: str | None
    started: int
    quantity: int | None
    good: int
    end: int | None

    @property
    def done(self) -> float | None:
        """Which part of the quantity is made."""
        return self.good / self.quantity if self.quantity else None


@dataclass(frozen=True)
class LineBoard:
    """What the page of a line needs beside the board: its timeline, also as rows of its chart, pieces by five minutes,
    and its order."""

    start: int
    timeline: pl.DataFrame
    lanes: pl.DataFrame
    pieces: pl.DataFrame
    order: Order | None


def load(reader: Reader, board: Board, path: str, hours: int) -> LineBoard:
    """Read what a line did in the last hours. Raises StorageError as the reader does."""
    start = board.horizon - hours * HOUR_US
    inside = Selection(path if path in board.machines else f"{path}/*", None, start, board.horizon)
    timeline = reader.timeline(inside).join(_labels(board), on="reason", how="left")
    lanes = charts.timeline_rows(timeline, board.machines_of(path), start, board.horizon, board.zone)
    counted = board.counted_by(path)
    pieces = boards.pieces_by_minutes(reader, counted, start // MINUTE_US * MINUTE_US, board.horizon, RATE_MINUTES)
    return LineBoard(start, timeline, lanes, pieces, _order(reader, board, path))


def hour_rows(board: Board, path: str) -> list[HourRow]:
    """The hours of the shift in force; without one the last eight."""
    return board.once(("hours", path), lambda: _hour_rows(board, path))


def _hour_rows(board: Board, path: str) -> list[HourRow]:
    first, last = _bounds(board, board.row(board.shifts, path))

    def inside(start: str) -> pl.Expr:
        return pl.col(start).cast(pl.Int64).is_between(first // HOUR_US * HOUR_US, last - 1)

    time = board.time.filter(pl.col("equipment").is_in(board.timed_by(path)), inside("hour"))
    made = board.hours.filter(pl.col("equipment") == path, inside("window_start"))
    return hours.hour_rows(time, made, board.plant, board.target(path, "oee"), _NAMES)


def rate_rows(line: LineBoard, board: Board, path: str) -> list[dict[str, Any]]:
    """Pieces per minute in steps, and the ideal rate of the product in force on the machine that sets the pace."""
    step = RATE_MINUTES * MINUTE_US
    summed = line.pieces.group_by("window_start", maintain_order=True).agg(pl.col("pieces").sum())
    rows: list[dict[str, Any]] = []
    for at, pieces in summed.iter_rows():
        start = micros(at) or 0
        end = min(start + step, board.horizon)
        rate = pieces * MINUTE_US / (end - start) if end > start else 0.0
        time = f"{clock(start, board.zone)} to {clock(end, board.zone)}"
        rows.append(
            {"kind": "rate", "x": start // 1_000, "x2": end // 1_000, "rate": rate, "told": f"{rate:.1f}", "time": time}
        )
    return rows + list(_ideal(line, board, path))


def _ideal(line: LineBoard, board: Board, path: str) -> Iterator[dict[str, Any]]:
    timed = board.timed_by(path)
    mine = line.timeline.filter(pl.col("equipment").is_in(timed[:1])) if len(timed) == 1 else line.timeline.clear()
    for row in mine.filter(pl.col("account").is_in(["producing", *_LOSSES])).iter_rows(named=True):
        cycle = board.plant.ideal_cycle_us(row["equipment"], row["product"])
        start, end = max(micros(row["start"]) or 0, line.start), micros(row["end"]) or board.horizon
        rate = MINUTE_US / cycle if cycle else None
        yield {"kind": "ideal", "x": start // 1_000, "x2": end // 1_000, "rate": rate}


def _order(reader: Reader, board: Board, path: str) -> Order | None:
    machine = next((board.machines[one] for one in board.timed_by(path) if one in board.machines), None)
    if machine is None or machine["order"] is None:
        return None
    started = micros(machine["run_start"]) or 0
    told = boards.ordered(reader, [started]).filter(pl.col("order") == machine["order"])
    quantity = told["quantity"].max() if not told.is_empty() else None
    good = boards.run_good(reader, board.counted_by(path), machine["order"], started)
    last = board.row(board.last, path)
    pace = last["good"] / board.plant.sliding_length_us if last else 0.0
    left = max(int(quantity) - good, 0) if isinstance(quantity, int) else None
    product = board.plant.products.get(machine["product"] or "")
    return Order(
        machine["order"],
        machine["product"],
        product.label if product else None,
        started,
        quantity if isinstance(quantity, int) else None,
        good,
        board.horizon + round(left / pace) if left is not None and pace > 0 else None,
    )


def _bounds(board: Board, shift: Row | None) -> tuple[int, int]:
    if shift is not None and shift["shift"] is not None:
        return micros(shift["window_start"]) or 0, micros(shift["window_end"]) or 0
    return board.horizon - 7 * HOUR_US, board.horizon


def _labels(board: Board) -> pl.DataFrame:
    known = board.plant.reasons
    return pl.DataFrame(
        {"reason": list(known), "label": [reason.label for reason in known.values()]},
        schema={"reason": pl.String, "label": pl.String},
    )
