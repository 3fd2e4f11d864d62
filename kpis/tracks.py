"""What holds when: one track for each thing that can change in the life of an equipment.

A track is a frame of (`unit`, `at`, values): from `at` on, until the next row of the unit, the values hold.
"""

import polars as pl

from kpis.plant import Plant
from kpis.shifts import schedule
from kpis.work import BEGINNING, SPANS, Work, last_per_instant

UNKNOWN = "unknown"


def categories(plant: Plant) -> pl.Expr:
    """Category of the source state name in `state`; a name that nobody knows is unknown."""
    names = {name: name for name in ("producing", "setup", "down", "idle", "planned", UNKNOWN)}
    names.update(plant.states)
    return pl.col("state").replace_strict(names, default=UNKNOWN, return_dtype=pl.String)


def by_reason(plant: Plant, category: pl.Expr, reason: pl.Expr) -> pl.Expr:
    """The category after the reason has spoken: a reason may move any state but a producing one."""
    moved = {name: found.category for name, found in plant.reasons.items() if found.category}
    if not moved:
        return category
    told = reason.replace_strict(moved, default=None, return_dtype=pl.String)
    return pl.when(category != "producing").then(pl.coalesce(told, category)).otherwise(category)


def setting(work: Work, plant: Plant, name: str) -> pl.Series:
    """A setting in µs of the equipment of each span."""
    return pl.Series(name, [getattr(plant.equipment[path], name) for path in work.spans["equipment"]], dtype=pl.Int64)


_OWN = (
    *("equipment", "ts", "id", "type", "state", "reason", "product", "order"),
    *("good", "scrap", "rework", "quality", "value", "rollover"),
)


def own(work: Work) -> pl.DataFrame:
    """The spans' own events, with their `unit`, inside the span or the minutes that it books pieces in."""
    spans = work.spans.select(
        "unit",
        "equipment",
        first=pl.min_horizontal("start", "count_start"),
        last=pl.max_horizontal("end", "count_end"),
    )
    # With one span for each equipment a left join adds columns; any other copies all the events.
    single = not spans["equipment"].is_duplicated().any()
    events = work.events.select(_OWN).join(
        spans, on="equipment", how="left" if single else "inner", maintain_order="left"
    )
    inside = pl.col("ts").is_between("first", "last", closed="left").fill_null(value=False)
    return events.filter(inside).drop("first", "last")


def inherited(work: Work, plant: Plant) -> pl.DataFrame:
    """The `order` and `status` events that hold for a unit: its own and its ancestors', with `own` telling which."""
    events = work.events.filter(pl.col("type").is_in(["order", "status"]))
    units = work.spans.select("unit", first="start", last="end", below="equipment")
    held = events.join(plant.lineage, on="equipment").join(units, on="below")
    inside = pl.col("ts").is_between("first", "last", closed="left")
    return held.filter(inside).drop("below", "first", "last")


def prior(work: Work, role: str) -> pl.DataFrame:
    """The events of one role from before the spans; `own` tells whether it is the unit's own or an ancestor's."""
    return work.prior.filter(pl.col("role") == role).drop("role")


