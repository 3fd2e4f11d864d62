"""When the conditions of rules hold, and when they are not to be told: spans of rule and equipment."""

from collections.abc import Iterable

import polars as pl

from kpis.alert_scope import KEY, Measure, Reach, Scope
from kpis.alert_values import measured
from kpis.plant_alerts import QUIET
from kpis.work import MINUTE_US

SPANS = pl.Schema({"rule": pl.UInt32, "equipment": pl.String, "start": pl.Int64, "end": pl.Int64})
HELD = pl.Schema({"rule": pl.UInt32, "equipment": pl.String, "at": pl.Int64, "value": pl.Float64})
"""Minutes at which a measured condition holds, each up to the next one; of rules alike only the first has them."""

_MARK = {"start": pl.Int64(), "end": pl.Int64(), "why": pl.String()}
MARKS = pl.Schema([*SPANS.items(), ("why", pl.String())])
"""Spans in which nothing is raised, and why; in unscheduled time the condition does not even hold."""


def state_spans(scope: Scope, intervals: pl.DataFrame) -> pl.DataFrame:
    """When the state conditions hold, as whole spans; `intervals` are those of the contributors.

    Rules of the same condition have the same spans: they are found once.
    """
    known = intervals.select("category", "reason").unique()
    rules = [scope.matching(category, reason) for category, reason in known.iter_rows()]
    matches = known.with_columns(rule=pl.Series(rules, dtype=pl.List(pl.UInt32))).explode("rule").drop_nulls("rule")
    held = intervals.join(matches, on=["category", "reason"], nulls_equal=True)
    if held.is_empty():
        return pl.DataFrame(schema=SPANS)
    return by_all(scope, scope.alike, held.select("contributor", "rule", "start", "end"))


def silence_spans(scope: Scope, gaps: pl.DataFrame) -> pl.DataFrame:
    """When the silence conditions hold: from as long after the last sign of life as the rule says, to the next one.

    `gaps` are rows of `contributor`, `start` (the last sign of life) and `end`. Only the first rules alike have spans.
    """
    held = gaps.join(scope.silences, how="cross").with_columns(pl.col("start") + pl.col("least"))
    held = held.filter(pl.col("start") < pl.col("end"))
    if held.is_empty():
        return pl.DataFrame(schema=SPANS)
    return by_all(scope, scope.alike, held.select("contributor", "rule", "start", "end"))


def silence_due(scope: Scope, gaps: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """When equipment may become silent, or has to be looked at again because others are: `equipment`, `due`."""
    coming = gaps.join(scope.silences, how="cross").select("contributor", due=pl.col("start") + pl.col("least"))
    coming = coming.filter(pl.col("due") >= horizon).group_by("contributor").agg(pl.col("due").min())
    rows = [(path, due) for part, due in coming.iter_rows() for path in scope.concerns.get(part, ())]
    return pl.DataFrame(rows, schema={"equipment": pl.String, "due": pl.Int64}, orient="row")


def by_all(scope: Scope, reach: Reach, held: pl.DataFrame, *same: str) -> pl.DataFrame:
    """From spans of contributors and rules to those of equipment: when all hold that have time by then."""
    rows = held.join(reach.of(held["contributor"].unique()), on=["contributor", "rule"])
    # What was heard of equipment before it has time is no part of it: neither of its own nor of what is above it.
    rows = rows.with_columns(pl.max_horizontal("start", "begun")).filter(pl.col("start") < pl.col("end"))
    several = rows.filter(~pl.col("alone"))
    alone = rows.filter("alone") if several.height else rows
    spans = [joined(alone.select(*SPANS.names(), *same), *same)]
    if several.height:
        keys = [*KEY, *same]
        step = pl.lit(1, pl.Int64)
        all_ = scope.sharing(reach, several.select(KEY).unique()).join(several.select(keys).unique(), on=KEY)
        points = [
            several.select(*keys, at="start", held=step, needed=pl.lit(0, pl.Int64)),
            several.select(*keys, at="end", held=-step, needed=pl.lit(0, pl.Int64)),
            all_.select(*keys, at="begun", held=pl.lit(0, pl.Int64), needed=step),
        ]
        steps = pl.concat(points).group_by(*keys, "at").agg(pl.col("held", "needed").sum()).sort(*keys, "at")
        steps = steps.with_columns(pl.col("held", "needed").cum_sum().over(keys), end=pl.col("at").shift(-1).over(keys))
        whole = steps.filter(pl.col("held") == pl.col("needed"), pl.col("end").is_not_null())
        spans.append(joined(whole.select(*KEY, *same, "end", start="at"), *same))
    return pl.concat(spans)


def joined(spans: pl.DataFrame, *same: str) -> pl.DataFrame:
    """Spans that follow on each other as one, in order; those that overlap too."""
    keys = [*KEY, *same]
    spans = spans.sort(*keys, "start")
    other = pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift(1)) for key in keys)
    reached = pl.col("end").shift(1)
    if spans.select((~other & (pl.col("end") < reached)).any()).item():  # one lies within another: it may reach further
        spans = spans.with_columns(_reached=pl.col("end").cum_max().over(keys))
        reached = pl.col("_reached").shift(1)
    new = (other | (pl.col("start") > reached)).cum_sum()
    found = spans.group_by(_span=new, maintain_order=True).agg(
        pl.col(keys).first(), pl.col("start").first(), pl.col("end").max()
    )
    return found.select(*KEY, "start", "end", *same)


