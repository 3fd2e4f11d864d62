"""How orders went, and the people who worked on them."""

from kpis.definitions.oee import MICROSECONDS_PER_HOUR
from kpis.formula import Term, ratio
from kpis.kpi import kpi


@kpi("Worker efficiency", iso_number=1)
def worker_efficiency(personnel_work_us: Term, personnel_attendance_us: Term) -> Term:
    """The share of the personnel's attendance that was work on orders.

    Undefined: when attendance is not known, or is 0
    Source: ISO 22400-2, worker efficiency: APWT / APAT

    >>> worker_efficiency(personnel_work_us=360, personnel_attendance_us=480)
    0.75
    """
    return ratio(personnel_work_us, personnel_attendance_us)


@kpi("Allocation ratio", span="0 and up; above 1 where operations overlap", iso_number=2)
def allocation_ratio(actual_unit_busy_time_us: Term, order_us: Term) -> Term:
    """Busy time of the equipment, over the time its orders took.

    Undefined: when no order was in force
    Source: ISO 22400-2, allocation ratio: Σ AUBT / AOET

    >>> allocation_ratio(actual_unit_busy_time_us=300, order_us=400)
    0.75
    """
    return ratio(actual_unit_busy_time_us, order_us)


@kpi("Throughput rate", unit="per_hour", span="0 and up", iso_number=3)
def throughput_rate(total: Term, order_us: Term) -> Term:
    """Pieces made per hour that orders took.

    Undefined: when no order was in force
    Source: ISO 22400-2, throughput rate: PQ / AOET

    >>> throughput_rate(total=100, order_us=1_200_000_000)
    300.0
    """
    return ratio(total * MICROSECONDS_PER_HOUR, order_us)


@kpi("Production process ratio", span="0 and up; above 1 where operations overlap", iso_number=13)
def production_process_ratio(actual_production_time_us: Term, order_us: Term) -> Term:
    """The share of production in the time orders took: how little they waited.

    Undefined: when no order was in force
    Source: ISO 22400-2, production process ratio: Σ APT / AOET

    >>> production_process_ratio(actual_production_time_us=240, order_us=400)
    0.6
    """
    return ratio(actual_production_time_us, order_us)
