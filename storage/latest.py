"""The last events of every equipment by role, remembered from the last flush, so that what comes next on time is
accounted without a search for what came before."""

import polars as pl

from kpis.plant import Plant
from kpis.work import Work


def latest(work: Work, plant: Plant) -> pl.DataFrame:
    """The last events by role for the equipment of the spans that reach the horizon.

    Rows of `below` (the equipment), `role`, `own` and the columns of the event.
    """
    tails = work.spans.filter(pl.col("end") > work.horizon).select("unit", below="equipment")
    before = work.prior.join(tails, on="unit").drop("unit")
    pairs = [(path, holder, holder == path) for path in tails["below"] for holder in (path, *plant.ancestors(path))]
    holders = pl.DataFrame(
        pairs, schema={"below": pl.String, "equipment": pl.String, "own": pl.Boolean}, orient="row"
    ).unique()
    kind, own = pl.col("type"), pl.col("own")
    stale = [path for path in tails["below"] if plant.equipment[path].stale_after_us > 0]
    events = work.events.filter((kind != "count") | pl.col("equipment").is_in(stale))
    newest = pl.col("ts") == pl.col("ts").max().over("equipment", "type", "quality", "online")
    held = events.filter(newest).join(holders, on="equipment")
    rows = [
        before,
        _in_role(held, "base", (kind.eq("state") & own) | (kind.eq("status") & ~pl.col("online"))),
        _in_role(held, "order", kind.eq("order")),
        _in_role(held, "own", own),
        _in_role(held, "counter", own & kind.eq("counter")),
    ]
    return _last(pl.concat(rows, how="diagonal"))


def _in_role(held: pl.DataFrame, role: str, plays: pl.Expr) -> pl.DataFrame:
    return held.filter(plays).with_columns(role=pl.lit(role))


def _last(rows: pl.DataFrame) -> pl.DataFrame:
    reading = pl.when(pl.col("role") == "counter").then("quality")
    rows = rows.with_columns(_reading=reading).sort("ts", "id", "own")
    return rows.unique(["below", "role", "_reading"], keep="last", maintain_order=True).drop("_reading")


def merged(known: pl.DataFrame, newer: pl.DataFrame) -> pl.DataFrame:
    """What is known, with all rows of the equipment in `newer` replaced."""
    if known.is_empty():
        return newer
    return pl.concat([known.join(newer.select("below").unique(), on="below", how="anti"), newer], how="diagonal")
