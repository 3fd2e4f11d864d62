"""Laws of a schedule: it covers time without gaps, does not depend on the range asked for, and follows the rules."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.plant import Break, Calendar, Plant, ShiftRule, load_plant
from kpis.shifts import production_days, schedule, shift_instances

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
HOUR_US = 3_600_000_000

# Around clock changes, skipped midnights and the day that Apia skipped.
PLACES = st.sampled_from(
    [
        ("Europe/Berlin", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 10, 25)),
        ("America/New_York", date(2026, 11, 1)),
        ("Australia/Lord_Howe", date(2026, 4, 5)),
        ("America/Sao_Paulo", date(2017, 10, 15)),
        ("Africa/Cairo", date(2026, 4, 24)),
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Asia/Kolkata", date(2026, 1, 1)),
        ("UTC", date(2024, 12, 31)),
    ]
)
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
BREAKS = st.lists(st.builds(Break, TIMES, st.integers(1, 200)), max_size=3).map(tuple)
NAMES = st.sampled_from(["a", "b", "c"])
WEEKLY = st.builds(ShiftRule, NAMES, st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES, BREAKS)
SPECIAL = st.builds(ShiftRule, NAMES, st.just(frozenset()), TIMES, TIMES, BREAKS)


@dataclass(frozen=True)
class Case:
    plant: Plant
    zone: str
    start: int
    end: int
    probes: list[int]

    @property
    def calendar(self) -> Calendar:
        return self.plant.calendars["c"]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone, middle = draw(PLACES)
    shifts = draw(st.lists(WEEKLY, max_size=4).map(tuple))
    near = st.integers(-2, 2).map(lambda days: middle + timedelta(days=days))
    exceptions = draw(st.dictionaries(near, st.lists(SPECIAL, max_size=2).map(tuple), max_size=2))
    plant = load_plant("")
    plant = Plant(**{**vars(plant), "calendars": {"c": Calendar("c", shifts, exceptions)}})
    noon = (datetime.combine(middle, time(12), tzinfo=UTC) - EPOCH) // MICROSECOND
    start = noon + draw(st.integers(-72, 0)) * HOUR_US
    end = noon + draw(st.integers(1, 72)) * HOUR_US
    probes = draw(st.lists(st.integers(start, end - 1), min_size=1, max_size=10))
    quarters = [start + quarter * HOUR_US // 4 for quarter in draw(st.lists(st.integers(0, 4), max_size=5))]
    return Case(plant, zone, start, end, [probe for probe in (*probes, *quarters) if probe < end])


def instant(day: date, at: time, zone: ZoneInfo) -> int:
    return (datetime.combine(day, at, tzinfo=zone).astimezone(UTC) - EPOCH) // MICROSECOND


def expected(case: Case, at: int) -> tuple[str, str | None, date]:
    """The rules, read aloud, for one instant."""
    zone = ZoneInfo(case.zone)
    today = (EPOCH + at * MICROSECOND).date()
    days = [today + timedelta(days=number) for number in range(-4, 5)]
    candidates = []
    for day in days:
        for order, rule in enumerate(case.calendar.on(day)):
            night = rule.end <= rule.start
            start, end = instant(day, rule.start, zone), instant(day + DAY if night else day, rule.end, zone)
            if start <= at < end:
                candidates.append((start, day, order, rule, night))
    if not candidates:
        return "unscheduled", None, max(day for day in days if instant(day, time(), zone) <= at)
    _, day, _, rule, night = max(candidates, key=lambda candidate: candidate[:3])
    for pause in rule.breaks:
        start = instant(day + DAY if night and pause.start < rule.start else day, pause.start, zone)
        if start <= at < start + pause.minutes * 60_000_000:
            return "break", rule.name, day
    return "scheduled", rule.name, day


@settings(max_examples=60, deadline=None)
@given(cases())
def test_every_instant_follows_the_rules(case: Case) -> None:
    tiles = schedule(case.plant, "c", case.zone, case.start, case.end)
    for probe in case.probes:
        (found,) = tiles.filter(pl.col("start") <= probe, pl.col("end") > probe).iter_rows()
        assert found[2:] == expected(case, probe)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_tiles_cover_the_range_without_gaps(case: Case) -> None:
    tiles = schedule(case.plant, "c", case.zone, case.start, case.end)
    assert tiles["start"][0] <= case.start
    assert tiles["end"][0] > case.start
    assert tiles["start"][-1] < case.end
    assert tiles["end"][-1] >= case.end
    assert tiles["start"][1:].to_list() == tiles["end"][:-1].to_list()
    assert (tiles["start"] < tiles["end"]).all()


@settings(max_examples=40, deadline=None)
@given(cases())
def test_a_part_of_the_range_gives_the_same_tiles(case: Case) -> None:
    whole = schedule(case.plant, "c", case.zone, case.start, case.end)
    probe = case.probes[0]
    part = schedule(case.plant, "c", case.zone, probe, case.end)
    assert part.equals(whole.filter(pl.col("end") > probe))


@settings(max_examples=40, deadline=None)
@given(cases())
def test_shift_tiles_lie_inside_the_nominal_bounds_of_their_shift(case: Case) -> None:
    tiles = schedule(case.plant, "c", case.zone, case.start, case.end).filter(pl.col("shift").is_not_null())
    dates = tiles["production_date"].to_list() or [date(2026, 1, 1)]
    instances = shift_instances(case.plant, "c", case.zone, min(dates), max(dates))
    assert instances.select("production_date", "shift").is_unique().all()
    inside = tiles.join(instances, on=["production_date", "shift"], suffix="_shift")
    assert inside.height == tiles.height
    assert (inside["start"] >= inside["start_shift"]).all()
    assert (inside["end"] <= inside["end_shift"]).all()


@settings(max_examples=40, deadline=None)
@given(PLACES, st.integers(1, 40))
def test_days_follow_each_other_without_gaps(place: tuple[str, date], number: int) -> None:
    zone, first = place
    days = production_days(zone, first, first + timedelta(days=number))
    assert days.height == number + 1
    assert days["start"][1:].to_list() == days["end"][:-1].to_list()
    assert (days["start"] <= days["end"]).all()
