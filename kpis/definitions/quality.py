"""What became of the pieces."""

from kpis.formula import Term, ratio
from kpis.kpi import Quantity, kpi


@Quantity
def total(good: Term, scrap: Term, rework: Term) -> Term:
    """All pieces made (PQ)."""
    return good + scrap + rework


@kpi("Quality ratio", "QR", span="0 to 1; corrections may lead out of it", iso_number=10)
def quality_ratio(good: Term, total: Term) -> Term:
    """The share of pieces that were good; the same as quality.

    Undefined: when nothing was made
    Source: ISO 22400-2, quality ratio: GQ / PQ

    >>> quality_ratio(good=96, total=100)
    0.96
    """
    return ratio(good, total)


@kpi("First pass yield", "FPY", span="0 to 1; corrections may lead out of it", iso_number=15)
def first_pass_yield(good: Term, total: Term) -> Term:
    """The share of pieces that were right the first time. Pieces carry no serial numbers here, so a piece that comes
    back from rework counts again; with serial numbers the ratio is that of good to inspected parts.

    Undefined: when nothing was made
    Source: ISO 22400-2, first pass yield: good parts / inspected parts, approximated by GQ / PQ

    >>> first_pass_yield(good=90, total=100)
    0.9
    """
    return ratio(good, total)


@kpi("Scrap ratio", better="down", span="0 to 1; corrections may lead out of it", iso_number=16)
def scrap_ratio(scrap: Term, total: Term) -> Term:
    """The share of pieces that became scrap.

    Undefined: when nothing was made
    Source: ISO 22400-2, scrap ratio: SQ / PQ

    >>> scrap_ratio(scrap=3, total=100)
    0.03
    """
    return ratio(scrap, total)


@kpi("Rework ratio", better="down", span="0 to 1; corrections may lead out of it", iso_number=17)
def rework_ratio(rework: Term, total: Term) -> Term:
    """The share of pieces that had to be reworked.

    Undefined: when nothing was made
    Source: ISO 22400-2, rework ratio: RQ / PQ

    >>> rework_ratio(rework=2, total=100)
    0.02
    """
    return ratio(rework, total)


@kpi("Actual to planned scrap ratio", better="down", span="0 and up", iso_number=14)
def actual_to_planned_scrap_ratio(scrap: Term, planned_scrap: Term) -> Term:
    """Scrap made, over the scrap the order allows for; above 1 the allowance is used up.

    Undefined: when the order's allowance is not known, or is 0
    Source: ISO 22400-2, actual to planned scrap ratio: SQ / PSQ

    >>> actual_to_planned_scrap_ratio(scrap=6, planned_scrap=8)
    0.75
    """
    return ratio(scrap, planned_scrap)


@kpi("Fall-off ratio", better="down", iso_number=18)
def fall_off_ratio(scrap: Term, first_operation_quantity: Term) -> Term:
    """Scrap made at this operation, over what the order's first operation made.

    Undefined: when the quantity of the first operation is not known, or is 0
    Source: ISO 22400-2, fall-off ratio: SQ / PQ of the first operation

    >>> fall_off_ratio(scrap=5, first_operation_quantity=1000)
    0.005
    """
    return ratio(scrap, first_operation_quantity)
