"""From when on the time of equipment is different, and which of what is remembered is looked at."""

import polars as pl
import pytest

from storage.alert_memory import INTERVALS, differences, parted

KNOWN = 50
Interval = tuple[int, int | None, str]
"""Start, end and account."""


def frame(intervals: list[Interval]) -> pl.DataFrame:
    rows = [("a", start, end, account, account, None, "scheduled") for start, end, account in intervals]
    return pl.DataFrame(rows, schema=INTERVALS, orient="row")


@pytest.mark.parametrize(
    ("gone", "come", "at"),
    [
        pytest.param([], [], None, id="nothing"),
        pytest.param([(0, None, "run")], [(0, 40, "run"), (40, None, "down")], 40, id="an open one ended before"),
        pytest.param([(0, None, "run")], [(0, 70, "run"), (70, None, "down")], KNOWN, id="it ended after all known"),
        pytest.param([(0, 40, "run"), (40, None, "down")], [(0, None, "run")], 40, id="it did not end"),
        pytest.param([(0, 40, "run")], [(0, 30, "run"), (30, 40, "down")], 30, id="it ended sooner"),
        pytest.param([(0, 40, "run")], [(0, 40, "down")], 0, id="it was another one"),
        pytest.param([(10, 40, "run")], [(20, 40, "run")], 10, id="it began later"),
        pytest.param([(0, 0, "run"), (0, None, "run")], [(0, 40, "run")], 0, id="several from one instant on"),
        pytest.param([], [(60, None, "run")], 60, id="it is new"),
    ],
)
def test_an_interval_that_ends_is_as_it_was_before_its_end(
    gone: list[Interval], come: list[Interval], at: int | None
) -> None:
    changes = differences(frame(gone), frame(come), KNOWN)
    assert changes.rows() == ([] if at is None else [("a", at)])


@pytest.mark.parametrize(("at", "before"), [(10, [1, 5]), (5, [1]), (1, []), (99, [1, 5, 10]), (None, [1, 5, 10])])
def test_what_is_settled_is_before_an_instant_and_open_intervals_never_are(at: int | None, before: list[int]) -> None:
    rows = pl.DataFrame({"end": [1, 5, 10, None, None]})
    settled, recent = parted(rows, "end", at)
    assert settled["end"].to_list() == before
    assert pl.concat([settled, recent]).equals(rows)
