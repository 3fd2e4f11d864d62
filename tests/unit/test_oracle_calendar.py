"""The oracle's shifts and production days against a calendar on paper."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.oracle import compute
from tests.oracle.calendar import instant_us
from tests.oracle.events import parse_time
from tests.oracle.shorthand import END, MINUTE, NIGHT, SHIFT_TABLE, UNIT, one_unit, rows, spans, state


def nights(first: str, last: str) -> list[tuple[Any, ...]]:
    """Shift rows in Berlin of a machine that stands idle from first to last."""
    log = [
        {"ts": first, "equipment": UNIT, "type": "state", "state": "idle"},
        {"ts": last, "equipment": UNIT, "type": "order", "action": "end"},
    ]
    found = rows(compute(one_unit('calendar = "c"', NIGHT, "Europe/Berlin"), log), "shift")
    hours = [(row["window_end"] - row["window_start"]) / 60 / MINUTE for row in found]
    minutes = [tuple(row[key] // MINUTE for key in ("idle_us", "break_us", "unscheduled_us")) for row in found]
    return [(row["shift"], hour, *rest) for row, hour, rest in zip(found, hours, minutes, strict=True)]


def test_a_night_shift_belongs_to_the_day_it_starts() -> None:
    assert nights("2026-03-02T00:00:00+01:00", "2026-03-03T12:00:00+01:00") == [
        ("2026-03-01/night", 8, 330, 30, 0),  # the break is at two
        (None, 24, 0, 0, 960),
        ("2026-03-02/night", 8, 450, 30, 0),
        (None, 24, 0, 0, 360),
    ]


def test_a_night_shift_over_a_clock_change() -> None:
    # the break at 02:00, which the clocks skip, moves to 03:00
    assert nights("2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00") == [("2026-03-28/night", 7, 390, 30, 0)]
    # 02:00 comes twice; the break is at the first
    assert nights("2026-10-24T22:00:00+02:00", "2026-10-25T02:15:00+02:00") == [("2026-10-24/night", 9, 240, 15, 0)]
    assert nights("2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00") == [("2026-10-24/night", 9, 510, 30, 0)]


def test_bounds_of_days_weeks_and_months() -> None:
    log = [
        {"ts": "2026-03-29T04:00:00+02:00", "equipment": UNIT, "type": "state", "state": "idle"},
        {"ts": "2026-03-29T05:00:00+02:00", "equipment": UNIT, "type": "order", "action": "end"},
    ]
    result = compute(one_unit('calendar = "c"', NIGHT, "Europe/Berlin"), log)
    expected = {
        "day": ("2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00"),  # Sunday's small hours are Saturday's
        "week": ("2026-03-23T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        "month": ("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00"),
        "hour": ("2026-03-29T02:00:00Z", "2026-03-29T03:00:00Z"),
    }
    for by, bounds in expected.items():
        row = rows(result, by)[0]
        assert (row["window_start"], row["window_end"]) == tuple(parse_time(bound) for bound in bounds), by


CALENDARS: dict[str, tuple[str, list[tuple[float, float, Any]]]] = {
    "the shift that started last has the instant": (
        SHIFT_TABLE.format(name="a", start="08:00:00", end="08:40:00")
        + SHIFT_TABLE.format(name="b", start="08:20:00", end="08:30:00"),
        [(0, 20, "2026-03-02/a"), (20, 30, "2026-03-02/b"), (30, 40, "2026-03-02/a"), (40, 60, None)],
    ),
    "of two that start together the one declared last": (
        SHIFT_TABLE.format(name="a", start="08:00:00", end="08:40:00")
        + SHIFT_TABLE.format(name="b", start="08:00:00", end="08:30:00"),
        [(0, 30, "2026-03-02/b"), (30, 40, "2026-03-02/a"), (40, 60, None)],
    ),
    "exceptions replace the day and add up": (
        SHIFT_TABLE.format(name="a", start="08:00:00", end="16:00:00")
        + "".join(
            f'[[exceptions]]\ncalendar = "c"\ndate = 2026-03-02\n'
            f'shifts = [{{ name = "{name}", start = {start}, end = {end} }}]\n'
            for name, start, end in (("x", "08:10:00", "08:20:00"), ("y", "08:30:00", "08:40:00"))
        ),
        [(0, 10, None), (10, 20, "2026-03-02/x"), (20, 30, None), (30, 40, "2026-03-02/y"), (40, 60, None)],
    ),
    "closed": (
        SHIFT_TABLE.format(name="a", start="08:00:00", end="16:00:00")
        + '[[exceptions]]\ncalendar = "c"\ndate = 2026-03-02\nshifts = []\n',
        [(0, 60, None)],
    ),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_shifts(name: str) -> None:
    tables, expected = CALENDARS[name]
    result = compute(one_unit('calendar = "c"', tables), [state(0, "idle"), END])
    assert spans(result, "shift") == expected
    assert spans(result, "account") == [
        (start, end, "idle" if shift else "unscheduled") for start, end, shift in fused(expected)
    ]


def fused(shifts: list[tuple[float, float, Any]]) -> list[tuple[float, float, bool]]:
    """The same times, but only whether there is a shift."""
    joined: list[tuple[float, float, bool]] = []
    for start, end, shift in shifts:
        if joined and joined[-1][2] == (shift is not None):
            joined[-1] = (joined[-1][0], end, joined[-1][2])
        else:
            joined.append((start, end, shift is not None))
    return joined


def test_a_stop_is_measured_across_the_calendar() -> None:
    tables = SHIFT_TABLE.format(name="a", start="08:00:00", end="08:11:00")
    log = [state(0, "producing"), state(10, "down"), state(13, "producing"), END]
    result = compute(one_unit('calendar = "c"\nminor_stop_under = "2m"', tables), log)
    assert spans(result) == [(0, 10, "producing"), (10, 11, "down"), (11, 13, "unscheduled"), (13, 60, "producing")]


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T03:30:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00"),
        ("Australia/Lord_Howe", "2026-10-04T02:10:00", "2026-10-04T02:40:00+11:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:40:00", "2026-04-05T01:40:00+11:00"),
        ("America/Sao_Paulo", "2017-10-15T00:00:00", "2017-10-15T01:00:00-02:00"),
    ],
)
def test_skipped_and_repeated_local_times(zone: str, local: str, instant: str) -> None:
    wall = datetime.fromisoformat(local)
    assert instant_us(wall.date(), wall.time(), ZoneInfo(zone)) == parse_time(instant)


def test_a_shift_that_the_clock_change_skips_vanishes() -> None:
    tables = NIGHT.replace("22:00:00", "02:00:00").replace("06:00:00", "03:00:00").replace("02:00:00, m", "02:10:00, m")
    log = [
        {"ts": "2026-03-28T00:00:00+01:00", "equipment": UNIT, "type": "state", "state": "idle"},
        {"ts": "2026-03-30T00:00:00+02:00", "equipment": UNIT, "type": "order", "action": "end"},
    ]
    found = rows(compute(one_unit('calendar = "c"', tables, "Europe/Berlin"), log), "shift")
    assert [(row["shift"], row["idle_us"] // MINUTE, row["unscheduled_us"] // MINUTE) for row in found] == [
        (None, 0, 23 * 60),
        ("2026-03-28/night", 30, 0),
        (None, 0, 23 * 60),
    ]
