"""What still holds at the start of a span: the last events before it."""

import polars as pl

from kpis.pieces import QUALITIES, booked, in_force
from kpis.plant import Equipment
from kpis.work import Work
from storage.database import Connection
from storage.history import ASKED, REACHES, events_in, nearest
from storage.ledger import ALIVE, Ledger

ANSWERS = pl.DataFrame(
    [
        *(("base", kind, own) for kind, own in (("state", True), ("status", True), ("status", False))),
        *(("order", "order", own) for own in (True, False)),
        *(("own", kind, True) for kind in ALIVE),
        ("counter", "counter", True),
    ],
    schema={"role": pl.String, "type": pl.String, "own": pl.Boolean},
    orient="row",
)
"""Which events answer for a role, and whether they must be the equipment's own."""


def infers_state(equipment: Equipment) -> bool:
    """Whether counts alone tell that the equipment runs."""
    return equipment.stop_after_us is not None or equipment.stop_after_cycles is not None


def questions(ledger: Ledger, asking: pl.DataFrame, limit: str) -> pl.DataFrame:
    """Rows of ASKED for rows of `unit`, `below` (its equipment), `role`, `at` and `quality`.

    `limit` names the column of the event ranges beyond which there is nothing: first_ts or last_ts.
    """
    limits = ledger.ranges.select("equipment", "type", limit=limit)
    return (
        asking.join(ANSWERS, on="role")
        .join(ledger.holders(), on=["below", "own"])
        .join(limits, on=["equipment", "type"])
        .select(ASKED.names())
    )


def asking(spans: pl.DataFrame) -> pl.DataFrame:
    """What has to be known of the time before spans: `unit`, `below`, `role`, `at` and `quality`."""
    units = spans.select("unit", "start", "count_start", below="equipment")
    roles = (
        units.select("unit", "below", role=pl.lit(role), at="start", quality=pl.lit(None, pl.String))
        for role in ("base", "order", "own")
    )
    return pl.concat([*roles, _readings(units)])


def by_role(events: pl.DataFrame, holders: pl.DataFrame) -> pl.DataFrame:
    """Events by whom they hold for (`below`) and as what (`role`); `holders` are pairs as of Ledger.holders."""
    held = events.join(holders, on="equipment").join(ANSWERS, on=["type", "own"])
    return held.filter((pl.col("role") != "base") | (pl.col("type") != "status") | ~pl.col("online"))


def last_of(events: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Of events by role the last before each instant asked about, by `unit` and `role`."""
    found = asked.rename({"quality": "asked"}).join(events, on=["below", "role"])
    found = found.filter(
        pl.col("ts") < pl.col("at"), (pl.col("role") != "counter") | (pl.col("asked") == pl.col("quality"))
    )
    found = found.sort("ts", "id", "own").unique(["unit", "role", "asked"], keep="last", maintain_order=True)
    return found.drop("below", "at", "asked")


def with_added(prior: pl.DataFrame, added: pl.DataFrame, spans: pl.DataFrame, holders: pl.DataFrame) -> pl.DataFrame:
    """Prior events, with new ones that come between the spans of one equipment."""
    several = spans.filter(pl.len().over("equipment") > 1)
    if several.is_empty():
        return prior
    held = by_role(added, holders.join(several, left_on="below", right_on="equipment", how="semi"))
    newer = last_of(held, asking(several))
    reading = pl.when(pl.col("role") == "counter").then("quality")
    both = pl.concat([prior, newer.select(prior.columns)]).with_columns(_reading=reading)
    both = both.sort("ts", "id", "own").unique(["unit", "role", "_reading"], keep="last", maintain_order=True)
    return both.drop("_reading")


def prior(con: Connection, ledger: Ledger, spans: pl.DataFrame) -> pl.DataFrame:
    """The events from before the spans that still hold at their start, by `unit` and `role`."""
    asked = questions(ledger, asking(spans), limit="first_ts")
    answers = nearest(con, asked.filter(pl.col("limit") < pl.col("at")), ledger.retracted, before=True)
    return pl.concat([answers, _marks(con, ledger, spans)], how="diagonal")


def _readings(units: pl.DataFrame) -> pl.DataFrame:
    """The questions for the last reading of each quality before the first that is counted."""
    at = pl.min_horizontal("start", "count_start")
    return pl.concat(
        units.select("unit", "below", role=pl.lit("counter"), at=at, quality=pl.lit(quality)) for quality in QUALITIES
    )


def _marks(con: Connection, ledger: Ledger, spans: pl.DataFrame) -> pl.DataFrame:
    """The last count with pieces before each span of an equipment whose state comes from counts."""
    inferring = [path for path, item in ledger.plant.equipment.items() if infers_state(item)]
    waiting = spans.filter(pl.col("equipment").is_in(inferring))
    found = [_last(pl.DataFrame(schema={"unit": pl.UInt32, "ts": pl.Int64, "id": pl.String, "product": pl.String}))]
    for reach in REACHES:
        if waiting.is_empty():
            break
        since = pl.min_horizontal("start", "count_start") - reach
        window = waiting.with_columns(start=since, end="start", count_start=since, count_end="start")
        ranges = window.select("equipment", first="start", last="end")
        events = events_in(con, ranges, ledger.retracted).filter(pl.col("type").is_in(["count", "counter"]))
        asked = questions(ledger, _readings(window.rename({"equipment": "below"})), limit="first_ts")
        before = nearest(con, asked.filter(pl.col("limit") < pl.col("at")), ledger.retracted, before=True)
        reach_of = window.select("unit", "equipment", first="start", until="end")
        inside = events.join(reach_of, on="equipment").filter(pl.col("ts").is_between("first", "until", closed="left"))
        work = Work(window, events, before, events.clear(), window.clear(), 0)
        made = booked(work, inside).group_by("unit", "ts", "id")
        sums = made.agg(pl.col("product", "order").first(), pl.col("pieces").sum())
        rows = _last(sums.filter(pl.col("pieces") > 0).select("unit", "ts", "id", "product", "order"))
        found.append(_with_product(con, ledger, waiting, rows))
        waiting = waiting.join(rows, on="unit", how="anti")
    return pl.concat(found)


def _with_product(con: Connection, ledger: Ledger, spans: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """Marks with the product that was made: the count's own, else that of the order in force at it."""
    asking = marks.join(spans.select("unit", below="equipment"), on="unit").select(
        "unit", "below", role=pl.lit("order"), at=pl.col("ts") + 1, quality=pl.lit(None, pl.String)
    )
    asked = questions(ledger, asking, limit="first_ts").filter(pl.col("limit") < pl.col("at"))
    orders = nearest(con, asked, ledger.retracted, before=True).select("unit", "action", "order", "product", at="ts")
    started = pl.col("action") == "start"
    orders = orders.select("unit", "at", order=pl.when(started).then("order"), product=pl.when(started).then("product"))
    return in_force(marks, orders, start="at").select("unit", "ts", "id", "product", "role", "own")


def _last(marks: pl.DataFrame) -> pl.DataFrame:
    last = marks.sort("unit", "ts", "id").unique("unit", keep="last", maintain_order=True)
    return last.with_columns(role=pl.lit("mark"), own=pl.lit(value=True))