def state_track(work: Work, mine: pl.DataFrame, held: pl.DataFrame, marks: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    """State in force by state events, lost communication, and counts where an equipment has nothing else.

    `marks` are the counts that show an equipment running: `unit`, `ts`, `id`, `stop_us` (null: never stops).
    """
    before = prior(work, "base")
    states = pl.concat([before, mine.with_columns(own=True)], how="diagonal").filter(pl.col("type") == "state")
    offline = pl.concat([before, held], how="diagonal").filter((pl.col("type") == "status") & ~pl.col("online"))
    signals = [
        states.select("unit", "ts", "id", "own", "reason", category=categories(plant)),
        offline.select("unit", "ts", "id", "own", reason=pl.lit(None, pl.String), category=pl.lit(UNKNOWN, pl.String)),
    ]
    if marks.height:
        running = marks.select(
            "unit",
            "ts",
            "id",
            "stop_us",
            own=pl.lit(value=True),
            reason=pl.lit(None, pl.String),
            category=pl.lit("producing", pl.String),
        )
        signals.append(running)
    track = pl.concat(signals, how="diagonal").sort("unit", "ts", "id", "own")
    track = last_per_instant(track, "unit", "ts")
    if marks.height:
        stopped = (
            track.with_columns(next=pl.col("ts").shift(-1).over("unit"), stop=pl.col("ts") + pl.col("stop_us"))
            .filter(pl.col("stop").is_not_null() & (pl.col("next").is_null() | (pl.col("next") > pl.col("stop"))))
            .select("unit", ts="stop", reason=pl.lit(None, pl.String), category=pl.lit("down", pl.String))
        )
        track = pl.concat([track, stopped], how="diagonal").sort("unit", "ts")
    return track.select("unit", "category", "reason", at="ts")


def silence_track(work: Work, mine: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    """Whether an equipment has been silent for longer than it may be."""
    limits = work.spans.select("unit", stale=setting(work, plant, "stale_after_us")).filter(pl.col("stale") > 0)
    if limits.is_empty():
        return pl.DataFrame(schema={"unit": pl.UInt32, "at": pl.Int64, "silent": pl.Boolean})
    alive = pl.concat([prior(work, "own").select("unit", "ts"), mine.select("unit", "ts")])
    alive = alive.join(limits, on="unit").unique(["unit", "ts"]).sort("unit", "ts")
    until = pl.col("ts").shift(-1).over("unit")
    silent_from = pl.col("ts") + pl.col("stale")
    gaps = alive.with_columns(until=until).filter(until.is_null() | (silent_from < until))
    return pl.concat(
        [
            gaps.select("unit", at=silent_from, silent=pl.lit(value=True)),
            gaps.filter(pl.col("until").is_not_null()).select("unit", at="until", silent=pl.lit(value=False)),
            # The first one known ends the silence before it: it may be what an open interval is due for.
            alive.unique("unit", keep="first", maintain_order=True).select("unit", at="ts", silent=pl.lit(value=False)),
        ]
    ).sort("unit", "at")


def order_track(work: Work, held: pl.DataFrame) -> pl.DataFrame:
    """Order and product in force. An end ends whatever was in force: the last order event counts."""
    before = prior(work, "order")
    orders = pl.concat([before, held], how="diagonal").filter(pl.col("type") == "order")
    orders = last_per_instant(orders.sort("unit", "ts", "id", "own"), "unit", "ts")
    started = pl.col("action") == "start"
    return orders.select(
        "unit",
        at="ts",
        order=pl.when(started).then("order"),
        product=pl.when(started).then("product"),
    )


def schedule_track(work: Work, plant: Plant) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Schedule, shift and production day, and for each unit the end of what the calendar was asked for."""
    calendars: dict[tuple[str | None, str], list[int]] = {}
    for unit, path in work.spans.select("unit", "equipment").iter_rows():
        equipment = plant.equipment[path]
        calendars.setdefault((equipment.calendar, equipment.timezone), []).append(unit)
    tracks = [_empty_schedule()]
    known_until = []
    for (calendar, timezone), units in calendars.items():
        spans = work.spans.filter(pl.col("unit").is_in(units)).select("unit", "start", "end")
        first, last = spans.select(pl.col("start").min(), pl.col("end").max()).row(0)
        segments = schedule(plant, calendar, timezone, first, max(last, work.horizon) + 1)
        known_until.append(spans.select("unit", at=pl.lit(segments["end"][-1], pl.Int64)))
        pairs = spans.join_where(
            segments.rename({"start": "at", "end": "until"}),
            pl.col("until") > pl.col("start"),
            # One that begins at the very end does not show yet, but its equipment is due then.
            pl.col("at") <= pl.col("end"),
        )
        tracks.append(pairs.select(_empty_schedule().columns))
    return pl.concat(tracks).sort("unit", "at"), pl.concat(known_until)


def _empty_schedule() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "unit": pl.UInt32,
            "at": pl.Int64,
            "schedule": pl.String,
            "shift": pl.String,
            "production_date": pl.Date,
        }
    )


def reclassified_track(work: Work, plant: Plant) -> pl.DataFrame:
    """The reclassification in force: of several that overlap, the one decided last."""
    schema = {
        "unit": pl.UInt32,
        "at": pl.Int64,
        "ruled": pl.Boolean,
        "ruled_category": pl.String,
        "ruled_reason": pl.String,
    }
    rulings = work.reclassified.rename({"start": "from", "end": "to"}).join(
        work.spans.select(SPANS.names()[:4]), on="equipment"
    )
    # One on time to come still tells when its equipment is due.
    ahead = (pl.col("from") < pl.col("end")) | (pl.col("end") > work.horizon)
    # One that ends at the very start tells what holds from there on: it may be what an open interval is due for.
    rulings = rulings.filter(ahead & (pl.col("to") >= pl.col("start")))
    if rulings.is_empty():
        return pl.DataFrame(schema=schema)
    bounds = pl.concat([rulings.select("unit", at="from"), rulings.select("unit", at="to")]).unique()
    over = bounds.join(rulings.select("unit", "from", "to", "ts", "id", "state", "reason"), on="unit").filter(
        (pl.col("from") <= pl.col("at")) & (pl.col("at") < pl.col("to"))
    )
    winners = last_per_instant(over.sort("unit", "at", "ts", "id"), "unit", "at")
    return (
        bounds.join(winners, on=["unit", "at"], how="left")
        .select(
            "unit",
            "at",
            ruled=pl.col("id").is_not_null(),
            ruled_category=pl.when(pl.col("state").is_not_null()).then(categories(plant)),
            ruled_reason="reason",
        )
        .sort("unit", "at")
    )


def merge(spans: pl.DataFrame, tracks: list[pl.DataFrame]) -> pl.DataFrame:
    """All tracks as one: a row for every unit and instant at which any of them changes, with the values of all.

    Values that a track has not set yet are null. Rows are in order of (`unit`, `at`).
    """
    start = spans.select("unit", at=pl.lit(BEGINNING, pl.Int64))
    indexes = [f"_{number}" for number in range(len(tracks))]
    points = [start.with_columns(pl.lit(0, pl.UInt32).alias(index) for index in indexes)]
    # Index 0 means "not set yet", so that one forward fill over all units cannot carry values from one to the next.
    points += [
        track.select("unit", "at", (pl.int_range(1, pl.len() + 1, dtype=pl.UInt32)).alias(index))
        for track, index in zip(tracks, indexes, strict=True)
    ]
    merged = pl.concat(points, how="diagonal").sort("unit", "at", maintain_order=True)
    merged = last_per_instant(merged.with_columns(pl.col(indexes).forward_fill()), "unit", "at")
    values = []
    for track, index in zip(tracks, indexes, strict=True):
        payload = track.drop("unit", "at")
        payload = pl.concat([payload.clear(1), payload])
        values.append(payload[merged[index]])
    return pl.concat([merged.select("unit", "at"), *values], how="horizontal")