def held_minutes(
    scope: Scope,
    paths: Iterable[str],
    intervals: pl.DataFrame,
    pieces: pl.DataFrame,
    minutes: pl.Series,
    holding: pl.DataFrame,
) -> pl.DataFrame:
    """The minutes, of those asked for, at which measured conditions of the equipment hold.

    `holding`: the keys whose condition held just before. Between its limits, and where its value is undefined, a
    condition stays as it is.
    """
    found = [pl.DataFrame(schema=HELD)]
    wanted = pl.Series("equipment", list(paths), dtype=pl.String)
    for measure, limits in scope.limits.items():
        limits = limits.filter(pl.col("equipment").is_in(wanted.implode()))
        if limits.is_empty() or minutes.is_empty():
            continue
        points = limits.select("equipment").unique().join(minutes.to_frame("at"), how="cross")
        values = measured(scope, measure, intervals, pieces, points)
        found.append(_held(values, limits, holding, measure))
    return pl.concat(found)


def _held(values: pl.DataFrame, limits: pl.DataFrame, holding: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    sign = pl.col("sign").cast(pl.Float64)
    rows = limits.join(values, on="equipment").with_columns(
        level=pl.when(sign * pl.col("value") > sign * pl.col("on"))
        .then(1)
        .when(sign * pl.col("value") <= sign * pl.col("off"))
        .then(0)
    )
    before = holding.select(*KEY).unique().with_columns(before=pl.lit(1))
    begun = rows.filter(pl.col("level") == 1).select(KEY).unique()
    keys = pl.concat([begun, before.select(KEY)]).unique()
    rows = rows.join(keys, on=KEY, how="semi").join(before, on=KEY, how="left").sort(*KEY, "at")
    level = pl.col("level").forward_fill().over(KEY)
    return rows.filter(pl.coalesce(level, "before").fill_null(0) == 1).select(HELD.names())


def minute_spans(held: pl.DataFrame) -> pl.DataFrame:
    """Minutes that hold as spans."""
    if held.is_empty():
        return pl.DataFrame(schema=SPANS)
    return joined(held.select(*KEY, start="at", end=pl.col("at") + MINUTE_US))


def unmeasured(scope: Scope, keys: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """The minutes, of those that hold, at which nothing could be measured: an alert stays, and none is raised.

    `keys` are those asked for; `held` are minutes of the first of rules alike.
    """
    blank = held.filter(pl.col("value").is_null())
    if blank.is_empty():
        return pl.DataFrame(schema=MARKS)
    asked = keys.join(scope.rules.select("rule", "alike"), on="rule")
    rows = asked.join(blank.rename({"rule": "alike"}), on=["alike", "equipment"])
    marks = rows.select(*KEY, start="at", end=pl.col("at") + MINUTE_US, why=pl.lit("no data"))
    return joined(marks, "why")


def unheard_marks(scope: Scope, keys: pl.DataFrame, lost: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """When silence is explained: while the source is lost, and for as long after that as the silence may last.

    `lost` are rows of kpis.alert_watch.LOST.
    """
    spans = lost.join(scope.silences, how="cross").with_columns(pl.col("end").fill_null(horizon) + pl.col("least"))
    spans = joined(spans.rename({"contributor": "equipment"})).rename({"equipment": "contributor"})
    marks = by_all(scope, scope.alike, spans.select("contributor", "rule", "start", "end")).rename({"rule": "alike"})
    asked = keys.join(scope.rules.select("rule", "alike"), on="rule")
    return asked.join(marks, on=["alike", "equipment"]).select(*SPANS.names(), why=pl.lit("source lost"))


def quiet_marks(scope: Scope, keys: pl.DataFrame, intervals: pl.DataFrame) -> pl.DataFrame:
    """When the plant is not scheduled, in a break or in a planned stop, or has just begun again, as the rules ask.

    `keys` are those asked for. What came before the first interval of a contributor is not known: it counts as just
    begun.
    """
    schedule, account = pl.col("schedule"), pl.col("account")
    calm = pl.when(schedule != "scheduled").then(schedule).when(account == "planned_stop").then(account)
    rows = intervals.sort("contributor", "start").with_columns(
        why=calm,
        before=pl.col("schedule").shift(1).over("contributor"),
        category_before=pl.col("category").shift(1).over("contributor"),
    )
    wanted = scope.rules.join(keys.select("rule").unique(), on="rule", how="semi")
    found = [pl.DataFrame(schema={"contributor": pl.String, "rule": pl.UInt32, **_MARK})]
    for why in QUIET:
        rules = wanted.filter(why).select("rule")
        calm_times = rows.filter(pl.col("why") == why).select("contributor", "start", "end", "why")
        found.append(calm_times.join(rules, how="cross").select(found[0].columns))
    begun = {
        "after shift start": (schedule == "scheduled") & (pl.col("before").fill_null("unscheduled") == "unscheduled"),
        "after break": (schedule == "scheduled") & (pl.col("before") == "break"),
        "after setup": (pl.col("category") != "setup") & (pl.col("category_before") == "setup"),
    }
    for why, condition in begun.items():
        rules = wanted.filter(pl.col(why) > 0).select("rule", grace=why)
        starts = rows.filter(condition).select("contributor", "start", why=pl.lit(why)).join(rules, how="cross")
        found.append(starts.with_columns(end=pl.col("start") + pl.col("grace")).select(found[0].columns))
    marks = by_all(scope, scope.reach, pl.concat(found), "why")
    return marks.join(keys, on=KEY, how="semi")
