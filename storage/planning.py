"""From new events to the spans that must be accounted again, and everything their accounting depends on.

A new event changes time from its own instant to the next event of its kind, and nothing else. What is newer than
everything known of an equipment changes only its tail, up to the horizon; so the cost of an event on time does not
grow with history, and the cost of a late one grows with the time it changes.
"""

from dataclasses import dataclass, field

import polars as pl

from kpis.work import BEGINNING, MINUTE_US, SPANS, Work, floor_minute
from storage.database import Connection
from storage.history import events_in, nearest, run_ends, touching
from storage.ledger import Ledger
from storage.memory import Memory
from storage.prior import asking, infers_state, prior, questions, with_added
from storage.recall import recalled

FEW = 8
"""So many late events of an equipment are looked at one by one; more are taken as one span up to the horizon."""

NEVER = -BEGINNING


@dataclass(frozen=True)
class Taken:
    """New events as they count: `added` ones, and `removed` ones that a retraction takes back.

    Retracted events are not among the added. `rulings` are the reclassifications added or taken back. `kinds` tells
    first and last instants of the added ones, see storage.ledger, and `seen` those of all new events. `first` holds for
    each equipment whose first accounted instant moved the old and the new one (None: not accounted).
    """

    added: pl.DataFrame
    removed: pl.DataFrame
    rulings: pl.DataFrame
    kinds: pl.DataFrame
    seen: pl.DataFrame
    first: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether time has only gone on."""
        return self.added.is_empty() and self.removed.is_empty() and self.rulings.is_empty()


def plan(con: Connection, ledger: Ledger, memory: Memory, taken: Taken, horizon: int) -> Work | None:
    """The work that brings the accounts up to date; None when there is none.

    `ledger` already knows the new first instants and corrections, but not yet the new event ranges and horizon.
    """
    return work_on(con, ledger, memory, _spans(con, ledger, taken, horizon), taken.added, horizon)


def work_on(
    con: Connection,
    ledger: Ledger,
    memory: Memory,
    changes: pl.DataFrame,
    added: pl.DataFrame,
    horizon: int,
) -> Work | None:
    """The work for changed spans: rows of `equipment`, `start`, `end`, `count_start`, `count_end`, as they come.

    `added` are events that are not in the store yet. What is remembered is not read.
    """
    spans = _merged(changes)
    if spans.is_empty():
        return None
    # Several spans of an equipment may have to be joined when the intervals around them are known.
    alone = spans.select(pl.len().over("equipment") == 1).to_series()
    memory = recalled(con, ledger, memory, spans.filter(alone), horizon)
    fresh = memory.covers(spans) & alone
    recent, older = spans.filter(fresh), spans.filter(~fresh)
    events, prior_events = [added], []
    contexts = []
    if recent.height:
        contexts.append(memory.context(recent, horizon))
        prior_events.append(memory.prior(asking(recent)))
    if older.height:
        older, context = (
            frame.with_columns(pl.col("unit") + spans.height)
            for frame in _with_context(con, _whole_minutes(older), horizon)
        )
        contexts.append(context)
        events.append(events_in(con, _ranges(older, ledger), ledger.retracted))
        prior_events.append(prior(con, ledger, older))
    spans = pl.concat([recent, older.select(recent.columns)])
    accounted = pl.DataFrame(
        list(ledger.accounted.items()), schema={"equipment": pl.String, "accounted_from": pl.Int64}, orient="row"
    )
    spans = spans.join(accounted, on="equipment", how="left", maintain_order="left").with_columns(
        pl.col("accounted_from").fill_null(NEVER)
    )
    return Work(
        spans=spans.select(SPANS.names()),
        events=pl.concat([frame.select(added.columns) for frame in events]),
        prior=with_added(pl.concat(prior_events, how="diagonal"), added, spans, ledger.holders()),
        reclassified=ledger.rulings.select("equipment", "id", "ts", "start", "end", "state", "reason"),
        context=pl.concat(contexts),
        horizon=horizon,
    )


def _ranges(spans: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Whose events of which time spans depend on."""
    return (
        spans.select(
            below="equipment",
            first=pl.min_horizontal("start", "count_start"),
            last=pl.max_horizontal("end", "count_end"),
        )
        .join(ledger.holders(), on="below")
        .select("equipment", "first", "last")
        .unique()
    )


