"""The additive elements a window row is made of, and the inputs that only other systems can give.

An element is an integer that may be summed over time, equipment, shifts, products and orders. Every KPI is a formula
over such sums; no ratio is ever stored or averaged.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["us", "pieces", "count", "kwh", "measured"]

ACCOUNTS: tuple[str, ...] = (
    "producing",
    "minor_stop",
    "down",
    "idle",
    "setup",
    "planned_stop",
    "break",
    "unscheduled",
    "unknown",
)
"""The time accounts. Every instant is in exactly one of them, so they add up to the length of the window."""


@dataclass(frozen=True, slots=True)
class Element:
    """One input of the KPI formulas.

    `basis` says where it comes from: `events` and `plant` (the plant file) make the columns of a window row, any other
    has no value until a system that knows it is connected. `nullable` elements may be null, all others are 0 when
    nothing happened. `part_of` names the element it is already contained in.
    """

    name: str
    unit: Unit
    meaning: str
    basis: str = "events"
    nullable: bool = False
    part_of: str | None = None


ELEMENTS: tuple[Element, ...] = (
    Element("producing_us", "us", "time in a producing state, whatever the schedule says"),
    Element("minor_stop_us", "us", "scheduled down or idle time in stretches shorter than minor_stop_under"),
    Element("down_us", "us", "scheduled time down, minor stops excluded"),
    Element("idle_us", "us", "scheduled time starved, blocked or waiting, minor stops excluded"),
    Element("setup_us", "us", "scheduled time in setup or changeover"),
    Element("planned_stop_us", "us", "scheduled time in a planned stop"),
    Element("break_us", "us", "time in a break of the shift calendar, not used to produce"),
    Element("unscheduled_us", "us", "time outside every shift, not used to produce"),
    Element("unknown_us", "us", "scheduled time in which nothing is known about the equipment"),
    Element(
        "overtime_us", "us", "producing outside the schedule: in a break or outside every shift", part_of="producing_us"
    ),
    Element(
        "idle_without_order_us",
        "us",
        "idle while no order is in force, on equipment that has order events",
        part_of="idle_us",
    ),
    Element("order_us", "us", "time with an order in force (AOET)"),
    Element("good", "pieces", "good pieces (GQ)"),
    Element("scrap", "pieces", "scrap pieces (SQ)"),
    Element("rework", "pieces", "pieces to be reworked (RQ)"),
    Element("ideal_us", "us", "sum of pieces times the ideal cycle in force (PRI x PQ)"),
    Element("good_ideal_us", "us", "sum of good pieces times the ideal cycle in force", part_of="ideal_us"),
    Element("no_ideal", "pieces", "pieces without an ideal cycle; performance is undefined unless this is 0"),
    Element("stops", "count", "stops that began: runs of down or idle, minor ones included"),
    Element("failures", "count", "stops of category down that are not minor (FE)", part_of="stops"),
    Element("failure_us", "us", "time to restoration, summed over the failures (TTR)", part_of="down_us"),
    Element("corrective_us", "us", "time of stops whose reason is corrective maintenance (CMT)"),
    Element("preventive_us", "us", "time of stops whose reason is preventive maintenance (PMT)"),
    Element(
        "capacity", "pieces", "pieces the plant file says could be made in the scheduled time", "plant", nullable=True
    ),
)
"""The integer columns of a window row, in their order."""


def _external(basis: str, *inputs: tuple[str, Unit, str]) -> tuple[Element, ...]:
    return tuple(Element(name, unit, meaning, basis, nullable=True) for name, unit, meaning in inputs)


EXTERNAL: tuple[Element, ...] = (
    *_external(
        "orders",
        ("planned_scrap", "pieces", "scrap the order allows for (PSQ)"),
        ("first_operation_quantity", "pieces", "pieces made by the first operation of the order"),
    ),
    *_external(
        "personnel",
        ("personnel_work_us", "us", "time the personnel worked on orders (APWT)"),
        ("personnel_attendance_us", "us", "time the personnel was present (APAT)"),
    ),
    *_external(
        "measurements",
        ("upper_limit", "measured", "upper specification limit (USL)"),
        ("lower_limit", "measured", "lower specification limit (LSL)"),
        ("mean", "measured", "mean of one machine run"),
        ("standard_deviation", "measured", "standard deviation of one machine run (s)"),
        ("process_mean", "measured", "mean of the sample means of the process"),
        ("process_standard_deviation", "measured", "estimated standard deviation of the process"),
    ),
    *_external("energy", ("energy_kwh", "kwh", "energy of all kinds consumed")),
    *_external(
        "material",
        ("average_inventory", "pieces", "mean stock over the period"),
        ("consumed_material", "pieces", "material consumed, in the unit the good pieces are counted in (CM)"),
        ("integrated_good", "pieces", "good quantity of all outputs, converted to one product"),
        ("production_loss", "pieces", "material lost in production (PL)"),
        ("storage_loss", "pieces", "material lost in storage and transport (STL)"),
        ("other_loss", "pieces", "material lost in any other way (OL)"),
    ),
)
"""Inputs that need another system than the event log; null until one is connected."""
