"""How many pieces a target asks for, computed by hand."""

import polars as pl
import pytest

from kpis.plant import load_plant
from kpis.wanted import wanted
from storage.hours import hour_rows

TOML = """
[plant]
name = "p"
[equipment."a/press"]
level = "unit"
[products.P7.ideal_cycle]
"a/press" = "2s"
[products.P9.ideal_cycle]
"a/press" = "3s"
"""
S = 1_000_000
HOUR = 3_600


def time(*rows: tuple[str, str | None, int]) -> pl.DataFrame:
    """Account, product and seconds."""
    told = [("a/press", account, product, seconds * S) for account, product, seconds in rows]
    schema = {"equipment": pl.String, "account": pl.String, "product": pl.String, "us": pl.Int64}
    return pl.DataFrame(told, schema=schema, orient="row")


@pytest.mark.parametrize(
    ("rows", "pieces"),
    [
        pytest.param([("producing", "P7", 600), ("down", "P9", 300)], 0.5 * (300 + 100), id="down time asks too"),
        pytest.param([("producing", "P7", 600), ("break", "P7", 600)], 150, id="a break does not"),
        pytest.param([("producing", "P7", 600), ("setup", None, 1_500)], 150, id="nor does time between two orders"),
        pytest.param([("setup", None, 1_500)], None, id="of no product alone nothing is known"),
        pytest.param([("producing", "P7", 600), ("producing", "P8", 1)], None, id="a product without a cycle"),
        pytest.param([], 0, id="no time"),
    ],
)
def test_what_a_target_asks_for(rows: list[tuple[str, str | None, int]], pieces: float | None) -> None:
    assert wanted(time(*rows), load_plant(TOML), 0.5) == pieces


def test_a_machine_of_which_nothing_is_known_is_not_left_out() -> None:
    """A line of two: what the press makes between orders says nothing about the oven."""
    oven = pl.DataFrame([("a/oven", "producing", None, 600 * S)], schema=time().schema, orient="row")
    plant = load_plant(TOML + '[equipment."a/oven"]\nlevel = "unit"\n')
    assert wanted(pl.concat([time(("producing", "P7", 600)), oven]), plant, 0.5) is None


@pytest.mark.parametrize(
    ("between", "good", "ahead"),
    [
        pytest.param(("setup", None, HOUR), 0, [-300.0, None, -900.0], id="an hour of changeover"),
        pytest.param(("producing", "P8", HOUR), 0, [-300.0, None, -900.0], id="nothing made of an unknown product"),
        pytest.param(("producing", "P8", HOUR), 80, [-300.0, None, None], id="pieces of an unknown product"),
    ],
)
def test_pieces_ahead_of_the_target(between: tuple[str, str | None, int], good: int, ahead: list[float | None]) -> None:
    """At 2 s a piece and a target of 50 % an hour asks for 900 pieces: 600 are made in the first, 300 in the third."""
    hours = pl.datetime_range(
        pl.datetime(2026, 3, 2, 6, time_zone="UTC"), pl.datetime(2026, 3, 2, 8, time_zone="UTC"), "1h", eager=True
    )
    producing = ("producing", "P7", HOUR)
    parts = zip(hours, (producing, between, producing), strict=True)
    spent = pl.concat(
        [time(each).with_columns(hour=pl.lit(hour), reason=pl.lit(None, pl.String)) for hour, each in parts]
    )
    made = pl.DataFrame({"window_start": hours, "good": [600, good, 300]}).with_columns(
        scrap=0, rework=0, oee=0.5, no_ideal=1
    )
    names = dict.fromkeys(("setup", "producing"), "")
    rows = hour_rows(spent, made, load_plant(TOML), 0.5, names)
    assert [row.ahead for row in rows] == ahead
