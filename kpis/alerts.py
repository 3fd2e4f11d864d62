"""Alerts from the times at which conditions hold: pure, so that the same events always give the same alerts.

    spans that hold ──► cut by what is quiet ──► fired after `for` ──► kept for `keep_for` ──► resolved
                                  ▲                    │
                                  └── inhibited by ────┘   what hangs on an equipment with an alert of its own

An alert begins (`since`) when its condition does, fires when that has held for longer than `for` without being quiet,
and is resolved when it has not held for `keep_for`. An alert that would have fired but for being quiet is `suppressed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from kpis.alert_conditions import MARKS, SPANS, joined
from kpis.alert_scope import KEY, Scope
from kpis.plant_model import Plant

ALERTS = pl.Schema(
    {
        "rule": pl.UInt32,
        "equipment": pl.String,
        "state": pl.String,  # firing, resolved or suppressed
        "since": pl.Int64,
        "fired_at": pl.Int64,
        "resolved_at": pl.Int64,
        "suppressed_by": pl.String,
    }
)
PIECES = pl.Schema([*MARKS.items(), ("fired_at", pl.Int64()), ("since", pl.Int64())])
DUE = pl.Schema({"equipment": pl.String, "due": pl.Int64})


@dataclass(frozen=True)
class Found:
    """Alerts, and when each equipment has to be looked at again although nothing happens."""

    alerts: pl.DataFrame
    due: pl.DataFrame


@dataclass(frozen=True)
class Topology:
    """What hangs on what: everything on what is above it, and starving machines on those upstream of them."""

    plant: Plant

    @cached_property
    def upstream(self) -> Mapping[str, frozenset[str]]:
        """By machine, those before it in the flow of its line."""
        flows = [item.flow for item in self.plant.equipment.values() if item.flow]
        return {path: frozenset(flow[:place]) for flow in flows for place, path in enumerate(flow)}

    @cached_property
    def downstream(self) -> Mapping[str, frozenset[str]]:
        """By machine, those after it in the flow of its line."""
        flows = [item.flow for item in self.plant.equipment.values() if item.flow]
        return {path: frozenset(flow[place + 1 :]) for flow in flows for place, path in enumerate(flow)}

    def hanging(self, path: str) -> set[str]:
        """The equipment whose alerts one on this may make needless."""
        return {*self.plant.descendants(path), *self.downstream.get(path, ())}

    def place(self, path: str) -> tuple[int, int]:
        """Earlier places are decided first: nothing hangs on what comes later."""
        return path.count("/"), len(self.upstream.get(path, ()))


def raise_alerts(
    scope: Scope,
    topology: Topology,
    spans: pl.DataFrame,
    marks: pl.DataFrame,
    carried: pl.DataFrame,
    others: pl.DataFrame,
    cuts: Mapping[str, int],
    horizon: int,
    minute: int,
) -> Found:
    """The alerts of the keys that `spans` and `carried` have, up to the horizon, measured ones up to `minute`.

    Only those that were not over before the cut of their equipment: of earlier ones the spans may not tell all.
    `carried` are alerts that began before the spans do: rows of ALERTS, with `known_until` up to which they are known
    to have held. `others` are the other alerts, which may inhibit these.
    """
    rules = scope.settled(horizon, minute)
    own = pl.DataFrame(list(cuts.items()), schema={"equipment": pl.String, "cut": pl.Int64}, orient="row")
    found = _episodes(rules, spans, marks, carried, own)
    inhibitors = pl.concat([_inhibiting(scope, found.alerts), _inhibiting(scope, others)])
    candidates = _inhibited(scope, topology, inhibitors, found.alerts.select(KEY))
    if candidates.is_empty():
        return found
    hit = candidates.select(KEY).unique()
    kept = [found.alerts.join(hit, on=KEY, how="anti")]
    due = [found.due]
    places = {path: topology.place(path) for path in hit["equipment"].unique()}
    for place in sorted(set(places.values())):
        paths = [path for path, its in places.items() if its == place]
        keys = hit.filter(pl.col("equipment").is_in(paths))
        inhibitors = pl.concat([_inhibiting(scope, frame) for frame in (*kept, others)])
        more = _inhibited(scope, topology, inhibitors, keys)
        more = joined(more.with_columns(pl.col("end").fill_null(horizon)), "why")
        here, quiet, known = (
            frame.join(keys, on=KEY, how="semi") for frame in (spans, pl.concat([marks, more]), carried)
        )
        again = _episodes(rules, here, quiet, known, own)
        kept.append(again.alerts)
        due.append(again.due)
    return Found(pl.concat(kept), pl.concat(due))


def worth(
    scope: Scope, spans: pl.DataFrame, carried: pl.DataFrame, horizon: int, minute: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The spans that can have an alert by now, and when those that still wait for `for` are due, as DUE.

    `spans` are those of the first rules alike. Most stops are over before they are worth a word to any of them; they
    are not looked at any closer.
    """
    now = pl.when("measured").then(pl.lit(minute + 1, pl.Int64)).otherwise(pl.lit(horizon, pl.Int64))
    spans = spans.rename({"rule": "alike"}).join(scope.patience.with_columns(now=now), on="alike")
    length = pl.min_horizontal("end", "now") - pl.col("start")
    long = (length > pl.col("least")) | pl.col("keeps")
    if carried.height:
        known = scope.firsts(carried).rename({"rule": "alike"}).with_columns(known=pl.lit(value=True))
        spans = spans.join(known, on=["alike", "equipment"], how="left")
        long |= pl.col("known").fill_null(value=False)
    brief, rows = spans.filter(~long, pl.col("end") >= pl.col("now")), spans.filter(long)
    due = brief.select("equipment", due=pl.col("start") + pl.col("least"))
    if rows.is_empty():
        return pl.DataFrame(schema=SPANS), due
    members = scope.members_of(rows["equipment"].unique())
    rows = rows.select("alike", "equipment", "start", "end", "now").join(members, on=["alike", "equipment"])
    rows = rows.join(scope.rules.select("rule", "for_us", "keep_us"), on="rule")
    rows = rows.join(carried.select(KEY).unique().with_columns(known=pl.lit(value=True)), on=KEY, how="left")
    ripe = length > pl.col("for_us")
    needed = ripe | pl.col("known").fill_null(value=False) | (pl.col("keep_us") > 0)
    waiting = rows.filter(~needed, pl.col("end") >= pl.col("now"))
    waiting = waiting.select("equipment", due=pl.col("start") + pl.col("for_us"))
    return rows.filter(needed).select(SPANS.names()), pl.concat([due, waiting])


