"""The contract every KPI keeps, by walking the registry."""

import doctest
import importlib
import pkgutil

import polars as pl
import pytest

import kpis.definitions
from kpis.elements import ACCOUNTS, ELEMENTS, EXTERNAL
from kpis.errors import ConfigError, RuleError
from kpis.kpi import Kpi, Quantity
from kpis.registry import (
    DEFINITIONS,
    KPIS,
    QUANTITIES,
    elements_of,
    evaluate,
    evaluate_quantities,
    frame_columns,
    kpi_named,
    quantities,
    sql_columns,
)

MODULES = [
    importlib.import_module(f"kpis.definitions.{module.name}")
    for module in pkgutil.iter_modules(kpis.definitions.__path__)
]
COLUMNS = {element.name for element in ELEMENTS}
HEADLINE = {
    "availability",
    "performance",
    "quality",
    "oee",
    "ooe",
    "teep",
    "scrap_ratio",
    "throughput_per_hour",
    "coverage",
}


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_documented(kpi: Kpi) -> None:
    assert kpi.label
    assert kpi.span
    assert kpi.meaning.endswith(".")
    assert kpi.undefined.startswith("when ")
    assert kpi.source
    assert "\n\n" not in kpi.meaning
    assert "Undefined:" not in kpi.meaning + kpi.source
    examples = doctest.DocTestParser().get_examples(kpi.example)
    assert examples
    assert all(kpi.name in example.source for example in examples)


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)
def test_quantity_documented(quantity: Quantity) -> None:
    assert quantity.meaning.endswith(".")


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_inputs_are_known_and_basis_is_honest(kpi: Kpi, definition: str) -> None:
    inputs = set(elements_of(kpi.name, definition))
    bases = {element.name: element.basis for element in EXTERNAL}
    assert inputs
    assert inputs <= COLUMNS | set(bases)
    assert {bases[name] for name in inputs - COLUMNS} == ({kpi.basis} - {"events"})


def test_every_definition_is_registered_and_nothing_else() -> None:
    written = {id(thing): thing for module in MODULES for thing in vars(module).values() if isinstance(thing, Quantity)}
    assert {thing.name for thing in written.values()} == {thing.name for thing in (*KPIS, *QUANTITIES)}
    assert set(written) == {id(thing) for thing in (*KPIS, *QUANTITIES)}


def test_names_are_unique_across_elements_quantities_and_kpis() -> None:
    elements = [element.name for element in (*ELEMENTS, *EXTERNAL)]
    everything = [*elements, *quantities(), *(kpi.name for kpi in KPIS)]
    assert len(everything) == len(set(everything))


def test_all_34_iso_numbers_once() -> None:
    assert sorted(kpi.iso_number for kpi in KPIS if kpi.iso_number) == list(range(1, 35))


def test_headline_kpis_exist() -> None:
    assert {kpi.name for kpi in KPIS} >= HEADLINE


def test_accounts_are_elements_and_add_up_to_all_time() -> None:
    elements = {f"{account}_us": 2**number for number, account in enumerate(ACCOUNTS)}
    assert set(elements) <= COLUMNS
    assert evaluate_quantities(elements)["calendar_us"] == sum(elements.values())


def test_frame_and_sql_columns_are_the_event_kpis_in_registry_order() -> None:
    expected = [kpi.name for kpi in KPIS if kpi.basis == "events"]
    assert [name for name, _ in sql_columns()] == expected
    assert [column.meta.output_name() for column in frame_columns()] == expected


def test_frame_columns_on_an_empty_frame() -> None:
    frame = pl.DataFrame(schema=dict.fromkeys((element.name for element in ELEMENTS), pl.Int64))
    result = frame.select(frame_columns())
    assert result.height == 0
    assert set(result.dtypes) == {pl.Float64}


def test_values_are_doubles_even_when_whole() -> None:
    values = evaluate({"good": 1, "scrap": 0, "rework": 0, "producing_us": 0, "down_us": 5})
    assert isinstance(values["quality"], float)


def test_a_row_that_already_has_kpi_columns_is_not_believed() -> None:
    assert evaluate({"good": 1, "scrap": 1, "rework": 0, "quality": 0.9, "total": 7})["quality"] == 0.5


def test_planned_production_and_run_differ_by_definition() -> None:
    elements = {
        "producing_us": 1,
        "minor_stop_us": 2,
        "down_us": 4,
        "idle_us": 8,
        "setup_us": 16,
        "planned_stop_us": 32,
    }
    found = {
        definition: tuple(
            evaluate_quantities(elements, definition)[name] for name in ("planned_production_us", "run_us")
        )
        for definition in DEFINITIONS
    }
    assert found == {"standard": (31, 3), "iso22400": (31, 1), "smrp": (63, 3)}


def test_unknown_definition() -> None:
    with pytest.raises(ConfigError, match='unknown OEE definition "iso"') as caught:
        quantities("iso")
    assert caught.value.hint == "one of standard, iso22400, smrp"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("availabilty", "did you mean availability"), ("xyzzy", "see docs/kpis.md")],
)
def test_unknown_kpi(name: str, hint: str) -> None:
    with pytest.raises(RuleError, match=f'unknown KPI "{name}"') as caught:
        kpi_named(name)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)
