"""Calendars laid out in time, by hand: nights, breaks, exceptions, overlaps, clock changes, skipped days."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from kpis.plant import Plant, load_plant
from kpis.shifts import production_days, schedule, shift_instances

CALENDARS = """
[[shifts]]
calendar = "night"
name = "night"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 22:00:00
end = 06:00:00
breaks = [{ start = 02:00:00, minutes = 30 }]

[[shifts]]
calendar = "day"
name = "day"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 06:00:00
end = 14:00:00
breaks = [{ start = 09:45:00, minutes = 30 }, { start = 10:00:00, minutes = 30 }, { start = 13:50:00, minutes = 30 }]
[[exceptions]]
calendar = "day"
date = 2026-05-01
shifts = []
[[exceptions]]
calendar = "day"
date = 2026-05-02
shifts = [{ name = "overtime", start = 08:00:00, end = 12:00:00 }]
[[exceptions]]
calendar = "day"
date = 2026-05-02
shifts = [{ name = "late", start = 20:00:00, end = 02:00:00, breaks = [{ start = 01:00:00, minutes = 15 }] }]

[[shifts]]
calendar = "whole day"
name = "all"
days = ["mon"]
start = 00:00:00
end = 00:00:00

[[shifts]]
calendar = "overlapping"
name = "long"
days = ["mon"]
start = 06:00:00
end = 18:00:00
breaks = [{ start = 10:00:00, minutes = 60 }, { start = 16:00:00, minutes = 60 }]
[[shifts]]
calendar = "overlapping"
name = "short"
days = ["mon"]
start = 09:00:00
end = 12:00:00
[[shifts]]
calendar = "overlapping"
name = "declared last"
days = ["mon"]
start = 09:00:00
end = 11:00:00

[[shifts]]
calendar = "small hours"
name = "gap"
days = ["sun"]
start = 02:15:00
end = 02:45:00
[[shifts]]
calendar = "small hours"
name = "after"
days = ["sun"]
start = 02:30:00
end = 06:00:00
breaks = [{ start = 02:30:00, minutes = 15 }]

[[shifts]]
calendar = "over the gap"
name = "vanishing"
days = ["sun"]
start = 02:30:00
end = 03:00:00

