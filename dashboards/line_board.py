"""One line live: its hours against target, its order, its rate, and what its machines did."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from dashboards import charts, texts
from dashboards import timeline as states
from dashboards.board import HOUR_US, Board, Row, micros
from dashboards.lines import RATE_MINUTES, Lines, at_work, started
from storage import hours
from storage.grains import MINUTE_US
from storage.hours import HourRow

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
    """What the page of a line needs beside the board: `lanes` are the rows of its timeline, `spent` the µs of each
    account in it, `rate` the rows of its pieces by minutes, none where nothing was counted."""

    lanes: pl.DataFrame
    spent: dict[str, int]
    rate: pl.DataFrame
    order: Order | None


def of_line(lines: Lines, board: Board, path: str, hours: int) -> LineBoard:
    """What a line did in the last hours, at most 24."""
    start, machines = board.horizon - hours * HOUR_US, board.machines_of(path)
    parts = board.once("timelines", lambda: lines.timeline.partition_by("equipment", as_dict=True))
    found = [parts[(machine,)] for machine in machines if (machine,) in parts]
    until = pl.col("end").cast(pl.Int64)
    timeline = pl.concat(found or [lines.timeline.clear()]).filter(until > start)
    mine = timeline.filter(pl.col("equipment").is_in(board.timed_by(path)))
    spent = mine.group_by("account").agg((until - pl.col("start").cast(pl.Int64).clip(start)).sum())
    counted = pl.col("equipment").is_in(board.counted_by(path)) & (pl.col("window_start").cast(pl.Int64) >= start)
    pieces = lines.pieces.filter(counted).group_by("window_start").agg(pl.col("pieces").sum()).sort("window_start")
    return LineBoard(
        states.rows(timeline, machines, start, board.horizon, board.zone),
        dict(spent.iter_rows()),
        _rate(pieces, mine, board, start),
        _order(lines, board, path),
    )


def hour_rows(board: Board, path: str) -> list[HourRow]:
    """The hours of the shift in force; without one the last eight."""
    return board.once(("hours", path), lambda: _hour_rows(board, path))


def _hour_rows(board: Board, path: str) -> list[HourRow]:
    first, last = _bounds(board, board.shift_of.get(path))

    def inside(start: str) -> pl.Expr:
        return pl.col(start).cast(pl.Int64).is_between(first // HOUR_US * HOUR_US, last - 1)

    time, made = board.time_of(path).filter(inside("hour")), board.hours_of(path).filter(inside("window_start"))
    return hours.hour_rows(time, made, board.plant, board.target(path, "oee"), _NAMES)


def _rate(pieces: pl.DataFrame, timeline: pl.DataFrame, board: Board, start: int) -> pl.DataFrame:
    """Pieces per minute in steps, and the ideal rate of the product in force on the machine that sets the pace."""
    if pieces.is_empty():
        return pieces
    begin, step = pl.col("window_start").cast(pl.Int64), RATE_MINUTES * MINUTE_US
    end = pl.min_horizontal(begin + step, board.horizon)
    made = pieces.select(
        kind=pl.lit("rate"),
        x=begin // 1_000,
        x2=end // 1_000,
        rate=pl.col("pieces") * MINUTE_US / pl.max_horizontal(end - begin, 1),
        time=pl.format("{} to {}", states.clock(begin, board.zone), states.clock(end, board.zone)),
    ).with_columns(told=pl.col("rate").round(1).cast(pl.String))
    ticks = pl.DataFrame(charts.ticks(start, board.horizon, board.zone))
    return pl.concat([made, _ideal(timeline, board, start), ticks], how="diagonal")


def _ideal(timeline: pl.DataFrame, board: Board, start: int) -> pl.DataFrame:
    shown = timeline.filter(pl.col("account").is_in(["producing", *_LOSSES]) & (pl.col("equipment").n_unique() == 1))
    made = shown.select("equipment", "product").unique()
    cycles = {product: board.plant.ideal_cycle_us(path, product) for path, product in made.iter_rows()}
    rates = {product: MINUTE_US / cycle for product, cycle in cycles.items() if cycle}
    return shown.select(
        kind=pl.lit("ideal"),
        x=pl.col("start").cast(pl.Int64).clip(start) // 1_000,
        x2=pl.col("end").cast(pl.Int64) // 1_000,
        rate=pl.col("product").replace_strict(rates, default=None, return_dtype=pl.Float64),
    )


def _order(lines: Lines, board: Board, path: str) -> Order | None:
    row = at_work(board, path)
    if row is None:
        return None
    order, begun = row["order"], started(row)
    told = pl.col("order") == order, pl.col("run_start").cast(pl.Int64) == begun
    quantity = lines.ordered.filter(*told)["quantity"].max()
    good = sum(lines.good.get((machine, order, begun), 0) for machine in board.counted_by(path))
    last = board.last_of.get(path)
    pace = last["good"] / board.plant.sliding_length_us if last else 0.0
    left = max(int(quantity) - good, 0) if isinstance(quantity, int) else None
    product = board.plant.products.get(row["product"] or "")
    return Order(
        order,
        row["product"],
        product.label if product else None,
        begun,
        quantity if isinstance(quantity, int) else None,
        good,
        board.horizon + round(left / pace) if left is not None and pace > 0 else None,
    )


def _bounds(board: Board, shift: Row | None) -> tuple[int, int]:
    if shift is not None and shift["shift"] is not None:
        return micros(shift["window_start"]) or 0, micros(shift["window_end"]) or 0
    return board.horizon - 7 * HOUR_US, board.horizon
