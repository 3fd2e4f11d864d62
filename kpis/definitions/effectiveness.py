"""The indices and time ratios of ISO 22400-2. They keep its elements whatever OEE definition was chosen."""

from kpis.definitions.oee import zero_if_idle
from kpis.formula import Term, ratio, when
from kpis.kpi import kpi


@kpi("Effectiveness", "E", span="0 and up; above 1 the ideal cycle is too long", iso_number=9)
def effectiveness(ideal_us: Term, actual_production_time_us: Term, no_ideal: Term) -> Term:
    """How fast it ran while it produced; minor stops are not part of that time.

    Undefined: when it did not produce, or made pieces that have no ideal cycle
    Source: ISO 22400-2, effectiveness: PRI * PQ / APT

    >>> effectiveness(ideal_us=240, actual_production_time_us=300, no_ideal=0)
    0.8
    """
    return when(no_ideal.eq(0), ratio(ideal_us, actual_production_time_us))


@kpi("OEE index", "OEE", span="0 to 1; above 1 the ideal cycle is too long", iso_number=6)
def oee_index(
    actual_production_time_us: Term, planned_busy_time_us: Term, total: Term, effectiveness: Term, quality_ratio: Term
) -> Term:
    """OEE as ISO 22400-2 defines it: minor stops are lost availability, planned stops are outside. Always the same
    value as `oee` in the definition iso22400.

    Undefined: when a factor is; but 0 when production was planned and nothing was produced
    Source: ISO 22400-2, OEE index: availability * effectiveness * quality ratio

    >>> oee_index(actual_production_time_us=300, planned_busy_time_us=400, total=9, effectiveness=0.5, quality_ratio=1)
    0.375
    """
    index = ratio(actual_production_time_us, planned_busy_time_us) * effectiveness * quality_ratio
    return zero_if_idle(planned_busy_time_us, actual_production_time_us, total, index)


@kpi("NEE index", "NEE", span="0 to 1; above 1 the ideal cycle is too long", iso_number=7)
def nee_index(
    actual_unit_processing_time_us: Term,
    actual_production_time_us: Term,
    planned_busy_time_us: Term,
    total: Term,
    effectiveness: Term,
    quality_ratio: Term,
) -> Term:
    """Net equipment effectiveness: like the OEE index, but setup is not a loss.

    Undefined: when a factor is; but 0 when production was planned and nothing was produced
    Source: ISO 22400-2, NEE index: AUPT / PBT * effectiveness * quality ratio

    >>> nee_index(actual_unit_processing_time_us=360, actual_production_time_us=300, planned_busy_time_us=400, total=9,
    ...           effectiveness=0.5, quality_ratio=1)
    0.45
    """
    index = ratio(actual_unit_processing_time_us, planned_busy_time_us) * effectiveness * quality_ratio
    return zero_if_idle(planned_busy_time_us, actual_production_time_us, total, index)


@kpi("Allocation efficiency", iso_number=4)
def allocation_efficiency(actual_unit_busy_time_us: Term, planned_busy_time_us: Term) -> Term:
    """The share of planned busy time in which there was an order to work on.

    Undefined: when there was no planned busy time
    Source: ISO 22400-2, allocation efficiency: AUBT / PBT

    >>> allocation_efficiency(actual_unit_busy_time_us=300, planned_busy_time_us=400)
    0.75
    """
    return ratio(actual_unit_busy_time_us, planned_busy_time_us)


@kpi("Utilization efficiency", iso_number=5)
def utilization_efficiency(actual_production_time_us: Term, actual_unit_busy_time_us: Term) -> Term:
    """The share of the time with an order to work on that was production.

    Undefined: when there was no busy time
    Source: ISO 22400-2, utilization efficiency: APT / AUBT

    >>> utilization_efficiency(actual_production_time_us=240, actual_unit_busy_time_us=300)
    0.8
    """
    return ratio(actual_production_time_us, actual_unit_busy_time_us)


@kpi("Setup ratio", better="down", iso_number=11)
def setup_ratio(setup_us: Term, actual_unit_processing_time_us: Term) -> Term:
    """The share of setup in the time spent on orders, delays left aside.

    Undefined: when there was neither production nor setup
    Source: ISO 22400-2, setup ratio: AUST / AUPT

    >>> setup_ratio(setup_us=60, actual_unit_processing_time_us=240)
    0.25
    """
    return ratio(setup_us, actual_unit_processing_time_us)


@kpi("Technical efficiency", iso_number=12)
def technical_efficiency(actual_production_time_us: Term, actual_unit_delay_time_us: Term) -> Term:
    """The share of production in production and delays: what stops take away, setup left aside.

    Undefined: when there was neither production nor delay
    Source: ISO 22400-2, technical efficiency: APT / (APT + ADET)

    >>> technical_efficiency(actual_production_time_us=300, actual_unit_delay_time_us=100)
    0.75
    """
    return ratio(actual_production_time_us, actual_production_time_us + actual_unit_delay_time_us)


@kpi("Equipment load ratio", span="0 to 1; above 1 the declared capacity is too low", iso_number=30)
def equipment_load_ratio(total: Term, capacity: Term) -> Term:
    """Pieces made, over the pieces the equipment could make in its scheduled time.

    Undefined: when the plant file declares no capacity, or there was no scheduled time
    Source: ISO 22400-2, equipment load ratio: PQ / equipment production capacity

    >>> equipment_load_ratio(total=900, capacity=1200)
    0.75
    """
    return ratio(total, capacity)
