"""A KPI unfolded: its formula, those of what it is made of, and the same with numbers, for checking by hand."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kpis.formula import Scalar
from kpis.kpi import Quantity
from kpis.registry import KPIS, evaluate, evaluate_quantities, kpi_named, quantities


@dataclass(frozen=True, slots=True)
class Step:
    """One formula of a derivation: as written, with numbers for its names, and its value (None: undefined)."""

    name: str
    formula: str
    numbers: str
    value: Scalar


def derivation(name: str, elements: Mapping[str, Scalar], definition: str = "standard") -> list[Step]:
    """The formula of a KPI and of every quantity and KPI in it, down to elements; each before what it is made of.

    Raises RuleError for an unknown KPI, ConfigError for an unknown OEE definition.

    >>> for step in derivation("quality", {"good": 95, "scrap": 5, "rework": 0}):
    ...     print(f"{step.name} = {step.formula} = {step.numbers} = {step.value}")
    quality = good / total = 95 / 100 = 0.95
    total = good + scrap + rework = 95 + 5 + 0 = 100
    """
    known: dict[str, Quantity] = {**quantities(definition), **{kpi.name: kpi for kpi in KPIS}}
    values = {**elements, **evaluate_quantities(elements, definition), **evaluate(elements, definition)}
    wanted, steps = [kpi_named(name).name], {}
    for part in wanted:  # grows while it is gone through
        if part in known and part not in steps:
            formula = known[part].formula
            steps[part] = Step(part, formula, _with_numbers(formula, values), values[part])
            wanted += known[part].inputs
    return list(steps.values())


def _with_numbers(formula: str, values: Mapping[str, Scalar]) -> str:
    return re.sub(r"[a-z_][a-z_0-9]*", lambda word: number(values[word[0]]) if word[0] in values else word[0], formula)


def number(value: Scalar) -> str:
    """A number for people: whole ones in full, in groups of three; others to six digits.

    >>> number(28_800_000_000), number(0.8472222), number(None)
    ('28 800 000 000', '0.847222', 'undefined')
    """
    if value is None:
        return "undefined"
    return f"{value:.6g}" if isinstance(value, float) else f"{value:,}".replace(",", " ")
