"""Whatever stands in a plant file, the answer is a plant or faults, never an exception."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.plant import STARTER, PlantError, check_plant, load_plant

LINES = [line for line in STARTER.split("\n") if line and not line.startswith("#")]
VALUES = [
    "",
    '""',
    '"x"',
    "1",
    "-1",
    "1.5",
    "nan",
    "true",
    "[]",
    "[1]",
    "{}",
    '{ x = "y" }',
    "22:00:00",
    "2026-01-01",
    "9" * 30,
]

KEYS = ["x", "calendar", "constraint", '"a/b"']
TABLES = STARTER.split("\n\n")


@st.composite
def damaged_files(draw: st.DrawFn) -> str:
    """The starter file with lines left out, repeated, swapped, or given another value or another key."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        key, _, value = lines[at].partition(" = ")
        match draw(st.sampled_from(["leave out", "repeat", "move", "value", "key"])):
            case "leave out":
                lines[at] = ""
            case "repeat":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case "value":
                lines[at] = f"{key} = {draw(st.sampled_from(VALUES))}"
            case _:
                lines[at] = f"{draw(st.sampled_from(KEYS))} = {value}"
    return "\n".join(lines)


def answers(text: str) -> None:
    report = check_plant(text)
    assert (report.plant is None) == bool(report.faults)
    if report.plant is None:
        with pytest.raises(PlantError) as caught:
            load_plant(text)
        assert caught.value.faults == report.faults
    for fault in (*report.faults, *report.warnings):
        assert fault.line is None or 1 <= fault.line <= text.count("\n") + 1
        assert str(fault)


@settings(max_examples=150, deadline=None)
@given(damaged_files())
def test_damaged_files_are_answered(text: str) -> None:
    answers(text)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    answers(text)


@settings(max_examples=30, deadline=None)
@given(st.permutations([table for table in TABLES if "[[" not in table]))
def test_the_order_of_tables_changes_no_number(tables: list[str]) -> None:
    # Arrays of tables keep theirs: of two shifts that start together the later one counts.
    arrays = [table for table in TABLES if "[[" in table]
    assert load_plant("\n\n".join([*tables, *arrays])).fingerprint == load_plant(STARTER).fingerprint
