"""Corrections of the past: the events, what can be corrected, and which windows changed; worked out by hand."""

import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dashboards import corrections
from dashboards.board import Row, micros
from dashboards.correction_forms import queued
from dashboards.corrections import Ruling
from kpis.errors import ConfigError, StorageError
from kpis.plant import load_plant
from storage.corrections import decided, figures, good_pieces, spent, stretches
from storage.grains import MINUTE_US
from storage.reader import Reader
from storage.slices import OUTSIDE, Slice
from tests.browser import stores
from tests.browser.stores import FILLER, LINE, PACKER, START
from tests.engine import fill

BERLIN = ZoneInfo("Europe/Berlin")
DAY = Slice(LINE, date(2026, 3, 2), date(2026, 3, 2))
START_US = micros(START) or 0
PLANT = load_plant(stores.PLANT)


def at(minutes: float) -> int:
    """Minutes after the early shift began, in µs."""
    return START_US + round(minutes * MINUTE_US)


def told(minutes: float) -> str:
    """The same as events tell it."""
    return corrections.rfc3339(at(minutes))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """The small plant, with two corrections by kim, one of them undone by bo, and a count of hers."""
    db = tmp_path_factory.mktemp("corrected") / "kpi.duckdb"
    wide = {"type": "reclassify", "equipment": FILLER, "by": "kim"}
    events = [
        *stores.story(),
        {"id": "r1", "ts": "2026-03-02T10:30:00Z", "start": told(280), "end": told(290), "reason": "jam", **wide},
        {"id": "r2", "ts": "2026-03-02T10:40:00Z", "start": told(60), "end": told(66), "state": "planned", **wide},
        {"id": "t1", "ts": "2026-03-02T10:45:00Z", "type": "retract", "equipment": FILLER, "target": "r2", "by": "bo"},
        {"id": "c1", "ts": "2026-03-02T06:30:00Z", "type": "count", "equipment": PACKER, "good": -5, "scrap": 5}
        | {"by": "kim", "note": "dented"},
    ]
    fill(db, stores.PLANT, [events])
    with Reader(db) as found:
        yield found


