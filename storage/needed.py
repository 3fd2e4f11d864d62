"""Which events before a line the store goes on needing: what holds at the line, and what the accounting asks about it.

What comes after the line is accounted with the last event of each role before it (storage.prior), wherever it begins.
So these stay in the store, though they are in the archive too. Orders all stay: they are few, and say what was ordered.
"""

from typing import Final

import duckdb
import polars as pl

from storage.database import bound
from storage.history import REACHES
from storage.selection import instant

ARCHIVED: Final = "('state', 'count', 'counter', 'status')"
"""Types of events that leave the store. Corrections stay too: all that hold are needed whenever it is opened."""

_KEPT: Final = """NOT EXISTS (
    FROM corrections c WHERE c.type = 'retract' AND c.equipment = e.equipment AND (c.details->>'$.target') = e.id)"""
_KINDS: Final = """
    WITH kinds AS (
        SELECT equipment, type, max({{'ts': ts, 'id': id}}) AS last, min({{'ts': ts, 'id': id}}) AS first,
            max({{'ts': ts, 'id': id}}) FILTER (good + scrap + rework > 0) AS made
        FROM events e WHERE type IN {archived} AND ts < {line} AND {kept} GROUP BY equipment, type, quality, online
    )
    SELECT equipment, last.id AS id FROM kinds
    UNION SELECT equipment, min(first).id FROM kinds WHERE type <> 'status' GROUP BY equipment
    UNION SELECT equipment, made.id FROM kinds WHERE made IS NOT NULL
"""
_READINGS: Final = """
    WITH readings AS (
        SELECT equipment, quality, id, value, rollover, lag(value) OVER w AS last, row_number() OVER w AS n
        FROM events e SEMI JOIN asked USING (equipment, quality)
        WHERE type = 'counter' AND ts >= {since} AND ts < {line} AND {kept}
        WINDOW w AS (PARTITION BY equipment, quality ORDER BY ts, id)
    ), counted AS (
        SELECT *, CASE WHEN last IS NULL THEN 0 WHEN value >= last THEN value - last
            WHEN rollover IS NOT NULL THEN value + rollover - last ELSE value END AS pieces FROM readings
    ), rising AS (
        SELECT equipment, quality, max(n) AS n FROM counted WHERE pieces > 0 GROUP BY ALL
    )
    SELECT c.equipment, c.id, c.quality FROM counted c {join} JOIN rising r USING (equipment, quality)
    WHERE c.n IN (r.n - 1, r.n) OR (c.n > coalesce(r.n, 0) AND c.value IS DISTINCT FROM c.last)
"""


def needed(con: duckdb.DuckDBPyConnection, line: int) -> pl.DataFrame:
    """The events (`equipment`, `id`) before a line that must not leave the store.

    These are, but for retracted ones: of each type, quality and direction of `status` the last; the first that an
    equipment is accounted from; the last count with pieces, by which an equipment without states was seen running; and
    the last reading that rose, with those around it that tell by how much.
    """
    last = con.execute(_KINDS.format(archived=ARCHIVED, line=instant(line), kept=_KEPT)).pl()
    return pl.concat([last, _rising(con, line)]).unique()


def _rising(con: duckdb.DuckDBPyConnection, line: int) -> pl.DataFrame:
    """Of the readings of each counter the last that rose, the one before it, and the changes after it.

    A counter that was read lately is found without reading what is long ago.
    """
    asked = con.execute(
        f"SELECT DISTINCT equipment, quality FROM events WHERE type = 'counter' AND ts < {instant(line)}"
    ).pl()
    found = [pl.DataFrame(schema={"equipment": pl.String, "id": pl.String})]
    for reach in REACHES:
        if asked.is_empty():
            break
        whole = reach == REACHES[-1]
        query = _READINGS.format(
            since=instant(max(0, line - reach)), line=instant(line), kept=_KEPT, join="LEFT" if whole else ""
        )
        with bound(con, asked=asked):
            rows = con.execute(query).pl()
        found.append(rows.select("equipment", "id"))
        asked = asked.join(rows, on=["equipment", "quality"], how="anti")
    return pl.concat(found)
