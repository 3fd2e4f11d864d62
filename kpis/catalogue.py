"""The KPI catalogue as a Markdown page, made from the definitions. `python -m kpis.catalogue > docs/kpis.md`."""

from collections.abc import Iterable, Sequence

from kpis.elements import ELEMENTS, EXTERNAL
from kpis.kpi import Kpi
from kpis.registry import DEFINITIONS, KPIS, QUANTITIES, elements_of, quantities

_HEAD = """\
# KPI catalogue

This page is made from the definitions in `kpis/definitions` by `python -m kpis.catalogue > docs/kpis.md`.

Every KPI is computed on read from additive elements: microseconds and pieces, summed over whatever a row stands for.
Ratios are fractions (0.85 is 85 %), times are seconds, rates are per hour. Nothing is clipped: a performance above 1 is
shown, and says that the ideal cycle is too long. Where a KPI is undefined it is null, never 0 and never 100 %. A
quotient is undefined unless its denominator is above 0, and whatever is made of something undefined is undefined too.

Names and numbers of ISO 22400-2 were gathered from public sources; the text of the standard was not read. Where a
source is given as "usual form", no conformance is claimed.
"""

_WHAT_IT_TAKES = {
    "events": "the event log and the plant file",
    "orders": "order data (from an ERP or MES)",
    "personnel": "personnel times",
    "measurements": "measurements of one characteristic; they cannot be added over windows or equipment",
    "energy": "an energy meter",
    "material": "material or stock data (from an ERP)",
}

_UNITS = {
    "ratio": "ratio",
    "per_hour": "pieces per hour",
    "s": "seconds",
    "index": "index",
    "kwh_per_piece": "kWh per piece",
    "turns": "turns",
}

_BETTER = {"up": "higher is better", "down": "lower is better", None: "no direction"}


def markdown() -> str:
    """The page: OEE definitions, overview, every KPI, then the quantities and elements they are made of."""
    parts = (
        _HEAD,
        "## OEE definitions\n",
        "The same elements, three ways to read them; every other formula is the same in all three.\n",
        _table(("", *DEFINITIONS), _definition_rows()),
        "\n## Overview\n",
        _table(("KPI", "label", "ISO 22400-2", "unit", "formula"), map(_overview_row, KPIS)),
        *map(_section, KPIS),
        "\n## Quantities\n",
        "Combinations of elements that formulas name.\n",
        _table(("quantity", "formula", "meaning"), ((q.name, f"`{q.formula}`", q.meaning) for q in QUANTITIES)),
        "\n## Elements\n",
        "The columns of a window row. All are integers that may be added.\n",
        _table(("element", "unit", "meaning"), ((e.name, e.unit, e.meaning) for e in ELEMENTS)),
        "\n## Other inputs\n",
        "Null until a system that knows them is connected.\n",
        _table(("input", "unit", "comes from", "meaning"), ((e.name, e.unit, e.basis, e.meaning) for e in EXTERNAL)),
    )
    return "\n".join(part.rstrip("\n") if part.startswith("|") else part for part in parts) + "\n"


def _definition_rows() -> Iterable[Sequence[str]]:
    for name in ("planned_production_us", "run_us"):
        yield (name, *(f"`{quantities(definition)[name].formula}`" for definition in DEFINITIONS))


def _overview_row(kpi: Kpi) -> Sequence[str]:
    iso_number = "" if kpi.iso_number is None else str(kpi.iso_number)
    return f"[{kpi.name}](#{kpi.name})", kpi.label, iso_number, _UNITS[kpi.unit], f"`{kpi.formula}`"


def _section(kpi: Kpi) -> str:
    title = kpi.label if kpi.acronym in {None, kpi.label} else f"{kpi.label} ({kpi.acronym})"
    return f"""
### {kpi.name}

**{title}.** {kpi.meaning}

- Formula: `{kpi.formula}`
- Elements: {", ".join(elements_of(kpi.name))}
- Unit and range: {_UNITS[kpi.unit]}, {kpi.span}; {_BETTER[kpi.better]}
- Undefined: {kpi.undefined}
- Needs: {_WHAT_IT_TAKES[kpi.basis]}
- Source: {kpi.source}

```python
{kpi.example}
```"""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(markdown(), end="")