def _inhibiting(scope: Scope, alerts: pl.DataFrame) -> pl.DataFrame:
    """The alerts that make others needless while they fire."""
    rules = scope.rules.filter("inhibits").select("rule", "rank")
    fired = alerts.filter(pl.col("fired_at").is_not_null()).join(rules, on="rule")
    return fired.select(by="equipment", rank="rank", start="fired_at", end="resolved_at")


def _inhibited(scope: Scope, topology: Topology, inhibitors: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Marks of the keys from the alerts on what they hang on, unless that is told less urgently."""
    paths = set(keys["equipment"])
    pairs = [
        (by, path, path.startswith(f"{by}/"))
        for by in inhibitors["by"].unique()
        for path in topology.hanging(by) & paths
    ]
    related = pl.DataFrame(pairs, schema={"by": pl.String, "equipment": pl.String, "above": pl.Boolean}, orient="row")
    rows = related.join(inhibitors, on="by").join(keys.unique(), on="equipment")
    rows = rows.join(scope.rules.select("rule", "starving", least="rank"), on="rule")
    rows = rows.filter(pl.col("above") | pl.col("starving"), pl.col("rank") >= pl.col("least"))
    return rows.select("rule", "equipment", "start", "end", why="by")


def _episodes(
    rules: pl.DataFrame, spans: pl.DataFrame, marks: pl.DataFrame, carried: pl.DataFrame, cuts: pl.DataFrame
) -> Found:
    pieces = pl.concat([_carried(carried), _cut(spans, marks)]).sort(*KEY, "start", "end")
    pieces = pieces.filter(pl.col("why").is_null() | (pl.col("why") != "unscheduled"))
    pieces = pieces.join(rules, on="rule", maintain_order="left").with_columns(pl.min_horizontal("end", "now"))
    pieces = pieces.filter(pl.col("start") < pl.col("end"))
    reached = pl.col("end").cum_max().shift(1).over(KEY)
    first = reached.is_null()
    pieces = pieces.with_columns(
        _hold=(first | (pl.col("start") > reached)).cum_sum(),
        _kept=(first | ((pl.col("start") > reached) & (pl.col("start") >= reached + pl.col("keep_us")))).cum_sum(),
    )
    begun = pl.coalesce("since", "start").min().over("_hold")
    loud = pl.col("why").is_null()
    # A loud piece after another one, in one hold, goes on where that began.
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in ("why", "_hold"))
    pieces = pieces.with_columns(begun=begun, _run=changed.cum_sum())
    ripe = pl.col("start").min().over("_run") + pl.col("for_us")
    fires = pl.coalesce("fired_at", pl.when(loud & (ripe < pl.col("end").max().over("_run"))).then(ripe))
    pieces = pieces.with_columns(fires=fires, ripe=ripe)
    holds = pieces.group_by("_hold", maintain_order=True).agg(
        pl.col(*KEY, "_kept", "begun", "for_us", "keep_us", "now").first(),
        # When a carried alert fired is known; it does not show in what is left of its condition.
        pl.coalesce(pl.col("fired_at").drop_nulls().first(), pl.col("fires").min()).alias("fires"),
        pl.col("end").max(),
        pl.col("why").drop_nulls().first(),
        pl.when(loud).then("ripe").last().alias("ripe"),
    )
    last = pl.col("end").max().over("_kept")
    resolved = pl.when(last < pl.col("now")).then(last + pl.col("keep_us"))
    holds = holds.with_columns(
        fired=pl.col("fires").min().over("_kept"),
        over=pl.when(resolved <= pl.col("now")).then(resolved),
        later=resolved,
    )
    fired = holds.filter(pl.col("fires").is_not_null()).unique("_kept", keep="first", maintain_order=True)
    # What comes later must not change what was suppressed before: only what has fired by then counts.
    unfired = pl.col("fires").is_not_null().cum_sum().over("_kept") == 0
    quiet = holds.filter(unfired, pl.col("why").is_not_null(), pl.col("begun") + pl.col("for_us") < pl.col("end"))
    alerts = pl.concat(
        [
            fired.select(
                *KEY,
                state=pl.when(pl.col("over").is_null()).then(pl.lit("firing")).otherwise(pl.lit("resolved")),
                since="begun",
                fired_at="fires",
                resolved_at="over",
                suppressed_by=pl.lit(None, pl.String),
            ),
            quiet.select(
                *KEY,
                state=pl.lit("suppressed"),
                since="begun",
                fired_at=pl.lit(None, pl.Int64),
                resolved_at=pl.when(pl.col("end") < pl.col("now")).then("end"),
                suppressed_by="why",
            ),
        ]
    )
    waiting = holds.filter(pl.col("fired").is_null(), pl.col("end") == pl.col("now"))
    due = pl.concat(
        [
            waiting.filter(pl.col("ripe").is_not_null()).select("equipment", due="ripe"),
            fired.filter(pl.col("over").is_null(), pl.col("later").is_not_null()).select("equipment", due="later"),
            marks.join(rules, on="rule").filter(pl.col("end") > pl.col("now")).select("equipment", due="end"),
        ]
    )
    over = pl.col("resolved_at") < pl.col("cut")
    alerts = alerts.join(cuts, on="equipment").filter(~over.fill_null(value=False))
    return Found(alerts.select(ALERTS.names()), due.group_by("equipment").agg(pl.col("due").min()))


def _carried(carried: pl.DataFrame) -> pl.DataFrame:
    """What is known of alerts that began long ago, as a piece of the condition."""
    return carried.select(
        *KEY, start="since", end="known_until", why="suppressed_by", fired_at="fired_at", since="since"
    ).select(PIECES.names())


def _cut(spans: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """Spans cut where they begin or cease to be quiet; of several reasons the gravest counts."""
    nothing = (pl.lit(None, pl.Int64).alias("fired_at"), pl.lit(None, pl.Int64).alias("since"))
    marks = marks.join(spans.select(KEY).unique(), on=KEY, how="semi")
    if marks.is_empty():
        return spans.with_columns(pl.lit(None, pl.String).alias("why"), *nothing).select(PIECES.names())
    points = pl.concat([frame.select(*KEY, at=side) for frame in (spans, marks) for side in ("start", "end")])
    points = points.unique().sort(*KEY, "at").with_columns(end=pl.col("at").shift(-1).over(KEY))
    points = points.filter(pl.col("end").is_not_null()).sort("at")
    points = _within(points, spans.with_columns(held=pl.lit(value=True)), "held").filter("held")
    reasons = _by_gravity(marks["why"].unique().to_list())
    for number, why in enumerate(reasons):
        points = _within(points, marks.filter(pl.col("why") == why).rename({"why": f"why{number}"}), f"why{number}")
    whys = pl.coalesce(f"why{number}" for number in range(len(reasons)))
    return points.select(*KEY, start="at", end="end", why=whys).with_columns(*nothing).select(PIECES.names())


def _within(points: pl.DataFrame, spans: pl.DataFrame, name: str) -> pl.DataFrame:
    """Points with the value of the span that they are in."""
    spans = spans.select(*KEY, name, _start="start", _until="end").sort("_start")
    found = points.join_asof(
        spans, left_on="at", right_on="_start", by=list(KEY), strategy="backward", check_sortedness=False
    )
    inside = pl.when(pl.col("_until") > pl.col("at")).then(name).alias(name)
    return found.with_columns(inside).drop("_start", "_until")


def _by_gravity(reasons: list[str]) -> list[str]:
    order = ("unscheduled", "break", "planned_stop")
    return sorted(reasons, key=lambda why: (order.index(why) if why in order else len(order), why))
