"""All KPIs, and their values from the elements of a window: on numbers, on polars frames and as SQL.

The OEE definition decides what planned production and run time are; see docs/kpis.md. Whichever way a KPI is computed,
the result is the same double.
"""

import difflib
import functools
from collections import ChainMap
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

import polars as pl

from kpis.definitions import capability, effectiveness, maintenance, material, oee, orders, quality
from kpis.definitions.times import OEE_DEFINITIONS, TIMES
from kpis.errors import ConfigError, RuleError
from kpis.formula import Scalar, Term, expression, names, sql, substitute
from kpis.formula import evaluate as evaluate_term
from kpis.kpi import Kpi, Quantity

DEFINITIONS: tuple[str, ...] = tuple(OEE_DEFINITIONS)

QUANTITIES: tuple[Quantity, ...] = (*TIMES, quality.total)

KPIS: tuple[Kpi, ...] = (
    oee.availability,
    oee.performance,
    oee.quality,
    oee.oee,
    oee.ooe,
    oee.teep,
    quality.scrap_ratio,
    oee.throughput_per_hour,
    oee.coverage,
    effectiveness.effectiveness,
    quality.quality_ratio,
    effectiveness.oee_index,
    effectiveness.nee_index,
    effectiveness.allocation_efficiency,
    effectiveness.utilization_efficiency,
    effectiveness.setup_ratio,
    effectiveness.technical_efficiency,
    effectiveness.equipment_load_ratio,
    quality.first_pass_yield,
    quality.rework_ratio,
    quality.actual_to_planned_scrap_ratio,
    quality.fall_off_ratio,
    orders.allocation_ratio,
    orders.throughput_rate,
    orders.production_process_ratio,
    orders.worker_efficiency,
    maintenance.mean_operating_time_between_failures,
    maintenance.mean_time_to_failure,
    maintenance.mean_time_to_restoration,
    maintenance.inherent_availability,
    maintenance.corrective_maintenance_ratio,
    capability.machine_capability,
    capability.critical_machine_capability,
    capability.process_capability,
    capability.critical_process_capability,
    material.comprehensive_energy_consumption,
    material.inventory_turns,
    material.finished_goods_ratio,
    material.integrated_goods_ratio,
    material.production_loss_ratio,
    material.storage_and_transportation_loss_ratio,
    material.other_loss_ratio,
)


def kpi_named(name: str) -> Kpi:
    """The KPI of that name. Raises RuleError, with the nearest names, when there is none.

    >>> kpi_named("oee").label
    'OEE'
    """
    for kpi in KPIS:
        if kpi.name == name:
            return kpi
    message = f'unknown KPI "{name}"'
    near = difflib.get_close_matches(name, [kpi.name for kpi in KPIS])
    raise RuleError(message, hint=f"did you mean {' or '.join(near)}?" if near else "see docs/kpis.md for their names")


def quantities(definition: str = "standard") -> Mapping[str, Quantity]:
    """The quantities by the names that formulas use, with planned production and run time of that OEE definition.

    Raises ConfigError for a definition that does not exist.
    """
    if definition not in OEE_DEFINITIONS:
        message = f'unknown OEE definition "{definition}"'
        raise ConfigError(message, hint=f"one of {', '.join(DEFINITIONS)}")
    return {**{quantity.name: quantity for quantity in QUANTITIES}, **OEE_DEFINITIONS[definition]}


def evaluate(elements: Mapping[str, Scalar], definition: str = "standard") -> dict[str, float | None]:
    """Every KPI of one window. Elements that are missing or null make the KPIs that need them null.

    >>> evaluate({"good": 95, "scrap": 5, "rework": 0})["quality"]
    0.95
    """
    return _numbers(elements, definition, [kpi.name for kpi in KPIS])


def evaluate_quantities(elements: Mapping[str, Scalar], definition: str = "standard") -> dict[str, float | None]:
    """Every quantity of one window, whole where the elements are."""
    return _numbers(elements, definition, quantities(definition))


def frame_columns(definition: str = "standard") -> list[pl.Expr]:
    """The KPIs that need nothing but `ELEMENTS`, as expressions over those columns, each named like its KPI."""
    return [expression(term).alias(name) for name, term in _event_terms(definition).items()]


def sql_columns(definition: str = "standard") -> list[tuple[str, str]]:
    """The KPIs that need nothing but `ELEMENTS`: name, and DuckDB SQL over columns of those names."""
    return [(name, sql(term)) for name, term in _event_terms(definition).items()]


def elements_of(name: str, definition: str = "standard") -> tuple[str, ...]:
    """The elements a KPI is computed from in the end, through the quantities and KPIs its formula names.

    >>> elements_of("availability", "iso22400")
    ('producing_us', 'minor_stop_us', 'down_us', 'idle_us', 'setup_us')
    """
    return names(terms(definition)[kpi_named(name).name])


@functools.cache
def terms(definition: str) -> Mapping[str, Term]:
    """The formulas of all quantities and KPIs over elements alone."""
    resolved: dict[str, Term] = {}
    for name, term in _formulas(definition):
        resolved[name] = substitute(term, resolved)
    return resolved


@functools.cache
def _formulas(definition: str) -> tuple[tuple[str, Term], ...]:
    """The formulas of all quantities and KPIs as written, each after those it is made of."""
    given: dict[str, Quantity] = {**quantities(definition), **{kpi.name: kpi for kpi in KPIS}}
    graph = {name: [part for part in quantity.inputs if part in given] for name, quantity in given.items()}
    return tuple((name, given[name].term) for name in TopologicalSorter(graph).static_order())


def _event_terms(definition: str) -> Mapping[str, Term]:
    return {kpi.name: terms(definition)[kpi.name] for kpi in KPIS if kpi.basis == "events"}


def _numbers(elements: Mapping[str, Scalar], definition: str, wanted: Iterable[str]) -> dict[str, float | None]:
    known: ChainMap[str, Scalar] = ChainMap({}, dict(elements))
    for name, term in _formulas(definition):
        known[name] = evaluate_term(term, known)
    return {name: known[name] for name in wanted}
