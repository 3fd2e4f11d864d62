"""Sums over a slice of the past: some production days, shifts, products and orders of one equipment.

The elements and losses of a slice are those of docs/semantics.md; only what they are summed over is chosen here.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

import polars as pl

from kpis.errors import ConfigError
from kpis.registry import frame_columns
from storage.grains import MINUTE_US, Grain
from storage.losses import six_big_losses_sql
from storage.reader import Reader
from storage.selection import text, texts
from storage.views import elements_sql
from storage.windows import grain_named

OUTSIDE: Final = "-"
"""Stands for the time outside every shift, without a product or without an order."""

By = Literal["production_date", "week", "shift", "product", "order", "day_or_all"]
_HOUR_US: Final = 60 * MINUTE_US
_PARTS: Final = {
    None: "true AS whole",
    "week": "date_trunc('week', production_date)::DATE AS week",
}
"""What windows are told apart by where no column of the tables does it."""
_OF_TIMES: Final = ("intervals_now", "time_by_day", "begun_by_day", "stops_now")
_OF_PIECES: Final = ("count_elements", "pieces_by_day")
_LOST: Final = ("down", "idle", "setup", "minor_stop", "planned_stop", "unknown")


@dataclass(frozen=True)
class Slice:
    """Production days from `first` to `last`, both included; empty tuples do not restrict, OUTSIDE stands for none."""

    equipment: str
    first: date
    last: date
    shifts: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()

    def conditions(self, *, runs: bool = True) -> str:
        """What rows have to fulfil, in SQL; tables without products and orders leave `runs` out."""
        parts = [f"production_date BETWEEN DATE '{self.first}' AND DATE '{self.last}'", _among("shift", self.shifts)]
        if runs:
            parts += [_among("product", self.products), _among('"order"', self.orders)]
        return " AND ".join(part for part in parts if part)


def sums(
    reader: Reader, chosen: Slice, definition: str, by: By | None = None, equipment: Sequence[str] = ()
) -> pl.DataFrame:
    """Elements and KPIs of the slice in one row, or in one for each value of `by`, in the column of that name.

    `equipment`: rows for each of these instead of the slice's own.
    """
    grain = _grain(chosen, by)
    rows = reader.query(
        f"WITH {_narrowed(reader, chosen, equipment=equipment)}, elements AS ({elements_sql(grain, history=False)}) "
        "SELECT * FROM elements ORDER BY shift NULLS LAST, equipment"
    )
    return _named(rows.with_columns(frame_columns(definition)), by)


def days(reader: Reader, chosen: Slice, definition: str) -> pl.DataFrame:
    """The sums of the slice, in the row without a `production_date`, and those of each of its days, in one question."""
    return sums(reader, chosen, definition, "day_or_all").rename({"day_or_all": "production_date"})


def hours(reader: Reader, chosen: Slice, definition: str) -> pl.DataFrame:
    """Elements and KPIs of the slice by hour, aligned in UTC: an hour at its edge has only what is in the slice."""
    rows = reader.query(
        f"WITH {_narrowed(reader, chosen)}, elements AS ({elements_sql(grain_named('hour'), history=False)}) "
        "SELECT * FROM elements ORDER BY window_start"
    )
    return rows.with_columns(frame_columns(definition))


def time(reader: Reader, chosen: Slice) -> pl.DataFrame:
    """Microseconds of the slice by hour, machine, account, reason and product, in order."""
    return reader.query(
        f"""
        WITH {_narrowed(reader, chosen)}
        SELECT make_timestamptz(w * {_HOUR_US}) AS hour, equipment, account, reason, product,
            sum(least(e, (w + 1) * {_HOUR_US}) - greatest(s, w * {_HOUR_US}))::BIGINT AS us
        FROM (SELECT *, unnest(range(s // {_HOUR_US}, (e - 1) // {_HOUR_US} + 1)) AS w FROM intervals_now WHERE e > s)
        GROUP BY ALL ORDER BY ALL
        """
    )


def timed(reader: Reader, chosen: Slice) -> pl.DataFrame:
    """The intervals of the machines whose time makes the figures of the slice, in order."""
    return reader.query(
        f"""
        WITH {_narrowed(reader, chosen)}
        SELECT equipment, "start", "end", account, reason, product, "order" FROM intervals_now WHERE e > s
        ORDER BY "start", equipment
        """
    )


def pieces(reader: Reader, chosen: Slice) -> pl.DataFrame:
    """The pieces of the slice by minute, quality and product, in order."""
    return reader.query(
        f"""
        WITH {_narrowed(reader, chosen)}
        SELECT window_start, quality, product, sum(pieces)::BIGINT AS pieces
        FROM count_elements WHERE {_counted(chosen)} GROUP BY ALL ORDER BY ALL
        """
    )


def rejects(reader: Reader, chosen: Slice) -> pl.DataFrame:
    """Scrap and rework of the slice by reason and product, the most pieces first."""
    return reader.query(
        f"""
        WITH {_narrowed(reader, chosen)}
        SELECT c.quality, c.reason, coalesce(any_value(r.label), c.reason) AS label, c.product,
            sum(c.pieces)::BIGINT AS pieces
        FROM pieces_by_day c LEFT JOIN reasons r ON r.reason = c.reason
        WHERE c.quality <> 'good' AND {_counted(chosen)}
        GROUP BY c.quality, c.reason, c.product HAVING sum(c.pieces) <> 0
        ORDER BY pieces DESC, c.quality, c.reason, c.product
        """
    )


def made(reader: Reader, chosen: Slice) -> pl.DataFrame:
    """Pieces of the slice by order and product, in the order in which they were begun."""
    return reader.query(
        f"""
        WITH {_narrowed(reader, chosen)}
        SELECT "order", product, min(window_start) AS first, {_pieces_of("good")}, {_pieces_of("scrap")},
            {_pieces_of("rework")}
        FROM pieces_by_day WHERE {_counted(chosen)} GROUP BY "order", product ORDER BY first, "order", product
        """
    )


def six_big_losses(reader: Reader, chosen: Slice) -> pl.DataFrame:
    """The six big losses of the slice, six rows for each production day."""
    grain = _grain(chosen, "production_date")
    elements = elements_sql(grain, history=False)
    rows = reader.query(
        f"WITH {_narrowed(reader, chosen)}, six AS ({six_big_losses_sql(grain, f'({elements})', history=False)}) "
        "SELECT * FROM six ORDER BY shift NULLS LAST, rank"
    )
    return _named(rows, "production_date")


def downtime(reader: Reader, chosen: Slice, machines: list[str] | None = None) -> pl.DataFrame:
    """Lost time by account and reason: µs, and how often it began.

    Time counts where it falls, so that the rows add up to the accounts of the slice. A stop counts once, under the
    reason that held longest in it and on the day it began; so do uninterrupted setup, planned stops and unknown time,
    under the reason they began with. `machines`: those instead of the equipment whose time makes the figures.
    """
    return reader.query(
        f"""
        WITH {_narrowed(reader, chosen, machines)}, found AS (
            SELECT account, reason, us, 0 AS n FROM time_by_day WHERE account IN {texts(_LOST)}
            UNION ALL
            SELECT account, reason, 0, begun FROM begun_by_day WHERE account IN ('setup', 'planned_stop', 'unknown')
            UNION ALL
            SELECT CASE WHEN minor THEN 'minor_stop' ELSE category END, reason, 0, 1 FROM stops_now
        ), summed AS (SELECT account, reason, sum(us)::BIGINT AS us, sum(n)::BIGINT AS stops FROM found GROUP BY ALL)
        SELECT f.account, f.reason, coalesce(r.label, f.reason) AS label, f.us, f.stops
        FROM summed f LEFT JOIN reasons r ON r.reason = f.reason ORDER BY us DESC, f.account, f.reason
        """
    )


def stops(reader: Reader, chosen: Slice, machines: list[str] | None = None) -> pl.DataFrame:
    """The stops of the slice, the longest first, each with the account that it counts in."""
    return reader.query(
        f"""
        WITH {_narrowed(reader, chosen, machines)}
        SELECT t.equipment, t."start", t."end", epoch_us(t."end") - epoch_us(t."start") AS duration_us, t.us,
            CASE WHEN t.minor THEN 'minor_stop' ELSE t.category END AS account, t.reason,
            coalesce(r.label, t.reason) AS label, t.open, t.production_date || '/' || t.shift AS shift, t.product,
            t."order"
        FROM stops_now t LEFT JOIN reasons r ON r.reason = t.reason ORDER BY t.us DESC, t."start", t.equipment
        """
    )


def choices(reader: Reader, chosen: Slice) -> dict[str, list[str]]:
    """The shifts, products and orders that there are on the production days of the slice."""
    days = replace(chosen, shifts=(), products=(), orders=())
    rows = reader.query(
        f"WITH {_narrowed(reader, days)} SELECT {', '.join(_distinct(name) for name in ('shift', 'product', 'order'))} "
        "FROM time_by_day"
    ).row(0, named=True)
    return {name: values or [] for name, values in rows.items()}


def worked(reader: Reader, equipment: str, first: date, last: date) -> list[str]:
    """The shifts of an equipment on these production days, such as `2026-03-24/late`, the newest first.

    `2026-03-24/-` is the time of that day outside every shift, behind its shifts: it is there if there was anything
    to do or to count.
    """
    rows = reader.query(
        f"""
        WITH {_narrowed(reader, Slice(equipment, first, last))}, found AS (
            SELECT production_date, shift FROM time_by_day
            WHERE us > 0 AND (shift IS NOT NULL OR account <> 'unscheduled')
            UNION SELECT production_date, shift FROM pieces_by_day
        ), begun AS (
            SELECT s.production_date, s.shift, min(s."start") AS "start" FROM shifts s
            JOIN equipment q ON q.calendar = s.calendar AND q.timezone = s.timezone
            JOIN contributors c ON c.contributor = q.equipment GROUP BY s.production_date, s.shift
        )
        SELECT f.production_date || '/' || coalesce(f.shift, '{OUTSIDE}') AS name
        FROM found f LEFT JOIN begun b ON b.production_date = f.production_date AND b.shift = f.shift
        ORDER BY f.production_date DESC, b."start" DESC NULLS LAST, name
        """
    )
    return rows["name"].to_list()


def one_shift(equipment: str, name: str) -> Slice:
    """The slice of one shift by its name, such as `2026-03-24/late`.

    Raises ConfigError when it is not a date, a slash and a name.
    """
    day, slash, shift = name.partition("/")
    with suppress(ValueError):
        if slash and shift:
            on = date.fromisoformat(day)
            return Slice(equipment, on, on, (shift,))
    msg = f'"{name}" is no shift'
    raise ConfigError(msg, hint="name it by production day and name, such as 2026-03-24/late")


def _distinct(name: str) -> str:
    return f'list_sort(list(DISTINCT coalesce("{name}", \'{OUTSIDE}\'))) AS "{name}"'


def _among(column: str, values: tuple[str, ...]) -> str:
    return f"coalesce({column}, '{OUTSIDE}') IN {texts(values)}" if values else ""


def _counted(chosen: Slice) -> str:
    """Only equipment whose pieces are those of the slice; a line's time may be that of another machine."""
    counted = f"SELECT contributor FROM contributors WHERE equipment = {text(chosen.equipment)} AND gives_pieces"
    return f"equipment IN ({counted})"


def _pieces_of(quality: str) -> str:
    return f"coalesce(sum(pieces) FILTER (quality = '{quality}'), 0)::BIGINT AS {quality}"


def _narrowed(reader: Reader, chosen: Slice, machines: list[str] | None = None, equipment: Sequence[str] = ()) -> str:
    """Common table expressions that stand before the tables and leave out what is not in the slice.

    Whose elements are in it is asked beforehand: names in a statement leave out rows where they are read, even below
    a window function, and a subquery does not.
    """
    wanted = f"equipment IN {texts(equipment or (chosen.equipment,))}"
    given = reader.query(f"SELECT DISTINCT contributor, gives_time FROM contributors WHERE {wanted} ORDER BY ALL")
    own = texts(given["contributor"].unique().to_list())
    times = texts(given.filter("gives_time")["contributor"].to_list() if machines is None else machines)
    of_times, of_pieces = (
        [
            f"{table} AS (SELECT * FROM main.{table} WHERE {chosen.conditions()} AND equipment IN {names})"
            for table in of
        ]
        for of, names in ((_OF_TIMES, times), (_OF_PIECES, own))
    )
    return f"""
        contributors AS (SELECT * FROM main.contributors WHERE {wanted}),
        {", ".join(of_times)}, {", ".join(of_pieces)},
        changes AS (SELECT * FROM main.changes WHERE {chosen.conditions(runs=False)} AND equipment IN {own})
    """


def _grain(chosen: Slice, by: By | None) -> Grain:
    """The slice as one window, or as one for each value of `by`."""
    part = by or "whole"
    parted = f"*, {_PARTS[by]}" if by in _PARTS else "*"
    return Grain(
        "slice",
        "a slice of the past",
        parts=(part,),
        time=f"(SELECT {parted} FROM time_by_day)",
        pieces=f"(SELECT {parted} FROM pieces_by_day)",
        stops=f"(SELECT {parted} FROM stops_now)",
        start=f"DATE '{chosen.first}'::TIMESTAMPTZ",
        end=f"(DATE '{chosen.last}' + 1)::TIMESTAMPTZ",
        changes=f'(SELECT {parted}, NULL::VARCHAR AS product, NULL::VARCHAR AS "order" FROM changes)',
        us="i.us",
        label="NULL::VARCHAR" if by is None else f's."{by}"::VARCHAR',
        by_day=True,
        summed_by=("production_date",) if by == "day_or_all" else (),
        spread="*, unnest([production_date, NULL]) AS day_or_all" if by == "day_or_all" else "*",
    )


def _named(rows: pl.DataFrame, by: By | None) -> pl.DataFrame:
    """The label, that elements have in the column of the shift, under its own name."""
    if by is None:
        return rows.drop("shift", "production_date")
    return rows.drop("production_date").rename({"shift": by})
