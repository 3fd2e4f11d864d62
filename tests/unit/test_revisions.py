"""Windows open, close, and are revised: what counts as a change, and what does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count as numbers
from pathlib import Path

import pytest

from kpis.plant import load_plant
from tests.engine import Row, opened, queried, take_in
from tests.oracle.shorthand import EIGHT, LINE, MINUTE, OTHER, UNIT, count, event, reclassify, state
from tests.random_logs import Event

PLANT = f"""
[plant]
name = "p"
timezone = "UTC"
[defaults]
grace = "2m"
[[shifts]]
calendar = "c"
name = "eight"
days = ["mon"]
start = 08:00:00
end = 09:00:00
[equipment."{UNIT}"]
level = "unit"
calendar = "c"
minor_stop_under = "10m"
[equipment."{OTHER}"]
level = "unit"
"""
FIRST = datetime(2026, 3, 3, tzinfo=UTC)


class Told:
    """A store that is fed a batch at a time, each at a time of its own by the engine's clock."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.plant = load_plant(PLANT)
        self.batches = numbers(1)

    def send(self, *events: Event) -> None:
        """A batch, into the store opened anew."""
        now = FIRST + timedelta(hours=next(self.batches))
        with opened(self.db, self.plant, lambda: now) as store:
            take_in(store, self.plant, events)

    def row(self, by: str = "hour", minute: int = 0, equipment: str = UNIT) -> Row:
        """The row of the window that starts at this minute after eight."""
        (row,) = queried(
            self.db,
            f"SELECT * FROM kpi_{by} WHERE equipment = '{equipment}' "
            f"AND epoch_us(window_start) = {EIGHT + minute * MINUTE}",
        )
        return row

    def status(self, by: str = "hour", minute: int = 0, equipment: str = UNIT) -> tuple[str, int]:
        row = self.row(by, minute, equipment)
        return row["status"], row["revision"]

    def batch_of_change(self, by: str = "hour", minute: int = 0) -> int:
        """The number of the batch that changed the row last."""
        changed = datetime.fromtimestamp(self.row(by, minute)["changed_at"] / 1e6, UTC)
        return (changed - FIRST) // timedelta(hours=1)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "kpi.duckdb")


def tick(minute: float) -> Event:
    """Carries the horizon on, and changes nothing."""
    return event("status", minute, online=True, equipment=OTHER)


def test_open_closed_revised(told: Told) -> None:
    told.send(state(0, "producing"), tick(60))
    assert told.status() == ("open", 0)
    told.send(tick(62 - 1 / MINUTE))
    assert told.status() == ("open", 0)
    told.send(tick(62))
    assert (told.status(), told.batch_of_change()) == (("closed", 0), 3)
    told.send(tick(90))
    assert (told.status(), told.batch_of_change()) == (("closed", 0), 3)
    told.send(count(10, 5))
    assert (told.status(), told.batch_of_change()) == (("revised", 1), 5)
    told.send(state(30, "down"), count(40, 5))
    assert (told.status(), told.batch_of_change()) == (("revised", 2), 6)
    assert told.row()["good"] == 10
    told.send(tick(120))
    assert (told.status(), told.batch_of_change()) == (("revised", 2), 6)


NOTHING_NEW: dict[str, list[Event]] = {
    "a duplicate": [count(10, 5)],
    "the state in force again": [state(20, "producing")],
    "a sign of life": [event("status", 20, online=True)],
    "a count of nothing": [count(20, 0)],
    "a correction to what it was": [reclassify(80, 10, 20, state="producing")],
    "a retract of what was never sent": [event("retract", 30, target="never")],
    "an event of another unit": [state(10, "down", equipment=OTHER)],
    "what happened after it": [state(70, "down"), count(70, 3)],
}


@pytest.mark.parametrize("name", NOTHING_NEW)
def test_nothing_new_is_no_revision(name: str, told: Told) -> None:
    told.send(state(0, "producing"), count(10, 5), tick(90))
    told.send(*NOTHING_NEW[name])
    assert (told.status(), told.batch_of_change()) == (("closed", 0), 1)


