"""The plant in the store: equipment, calendars, reasons, products, and who contributes to whom."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from kpis.errors import StorageError
from kpis.plant import Plant, Product
from kpis.rollup import contributions
from kpis.shifts import SHIFT_INSTANCES, production_days, shift_instances
from storage.database import connect, instants
from storage.frozen import Frozen
from storage.ledger import Ledger
from storage.selection import instant, text
from storage.writer import Transaction

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN = timedelta(days=33)


def write_plant(transaction: Transaction, plant: Plant, path: str) -> None:
    """Reasons, products and the plant file itself."""
    row = pl.DataFrame(
        {"path": [path], "text": [plant.text], "fingerprint": [plant.fingerprint]},
        schema={"path": pl.String, "text": pl.String, "fingerprint": pl.String},
    )
    transaction.refill("plants", row)
    reasons = [
        (name, reason.label, reason.category, reason.loss, reason.maintenance) for name, reason in plant.reasons.items()
    ]
    names = ("reason", "label", "category", "loss", "maintenance")
    transaction.refill("reasons", pl.DataFrame(reasons, schema=dict.fromkeys(names, pl.String), orient="row"))
    products = [(name, place, cycle) for name, product in plant.products.items() for place, cycle in _cycles(product)]
    schema = {"product": pl.String, "equipment": pl.String, "ideal_cycle_us": pl.Int64}
    transaction.refill("products", pl.DataFrame(products, schema=schema, orient="row"))


def _cycles(product: Product) -> list[tuple[str | None, int | None]]:
    return list(product.ideal_cycles_us.items()) or [(None, None)]


def write_equipment(transaction: Transaction, ledger: Ledger) -> None:
    """Equipment, and the contributions to each, as they are now that some of it has events."""
    ordering = set(ledger.ranges.filter(pl.col("type") == "order")["equipment"])
    rows = [
        {
            "equipment": path,
            "parent": item.parent,
            "level": item.level,
            "timezone": item.timezone,
            "calendar": item.calendar,
            "grace_us": item.grace_us,
            "ideal_cycle_us": item.ideal_cycle_us,
            "capacity_per_hour": item.capacity_per_hour,
            "accounted_from": ledger.accounted.get(path),
            "has_orders": not ordering.isdisjoint((path, *ledger.plant.ancestors(path))),
        }
        for path, item in ledger.plant.equipment.items()
    ]
    schema = {
        "equipment": pl.String,
        "parent": pl.String,
        "level": pl.String,
        "timezone": pl.String,
        "calendar": pl.String,
        "grace_us": pl.Int64,
        "ideal_cycle_us": pl.Int64,
        "capacity_per_hour": pl.Int64,
        "accounted_from": pl.Int64,
        "has_orders": pl.Boolean,
    }
    transaction.refill("equipment", instants(pl.DataFrame(rows, schema=schema, orient="row"), "accounted_from"))
    parts = contributions(ledger.plant, ledger.accounted)
    schema = {"equipment": pl.String, "contributor": pl.String, "gives_time": pl.Boolean, "gives_pieces": pl.Boolean}
    transaction.refill("contributors", pl.DataFrame(parts, schema=schema, orient="row"))


class StoredPlant(NamedTuple):
    """The plant file that a store was last filled with."""

    path: str
    text: str


def stored_plant(path: Path) -> StoredPlant:
    """The plant file of a store. Raises StorageError if there is no store or it was never filled."""
    con = connect(path, read_only=True)
    try:
        rows = con.execute("SELECT path, text FROM plants").fetchall()
    except duckdb.CatalogException:
        rows = []
    finally:
        con.close()
    if not rows:
        msg = f"the store {path} is empty"
        raise StorageError(msg, hint="fill it with `oeeflow replay`")
    return StoredPlant(*rows[0])


def days_of(ledger: Ledger) -> tuple[date, date] | None:
    """First and last day that a window, of up to a month, can begin or end at in any time zone."""
    if ledger.horizon is None:
        return None
    first = min(ledger.accounted.values(), default=ledger.horizon)
    return _day(first) - _MARGIN, _day(ledger.horizon) + _MARGIN


def _day(instant: int) -> date:
    return (_BEGIN + timedelta(microseconds=instant)).date()


def write_calendars(transaction: Transaction, plant: Plant, first: date, last: date, frozen: Frozen | None) -> None:
    """Shifts and production days from `first` to `last`. Shifts that began in frozen time stay as they were."""
    used = {(item.calendar, item.timezone) for item in plant.equipment.values()}
    zones = sorted({zone for _, zone in used})
    days = [production_days(zone, first, last).with_columns(timezone=pl.lit(zone)) for zone in zones]
    transaction.refill("production_days", instants(pl.concat(days).rename({"date": "production_date"}), "start", "end"))
    shifts = [
        shift_instances(plant, calendar, zone, first, last).with_columns(
            calendar=pl.lit(calendar), timezone=pl.lit(zone)
        )
        for calendar, zone in sorted((calendar, zone) for calendar, zone in used if calendar)
    ]
    rows = pl.concat(shifts) if shifts else pl.DataFrame(schema=SHIFT_INSTANCES)
    if frozen is None:
        transaction.refill("shifts", instants(rows, "start", "end"))
        return
    transaction.execute(f'DELETE FROM shifts WHERE "start" >= {instant(frozen.before)}')
    transaction.insert("shifts", instants(rows.filter(pl.col("start") >= frozen.before), "start", "end"))


def keep_shifts(transaction: Transaction, ledger: Ledger) -> None:
    """The shifts of frozen time under the calendar that an equipment follows now; its results are named by them.

    The table `equipment` still tells which it followed before.
    """
    if ledger.frozen is None:
        return
    follows = ", ".join(
        f"({text(path)}, {text(item.calendar)}, {text(item.timezone)})"
        for path, item in ledger.plant.equipment.items()
        if item.calendar
    )
    if not follows:
        return
    transaction.execute(
        f"""
        INSERT INTO shifts BY NAME
        SELECT DISTINCT n.calendar, n.timezone, s.production_date, s.shift, s."start", s."end"
        FROM (VALUES {follows}) n(equipment, calendar, timezone) JOIN equipment q ON q.equipment = n.equipment
        JOIN shifts s ON s.calendar = q.calendar AND s.timezone = q.timezone
        WHERE s."start" < {instant(ledger.frozen.before)} AND NOT EXISTS (
            FROM shifts k WHERE k.calendar = n.calendar AND k.timezone = n.timezone
              AND k.production_date = s.production_date AND k.shift = s.shift)
        """
    )
