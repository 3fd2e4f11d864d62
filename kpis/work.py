"""The exchange form between the store and the accounting: plain frames, instants as integer microseconds UTC."""

from dataclasses import dataclass

import polars as pl

MINUTE_US = 60_000_000
BEGINNING = -(2**62)  # before every instant: where a value that was always so begins

FACTS = ("category", "reason", "product", "order", "run_start", "schedule", "shift", "production_date")
"""What is known of every instant of an equipment before its account is derived from it."""

FACT_TYPES: dict[str, pl.DataType] = {
    "category": pl.String(),
    "reason": pl.String(),
    "product": pl.String(),
    "order": pl.String(),
    "run_start": pl.Int64(),
    "schedule": pl.String(),
    "shift": pl.String(),
    "production_date": pl.Date(),
}

SPANS = pl.Schema(
    {
        "unit": pl.UInt32(),  # number of the span; an equipment may have several
        "equipment": pl.String(),
        "start": pl.Int64(),  # facts are made anew in [start, end)
        "end": pl.Int64(),
        "count_start": pl.Int64(),  # pieces are booked anew in [count_start, count_end); what is before it stays
        "count_end": pl.Int64(),
        "accounted_from": pl.Int64(),  # first own state, count or counter event
    }
)

INTERVALS = pl.Schema(
    {
        "equipment": pl.String(),
        "start": pl.Int64(),
        "end": pl.Int64(),
        "account": pl.String(),
        **FACT_TYPES,
        "stretch_start": pl.Int64(),  # of the uninterrupted down-or-idle stretch; null outside one
    }
)

PIECES = pl.Schema(
    {
        "equipment": pl.String(),
        "window_start": pl.Int64(),  # the minute
        "shift": pl.String(),
        "production_date": pl.Date(),
        "product": pl.String(),
        "order": pl.String(),
        "run_start": pl.Int64(),
        "quality": pl.String(),
        "reason": pl.String(),
        "pieces": pl.Int64(),
        "ideal_us": pl.Int64(),
        "no_ideal": pl.Int64(),
    }
)

STOPS = pl.Schema(
    {
        "equipment": pl.String(),
        "start": pl.Int64(),
        "end": pl.Int64(),
        "category": pl.String(),
        "reason": pl.String(),
        "minor": pl.Boolean(),
        "us": pl.Int64(),
        "booked_at": pl.Int64(),  # first instant in an account that a stop counts in
        "product": pl.String(),
        "order": pl.String(),
        "run_start": pl.Int64(),
        "shift": pl.String(),
        "production_date": pl.Date(),
    }
)

PRIOR_ROLES = ("base", "order", "own", "counter", "mark")
"""Why an event from before a span is still needed: it set the state, the order, the last sign of life, the last
reading of a quality, or was the last count that showed a machine without state events running."""


@dataclass(frozen=True)
class Work:
    """Everything that the accounts of some spans depend on.

    `events` are the events of the spans' equipment in their ranges, and `order` and `status` events of its ancestors;
    retracted ones are left out, and so are `reclassify` events, which come apart. `prior` holds, with the column
    `role` (see PRIOR_ROLES), the last event of its kind before the span, named by `unit`. `context` holds the
    intervals in the store that touch the spans; their facts hold outside the spans. `horizon` is the instant up to
    which an open interval is accounted.
    """

    spans: pl.DataFrame
    events: pl.DataFrame
    prior: pl.DataFrame
    reclassified: pl.DataFrame
    context: pl.DataFrame
    horizon: int


@dataclass(frozen=True)
class Accounts:
    """The accounts of the spans: whole intervals and stops with their context, pieces by whole minutes.

    `due` tells for each span the next instant, from the horizon on, at which something changes without an event.
    """

    intervals: pl.DataFrame
    pieces: pl.DataFrame
    stops: pl.DataFrame
    due: pl.DataFrame


def newest(instants: pl.Series) -> int | None:
    """The greatest of a series of instants; None of an empty one."""
    greatest = instants.max()
    return greatest if isinstance(greatest, int) else None


def floor_minute(instant: pl.Expr) -> pl.Expr:
    """Start of the minute that holds the instant (also for instants before 1970)."""
    return instant - instant.mod(MINUTE_US)


def last_per_instant(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Of the rows that share all keys, in a frame sorted by them, the last."""
    same = pl.all_horizontal(pl.col(key) == pl.col(key).shift(-1) for key in keys)
    return frame.filter(~same.fill_null(value=False))