[equipment.x]
calendar = "night"
"""


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(CALENDARS)


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


def readable(frame: pl.DataFrame) -> list[str]:
    """Rows as `start end …`, in UTC to the minute."""
    instants = [pl.from_epoch(name, time_unit="us").dt.strftime("%d %H:%M") for name in ("start", "end")]
    return [" | ".join(map(str, row)) for row in frame.with_columns(instants).iter_rows()]


def laid_out(plant: Plant, calendar: str | None, zone: str, start: str, end: str) -> list[str]:
    return readable(schedule(plant, calendar, zone, us(start), us(end)))


def test_a_night_shift_belongs_to_its_start_date_and_is_not_cut_at_midnight(plant: Plant) -> None:
    assert laid_out(plant, "night", "UTC", "2026-03-02T12:00", "2026-03-03T12:00") == [
        "02 06:00 | 02 22:00 | unscheduled | None | 2026-03-02",
        "02 22:00 | 03 02:00 | scheduled | night | 2026-03-02",
        "03 02:00 | 03 02:30 | break | night | 2026-03-02",
        "03 02:30 | 03 06:00 | scheduled | night | 2026-03-02",
        "03 06:00 | 03 22:00 | unscheduled | None | 2026-03-03",
    ]


def test_outside_shifts_time_is_cut_at_local_midnights(plant: Plant) -> None:
    assert laid_out(plant, "day", "Asia/Tokyo", "2026-03-06T10:00", "2026-03-08T00:00") == [
        "06 05:00 | 06 15:00 | unscheduled | None | 2026-03-06",
        "06 15:00 | 07 15:00 | unscheduled | None | 2026-03-07",
        "07 15:00 | 08 15:00 | unscheduled | None | 2026-03-08",
    ]


def test_breaks_that_meet_add_up_and_none_reaches_beyond_its_shift(plant: Plant) -> None:
    assert laid_out(plant, "day", "UTC", "2026-03-02T06:00", "2026-03-02T14:00") == [
        "02 06:00 | 02 09:45 | scheduled | day | 2026-03-02",
        "02 09:45 | 02 10:15 | break | day | 2026-03-02",
        "02 10:15 | 02 10:30 | break | day | 2026-03-02",
        "02 10:30 | 02 13:50 | scheduled | day | 2026-03-02",
        "02 13:50 | 02 14:00 | break | day | 2026-03-02",
    ]


def test_exceptions_replace_a_date_and_add_up(plant: Plant) -> None:
    assert laid_out(plant, "day", "UTC", "2026-04-30T14:00", "2026-05-03T02:00") == [
        "30 14:00 | 01 00:00 | unscheduled | None | 2026-04-30",
        "01 00:00 | 02 00:00 | unscheduled | None | 2026-05-01",
        "02 00:00 | 02 08:00 | unscheduled | None | 2026-05-02",
        "02 08:00 | 02 12:00 | scheduled | overtime | 2026-05-02",
        "02 12:00 | 02 20:00 | unscheduled | None | 2026-05-02",
        "02 20:00 | 03 01:00 | scheduled | late | 2026-05-02",
        "03 01:00 | 03 01:15 | break | late | 2026-05-02",
        "03 01:15 | 03 02:00 | scheduled | late | 2026-05-02",
    ]


def test_a_shift_that_ends_when_it_starts_lasts_a_day(plant: Plant) -> None:
    assert laid_out(plant, "whole day", "UTC", "2026-03-02T00:00", "2026-03-03T00:00") == [
        "02 00:00 | 03 00:00 | scheduled | all | 2026-03-02"
    ]


def test_of_overlapping_shifts_the_one_that_started_last_counts(plant: Plant) -> None:
    assert laid_out(plant, "overlapping", "UTC", "2026-03-02T06:00", "2026-03-02T18:00") == [
        "02 06:00 | 02 09:00 | scheduled | long | 2026-03-02",
        "02 09:00 | 02 11:00 | scheduled | declared last | 2026-03-02",
        "02 11:00 | 02 12:00 | scheduled | short | 2026-03-02",
        "02 12:00 | 02 16:00 | scheduled | long | 2026-03-02",
        "02 16:00 | 02 17:00 | break | long | 2026-03-02",
        "02 17:00 | 02 18:00 | scheduled | long | 2026-03-02",
    ]


def test_without_a_calendar_everything_is_scheduled(plant: Plant) -> None:
    assert laid_out(plant, None, "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T12:00") == [
        "27 23:00 | 28 23:00 | scheduled | None | 2026-03-28",
        "28 23:00 | 29 22:00 | scheduled | None | 2026-03-29",
    ]


CLOCK_CHANGES = [
    # zone, start date, shift in UTC, hours of the night shift 22:00 to 06:00, start of its break at 02:00
    ("Europe/Berlin", date(2026, 3, 28), "28 21:00 | 29 04:00", 7, "29 01:00"),
    ("Europe/Berlin", date(2026, 10, 24), "24 20:00 | 25 05:00", 9, "25 00:00"),
    ("America/New_York", date(2026, 3, 7), "08 03:00 | 08 10:00", 7, "08 07:00"),
    ("America/New_York", date(2026, 10, 31), "01 02:00 | 01 11:00", 9, "01 07:00"),
    ("Australia/Lord_Howe", date(2026, 10, 3), "03 11:30 | 03 19:00", 7.5, "03 15:30"),
    ("Australia/Lord_Howe", date(2026, 4, 4), "04 11:00 | 04 19:30", 8.5, "04 15:30"),
    ("Asia/Tokyo", date(2026, 3, 28), "28 13:00 | 28 21:00", 8, "28 17:00"),
]


@pytest.mark.parametrize(("zone", "day", "bounds", "hours", "pause"), CLOCK_CHANGES)
def test_a_night_shift_lasts_longer_or_shorter_at_clock_changes(
    plant: Plant, zone: str, day: date, bounds: str, hours: float, pause: str
) -> None:
    night = shift_instances(plant, "night", zone, day, day)
    assert readable(night.select("start", "end")) == [bounds]
    start, end = night["start"][0], night["end"][0]
    assert (end - start) / 3_600_000_000 == hours
    breaks = schedule(plant, "night", zone, start, end).filter(pl.col("schedule") == "break")
    assert [row.split(" | ")[0] for row in readable(breaks)] == [pause]
    assert (breaks["end"] - breaks["start"]).to_list() == [30 * 60_000_000]


def test_a_time_that_a_clock_change_skips_moves_forward_by_the_gap(plant: Plant) -> None:
    # 2026-03-29 in Berlin: 02:00 becomes 03:00 at 01:00 UTC, so 02:15 is 03:15, that is 01:15 UTC.
    assert laid_out(plant, "small hours", "Europe/Berlin", "2026-03-29T01:15", "2026-03-29T04:00") == [
        "29 01:15 | 29 01:30 | scheduled | gap | 2026-03-29",
        "29 01:30 | 29 01:45 | break | after | 2026-03-29",
        "29 01:45 | 29 04:00 | scheduled | after | 2026-03-29",
    ]


def test_a_time_that_a_clock_change_repeats_is_its_first_occurrence(plant: Plant) -> None:
    # 2026-10-25 in Berlin: 03:00 becomes 02:00 at 01:00 UTC, so 02:15 is first 00:15 UTC.
    assert laid_out(plant, "small hours", "Europe/Berlin", "2026-10-25T00:15", "2026-10-25T05:00") == [
        "25 00:15 | 25 00:30 | scheduled | gap | 2026-10-25",
        "25 00:30 | 25 00:45 | break | after | 2026-10-25",
        "25 00:45 | 25 05:00 | scheduled | after | 2026-10-25",
    ]


def test_a_shift_that_a_clock_change_leaves_without_time_vanishes(plant: Plant) -> None:
    # 02:30 moves to 03:30, which is after the end at 03:00.
    sundays = shift_instances(plant, "over the gap", "Europe/Berlin", date(2026, 3, 22), date(2026, 4, 5))
    assert sundays["production_date"].to_list() == [date(2026, 3, 22), date(2026, 4, 5)]
    tiles = schedule(plant, "over the gap", "Europe/Berlin", us("2026-03-28T23:00"), us("2026-03-29T22:00"))
    assert tiles["shift"].to_list() == [None]


DAYS = [
    # zone, date, its midnights in UTC, hours
    ("UTC", date(2026, 1, 1), "01 00:00 | 02 00:00", 24),
    ("Europe/Berlin", date(2026, 3, 29), "28 23:00 | 29 22:00", 23),
    ("Europe/Berlin", date(2026, 10, 25), "24 22:00 | 25 23:00", 25),
    ("Australia/Lord_Howe", date(2026, 10, 4), "03 13:30 | 04 13:00", 23.5),
    ("America/Sao_Paulo", date(2017, 10, 14), "14 03:00 | 15 03:00", 24),
    ("America/Sao_Paulo", date(2017, 10, 15), "15 03:00 | 16 02:00", 23),
    ("America/Sao_Paulo", date(2018, 2, 17), "17 02:00 | 18 03:00", 25),
    ("Africa/Cairo", date(2026, 4, 24), "23 22:00 | 24 21:00", 23),
    ("Asia/Beirut", date(2024, 3, 31), "30 22:00 | 31 21:00", 23),
    ("Pacific/Apia", date(2011, 12, 29), "29 10:00 | 30 10:00", 24),
    ("Pacific/Apia", date(2011, 12, 30), "30 10:00 | 30 10:00", 0),
    ("Pacific/Apia", date(2011, 12, 31), "30 10:00 | 31 10:00", 24),
]


@pytest.mark.parametrize(("zone", "day", "bounds", "hours"), DAYS)
def test_production_days_begin_and_end_at_local_midnights(zone: str, day: date, bounds: str, hours: float) -> None:
    days = production_days(zone, day, day)
    assert days["date"].to_list() == [day]
    assert readable(days.select("start", "end")) == [bounds]
    assert (days["end"] - days["start"]).to_list() == [hours * 3_600_000_000]


def test_time_outside_shifts_follows_skipped_midnights_and_days(plant: Plant) -> None:
    assert laid_out(plant, None, "America/Sao_Paulo", "2017-10-14T12:00", "2017-10-15T12:00") == [
        "14 03:00 | 15 03:00 | scheduled | None | 2017-10-14",
        "15 03:00 | 16 02:00 | scheduled | None | 2017-10-15",
    ]
    assert laid_out(plant, None, "Pacific/Apia", "2011-12-29T12:00", "2011-12-30T12:00") == [
        "29 10:00 | 30 10:00 | scheduled | None | 2011-12-29",
        "30 10:00 | 31 10:00 | scheduled | None | 2011-12-31",
    ]


def test_a_shift_over_a_skipped_day_counts_to_its_start_date(plant: Plant) -> None:
    assert laid_out(plant, "night", "Pacific/Apia", "2011-12-30T08:00", "2011-12-30T20:00") == [
        "30 08:00 | 30 12:00 | scheduled | night | 2011-12-29",
        "30 12:00 | 30 12:30 | break | night | 2011-12-29",
        "30 12:30 | 30 16:00 | scheduled | night | 2011-12-29",
        "30 16:00 | 31 08:00 | unscheduled | None | 2011-12-31",
    ]


def test_shifts_of_one_name_and_date_are_one_instance() -> None:
    twice = '[[shifts]]\ncalendar = "c"\nname = "a"\ndays = ["mon"]\nstart = {0}\nend = {1}\n'
    plant = load_plant(twice.format("06:00:00", "10:00:00") + twice.format("12:00:00", "14:00:00"))
    instances = shift_instances(plant, "c", "UTC", date(2026, 3, 2), date(2026, 3, 8))
    assert readable(instances.select("start", "end")) == ["02 06:00 | 02 14:00"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("1970-01-01T00:00", "1970-01-02T00:00"),
        ("2025-12-31T23:00", "2026-01-01T01:00"),
        ("2026-01-01T05:00", "2026-01-01T05:01"),
        ("2199-12-31T00:00", "2200-01-01T00:00"),
    ],
)
def test_years_meet_without_a_gap(plant: Plant, start: str, end: str) -> None:
    tiles = schedule(plant, "night", "America/New_York", us(start), us(end))
    assert tiles["start"][0] <= us(start)
    assert tiles["end"][-1] >= us(end)
    assert tiles["start"][1:].to_list() == tiles["end"][:-1].to_list()


def test_an_unknown_calendar_is_an_error(plant: Plant) -> None:
    with pytest.raises(KeyError):
        schedule(plant, "nihgt", "UTC", 0, 1)
