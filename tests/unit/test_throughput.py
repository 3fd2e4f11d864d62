"""Sums of slices, and what the pages on quality and throughput make of them, against numbers by hand."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dashboards import texts, throughput
from kpis.plant import Plant, load_plant
from storage import slices
from storage.reader import Reader
from storage.slices import OUTSIDE, Slice
from tests import shift_story
from tests.browser.stores import LINE, OTHER, PLANT, START
from tests.shift_story import AVAILABILITY, PERFORMANCE, PLANNED_S, QUALITY, RUN_S, SHIFT, WANTED

DAY = date(2026, 3, 2)
WHOLE = Slice(LINE, DAY, DAY)
FIRST = int(START.timestamp()) * 1_000_000
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The store of the shift."""
    db: Path = tmp_path_factory.mktemp("slices") / "kpi.duckdb"
    shift_story.filled(db)
    return Reader(db)


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(PLANT)


def test_a_slice_by_week_and_by_equipment(reader: Reader) -> None:
    (week,) = slices.sums(reader, WHOLE, "standard", "week").iter_rows(named=True)
    assert (week["week"], week["good"]) == ("2026-03-02", 12_400)
    assert week["oee"] == pytest.approx(AVAILABILITY * PERFORMANCE * QUALITY)
    rows = slices.sums(reader, WHOLE, "standard", equipment=[LINE, f"{LINE}/packer"])
    assert dict(rows.select("equipment", "good").iter_rows()) == {LINE: 12_400, f"{LINE}/packer": 12_400}
    (own,) = slices.sums(reader, WHOLE, "standard").iter_rows(named=True)
    assert own["equipment"] == LINE


def test_all_days_and_each_of_them_in_one_question(reader: Reader) -> None:
    long = Slice(LINE, date(2026, 2, 27), date(2026, 3, 5))
    rows = {row["production_date"]: row for row in slices.days(reader, long, "standard").iter_rows(named=True)}
    (whole,) = slices.sums(reader, long, "standard").iter_rows(named=True)
    by_day = slices.sums(reader, long, "standard", "production_date").iter_rows(named=True)
    assert {None: whole} | {row["production_date"]: row for row in by_day} == {
        day: {name: value for name, value in row.items() if day is not None or name != "production_date"}
        for day, row in rows.items()
    }


def test_hours_of_a_slice_add_up_to_it(reader: Reader) -> None:
    shift = slices.one_shift(LINE, SHIFT)
    (whole,) = slices.sums(reader, shift, "standard").iter_rows(named=True)
    parts = slices.hours(reader, shift, "standard")
    for name in ("producing_us", "down_us", "break_us", "good", "scrap", "ideal_us"):
        assert parts[name].sum() == whole[name]
    assert slices.time(reader, shift)["us"].sum() == 8 * HOUR
    assert slices.timed(reader, shift).select(pl.col("end").max() - pl.col("start").min()).item().seconds == 8 * 3600


def test_shifts_that_were_worked(reader: Reader) -> None:
    assert slices.worked(reader, LINE, DAY, DAY) == [SHIFT]
    assert slices.worked(reader, OTHER, DAY, DAY) == []
    assert slices.one_shift(LINE, "2026-03-02/-").shifts == (OUTSIDE,)


def test_rejects_by_reason(reader: Reader) -> None:
    found = throughput.by_reason(slices.rejects(reader, WHOLE), 13_000)
    assert [(one.label, one.scrap, one.rework) for one in found] == [(texts.NO_REASON, 500, 40), ("dent", 60, 0)]
    assert found[0].share == pytest.approx(540 / 13_000)
    assert throughput.by_reason(slices.rejects(reader, WHOLE), 0)[0].share is None


def test_the_pace_of_a_product(reader: Reader) -> None:
    (row,) = slices.sums(reader, WHOLE, "standard", "product").filter(product="P-1").iter_rows(named=True)
    pace = throughput.pace(row, "standard")
    assert pace.planned_us == PLANNED_S * 1_000_000
    assert pace.ideal_s == pytest.approx(13_500 / 13_000)  # ideal time at the filler, pieces at the packer
    assert pace.running_s == pytest.approx(RUN_S / 13_000)
    assert pace.planned_s == pytest.approx(PLANNED_S / 12_400)
    nothing = throughput.pace(row | {"good": 0, "scrap": 0, "rework": 0}, "standard")
    assert (nothing.ideal_s, nothing.running_s, nothing.planned_s) == (None, None, None)


def test_the_worm_stands_still_in_breaks(reader: Reader, plant: Plant) -> None:
    shift = slices.one_shift(LINE, SHIFT)
    timed = slices.timed(reader, shift)
    worm = throughput.worm(slices.pieces(reader, shift), timed, plant, 0.75)
    wanted = {row["x"] * 1_000 - FIRST: row["pieces"] for row in worm.rows if row["line"] == texts.WORM_LINES["wanted"]}
    assert wanted[HOUR] == pytest.approx(2_700)  # the jam begins
    assert wanted[2 * HOUR] == pytest.approx(5_400)  # it counts as planned; the break begins
    assert wanted[2 * HOUR + HOUR // 2] == pytest.approx(5_400)
    assert wanted[8 * HOUR] == pytest.approx(WANTED)
    assert worm.ahead == pytest.approx(12_400 - WANTED)
    good = [row["pieces"] for row in worm.rows if row["line"] == texts.WORM_LINES["good"]]
    assert good == [0, 1_400, 12_400, 12_400]


def test_no_target_line_without_a_target_or_an_ideal_cycle(reader: Reader, plant: Plant) -> None:
    shift = slices.one_shift(LINE, SHIFT)
    pieces, timed = slices.pieces(reader, shift), slices.timed(reader, shift)
    assert throughput.worm(pieces, timed, plant, None).ahead is None
    nameless = load_plant(PLANT.replace('ideal_cycle = "1s"\n', ""))
    worm = throughput.worm(pieces, timed, nameless, 0.75)
    assert worm.ahead is None
    assert {row["line"] for row in worm.rows} == {texts.WORM_LINES["good"]}


def test_rates_in_steps_of_five_minutes(reader: Reader, plant: Plant) -> None:
    shift = slices.one_shift(LINE, SHIFT)
    rows = throughput.rates(slices.pieces(reader, shift), slices.timed(reader, shift), plant)
    rates = [(row["x"] * 1_000 - FIRST, row["rate"]) for row in rows if row["kind"] == "rate"]
    assert rates == [(HOUR // 2, 1_500 / 5), (200 * 60_000_000, 11_500 / 5)]
    assert {row["rate"] for row in rows if row["kind"] == "ideal"} == {60.0}
