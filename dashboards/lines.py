"""What all lines did in the last day, read at once: however many people look at however many of them."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from dashboards.board import HOUR_US, Board, Row, Settled, micros
from dashboards.timeline import told
from storage import boards
from storage.boards import Run
from storage.reader import Reader
from storage.selection import Selection

RATE_MINUTES: Final = 5


@dataclass(frozen=True)
class Lines:
    """`timeline` are whole intervals of all machines and what is told of them, `pieces` theirs by RATE_MINUTES.

    `ordered` are the quantities of the orders in force, `good` the good pieces of their runs, `good_settled` those of
    them in hours that are settled.
    """

    settled: Settled
    timeline: pl.DataFrame
    pieces: pl.DataFrame
    ordered: pl.DataFrame
    good: dict[Run, int]
    good_settled: dict[Run, int]


def load(reader: Reader, board: Board, before: Lines | None = None) -> Lines:
    """Read it up to the moment of the board. Raises StorageError as the reader does.

    Of what was read `before` that is taken over which no commit has changed since.
    """
    first = board.settled.first - HOUR_US  # the hour that it was a day ago
    start = board.settled.after(before.settled if before else None)
    if before is None or start == board.settled.first:
        start = first
    timeline = told(reader.timeline(Selection(None, None, start, board.horizon)), board.labels, board.zone)
    pieces = boards.pieces_by_minutes(reader, start, board.horizon, RATE_MINUTES)
    if before is not None:
        ended, counted = pl.col("end").cast(pl.Int64), pl.col("window_start").cast(pl.Int64)
        kept = before.timeline.filter((ended > first) & (ended <= start))
        kept = kept.join(timeline, on=["equipment", "start"], how="anti")  # one may have been cut by the horizon there
        timeline = pl.concat([kept, timeline])
        pieces = pl.concat([before.pieces.filter((counted >= first) & (counted < start)), pieces])
    rows = {path: row for path in (*board.lines, *board.machines) if (row := at_work(board, path)) is not None}
    ordered = boards.ordered(reader, {started(row) for row in rows.values()})
    runs = {(machine, row["order"], started(row)) for path, row in rows.items() for machine in board.counted_by(path)}
    settled = before.good_settled if before is not None and start > first else {}
    if not runs <= settled.keys():
        settled = boards.good_of_runs(reader, runs, None, board.settled.last)
    recent = boards.good_of_runs(reader, runs, board.settled.last, board.horizon + 1)
    good = {run: settled[run] + recent[run] for run in runs}
    return Lines(board.settled, timeline, pieces, ordered, good, {run: settled[run] for run in runs})


def at_work(board: Board, path: str) -> Row | None:
    """What the machine that makes the time of an equipment is doing; None: it works on no order."""
    machine = next((board.machines[one] for one in board.timed_by(path) if one in board.machines), None)
    return None if machine is None or machine["order"] is None else machine


def started(row: Row) -> int:
    """When the run of the order was started that a machine works on (µs)."""
    return micros(row["run_start"]) or 0
