"""Failures, and what it takes to get over them. A failure is a stop of category down that is not minor.

Means divide by the number of failures that began in the window. The text of ISO 22400-2 may divide by one more; that
was not confirmed, so no conformance is claimed here.
"""

from kpis.formula import Term, ratio
from kpis.kpi import kpi

MICROSECONDS_PER_SECOND = 1e6


@kpi("Mean operating time between failures", "MTBF", unit="s", span="0 and up", iso_number=31)
def mean_operating_time_between_failures(actual_unit_processing_time_us: Term, failures: Term) -> Term:
    """How long the equipment produces or is set up, on average, from one failure to the next.

    Undefined: when no failure began
    Source: usual form of ISO 22400-2, mean operating time between failures: Σ TBF / failures

    >>> mean_operating_time_between_failures(actual_unit_processing_time_us=7_200_000_000, failures=2)
    3600.0
    """
    return ratio(actual_unit_processing_time_us, failures * MICROSECONDS_PER_SECOND)


@kpi("Mean time to failure", "MTTF", unit="s", span="0 and up", iso_number=32)
def mean_time_to_failure(planned_busy_time_us: Term, failure_us: Term, failures: Term) -> Term:
    """How much planned busy time passes, on average, from the end of a failure to the next failure.

    Undefined: when no failure began
    Source: usual form of ISO 22400-2, mean time to failure: Σ TTF / failures

    >>> mean_time_to_failure(planned_busy_time_us=8_000_000_000, failure_us=800_000_000, failures=2)
    3600.0
    """
    return ratio(planned_busy_time_us - failure_us, failures * MICROSECONDS_PER_SECOND)


@kpi("Mean time to restoration", "MTTR", unit="s", better="down", span="0 and up", iso_number=33)
def mean_time_to_restoration(failure_us: Term, failures: Term) -> Term:
    """How long a failure lasts on average.

    Undefined: when no failure began
    Source: usual form of ISO 22400-2, mean time to restoration: Σ TTR / failures

    >>> mean_time_to_restoration(failure_us=1_500_000_000, failures=2)
    750.0
    """
    return ratio(failure_us, failures * MICROSECONDS_PER_SECOND)


@kpi("Corrective maintenance ratio", better="down", iso_number=34)
def corrective_maintenance_ratio(corrective_us: Term, preventive_us: Term) -> Term:
    """The share of corrective work in all maintenance time: what was repaired rather than prevented.

    Undefined: when there was no maintenance
    Source: ISO 22400-2, corrective maintenance ratio: CMT / (CMT + PMT)

    >>> corrective_maintenance_ratio(corrective_us=30, preventive_us=90)
    0.25
    """
    return ratio(corrective_us, corrective_us + preventive_us)


@kpi("Inherent availability")
def inherent_availability(mean_operating_time_between_failures: Term, mean_time_to_restoration: Term) -> Term:
    """The availability that failures alone would leave, were there no other reason to stop.

    Undefined: when no failure began
    Source: reliability engineering: MTBF / (MTBF + MTTR)

    >>> inherent_availability(mean_operating_time_between_failures=3600.0, mean_time_to_restoration=400.0)
    0.9
    """
    return ratio(mean_operating_time_between_failures, mean_operating_time_between_failures + mean_time_to_restoration)
