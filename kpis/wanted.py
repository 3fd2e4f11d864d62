"""How many good pieces a target OEE asks for in the time that was planned.

Planned production time divided by the ideal cycle of the product in force, times the target: breaks, planned stops and
time outside shifts ask for nothing. A machine makes these pieces exactly when its OEE reaches its target; a line whose
pieces are counted at another machine than its time may be ahead of that or behind by what is between the two.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from kpis.formula import names
from kpis.plant import Plant
from kpis.registry import terms


def wanted(time: pl.DataFrame, plant: Plant, target: float | None) -> float | None:
    """Good pieces that the target asks for in the time given: rows of equipment, account, product and `us`.

    Time without a product, as between two orders, asks for nothing where other time of the same equipment has an ideal
    cycle. None without a target, or where other planned time has no ideal cycle.
    """
    if target is None:
        return None
    return wanted_by(time.with_columns(all=True), "all", plant, target).get(True, 0.0)


def wanted_by(time: pl.DataFrame, column: str, plant: Plant, target: float) -> dict[Any, float | None]:
    """The same for each value of a column; one that is left out has no planned time, and asks for nothing."""
    planned: dict[Any, list[tuple[str, str | None, int]]] = {}
    accounts = pl.col("account").is_in(planned_accounts(plant))
    summed = time.filter(accounts).group_by(column, "equipment", "product").agg(pl.col("us").sum())
    for value, equipment, product, us in summed.iter_rows():
        planned.setdefault(value, []).append((equipment, product, us))
    return {value: _pieces(rows, plant, target) for value, rows in planned.items()}


def planned_accounts(plant: Plant) -> list[str]:
    """The time accounts whose sum is the planned production time of a plant's OEE definition."""
    return [name.removesuffix("_us") for name in names(terms(plant.oee_definition)["planned_production_us"])]


def _pieces(rows: Iterable[tuple[str, str | None, int]], plant: Plant, target: float) -> float | None:
    pieces, known, unknown = 0.0, set[str](), set[str]()
    for equipment, product, us in rows:
        cycle = plant.ideal_cycle_us(equipment, product)
        if cycle is not None:
            known.add(equipment)
            pieces += us / cycle * target
        elif us and product is not None:
            return None
        elif us:
            unknown.add(equipment)
    return pieces if unknown <= known else None
