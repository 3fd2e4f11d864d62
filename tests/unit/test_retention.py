"""What is archived, what stays, and what is refused afterwards: tables of cases worked out by hand."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kpis.plant import load_plant
from storage.batches import Outcome
from storage.places import Places
from tests.engine import fill, opened, queried, take_in
from tests.random_logs import Event
from tests.retained import archived_before

UNIT = "acme/ulm/m"
HOUR = 3_600_000_000
PLANT = f"""
[plant]
name = "Ulm"
timezone = "UTC"
[defaults]
minor_stop_under = "90m"
ideal_cycle = "1s"
[equipment."acme/ulm"]
level = "site"
[equipment."{UNIT}"]
level = "unit"
"""


def event(hour: float, kind: str, name: str, **fields: Any) -> Event:
    """An event so many hours after 1970 began."""
    return {"id": name, "equipment": UNIT, "ts": round(hour * 3_600_000), "type": kind} | fields


def state(hour: float, name: str, what: str) -> Event:
    return event(hour, "state", name, state=what)


def reading(hour: float, name: str, value: int, **fields: Any) -> Event:
    return event(hour, "counter", name, quality="good", value=value, **fields)


LINE = 10
LOG = [
    state(1, "s1", "producing"),
    state(2, "s2", "down"),
    state(3, "s3", "producing"),
    state(9.5, "s4", "down"),
    event(4, "count", "c1", good=5),
    event(5, "count", "c2", good=0),
    event(6, "order", "o1", action="start", order="A", product="P", quantity=10),
    event(7, "order", "o2", action="start", order="B", product="P", quantity=10),
    event(8, "status", "off", online=False),
    event(8.5, "status", "on", online=True),
    event(9, "reclassify", "old", start=3_600_000, end=7_200_000, state="setup"),
    state(12, "s5", "producing"),
    event(12, "reclassify", "new", start=11 * 3_600_000, end=12 * 3_600_000, reason="jam"),
    event(13, "count", "c3", good=7),
]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "kpi.duckdb"
    fill(path, PLANT, [LOG])
    archived_before(path, load_plant(PLANT), LINE * HOUR)
    return path


def taken(db: Path, *events: Event, plant: str = PLANT) -> Outcome:
    known = load_plant(plant)
    with opened(db, known) as store:
        return take_in(store, known, events)


def ids(db: Path) -> set[str]:
    return {row["id"] for row in queried(db, "SELECT id FROM events")}


def archived(db: Path) -> set[str]:
    (file,) = Places(db).archive.glob("*.parquet")
    return set(pl.read_parquet(file)["id"])


def test_what_stays_and_what_is_archived(db: Path) -> None:
    # Of the states the last, of the counts the last and the last with pieces, both directions of status; orders and
    # corrections; the first state, from which the machine is accounted.
    assert ids(db) == {"s1", "s4", "c1", "c2", "o1", "o2", "off", "on", "old", "s5", "new", "c3"}
    assert archived(db) == {event["id"] for event in LOG} - {"s5", "new", "c3"}
    (row,) = queried(db, "SELECT line, events, file FROM retentions")
    assert (row["line"], row["events"]) == (LINE * HOUR, 11)
    assert row["file"].startswith("kpi.duckdb.d/archive/events-")


@pytest.mark.parametrize(
    ("values", "stay"),
    [
        ([10, 14, 14, 14], {"r0", "r1", "r3"}),  # the last that rose, the one before it, the last
        ([10, 10, 10], {"r0", "r2"}),  # none rose
        ([10, 14, 18, 3], {"r0", "r2", "r3"}),  # a reset is pieces, too
        ([5, 9, 9, 0, 0, 0], {"r0", "r1", "r3", "r5"}),  # a reset to nothing is none: r1 rose last
    ],
    ids=["rises", "stands", "resets", "resets to zero"],
)
def test_readings_that_tell_when_a_machine_was_seen_running(values: list[int], stay: set[str], tmp_path: Path) -> None:
    path = tmp_path / "kpi.duckdb"
    log = [reading(1 + n, f"r{n}", value) for n, value in enumerate(values)]
    fill(path, PLANT, [[*log, state(20, "s", "down")]])
    archived_before(path, load_plant(PLANT), LINE * HOUR)
    assert ids(path) == stay | {"s"}


REFUSED = {
    "an event before the line": state(9.99, "x", "idle"),
    "an event that was archived": LOG[1],
    "an event that stays in the store": LOG[3],
    "an archived event with other content": LOG[1] | {"state": "idle"},
    "an order before the line": event(9, "order", "x", action="end"),
    "a reclassification across the line": event(
        14, "reclassify", "x", start=9 * 3_600_000, end=11 * 3_600_000, state="idle"
    ),
    "a retraction of what was archived": event(14, "retract", "x", target="s2"),
    "a retraction of what stays": event(14, "retract", "x", target="s4"),
    "a retraction of an old reclassification": event(14, "retract", "x", target="old"),
    "an old retraction of something unknown": event(9, "retract", "x", target="nothing"),
}
TAKEN = {
    "an event at the line": state(10, "x", "idle"),
    "a reclassification from the line on": event(
        9, "reclassify", "x", start=10 * 3_600_000, end=11 * 3_600_000, state="idle"
    ),
    "a retraction of what is after the line": event(9, "retract", "x", target="s5"),
    "a retraction that came before its target": event(14, "retract", "x", target="to come"),
    "an id that only the archive has": state(14, "s2", "idle"),
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_what_would_change_frozen_time_is_rejected(sent: Event, db: Path) -> None:
    before = queried(db, "SELECT * FROM intervals ORDER BY ALL")
    assert taken(db, sent) == Outcome(rejected=1)
    (row,) = queried(db, "SELECT id, reason, detail FROM rejected_events")
    assert (row["id"], row["reason"]) == (sent["id"], "before_retention")
    assert "1970-01-01 10:00Z" in row["detail"]
    assert queried(db, "SELECT * FROM intervals ORDER BY ALL") == before


@pytest.mark.parametrize("sent", TAKEN.values(), ids=TAKEN)
def test_everything_else_is_taken_in(sent: Event, db: Path) -> None:
    assert taken(db, sent).taken == 1
    assert queried(db, "SELECT id FROM rejected_events") == []


def test_a_retraction_when_the_archive_is_gone_waits_for_its_target(db: Path) -> None:
    for file in Places(db).archive.glob("*.parquet"):
        file.unlink()
    assert taken(db, event(14, "retract", "x", target="s2")).taken == 1


def test_a_stop_across_the_line_is_one_stop(db: Path) -> None:
    # Down from 9:30 to 12:00. Producing at 10:45 makes it 75 minutes: minor, on both sides of the line.
    (stop,) = queried(db, 'SELECT "start", minor FROM stops WHERE "end" = make_timestamptz(12 * 3600000000)')
    assert stop == {"start": 9.5 * HOUR, "minor": False}
    taken(db, state(10.75, "x", "producing"))
    (stop,) = queried(db, 'SELECT minor, us FROM stops WHERE "start" = make_timestamptz(34200000000)')
    assert stop == {"minor": True, "us": 1.25 * HOUR}


def test_another_plant_file_counts_from_the_line_on(db: Path) -> None:
    changed = PLANT.replace('ideal_cycle = "1s"', 'ideal_cycle = "2s"') + '[states]\nproducing = "idle"\n'
    changed = changed.replace("[states]", '[reasons.jam]\ncategory = "planned"\n[states]')
    before = queried(db, 'SELECT * FROM intervals WHERE "end" <= make_timestamptz(34200000000) ORDER BY ALL')
    with opened(db, load_plant(changed)) as store:
        assert store.rebuilt
    after = queried(db, 'SELECT * FROM intervals WHERE "end" <= make_timestamptz(34200000000) ORDER BY ALL')
    assert after == before != []
    pieces = queried(db, "SELECT pieces, ideal_us FROM count_elements ORDER BY window_start")
    assert pieces == [{"pieces": 5, "ideal_us": 5_000_000}, {"pieces": 7, "ideal_us": 14_000_000}]
    spent = queried(db, "SELECT category, sum(e - s)::BIGINT AS us FROM intervals_now GROUP BY ALL ORDER BY ALL")
    # Down from 2:00 to 3:00 and 9:30 to 11:00, planned by its reason until 12:00, and idle, as it is called now.
    assert spent[0] == {"category": "down", "us": 2.5 * HOUR}
    assert {row["category"]: row["us"] for row in spent}["planned"] == HOUR
    assert {row["category"]: row["us"] for row in spent}["idle"] == HOUR


SHIFTS = """
[[shifts]]
calendar = "{calendar}"
name = "{name}"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = {start}:00:00
end = 22:00:00
"""


def test_frozen_shifts_stay_whatever_the_calendar_is_now(tmp_path: Path) -> None:
    # 1970-01-01 was a Thursday: three days with a shift from 6 to 22, the line is at the start of the third.
    path = tmp_path / "kpi.duckdb"
    plant = PLANT.replace('level = "unit"', 'level = "unit"\ncalendar = "c"')
    log = [state(12 * n, f"s{n}", ("producing", "down")[n % 2]) for n in range(7)]
    fill(path, plant + SHIFTS.format(calendar="c", name="day", start="06"), [log])
    frozen = "window_end <= make_timestamptz(48 * 3600000000)"
    query = f"SELECT * EXCLUDE (changed_at) FROM kpi_shift WHERE {frozen} ORDER BY ALL"
    before = queried(path, query)
    assert [row["shift"] for row in before if row["equipment"] == UNIT and row["shift"]] == [
        "1970-01-01/day",
        "1970-01-02/day",
    ]
    archived_before(path, load_plant(plant + SHIFTS.format(calendar="c", name="day", start="06")), 48 * HOUR)
    for calendar, name in (("c", "late"), ("other", "day")):
        changed = plant.replace('calendar = "c"', f'calendar = "{calendar}"')
        changed += SHIFTS.format(calendar=calendar, name=name, start="08")
        with opened(path, load_plant(changed)) as store:
            assert store.rebuilt
        assert queried(path, query) == before
        rows = queried(
            path, f"SELECT shift, window_start FROM kpi_shift WHERE equipment = '{UNIT}' AND shift IS NOT NULL"
        )
        assert {row["shift"]: row["window_start"] for row in rows}[f"1970-01-03/{name}"] == 56 * HOUR


def test_alerts_of_frozen_time_stay_and_no_silence_is_made_up(tmp_path: Path) -> None:
    path = tmp_path / "kpi.duckdb"
    rule = '[[alerts]]\nname = "quiet"\nequipment = "{unit}"\nseverity = "warning"\nwhen = {{ silence = "{long}" }}\n'
    plant = PLANT + rule.format(unit=UNIT, long="2h")
    # Heard every hour but from 3 to 6, and from 20 on.
    log = [event(n, "count", f"c{n}", good=1) for n in range(21) if n not in (4, 5)] + [state(0, "s", "producing")]
    alerts = "SELECT since, resolved_at FROM alerts WHERE state <> 'withdrawn' ORDER BY since"
    fill(path, plant, [log])
    with opened(path, load_plant(plant)) as store:
        take_in(store, load_plant(plant), [], horizon=24 * HOUR)
    told = queried(path, alerts)
    assert [row["since"] for row in told] == [5 * HOUR, 22 * HOUR]
    archived_before(path, load_plant(plant), LINE * HOUR)
    assert taken(path, event(25, "count", "c25", good=1), plant=plant).taken == 1
    again = queried(path, alerts)
    assert [row["since"] for row in again] == [5 * HOUR, 22 * HOUR]
    assert again[0] == told[0]
    # Other rules look at what is not frozen: the silence of old is neither found again nor taken back.
    assert taken(path, event(26, "count", "c26", good=1), plant=PLANT + rule.format(unit=UNIT, long="3h")).taken == 1
    assert [row["since"] for row in queried(path, alerts)] == [5 * HOUR, 23 * HOUR]
