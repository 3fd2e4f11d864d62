"""Time accounting: what happened to every instant of an equipment, in exactly one account each.

The same pure function serves live operation, replay and recomputing: `account(work, plant)`.

    events ──► tracks ──► facts of [start, end) ─┐
    intervals in the store ──► facts around it ──┴─► stretches ──► accounts ──► intervals, stops, pieces
"""

import polars as pl

from kpis import pieces as pieces_
from kpis import tracks
from kpis.plant import Plant
from kpis.work import BEGINNING, FACTS, INTERVALS, STOPS, Accounts, Work

STOPPED = ("down", "idle")
STOP_ACCOUNTS = ("minor_stop", "down", "idle")


def account(work: Work, plant: Plant) -> Accounts:
    """Accounts of the spans of `work`, with the intervals around them that they may join or lengthen.

    The result depends on the events alone: neither their order nor the cut into spans shows in it.
    """
    mine = tracks.own(work)
    pieces = pieces_.booked(work, mine)
    made, due = _facts(work, mine, pieces, plant)
    facts = _same_runs(pl.concat([_around(work), made]).sort("unit", "start", "end"))
    rows = _joined(_derive(facts.filter(pl.col("start") < pl.col("end")), work, plant))
    stops, renamed = _stops(rows, work.horizon)
    # What changes at the horizon itself does not show yet, so it is due as well.
    due = pl.concat([due, _outgrown(rows, work), renamed]).filter(pl.col("at") >= work.horizon)
    return Accounts(
        intervals=rows.select(INTERVALS.names()),
        pieces=pieces_.by_minute(work, pieces, facts, plant),
        stops=stops,
        due=work.spans.select("unit", "equipment").join(
            due.group_by("unit").agg(due_at=pl.col("at").min()), on="unit", how="left"
        ),
    )


def _facts(work: Work, mine: pl.DataFrame, pieces: pl.DataFrame, plant: Plant) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Facts of the spans, and the instants at which they change later.

    The instant of the horizon is part of them, as a row of no length: pieces may be booked at it.
    """
    held = tracks.inherited(work, plant)
    calendar, known_until = tracks.schedule_track(work, plant)
    orders = tracks.order_track(work, held)
    points = tracks.merge(
        work.spans,
        [
            tracks.state_track(work, mine, held, _marks(work, pieces, orders, plant), plant),
            tracks.silence_track(work, mine, plant),
            orders,
            calendar,
            tracks.reclassified_track(work, plant),
        ],
    )
    due = pl.concat([points.select("unit", "at"), known_until])
    category = (
        pl.when(pl.col("silent")).then(pl.lit(tracks.UNKNOWN)).otherwise(pl.col("category").fill_null(tracks.UNKNOWN))
    )
    reason = pl.when(~pl.col("silent").fill_null(value=False)).then("reason")
    ruled = pl.col("ruled").fill_null(value=False)
    points = points.with_columns(
        category=pl.when(ruled).then(pl.coalesce("ruled_category", category)).otherwise(category),
        reason=pl.when(ruled).then("ruled_reason").otherwise(reason),
    ).with_columns(category=tracks.by_reason(plant, pl.col("category"), pl.col("reason")))
    spans = work.spans.select("unit", "equipment", "accounted_from", span_start="start", span_end="end")
    rows = points.join(spans, on="unit", maintain_order="left").with_columns(
        start=pl.max_horizontal("at", "span_start", "accounted_from"),
        end=pl.min_horizontal(
            pl.col("at").shift(-1).over("unit").fill_null(-BEGINNING),
            pl.when(pl.col("span_end") > work.horizon).then(work.horizon + 1).otherwise("span_end"),
        ),
    )
    rows = rows.filter(pl.col("start") < pl.col("end"))
    rows = _runs(rows)
    beyond = pl.col("end") > work.horizon
    whole = rows.with_columns(end=pl.when(beyond).then(work.horizon).otherwise("end"))
    instant = rows.filter(beyond).with_columns(start=pl.lit(work.horizon, pl.Int64), end=pl.lit(work.horizon, pl.Int64))
    whole = whole.filter(pl.col("start") < pl.col("end"))
    return pl.concat([whole, instant]).select("unit", "equipment", "start", "end", *FACTS), due


def _marks(work: Work, pieces: pl.DataFrame, orders: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    """The counts that show an equipment without state events running, and for how long."""
    schema = {"unit": pl.UInt32, "ts": pl.Int64, "id": pl.String, "stop_us": pl.Int64}
    inferred = [
        (unit, path)
        for unit, path in work.spans.select("unit", "equipment").iter_rows()
        if plant.equipment[path].stop_after_us is not None or plant.equipment[path].stop_after_cycles is not None
    ]
    if not inferred:
        return pl.DataFrame(schema=schema)
    units = pl.DataFrame(inferred, schema={"unit": pl.UInt32, "equipment": pl.String}, orient="row")
    sums = pieces.group_by("unit", "ts", "id").agg(pl.col("product", "order").first(), pl.col("pieces").sum())
    made = pieces_.in_force(sums.filter(pl.col("pieces") > 0), orders, start="at").select("unit", "ts", "id", "product")
    known = tracks.prior(work, "mark").select("unit", "ts", "id", "product")
    running = pl.concat([made, known]).unique(["unit", "ts", "id"], keep="last", maintain_order=True)
    running = running.join(units, on="unit")
    pairs = pieces_.ideal_cycles(running.select("equipment", "product").unique(), plant)
    limits = [
        plant.equipment[path].stop_after_us
        if (cycles := plant.equipment[path].stop_after_cycles) is None
        else (None if ideal is None else round(cycles * ideal))
        for path, _, ideal in pairs.iter_rows()
    ]
    pairs = pairs.with_columns(stop_us=pl.Series(limits, dtype=pl.Int64))
    return running.join(pairs, on=["equipment", "product"], nulls_equal=True).select(schema.keys())


def _around(work: Work) -> pl.DataFrame:
    """What the store knows of the time around the spans; there it stays true."""
    spans = work.spans.select("unit", span_start="start", span_end="end")
    rows = work.context.join(spans, on="unit", how="inner")
    before = rows.with_columns(end=pl.min_horizontal("end", "span_start"))
    after = rows.with_columns(start=pl.max_horizontal("start", "span_end"))
    return (
        pl.concat([before, after])
        .filter(pl.col("start") < pl.col("end"))
        .select("unit", "equipment", "start", "end", *FACTS)
    )


def _changed(*facts: str) -> pl.Expr:
    """True on rows, in order of (`unit`, `start`), that differ from the one before or do not follow on it."""
    kept = pl.all_horizontal(
        pl.col("unit") == pl.col("unit").shift(1),
        pl.col("start") == pl.col("end").shift(1),
        *(pl.col(fact).eq_missing(pl.col(fact).shift(1)) for fact in facts),
    )
    return ~kept.fill_null(value=False)


def _runs(rows: pl.DataFrame) -> pl.DataFrame:
    """The start of the run of the order in force, as far as the rows go back."""
    rows = rows.with_columns(_run=_changed("order", "product").cum_sum())
    first = pl.col("start").first().over("_run")
    return rows.with_columns(run_start=pl.when(pl.col("order").is_not_null()).then(first)).drop("_run")


def _same_runs(rows: pl.DataFrame) -> pl.DataFrame:
    """One start for each run, also where it reaches from the store into a span or out of it."""
    rows = rows.with_columns(_run=_changed("order", "product").cum_sum())
    return rows.with_columns(run_start=pl.col("run_start").first().over("_run")).drop("_run")


def _derive(rows: pl.DataFrame, work: Work, plant: Plant) -> pl.DataFrame:
    """Stretches, and the account of every row."""
    limits = work.spans.select("unit", minor_under=tracks.setting(work, plant, "minor_stop_under_us"))
    category, schedule = pl.col("category"), pl.col("schedule")
    rows = rows.join(limits, on="unit", maintain_order="left").with_columns(stopped=category.is_in(STOPPED))
    rows = rows.with_columns(_stretch=_changed("stopped").cum_sum())
    length = pl.col("end").max().over("_stretch") - pl.col("start").min().over("_stretch")
    rows = rows.with_columns(
        minor=pl.col("stopped") & (length < pl.col("minor_under")),
        stretch_start=pl.when("stopped").then(pl.col("start").min().over("_stretch")),
    )
    account = (
        pl.when(category == "producing")
        .then(category)
        .when(schedule != "scheduled")
        .then(schedule)
        .when(category == "planned")
        .then(pl.lit("planned_stop"))
        .when("minor")
        .then(pl.lit("minor_stop"))
        .otherwise(category)
    )
    return rows.with_columns(account=account)


def _outgrown(rows: pl.DataFrame, work: Work) -> pl.DataFrame:
    """When a minor stop that is still open will have lasted too long to be one."""
    open_ = rows.filter(pl.col("minor") & (pl.col("end") == work.horizon))
    return open_.select("unit", at=pl.col("stretch_start") + pl.col("minor_under"))


def _joined(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows joined until only a change of their own ends them."""
    values = ["account", *FACTS, "stretch_start"]
    rows = rows.with_columns(_interval=_changed(*values).cum_sum())
    kept = ["unit", "equipment", "start", *values, "stopped", "minor", "minor_under"]
    return rows.group_by("_interval", maintain_order=True).agg(pl.col(kept).first(), pl.col("end").last())