@pytest.mark.parametrize("by", ["hour", "shift"])
def test_a_change_before_the_window_is_closed_is_no_revision(by: str, told: Told) -> None:
    told.send(state(0, "producing"), tick(61))
    told.send(state(20, "down"))
    told.send(tick(62))
    assert told.status(by) == ("closed", 0)
    told.send(state(30, "producing"))
    assert told.status(by) == ("revised", 1)


CHANGES: dict[str, tuple[Event, Callable[[int], bool]]] = {
    "a count": (count(10.5, 5), lambda minute: minute == 10),
    "a state, up to the next one": (state(10, "down"), lambda minute: 10 <= minute < 30),
    "a correction": (reclassify(50, 10, 12.5, state="idle"), lambda minute: 10 <= minute < 13),
    "lost communication of the line": (
        event("status", 25, online=False, equipment=LINE),
        lambda minute: 25 <= minute < 30,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_only_the_minutes_that_changed_are_revised(name: str, told: Told) -> None:
    sent, touched = CHANGES[name]
    told.send(state(0, "producing"), state(30, "setup"), tick(62))
    told.send(sent)
    rows = queried(
        told.db,
        f"SELECT epoch_us(window_start) AS s, status FROM kpi_minute WHERE equipment = '{UNIT}' ORDER BY s",
    )
    found = {(row["s"] - EIGHT) // MINUTE: row["status"] for row in rows}
    expected = {minute: "revised" if touched(minute) else "closed" for minute in range(60)}
    assert found == expected | {60: "open", 61: "open"}


@pytest.mark.parametrize("path", [LINE, "acme/ulm", "acme"])
def test_levels_above_are_revised_with_their_units(path: str, told: Told) -> None:
    told.send(state(0, "producing"), state(0, "producing", equipment=OTHER), tick(90))
    assert told.status("hour", 0, path) == ("closed", 0)
    told.send(count(10, 5))
    assert told.status("hour", 0, path) == ("revised", 1)
    told.send(count(10, 5, equipment=OTHER), count(11, 5))
    assert told.status("hour", 0, path) == ("revised", 2)
    assert told.status("hour", 0, OTHER) == ("revised", 1)


def test_a_retract_brings_the_old_figures_back_as_a_revision(told: Told) -> None:
    told.send(state(0, "producing"), count(10, 5), tick(90))
    before = told.row()
    told.send(state(20, "down"))
    told.send(event("retract", 91, target="state20"))
    after = told.row()
    assert (after["status"], after["revision"]) == ("revised", 2)
    volatile = {"status", "revision", "changed_at"}
    assert {k: v for k, v in after.items() if k not in volatile} == {
        k: v for k, v in before.items() if k not in volatile
    }


def test_a_minor_stop_that_outgrows_its_limit_revises_the_hour_it_began_in(told: Told) -> None:
    told.send(state(0, "producing"), state(58, "down"), tick(62))
    assert (told.row()["minor_stop_us"], told.row()["down_us"]) == (2 * MINUTE, 0)
    told.send(tick(68 - 1 / MINUTE))
    assert told.status() == ("closed", 0)
    told.send(tick(68))
    assert (told.row()["minor_stop_us"], told.row()["down_us"]) == (0, 2 * MINUTE)
    assert told.status() == ("revised", 1)
    told.send(tick(90))
    assert told.status() == ("revised", 1)


def test_a_window_that_an_event_makes_past_closing_time_is_revised(told: Told) -> None:
    told.send(state(30, "producing"), tick(90))
    told.send(state(0, "down"))
    assert told.row()["down_us"] == 30 * MINUTE
    assert told.status() == ("revised", 1)


def test_the_day_is_revised_with_the_shift(told: Told) -> None:
    told.send(state(0, "producing"), tick(0) | {"ts": "2026-03-03T08:00:00Z"})
    told.send(count(10, 1))
    assert told.status("shift") == ("revised", 1)
    assert told.status("day", -8 * 60) == ("revised", 1)
    assert told.status("week", -8 * 60) == ("open", 0)
