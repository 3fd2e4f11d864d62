"""What a KPI is: a formula that is a plain Python function, and the facts that say how to read its value.

The names of the function's parameters are its inputs: elements, quantities or other KPIs. Its docstring is its
documentation: the meaning first, then `Undefined:` and `Source:`, then an example.
"""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from kpis.elements import EXTERNAL
from kpis.formula import Scalar, Term, evaluate, name, text

Formula = Callable[..., Term]
KpiUnit = Literal["ratio", "per_hour", "s", "index", "kwh_per_piece", "turns"]
Better = Literal["up", "down"]

_EXTERNAL_BASIS = {element.name: element.basis for element in EXTERNAL}


@dataclass(eq=False)
class Quantity:
    """A combination of elements that has a name of its own, such as planned busy time."""

    function: Formula = field(repr=False)

    def __post_init__(self) -> None:
        # Name, docstring and examples of the function become those of the object, for help() and doctest.
        functools.update_wrapper(self, self.function)

    @property
    def name(self) -> str:
        """The identifier: the name of the function."""
        return self.function.__name__

    @property
    def inputs(self) -> tuple[str, ...]:
        """The elements, quantities and KPIs the formula is written in."""
        return tuple(inspect.signature(self.function).parameters)

    @functools.cached_property
    def term(self) -> Term:
        """The formula over its inputs."""
        return self.function(*map(name, self.inputs))

    @property
    def formula(self) -> str:
        """The formula for people."""
        return text(self.term)

    @property
    def meaning(self) -> str:
        """What it says on the shop floor."""
        return _paragraph(self.function, "")

    def __call__(self, **inputs: float | None) -> Scalar:
        """The value for these inputs; one that is not given is null."""
        return evaluate(self.term, inputs)


@dataclass(eq=False)
class Kpi(Quantity):
    """A key performance indicator. Made by the decorator `kpi`.

    `better` is the direction of improvement, `span` the range in words, `iso_number` the place among the 34 KPIs of
    ISO 22400-2 (none: not one of them). Ratios are fractions, not percent; times are seconds; rates are per hour.
    """

    label: str
    acronym: str | None = None
    unit: KpiUnit = "ratio"
    better: Better | None = "up"
    span: str = "0 to 1"
    iso_number: int | None = None

    @property
    def undefined(self) -> str:
        """When the value is null."""
        return _paragraph(self.function, "Undefined: ")

    @property
    def source(self) -> str:
        """Where the definition comes from."""
        return _paragraph(self.function, "Source: ")

    @property
    def example(self) -> str:
        """A runnable example with its result."""
        return _paragraph(self.function, ">>> ", prefix=">>> ")

    @property
    def basis(self) -> str:
        """What it takes to compute it: `events`, or the kind of other input without which it has no value."""
        return next((_EXTERNAL_BASIS[part] for part in self.inputs if part in _EXTERNAL_BASIS), "events")


def kpi(
    label: str,
    acronym: str | None = None,
    *,
    unit: KpiUnit = "ratio",
    better: Better | None = "up",
    span: str = "0 to 1",
    iso_number: int | None = None,
) -> Callable[[Formula], Kpi]:
    """Make a formula function a KPI. See `Kpi` for the meaning of the facts."""
    return lambda function: Kpi(function, label, acronym, unit, better, span, iso_number)


def _paragraph(function: Formula, start: str, prefix: str = "") -> str:
    """The docstring's paragraph that begins with `start`, on one line; an example keeps its lines."""
    documentation = inspect.getdoc(function) or ""
    for block in re.split(r"\n\n|\n(?=Undefined: |Source: )", documentation):
        if block.startswith(start):
            body = block.removeprefix(start)
            return prefix + body if prefix else " ".join(body.split())
    return ""