def test_stretches_that_can_be_corrected(reader: Reader) -> None:
    found = stretches(reader, DAY, [FILLER]).sort("start")
    shown = [(micros(row["start"]), row["us"] // MINUTE_US, row["account"], row["reason"], row["open"])
             for row in found.iter_rows(named=True)]  # fmt: skip
    # The horizon is the retraction at 11:45; the jam is open, its first ten minutes were given the same reason.
    assert shown == [
        (at(60), 10, "down", None, False),
        (at(200), 1, "minor_stop", "jam", False),
        (at(280), 65, "down", "jam", True),
    ]
    assert queued(found, "unclassified", 0).height == 1
    assert queued(found, "unclassified", 11 * MINUTE_US).height == 0
    assert queued(found, "long", 10 * MINUTE_US).height == 2
    assert queued(found, "unknown", 0).height == 0
    assert queued(found, "all", 0).height == 3


def test_stretches_of_other_shifts_are_left_out(reader: Reader) -> None:
    assert stretches(reader, Slice(LINE, DAY.first, DAY.last, ("early",)), [FILLER]).height == 3
    assert stretches(reader, Slice(LINE, DAY.first, DAY.last, (OUTSIDE,)), [FILLER]).is_empty()
    assert stretches(reader, Slice(LINE, date(2026, 3, 3), date(2026, 3, 3)), [FILLER]).is_empty()


def test_what_was_decided_and_undone(reader: Reader) -> None:
    found = decided(reader, [FILLER, PACKER], 36_500, 10)
    shown = {row["id"]: (row["by"], row["undone_by"], row["note"]) for row in found.iter_rows(named=True)}
    assert shown == {"c1": ("kim", None, "dented"), "r1": ("kim", None, None), "r2": ("kim", "bo", None)}
    assert decided(reader, [FILLER], 36_500, 1)["id"].to_list() == ["r2"]


def test_windows_of_a_time(reader: Reader) -> None:
    rows = figures(reader, [FILLER, LINE], at(60), at(70), "standard")
    assert [(row["equipment"], row["by"], row["shift"]) for row in rows.iter_rows(named=True)] == [
        (FILLER, "shift", "2026-03-02/early"),
        (FILLER, "day", None),
        (LINE, "shift", "2026-03-02/early"),
        (LINE, "day", None),
    ]
    assert figures(reader, [FILLER], at(-600), at(-500), "standard").is_empty()
    assert spent(reader, FILLER, at(55), at(70)) == {"down": 10 * MINUTE_US, "producing": 5 * MINUTE_US}


def test_good_pieces_that_can_still_be_moved(reader: Reader) -> None:
    assert good_pieces(reader, PACKER, at(90)) == 47 * 268 - 5
    with pytest.raises(StorageError, match="is not accounted at that time"):
        good_pieces(reader, PACKER, at(-60))


def test_a_ruling_is_one_event() -> None:
    event = corrections.rule(PLANT, FILLER, at(60), at(70), Ruling("planned", None, "agreed"), "kim")
    assert {name: event[name] for name in event if name not in ("id", "ts")} == {
        "equipment": FILLER, "type": "reclassify", "start": "2026-03-02T06:00:00+00:00",
        "end": "2026-03-02T06:10:00+00:00", "state": "planned", "by": "kim", "note": "agreed",
    }  # fmt: skip
    assert "state" not in corrections.rule(PLANT, FILLER, at(60), at(70), Ruling(None, "jam"), "kim")
    with pytest.raises(ConfigError, match="neither a category nor a reason"):
        corrections.rule(PLANT, FILLER, at(60), at(70), Ruling(None, None, "why"), "kim")


def test_moving_pieces_twice_in_one_attempt_counts_once() -> None:
    first, again = (
        corrections.move_to_scrap(PACKER, at(90), 5, Ruling(None, "jam"), "kim", uuid.UUID(int=1)) for _ in range(2)
    )
    assert first == again
    assert (first["good"], first["scrap"], first["ts"]) == (-5, 5, "2026-03-02T06:30:00+00:00")
    other = corrections.move_to_scrap(PACKER, at(90), 6, Ruling(None, "jam"), "kim", uuid.UUID(int=1))
    assert other["id"] != first["id"]
    later = corrections.move_to_scrap(PACKER, at(90), 5, Ruling(None, "jam"), "kim", uuid.UUID(int=2))
    assert later["id"] != first["id"]


def test_a_state_is_found_for_a_category_whose_name_means_another() -> None:
    plant = load_plant(stores.PLANT.replace('RUN = "producing"', 'RUN = "producing"\ndown = "idle"'))
    assert corrections.state_named(plant, "down") == "STOP"
    assert corrections.state_named(plant, "idle") == "idle"
    plant = load_plant(stores.PLANT.replace('RUN = "producing"', 'RUN = "producing"\nsetup = "idle"'))
    with pytest.raises(ConfigError, match="means something else by setup"):
        corrections.state_named(plant, "setup")


def test_the_neighbours_of_a_stop(reader: Reader) -> None:
    found = stretches(reader, DAY, [FILLER, PACKER])
    stop: Row = found.filter(pl.col("start") == pl.lit(START).dt.offset_by("200m")).row(0, named=True)
    assert [micros(row["start"]) for row in corrections.neighbours(found, stop)] == [at(60), at(280)]


@pytest.mark.parametrize(
    ("text", "found"),
    [("07:05", at(65)), ("7:05:30", at(65.5)), ("07:00", None), ("07:10", None), ("soon", None), ("25:00", None)],
)
def test_a_time_inside_a_stop(text: str, found: int | None) -> None:
    if found is None:
        with pytest.raises(ConfigError):
            corrections.instant_within(text, at(60), at(70), BERLIN)
    else:
        assert corrections.instant_within(text, at(60), at(70), BERLIN) == found


def test_a_time_over_midnight_and_in_an_hour_that_comes_twice() -> None:
    night = 1_792_879_200_000_000  # 24 October 2026, midnight in Berlin; three hours later clocks go back to 02:00
    hour = 60 * MINUTE_US
    assert corrections.instant_within("02:30", night, night + 4 * hour, BERLIN) == night + 150 * MINUTE_US
    assert corrections.instant_within("02:30", night + 3 * hour, night + 4 * hour, BERLIN) == night + 210 * MINUTE_US
    assert corrections.instant_within("00:30", night - hour, night + hour, BERLIN) == night + 30 * MINUTE_US


def test_windows_with_other_figures_are_changes(reader: Reader, tmp_path: Path) -> None:
    before = figures(reader, [FILLER, LINE], at(60), at(70), "standard")
    after = before.with_columns(
        oee=pl.when((pl.col("equipment") == LINE) & (pl.col("by") == "day")).then(0.5).otherwise("oee")
    )
    (change,) = corrections.changes(before, after)
    assert (change.window["equipment"], change.window["by"]) == (LINE, "day")
    assert corrections.changes(before, before) == []
    assert [change.after for change in corrections.changes(before, before.clear())] == [None] * 4