def _spans(con: Connection, ledger: Ledger, taken: Taken, horizon: int) -> pl.DataFrame:
    """Spans as they come, one or more for each change; they may overlap."""
    now = horizon + 1
    before = now if ledger.horizon is None else ledger.horizon
    due = [path for path in ledger.accounted if ledger.due.get(path, BEGINNING) <= horizon]
    waiting = pl.DataFrame({"below": due, "at": [before] * len(due)}, schema={"below": pl.String, "at": pl.Int64})
    spans = [_span(waiting.filter(pl.col("at") < now), end=pl.lit(now), counts=False)]
    if taken.nothing:
        return spans[0]
    tails = ledger.tails()
    late = pl.col("at") <= pl.col("tail")
    gone = taken.removed.select("equipment", "type", "online", "ts")
    first = pl.concat([taken.kinds.select("equipment", "type", "online", ts="first_ts"), gone])
    first = _held(first, ledger)
    overtaken = first.join(tails, on="below").filter(late).select("below").unique()
    ahead = first
    if overtaken.height:
        columns = ("equipment", "type", "quality", "online", "ts")
        changed = pl.concat([taken.added.select(columns), taken.removed.select(columns)])
        several = _held(changed, ledger, overtaken).join(tails, on="below")
        ahead = pl.concat([first.join(overtaken, on="below", how="anti"), several.filter(~late).select(first.columns)])
        behind = several.filter(late).with_columns(many=pl.len().over("below") > FEW)
        spans.append(_span(behind.filter("many").group_by("below").agg(pl.col("at").min()), end=pl.lit(now)))
        spans.append(_late(con, ledger, behind.filter(~pl.col("many")), now))
    spans.append(_span(ahead.group_by("below").agg(pl.col("at").min()), end=pl.lit(now)))
    moved = [
        (path, min(old or now, new or now), max(old or now, new or now)) for path, (old, new) in taken.first.items()
    ]
    if moved:
        first = pl.DataFrame(moved, schema={"below": pl.String, "at": pl.Int64, "until": pl.Int64}, orient="row")
        # A run begins no earlier than the accounting, so it moves with it.
        spans.append(_span(run_ends(con, first, now), end=pl.col("until")))
    if taken.rulings.height:
        rulings = taken.rulings.filter(pl.col("start") < now, pl.col("equipment").is_in(list(ledger.accounted)))
        told = rulings.select(below="equipment", at="start", until="end")
        spans.append(_span(told, end=pl.min_horizontal("until", pl.lit(now)), counts=False))
    return pl.concat(spans)


def _held(changed: pl.DataFrame, ledger: Ledger, only: pl.DataFrame | None = None) -> pl.DataFrame:
    """For whom changed events hold: `below` is its equipment or, for orders and lost communication, one below it."""
    holders = ledger.holders() if only is None else ledger.holders().join(only, on="below", how="semi")
    held = changed.join(holders, on="equipment")
    held = held.filter(pl.col("own") | (pl.col("type") == "order") | ~pl.col("online"))
    return held.rename({"ts": "at"}).drop("equipment", "online")


def _span(changes: pl.DataFrame, *, end: pl.Expr, counts: bool = True) -> pl.DataFrame:
    return changes.select(
        equipment="below",
        start="at",
        end=end.cast(pl.Int64),
        count_start="at",
        count_end=pl.max_horizontal(end.cast(pl.Int64), pl.col("at") + 1) if counts else pl.col("at"),
    )


