"""OEE, its three factors, its two wider relatives and what goes with them, in the OEE definition that was chosen."""

from kpis.formula import Term, ratio, when
from kpis.kpi import kpi

MICROSECONDS_PER_HOUR = 3.6e9


@kpi("Availability", "A", iso_number=8)
def availability(run_us: Term, planned_production_us: Term) -> Term:
    """The share of planned production time in which the equipment ran.

    Undefined: when there was no planned production time
    Source: oee.com; ISO 22400-2 (APT / PBT) in the definition iso22400; SMRP 2.1.1 in the definition smrp

    >>> availability(run_us=373, planned_production_us=420)
    0.888095238095238
    """
    return ratio(run_us, planned_production_us)


@kpi("Performance", "P", span="0 and up; above 1 the ideal cycle is too long")
def performance(ideal_us: Term, run_us: Term, no_ideal: Term) -> Term:
    """How fast it ran while it ran: the time its pieces needed at the ideal cycle, over run time.

    Undefined: when it did not run, or made pieces that have no ideal cycle
    Source: oee.com; the effectiveness of ISO 22400-2 in the definition iso22400

    >>> performance(ideal_us=19271, run_us=22380, no_ideal=0)
    0.8610813226094728
    """
    return when(no_ideal.eq(0), ratio(ideal_us, run_us))


@kpi("Quality", "Q", span="0 to 1; corrections may lead out of it")
def quality(good: Term, total: Term) -> Term:
    """The share of pieces that were good the first time: neither scrap nor to be reworked.

    Undefined: when nothing was made
    Source: oee.com; ISO 22400-2, quality ratio

    >>> quality(good=18848, total=19271)
    0.9780499195682631
    """
    return ratio(good, total)


@kpi("OEE", "OEE", span="0 to 1; above 1 the ideal cycle is too long")
def oee(
    planned_production_us: Term, run_us: Term, total: Term, availability: Term, performance: Term, quality: Term
) -> Term:
    """Overall equipment effectiveness: the share of planned production time that became good pieces at full speed.

    Undefined: when a factor is; but 0 when production was planned and nothing ran or nothing was made
    Source: Nakajima; oee.com

    >>> oee(planned_production_us=420, run_us=373, total=19271, availability=0.75, performance=0.5, quality=0.5)
    0.1875
    >>> oee(planned_production_us=420, run_us=0, total=0, availability=0.0)
    0.0
    """
    return zero_if_idle(planned_production_us, run_us, total, availability * performance * quality)


@kpi("OOE", "OOE", span="0 to 1; above 1 the ideal cycle is too long")
def ooe(scheduled_us: Term, run_us: Term, total: Term, performance: Term, quality: Term) -> Term:
    """Overall operations effectiveness: the same output over all scheduled time, planned stops and breaks included.

    Undefined: when there was no scheduled time, or performance or quality is; but 0 when nothing ran or was made
    Source: usage of the field; OEE with scheduled time in place of planned production time

    >>> ooe(scheduled_us=480, run_us=360, total=100, performance=0.5, quality=1.0)
    0.375
    """
    return zero_if_idle(scheduled_us, run_us, total, ratio(run_us, scheduled_us) * performance * quality)


@kpi("TEEP", "TEEP", span="0 to 1; above 1 the ideal cycle is too long")
def teep(calendar_us: Term, run_us: Term, total: Term, performance: Term, quality: Term) -> Term:
    """Total effective equipment performance: the same output over all time, nights and weekends included.

    Undefined: when the window is empty, or performance or quality is; but 0 when nothing ran or was made
    Source: oee.com; OEE with all time in place of planned production time

    >>> teep(calendar_us=1440, run_us=360, total=100, performance=0.5, quality=1.0)
    0.125
    """
    return zero_if_idle(calendar_us, run_us, total, ratio(run_us, calendar_us) * performance * quality)


@kpi("Throughput per hour", unit="per_hour", span="0 and up")
def throughput_per_hour(total: Term, planned_production_us: Term) -> Term:
    """Pieces made, good or not, per hour of planned production time.

    Undefined: when there was no planned production time
    Source: usage of the field

    >>> throughput_per_hour(total=300, planned_production_us=1_800_000_000)
    600.0
    """
    return ratio(total * MICROSECONDS_PER_HOUR, planned_production_us)


@kpi("Coverage")
def coverage(planned_production_us: Term, unknown_us: Term) -> Term:
    """How much of the time is known: 1 less the share of unknown time in planned production and unknown time.

    Undefined: when there was neither planned production nor unknown time
    Source: oeeflow; lost communication is neither up nor down

    >>> coverage(planned_production_us=90, unknown_us=10)
    0.9
    """
    return ratio(planned_production_us, planned_production_us + unknown_us)


def zero_if_idle(base_us: Term, run_us: Term, total: Term, index: Term) -> Term:
    """The index, but 0 where there was time and nothing ran or nothing was made: an undefined speed or quality must not
    hide that.
    """
    return when((base_us > 0) & ((run_us <= 0) | (total <= 0)), 0.0, index)
