"""What is remembered of the last flush, so that events on time are accounted without a look into history.

For each equipment: everything since the start of the minute of its last event, and before that the last event of each
role. A span that begins later than `since` needs nothing else. It is no state of its own: what is not remembered is
read from the tables, and gives the same.
"""

from dataclasses import dataclass

import polars as pl

from kpis.plant import Plant
from kpis.work import INTERVALS, Accounts, Work, floor_minute
from storage.prior import by_role, infers_state, last_of
from storage.schema import EVENT_COLUMNS

_POLARS: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "BIGINT": pl.Int64(),
    "BOOLEAN": pl.Boolean(),
    "TIMESTAMPTZ": pl.Int64(),  # in microseconds
}
_EVENT = {name: _POLARS[kind] for name, kind, _ in EVENT_COLUMNS}


@dataclass(frozen=True)
class Memory:
    """`since`: by equipment (`below`) the instant from which on everything is here.

    `events` hold for `below`, their own or an ancestor's, each in one `role`; of a role there is the last one before
    `since` and all later ones. `intervals` are those that reach beyond `since`, with their stretches.
    """

    since: pl.DataFrame
    events: pl.DataFrame
    intervals: pl.DataFrame

    @staticmethod
    def empty() -> "Memory":
        """Nothing is remembered."""
        return Memory(
            pl.DataFrame(schema={"below": pl.String, "since": pl.Int64}),
            pl.DataFrame(schema={"below": pl.String, "role": pl.String, "own": pl.Boolean, **_EVENT}),
            pl.DataFrame(schema=INTERVALS),
        )

    def covers(self, spans: pl.DataFrame) -> pl.Series:
        """For each span, by its `equipment` and `low`, whether it begins late enough."""
        since = spans.select("equipment", "low").join(
            self.since, left_on="equipment", right_on="below", how="left", maintain_order="left"
        )
        return since.select((pl.col("low") >= pl.col("since")).fill_null(value=False)).to_series()

    def context(self, spans: pl.DataFrame, horizon: int) -> pl.DataFrame:
        """The intervals around spans, by `unit`; an open one ends at the horizon."""
        rows = self.intervals.join(spans.select("unit", "equipment"), on="equipment")
        return rows.select("unit", *INTERVALS.names()).with_columns(pl.col("end").fill_null(horizon))

    def prior(self, asking: pl.DataFrame) -> pl.DataFrame:
        """The last events before the instants asked about: rows of `unit`, `below`, `role`, `at` and `quality`."""
        return last_of(self.events, asking)

    def recent(self, spans: pl.DataFrame) -> pl.DataFrame:
        """All remembered events that hold for the equipment of spans, each once."""
        held = self.events.join(spans, left_on="below", right_on="equipment", how="semi")
        return held.select(_EVENT.keys()).unique(["equipment", "id"])

    def without(self, removed: pl.DataFrame, plant: Plant) -> "Memory":
        """The memory when events are taken back: what they held for is read from the tables again."""
        paths = {below for path in removed["equipment"].unique() for below in (path, *plant.descendants(path))}
        kept = ~pl.col("below").is_in(list(paths))
        return Memory(
            self.since.filter(kept),
            self.events.filter(kept),
            self.intervals.filter(~pl.col("equipment").is_in(list(paths))),
        )

    def after(self, work: Work, accounts: Accounts, tails: pl.DataFrame, plant: Plant) -> "Memory":
        """The memory after the accounts of some work; `tails` tell the last event of every equipment (`below`)."""
        ends = work.spans.filter(pl.col("end") > work.horizon).select("unit", below="equipment")
        inferring = [path for path, item in plant.equipment.items() if infers_state(item)]
        ends = ends.filter(~pl.col("below").is_in(inferring))
        since = ends.join(tails, on="below").select("below", "unit", since=floor_minute(pl.col("tail")))
        events = _by_role(work, since, plant)
        older = pl.col("ts") < pl.col("since")
        before = events.filter(older).sort("ts", "id", "own")
        before = before.unique(["below", "role", "_quality"], keep="last", maintain_order=True)
        kept = pl.concat([before, events.filter(~older)]).select(self.events.columns)
        rows = accounts.intervals.join(since.select(equipment="below", since="since"), on="equipment")
        reaching = rows.filter(pl.col("end") >= pl.col("since"))
        stretches = reaching.select("equipment", "stretch_start").drop_nulls().unique()
        rows = pl.concat([reaching, rows.join(stretches, on=["equipment", "stretch_start"], how="semi")]).unique()
        rows = rows.with_columns(end=pl.when(pl.col("end") < work.horizon).then("end"))
        renewed = work.spans.select(below="equipment").unique()
        return Memory(
            pl.concat([self.since.join(renewed, on="below", how="anti"), since.select("below", "since")]),
            pl.concat([self.events.join(renewed, on="below", how="anti"), kept]),
            pl.concat(
                [
                    self.intervals.join(renewed, left_on="equipment", right_on="below", how="anti"),
                    rows.select(INTERVALS.names()),
                ]
            ),
        )


def _by_role(work: Work, since: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    """The events of a piece of work by whom they hold for and as what; older ones only where they are the last."""
    paths = since["below"].unique().to_list()
    pairs = [(path, holder, holder == path) for path in paths for holder in (path, *plant.ancestors(path))]
    holders = pl.DataFrame(pairs, schema={"below": pl.String, "equipment": pl.String, "own": pl.Boolean}, orient="row")
    held = by_role(_needed(work.events, since, plant), holders).join(since, on="below")
    prior = work.prior.filter(pl.col("role") != "mark").join(since, on="unit")
    both = pl.concat([held, prior.select(held.columns)])
    return both.with_columns(_quality=pl.when(pl.col("role") == "counter").then("quality")).unique(
        ["below", "role", "equipment", "id"]
    )


def _needed(events: pl.DataFrame, since: pl.DataFrame, plant: Plant) -> pl.DataFrame:
    """The events since then, and of the older ones those that may be the last of their kind."""
    stale = [path for path, item in plant.equipment.items() if item.stale_after_us > 0]
    counts = (pl.col("type") == "count") & ~pl.col("equipment").is_in(stale)
    first = pl.lit(since["since"].min(), pl.Int64)
    events = events.filter(~counts | (pl.col("ts") >= first))
    from_then = pl.coalesce("since", first)
    kinds = events.select("equipment", "type", "quality", "online", "ts").join(
        since.select(equipment="below", since="since"), on="equipment", how="left", maintain_order="left"
    )
    older = pl.col("ts") < from_then
    kinds = kinds.with_columns(older=older, count=counts)
    newest = pl.col("ts") == pl.col("ts").max().over("equipment", "type", "quality", "online", "older")
    return events.filter(kinds.select(~pl.col("older") | (newest & ~pl.col("count"))).to_series())
