"""Orders that should be finished by now and are not: a question to the store that the engine asks by itself."""

from typing import Final

import polars as pl

from kpis.alert_watch import Held
from kpis.plant import Plant
from kpis.wanted import planned_accounts
from storage.grains import IS_OPEN, MINUTE_US
from storage.selection import texts

_DAY_US: Final = 1_440 * MINUTE_US
TOLD_BEFORE_US: Final = 8 * _DAY_US
"""How long before it comes into force, at an equipment that was not heard before, an order may have been told."""

_RUNNING: Final = """
    WITH alone AS (
        SELECT equipment, any_value(contributor) AS timed FROM contributors
        WHERE gives_time GROUP BY equipment HAVING count(*) = 1
    ), orders AS (
        SELECT a.*, i."order", i.product, i.run_start
        FROM alone a JOIN (SELECT * FROM intervals WHERE {is_open}) i ON i.equipment = a.timed
        WHERE i.run_start IS NOT NULL
    ), first AS (
        SELECT epoch_us(min(run_start)) AS us,
            DATE '1970-01-01' + (epoch_us(min(run_start)) // {day})::INTEGER - 3 AS day FROM orders
    ), told AS (
        SELECT o.equipment, arg_max(e.quantity, e.ts) AS quantity
        FROM orders o JOIN events e ON e."order" = o."order"
          AND (e.equipment = o.timed OR starts_with(o.timed, e.equipment || '/'))
        WHERE e.type = 'order' AND e.action = 'start' AND e.quantity IS NOT NULL
          AND e.ts >= (SELECT make_timestamptz(us - {before}) FROM first)
          AND NOT EXISTS (FROM corrections c WHERE c.type = 'retract' AND c.equipment = e.equipment
                          AND (c.details->>'$.target') = e.id)
        GROUP BY o.equipment
    ), time AS (
        SELECT equipment, run_start, sum(e - s)::BIGINT AS us FROM intervals_now
        WHERE production_date >= (SELECT day FROM first) AND account IN {accounts} GROUP BY ALL
    ), made AS (
        SELECT o.equipment, sum(c.pieces)::BIGINT AS good
        FROM orders o JOIN contributors k ON k.equipment = o.equipment AND k.gives_pieces
        JOIN count_elements c ON c.equipment = k.contributor AND c."order" = o."order"
          AND c.window_start >= make_timestamptz(epoch_us(o.run_start) // {minute} * {minute})
        WHERE c.quality = 'good' AND c.production_date >= (SELECT day FROM first) GROUP BY o.equipment
    )
    SELECT o.equipment, o.timed, o."order", o.product, t.quantity, coalesce(p.us, 0) AS planned_us
    FROM orders o JOIN told t ON t.equipment = o.equipment
    LEFT JOIN time p ON p.equipment = o.timed AND p.run_start = o.run_start
    LEFT JOIN made m ON m.equipment = o.equipment
    WHERE coalesce(m.good, 0) < t.quantity
"""


def question(plant: Plant) -> str:
    """The statement that finds the orders in force with fewer good pieces than their quantity.

    It gives the `equipment`, the one whose time is its own (`timed`), `order`, `product`, `quantity`, and the planned
    production time of the run (`planned_us`) up to the horizon. Equipment that adds up the time of several is left
    out: each of them may have an order of its own.
    """
    return _RUNNING.format(
        is_open=IS_OPEN, day=_DAY_US, before=TOLD_BEFORE_US, minute=MINUTE_US, accounts=texts(planned_accounts(plant))
    )


def overdue(rows: pl.DataFrame, plant: Plant, number: int, limit: int) -> list[Held]:
    """The orders of an answer that are overdue by more than a limit (µs), for the rule of that number.

    An order is due once the planned production time of its run is as long as its quantity takes at the pace that the
    OEE target asks for, without a target at the ideal cycle. `value` is the planned production time since then, in µs.
    Undefined, so never overdue, without an ideal cycle, and at a target of 0.
    """
    found = []
    for path, timed, order, product, quantity, planned in rows.iter_rows():
        if path not in plant.equipment or timed not in plant.equipment:
            continue
        due = due_us(plant, path, timed, product, quantity)
        if due is not None and planned - due > limit:
            found.append(Held(number, path, order, planned - due))
    return found


def due_us(plant: Plant, path: str, timed: str, product: str | None, quantity: int) -> float | None:
    """The planned production time (µs) after which an order of equipment is due whose time is that of `timed`.

    None without an ideal cycle, and at a target of 0.
    """
    cycle, target = plant.ideal_cycle_us(timed, product), plant.equipment[path].targets.get("oee", 1.0)
    return None if cycle is None or not target else quantity * cycle / target
