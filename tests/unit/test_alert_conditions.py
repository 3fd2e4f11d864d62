"""Spans of rules and equipment."""

import polars as pl
import pytest

from kpis.alert_conditions import SPANS, joined

Spans = list[tuple[int, str, int, int]]
"""Rule, equipment, start and end."""


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([(0, "a", 0, 5), (0, "a", 6, 9)], [(0, "a", 0, 5), (0, "a", 6, 9)], id="apart"),
        pytest.param([(0, "a", 5, 9), (0, "a", 0, 5)], [(0, "a", 0, 9)], id="one follows on the other"),
        pytest.param([(0, "a", 0, 6), (0, "a", 4, 9)], [(0, "a", 0, 9)], id="they overlap"),
        pytest.param([(0, "a", 0, 9), (0, "a", 2, 3), (0, "a", 5, 7)], [(0, "a", 0, 9)], id="two lie within one"),
        pytest.param([(0, "a", 0, 5), (0, "b", 5, 9)], [(0, "a", 0, 5), (0, "b", 5, 9)], id="of other equipment"),
        pytest.param([(0, "a", 0, 5), (1, "a", 3, 9)], [(0, "a", 0, 5), (1, "a", 3, 9)], id="of another rule"),
        pytest.param(
            [(0, "a", 0, 9), (0, "a", 2, 3), (1, "a", 4, 5), (1, "a", 7, 8)],
            [(0, "a", 0, 9), (1, "a", 4, 5), (1, "a", 7, 8)],
            id="what reaches far says nothing of another rule",
        ),
    ],
)
def test_spans_without_a_gap_are_one(spans: Spans, expected: Spans) -> None:
    assert joined(pl.DataFrame(spans, schema=SPANS, orient="row")).rows() == expected
