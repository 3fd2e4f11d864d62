"""How well a measured characteristic stays within its limits.

Means and deviations come from measurements of one characteristic. They cannot be added over windows or equipment.
"""

from kpis.formula import Term, minimum, ratio
from kpis.kpi import kpi


@kpi("Machine capability", "Cm", unit="index", span="0 and up", iso_number=19)
def machine_capability(upper_limit: Term, lower_limit: Term, standard_deviation: Term) -> Term:
    """How often the spread of one machine run fits between the limits, wherever it lies.

    Undefined: when a limit or the deviation is not known, or the deviation is 0
    Source: ISO 22400-2, machine capability index: (USL - LSL) / (6 * s)

    >>> machine_capability(upper_limit=20, lower_limit=8, standard_deviation=2)
    1.0
    """
    return ratio(upper_limit - lower_limit, 6 * standard_deviation)


@kpi(
    "Critical machine capability",
    "Cmk",
    unit="index",
    span="any; below 0 the mean is outside the limits",
    iso_number=20,
)
def critical_machine_capability(upper_limit: Term, lower_limit: Term, mean: Term, standard_deviation: Term) -> Term:
    """How often half the spread of one machine run fits between its mean and the nearer limit.

    Undefined: when a limit, the mean or the deviation is not known, or the deviation is 0
    Source: usual form of ISO 22400-2, critical machine capability index: min(USL - mean, mean - LSL) / (3 * s)

    >>> critical_machine_capability(upper_limit=20, lower_limit=8, mean=17, standard_deviation=2)
    0.5
    """
    return ratio(minimum(upper_limit - mean, mean - lower_limit), 3 * standard_deviation)


@kpi("Process capability", "Cp", unit="index", span="0 and up", iso_number=21)
def process_capability(upper_limit: Term, lower_limit: Term, process_standard_deviation: Term) -> Term:
    """How often the spread of the process fits between the limits, wherever it lies.

    Undefined: when a limit or the deviation is not known, or the deviation is 0
    Source: ISO 22400-2, process capability index: (USL - LSL) / (6 * sigma)

    >>> process_capability(upper_limit=20, lower_limit=8, process_standard_deviation=2)
    1.0
    """
    return ratio(upper_limit - lower_limit, 6 * process_standard_deviation)


@kpi(
    "Critical process capability",
    "Cpk",
    unit="index",
    span="any; below 0 the mean is outside the limits",
    iso_number=22,
)
def critical_process_capability(
    upper_limit: Term, lower_limit: Term, process_mean: Term, process_standard_deviation: Term
) -> Term:
    """How often half the spread of the process fits between its mean and the nearer limit.

    Undefined: when a limit, the mean or the deviation is not known, or the deviation is 0
    Source: usual form of ISO 22400-2, critical process capability index: min(USL - mean, mean - LSL) / (3 * sigma)

    >>> critical_process_capability(upper_limit=20, lower_limit=8, process_mean=17, process_standard_deviation=2)
    0.5
    """
    return ratio(minimum(upper_limit - process_mean, process_mean - lower_limit), 3 * process_standard_deviation)
