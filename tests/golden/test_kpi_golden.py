"""Every KPI against values that were worked out by hand or published by others."""

import tomllib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kpis.elements import ELEMENTS
from kpis.registry import DEFINITIONS, KPIS, evaluate

WINDOWS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("kpis.toml").read_text())

MICROSECONDS = {"seconds": 1_000_000, "minutes": 60_000_000}


def elements(window: dict[str, Any]) -> dict[str, int | float | None]:
    values: dict[str, int | float | None] = {e.name: None if e.nullable else 0 for e in ELEMENTS}
    for unit, factor in MICROSECONDS.items():
        values |= {name: amount * factor for name, amount in window.get(unit, {}).items()}
    values |= window.get("given", {})
    return values


def rows() -> Iterator[Any]:
    for title, window in WINDOWS.items():
        for scope, expected in window["expected"].items():
            for definition in DEFINITIONS if scope == "any" else (scope,):
                for kpi, value in expected.items():
                    yield pytest.param(window, definition, kpi, value, id=f"{title}-{definition}-{kpi}")


@pytest.mark.parametrize(("window", "definition", "kpi", "expected"), list(rows()))
def test_value(window: dict[str, Any], definition: str, kpi: str, expected: str) -> None:
    value = evaluate(elements(window), definition)[kpi]
    if expected == "undefined":
        assert value is None
    else:
        assert value == pytest.approx(float(Fraction(expected)), rel=1e-14, abs=0)


@pytest.mark.parametrize("title", [title for title, window in WINDOWS.items() if "published" in window])
def test_published_percentage(title: str) -> None:
    values = evaluate(elements(WINDOWS[title]))
    for kpi, printed in WINDOWS[title]["published"].items():
        decimals = len(printed.partition(".")[2])
        assert f"{(values[kpi] or 0) * 100:.{decimals}f}" == printed, kpi


@pytest.mark.parametrize("kpi", [kpi.name for kpi in KPIS])
def test_every_kpi_has_a_normal_and_an_undefined_row(kpi: str) -> None:
    expected = [scope[kpi] for window in WINDOWS.values() for scope in window["expected"].values() if kpi in scope]
    assert "undefined" in expected
    assert any(Fraction(value) != 0 for value in expected if value != "undefined")