def _stops(rows: pl.DataFrame, horizon: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Runs of one category, down or idle, that fall at least partly into time that was to be worked.

    What is still open has no length yet: it has that of its last interval up to whenever one asks. Beside the stops,
    when the reason in force will have named an open one for longer than the one that it has.
    """
    rows = rows.with_columns(_stop=_changed("category", "stopped").cum_sum()).filter("stopped")
    counted = pl.col("account").is_in(STOP_ACCOUNTS)
    length = pl.col("end") - pl.col("start")
    rows = rows.with_columns(us=pl.when(counted & (pl.col("end") < horizon)).then(length).otherwise(0))
    reasons = (
        rows.filter(pl.col("reason").is_not_null())
        .group_by("_stop", "reason", maintain_order=True)
        .agg(pl.col("unit").first(), length.sum().alias("time"), (pl.col("end") == horizon).any().alias("open"))
        .sort("time", descending=True, maintain_order=True)
        .with_columns(lead=pl.col("time").first().over("_stop") - pl.col("time"))
    )
    named = reasons.unique("_stop", keep="first", maintain_order=True).select("_stop", "reason")
    behind = reasons.filter("open", pl.col("reason") != pl.col("reason").first().over("_stop"))
    renamed = behind.select("unit", at=pl.col("lead") + horizon + 1)
    booked = [name for name in STOPS.names()[7:] if name != "booked_at"]
    stops = rows.group_by("_stop", maintain_order=True).agg(
        pl.col("equipment", "start", "category", "minor").first(),
        pl.col("end").last(),
        pl.col("us").sum(),
        pl.col("start").filter(counted).first().alias("booked_at"),
        *(pl.col(name).filter(counted).first() for name in booked),
    )
    stops = stops.join(named, on="_stop", how="left", maintain_order="left")
    return stops.filter(pl.col("booked_at").is_not_null()).select(STOPS.names()), renamed
