"""Silences of equipment: from a sign of life to the next one, or without an end."""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

import polars as pl

from storage.database import microseconds
from storage.history import REACHES
from storage.ledger import kinds_of
from storage.selection import instant, texts

Query = Callable[[str], pl.DataFrame]
"""Gives the rows of a statement."""

GAPS = pl.Schema({"contributor": pl.String, "start": pl.Int64, "end": pl.Int64})
CHANGES = pl.Schema({"contributor": pl.String, "at": pl.Int64})
"""From when on something of a contributor is different."""
CORRECTIONS: Final = ("reclassify", "retract")
_NOTHING: Final = pl.DataFrame(schema=CHANGES)

_SILENCES: Final = """
    WITH signs AS (
        SELECT DISTINCT e.equipment AS contributor, e.ts FROM events e
        WHERE e.equipment IN {whose} AND e.ts >= {first} AND {known} AND e.type NOT IN ('reclassify', 'retract')
          AND NOT EXISTS (FROM corrections c WHERE c.type = 'retract' AND c.equipment = e.equipment
                          AND (c.details->>'$.target') = e.id)
    )
    SELECT contributor, ts AS "start", lead(ts) OVER (PARTITION BY contributor ORDER BY ts) AS "end" FROM signs
    QUALIFY "end" IS NULL OR epoch_us("end") - epoch_us("start") > {least}
"""


def read_silences(
    query: Query, contributors: Collection[str], first: int, until: int | None, least: int
) -> pl.DataFrame:
    """The silences (GAPS) of some contributors, longer than `least` (µs), from an instant on.

    With `until`, as they were known at that instant: signs of life after it are not there.
    """
    begun = _last_signs(query, contributors, first)
    known = "true" if until is None else f"e.ts <= {instant(until)}"
    found = query(_SILENCES.format(whose=texts(contributors), first=instant(begun), known=known, least=least))
    return microseconds(found).select(pl.col(name).cast(kind) for name, kind in GAPS.items())


class Signs(NamedTuple):
    """The `events` by which equipment shows that it is there, and of each `contributor` the `first` and `last` one."""

    events: pl.DataFrame
    spans: pl.DataFrame


def signs_of(events: pl.DataFrame, kinds: pl.DataFrame, retracted: pl.DataFrame) -> Signs:
    """The signs among events, whose `kinds` are known (storage.ledger.kinds_of): no corrections, none taken back."""
    correcting = pl.col("type").is_in(CORRECTIONS)
    if kinds.select(correcting.any()).item():
        events, kinds = events.filter(~correcting), kinds.filter(~correcting)
    if retracted.height:
        events = events.join(retracted, left_on=["equipment", "id"], right_on=["equipment", "target"], how="anti")
        kinds = kinds_of(events)
    spans = kinds.group_by(contributor="equipment").agg(first=pl.col("first_ts").min(), last=pl.col("last_ts").max())
    return Signs(events, spans)


def heard(gaps: pl.DataFrame, signs: Signs, known: pl.Series, least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Silences (GAPS) after more signs of life, and from when on which contributor's changed (CHANGES).

    The signs of `known` contributors count. Nearly all of them are heard in order and again within `least` (µs): of
    these only the last sign counts, from which on they are silent anew.
    """
    span = signs.spans.filter(pl.col("contributor").is_in(known.implode()))
    soon = (pl.col("first") >= pl.col("start")) & (pl.col("last") - pl.col("start") <= least)
    plain = (pl.col("end").is_null() & soon).fill_null(value=False)
    rows = gaps.join(span, on="contributor", how="left").with_columns(plain=plain)
    moved = rows.select("contributor", start=pl.when("plain").then("last").otherwise("start"), end="end")
    others = span.join(rows.filter("plain"), on="contributor", how="anti")["contributor"]
    if others.is_empty():
        return moved, _NOTHING
    events = signs.events.filter(pl.col("equipment").is_in(others.implode()))
    return broken(moved, events.select(contributor="equipment", at="ts").unique(), least)


def broken(gaps: pl.DataFrame, signs: pl.DataFrame, least: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What `heard` finds, of contributors that are heard in any order, without a sign twice.

    A contributor that was never heard before is silent from its last sign on.
    """
    known = gaps.with_row_index("gap")
    inside = known.join(signs, on="contributor").filter(
        pl.col("at") > pl.col("start"), pl.col("end").is_null() | (pl.col("at") < pl.col("end"))
    )
    fresh = signs.join(gaps, on="contributor", how="anti").with_columns(gap=pl.lit(None, pl.UInt32))
    if inside.is_empty() and fresh.is_empty():
        return gaps, _NOTHING
    parts = pl.concat(
        [
            known.join(inside, on="gap", how="semi").select("gap", "contributor", at="start"),
            inside.select("gap", "contributor", "at"),
            fresh.select("gap", "contributor", "at"),
        ]
    ).unique()
    parts = parts.sort("contributor", "at").join(known.select("gap", until="end"), on="gap", how="left")
    ends = pl.coalesce(pl.col("at").shift(-1).over("contributor", "gap"), "until")
    parts = parts.sort("contributor", "at").select("contributor", start="at", end=ends)
    long = pl.col("end").is_null() | (pl.col("end") - pl.col("start") > least)
    told = inside.filter(pl.col("end").is_not_null() | (pl.col("at") - pl.col("start") > least))
    kept = known.join(inside, on="gap", how="anti").drop("gap")
    changes = told.group_by("contributor").agg(pl.col("at").min())
    return pl.concat([kept, parts.filter(long)]), changes


def _last_signs(query: Query, contributors: Collection[str], first: int) -> int:
    """An instant at or before which each contributor that was heard before `first` was heard last."""
    asked, earliest = set(contributors), first
    for reach in REACHES:
        if not asked:
            break
        since = instant(max(0, first - reach))
        found = query(
            f"SELECT equipment, epoch_us(max(ts)) AS last FROM events WHERE equipment IN {texts(sorted(asked))} "
            f"AND ts < {instant(first)} AND ts >= {since} GROUP BY equipment"
        )
        asked -= set(found["equipment"])
        earliest = min([earliest, *found["last"]])
    return earliest
