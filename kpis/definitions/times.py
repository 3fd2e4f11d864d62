"""Times that KPIs are ratios of, and the three OEE definitions, which differ in two of them.

All are in microseconds and, like the elements they are made of, may be summed.
"""

from collections.abc import Mapping

from kpis.formula import Term
from kpis.kpi import Quantity


@Quantity
def planned_busy_time_us(producing_us: Term, minor_stop_us: Term, down_us: Term, idle_us: Term, setup_us: Term) -> Term:
    """Time the equipment was meant to be busy (PBT), overtime included."""
    return producing_us + minor_stop_us + down_us + idle_us + setup_us


@Quantity
def planned_busy_and_stopped_time_us(planned_busy_time_us: Term, planned_stop_us: Term) -> Term:
    """Planned busy time and planned stops: whoever counts planned maintenance as lost availability divides by this."""
    return planned_busy_time_us + planned_stop_us


@Quantity
def actual_production_time_us(producing_us: Term) -> Term:
    """Time in which value was added (APT): minor stops are not part of it."""
    return producing_us


@Quantity
def production_and_minor_stop_time_us(producing_us: Term, minor_stop_us: Term) -> Term:
    """Time of production in which minor stops pass as slow running."""
    return producing_us + minor_stop_us


@Quantity
def actual_unit_processing_time_us(producing_us: Term, setup_us: Term) -> Term:
    """Production and setup (AUPT)."""
    return producing_us + setup_us


@Quantity
def actual_unit_delay_time_us(down_us: Term, minor_stop_us: Term, idle_us: Term, idle_without_order_us: Term) -> Term:
    """Stops while there was an order to work on (ADET); without order events every idle time counts as such."""
    return down_us + minor_stop_us + idle_us - idle_without_order_us


@Quantity
def actual_unit_busy_time_us(planned_busy_time_us: Term, idle_without_order_us: Term) -> Term:
    """Planned busy time less the time available without an order (AUBT = PBT less ADOT)."""
    return planned_busy_time_us - idle_without_order_us


@Quantity
def scheduled_us(planned_busy_time_us: Term, planned_stop_us: Term, break_us: Term, unknown_us: Term) -> Term:
    """All time but the unscheduled (POT): breaks, planned stops and unknown time are part of it."""
    return planned_busy_time_us + planned_stop_us + break_us + unknown_us


@Quantity
def calendar_us(scheduled_us: Term, unscheduled_us: Term) -> Term:
    """All time: the sum of the accounts."""
    return scheduled_us + unscheduled_us


TIMES: tuple[Quantity, ...] = (
    planned_busy_time_us,
    planned_busy_and_stopped_time_us,
    actual_production_time_us,
    production_and_minor_stop_time_us,
    actual_unit_processing_time_us,
    actual_unit_delay_time_us,
    actual_unit_busy_time_us,
    scheduled_us,
    calendar_us,
)

OEE_DEFINITIONS: Mapping[str, Mapping[str, Quantity]] = {
    "standard": {
        "planned_production_us": planned_busy_time_us,
        "run_us": production_and_minor_stop_time_us,
    },
    "iso22400": {
        "planned_production_us": planned_busy_time_us,
        "run_us": actual_production_time_us,
    },
    "smrp": {
        "planned_production_us": planned_busy_and_stopped_time_us,
        "run_us": production_and_minor_stop_time_us,
    },
}
"""What planned production and run time are in each definition; every other formula is the same in all three."""
