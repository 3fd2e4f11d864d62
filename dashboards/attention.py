"""What needs somebody now: long stops, silent machines, stops without a reason, performance above 100 %."""

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from dashboards.board import Board, Row, micros
from storage.grains import MINUTE_US

Kind = Literal["stopped", "silent", "unclassified", "too_fast"]
KINDS: Final[tuple[Kind, ...]] = ("stopped", "silent", "unclassified", "too_fast")
SILENT_AFTER_US: Final = 30 * MINUTE_US
"""A machine in its shift without a `stale_after` of its own is silent after this long."""


@dataclass(frozen=True)
class Matter:
    """One thing that somebody has to look at: where, of which kind, for how long or since when (µs), and why.

    `number` is the stops without a reason, the machines that wait for a stopped one, or nothing; `ratio` is the
    performance above 1.
    """

    kind: Kind
    path: str
    account: str
    since: int | None = None
    us: int | None = None
    reason: str | None = None
    number: int = 0
    ratio: float | None = None


def matters(board: Board, longer_than_us: int) -> list[Matter]:
    """What needs somebody, the most urgent first: by kind, then by how long it has been so."""
    return board.once(("matters", longer_than_us), lambda: _matters(board, longer_than_us))


def _matters(board: Board, longer_than_us: int) -> list[Matter]:
    found = [*_stopped(board, longer_than_us), *_silent(board), *_unclassified(board, longer_than_us), *_fast(board)]
    return sorted(found, key=lambda matter: (KINDS.index(matter.kind), -(matter.us or 0), matter.path))


def _stopped(board: Board, longer_than_us: int) -> list[Matter]:
    """Machines down or waiting for long. In a line the machines that are down come one by one and those that wait are
    counted; where none is down, the one that tells a reason or waits longest stands for all."""
    lines: dict[str, list[Row]] = {}
    for row in board.machines.values():
        if row["account"] in ("down", "idle") and _age(board, row) >= longer_than_us:
            lines.setdefault(board.line_of(row["equipment"]), []).append(row)
    found = []
    for rows in lines.values():
        shown = [row for row in rows if row["account"] == "down"]
        shown = shown or [max(rows, key=lambda row: (row["reason"] is not None, _age(board, row)))]
        waiting = sum(row["account"] == "idle" for row in rows if row not in shown)
        found += [_matter(board, "stopped", row, number=waiting if row is shown[0] else 0) for row in shown]
    return found


def _silent(board: Board) -> list[Matter]:
    found = []
    for path, row in board.machines.items():
        last = micros(row["last_event"])
        limit = board.plant.equipment[path].stale_after_us or SILENT_AFTER_US
        quiet = board.horizon - last if last is not None else 0
        if row["schedule"] == "scheduled" and quiet >= limit and row["account"] not in ("down", "idle", "planned_stop"):
            found.append(Matter("silent", path, row["account"], last, quiet))
    return found


def _unclassified(board: Board, longer_than_us: int) -> list[Matter]:
    """Stops of category down that nobody gave a reason for, by machine, over the last day."""
    rows = board.unclassified.filter(pl.col("us") >= longer_than_us)
    summed = rows.group_by("equipment", maintain_order=True).agg(pl.col("us").sum(), pl.len(), pl.col("start").min())
    return [
        Matter("unclassified", row["equipment"], "down", micros(row["start"]), row["us"], number=row["len"])
        for row in summed.iter_rows(named=True)
    ]


def _fast(board: Board) -> list[Matter]:
    rows = board.shifts.filter((pl.col("performance") > 1) & pl.col("equipment").is_in(list(board.machines)))
    return [
        Matter("too_fast", row["equipment"], "producing", ratio=row["performance"])
        for row in rows.iter_rows(named=True)
    ]


def _matter(board: Board, kind: Kind, row: Row, number: int) -> Matter:
    reason = row["reason_label"] or row["reason"]
    return Matter(kind, row["equipment"], row["account"], micros(row["since"]), _age(board, row), reason, number)


def _age(board: Board, row: Row) -> int:
    since = micros(row["since"])
    return board.horizon - since if since is not None else board.horizon - board.first