def _late(con: Connection, ledger: Ledger, late: pl.DataFrame, now: int) -> pl.DataFrame:
    """Spans of late events: each to the next event of its kind, in every role that it plays."""
    late = late.with_row_index("unit").with_columns(quality=pl.when(pl.col("type") == "counter").then("quality"))
    if late.is_empty():
        return _span(late.select("below", "at"), end=pl.col("at"))
    equipment = [ledger.plant.equipment[path] for path in late["below"]]
    roles = late.with_columns(
        role=pl.when(pl.col("type") == "order")
        .then(pl.lit("order"))
        .when(pl.col("type").is_in(["state", "status"]))
        .then(pl.lit("base")),
        stale=pl.Series([item.stale_after_us > 0 for item in equipment]),
        inferred=pl.Series([infers_state(item) for item in equipment]),
    )
    # Where counts make the state, everything that follows hangs together: up to the horizon.
    whole = roles.filter("inferred")
    roles = roles.filter(~pl.col("inferred"))
    played = pl.concat(
        [
            roles.filter(pl.col("role").is_not_null()),
            roles.filter(pl.col("stale") & pl.col("own")).with_columns(role=pl.lit("own")),
            roles.filter(pl.col("type") == "counter").with_columns(role=pl.lit("counter")),
        ]
    )
    asked = questions(ledger, played.select("unit", "below", "role", "at", "quality"), limit="last_ts")
    following = nearest(con, asked.filter(pl.col("limit") > pl.col("at")), ledger.retracted, before=False)
    ends = played.select("unit", "below", "role", "at").join(
        following.select("unit", "role", until="ts"), on=["unit", "role"], how="left"
    )
    ends = ends.with_columns(pl.col("until").fill_null(now))
    orders = ends.filter(pl.col("role") == "order")
    if orders.height:
        ends = pl.concat([ends.filter(pl.col("role") != "order"), run_ends(con, orders, now)])
    readings = ends.filter(pl.col("role") == "counter")
    return pl.concat(
        [
            _span(whole.select("below", "at"), end=pl.lit(now)),
            _span(late.select("below", "at"), end=pl.col("at")),
            _span(ends.filter(pl.col("role") != "counter").select("below", "at", "until"), end=pl.col("until")),
            # A reading changes what the next one counts, and no time.
            readings.select(
                equipment="below",
                start="at",
                end="at",
                count_start=pl.when(pl.col("until") < now).then("until").otherwise("at"),
                count_end=pl.when(pl.col("until") < now).then(pl.col("until") + 1).otherwise(now),
            ).with_columns(start="count_start", end="count_start"),
        ]
    )


def _merged(spans: pl.DataFrame) -> pl.DataFrame:
    """Spans that overlap as one, numbered."""
    return _hulls(
        spans.with_columns(low=pl.min_horizontal("start", "count_start"), high=pl.max_horizontal("end", "count_end"))
    )


def _whole_minutes(spans: pl.DataFrame) -> pl.DataFrame:
    """The spans with whole minutes of pieces, because what is stored of a minute cannot be told apart."""
    counting = pl.col("count_end") > pl.col("count_start")
    minute_end = floor_minute(pl.col("count_end") + (MINUTE_US - 1))
    return _merged(
        spans.drop("unit").with_columns(
            count_start=pl.when(counting).then(floor_minute(pl.col("count_start"))).otherwise("count_start"),
            count_end=pl.when(counting).then(minute_end).otherwise("count_end"),
        )
    )


def _hulls(spans: pl.DataFrame) -> pl.DataFrame:
    """Spans whose reach from `low` to `high` overlaps, joined."""
    # A span that books no pieces says nothing about where those of the others begin.
    counting = pl.col("count_end") > pl.col("count_start")
    if not spans["equipment"].is_duplicated().any():
        begin, end = (pl.when(counting).then(name).otherwise("start") for name in ("count_start", "count_end"))
        alone = spans.sort("equipment").select(
            *("equipment", "start", "low", "end", "high", begin.alias("count_start"), end.alias("count_end"))
        )
        return alone.with_row_index("unit")
    reached = pl.col("high").cum_max().shift(1).over("equipment")
    joined = (
        spans.lazy()
        .sort("equipment", "low", "high")
        .with_columns(_new=(reached.is_null() | (pl.col("low") > reached)).cum_sum())
        .group_by("_new", maintain_order=True)
        .agg(
            pl.col("equipment").first(),
            pl.col("start", "low").min(),
            pl.col("end", "high").max(),
            pl.coalesce(pl.col("count_start").filter(counting).min(), pl.col("start").min()).alias("count_start"),
            pl.coalesce(pl.col("count_end").filter(counting).max(), pl.col("start").min()).alias("count_end"),
        )
    )
    return joined.drop("_new").with_row_index("unit").collect()


def _with_context(con: Connection, spans: pl.DataFrame, horizon: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The spans with the intervals around them; spans that would touch the same interval are joined first."""
    while True:
        context = touching(con, spans, horizon)
        reach = context.group_by("unit").agg(low=pl.col("start").min(), high=pl.col("end").max())
        reached = (
            spans.drop("low", "high")
            .join(reach, on="unit", how="left")
            .with_columns(
                low=pl.min_horizontal("low", "start", "count_start"), high=pl.max_horizontal("high", "end", "count_end")
            )
        )
        joined = _hulls(reached)
        if joined.height == spans.height:
            return reached, context
        spans = joined
