"""What is remembered of the last flush says the same as the tables."""

from contextlib import suppress
from itertools import chain, product
from pathlib import Path

import pytest

from kpis.plant import load_plant
from storage.store import Store
from tests.engine import batch, dump, fill, opened, take_in, unequal
from tests.oracle.events import RejectedError, parse_event
from tests.oracle.shorthand import EIGHT, END, MINUTE, OTHER, count, event, one_unit, order, reading, reclassify, state
from tests.random_logs import Event
from tests.strategies import random_case

pytestmark = pytest.mark.slow


def in_time(events: list[Event]) -> list[Event]:
    """The usable events in the order of time, as a log on time arrives."""
    dated = []
    for number, sent in enumerate(events):
        with suppress(RejectedError):
            dated.append((parse_event(sent).ts, number, sent))
    return [sent for _, _, sent in sorted(dated)]


def parts_of(events: list[Event], size: int) -> list[list[Event]]:
    return [events[n : n + size] for n in range(0, len(events), size)]


@pytest.mark.parametrize("seed", range(4))
def test_a_store_kept_open_gives_what_one_opened_for_each_part_gives(seed: int, tmp_path: Path) -> None:
    case = random_case(seed + 300, 60)
    parts = parts_of(in_time(case.events), 8)
    fill(tmp_path / "kept.duckdb", case.plant_toml, parts)
    fill(tmp_path / "anew.duckdb", case.plant_toml, parts, reopen=True)
    assert unequal(dump(tmp_path / "kept.duckdb"), dump(tmp_path / "anew.duckdb")) == {}


LONG_AGO = [state(0, "producing", reason="r"), order(1, "start", "O", product="P"), reading(2, 100), count(3, 1)]
STEPS: dict[str, list[Event]] = {
    "the state of long ago still holds": [count(50, 1), state(55, "down"), END],
    "the order of long ago still holds": [count(50, 1), order(55, "end", "O"), END],
    "the reading of long ago is counted from": [reading(50, 107), reading(55, 3), END],
    "a late event between, then on time again": [state(20, "idle"), count(50, 1), state(55, "setup"), END],
    "a retract of the state that holds": [event("retract", 50, target="state0"), count(51, 1), END],
    "a correction, then on time again": [
        event("reclassify", 50, start="2026-03-02T08:10:00Z", end="2026-03-02T08:20:00Z", state="planned"),
        count(51, 1),
        state(55, "down"),
        END,
    ],
    "ties with the last event": [count(3, 2, id="a"), count(3, 3, id="z"), state(3, "down"), END],
    "nothing for a while": [END],
}


SETTINGS = ("", 'stale_after = "10m"', 'minor_stop_under = "20m"\nideal_cycle = "1s"')


def test_events_one_by_one(tmp_path: Path) -> None:
    """All ways to go on at once, under all settings, each on a unit of its own."""
    toml = one_unit()
    logs = []
    for number, (settings, steps) in enumerate(product(SETTINGS, STEPS.values())):
        path = f"acme/ulm/line/unit-{number}"
        toml += f'[equipment."{path}"]\nlevel = "unit"\n{settings}\n'
        logs.append([sent | {"equipment": path} for sent in (*LONG_AGO, *steps)])
    longest = max(map(len, logs))
    parts = [[log[n] for log in logs if n < len(log)] for n in range(longest)]
    kept, anew, once = (tmp_path / f"{name}.duckdb" for name in ("kept", "anew", "once"))
    fill(kept, toml, parts)
    fill(anew, toml, parts, reopen=True)
    fill(once, toml, [[*chain(*parts)]])
    assert unequal(dump(anew), dump(kept)) == {}
    assert unequal(dump(once), dump(kept)) == {}


def test_a_batch_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    toml, db = one_unit(), tmp_path / "kpi.duckdb"
    plant = load_plant(toml)
    with opened(db, plant) as store:
        take_in(store, plant, LONG_AGO)
    before = dump(db)

    def begin_and_fail(store: Store) -> None:
        store.take(batch([state(20, "down")]))
        raise RuntimeError

    with pytest.raises(RuntimeError), opened(db, plant) as store:
        begin_and_fail(store)
    assert unequal(before, dump(db)) == {}


BREAK_AT_HALF_PAST = """
[[shifts]]
calendar = "early"
name = "early"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 06:00:00
end = 14:00:00
breaks = [{ start = 08:30:00, minutes = 10 }]
"""


@pytest.mark.parametrize("microseconds", [-2, -1, 0, 1, 2])
def test_a_break_that_begins_around_the_horizon(microseconds: int, tmp_path: Path) -> None:
    toml = one_unit('calendar = "early"', BREAK_AT_HALF_PAST)
    seen = event("status", 30 + microseconds / 60_000_000, online=True)
    parts = [[state(0, "down")], [seen], [count(35, 1)], [END]]
    fill(tmp_path / "kept.duckdb", toml, parts)
    fill(tmp_path / "once.duckdb", toml, [[*chain(*parts)]])
    assert unequal(dump(tmp_path / "once.duckdb"), dump(tmp_path / "kept.duckdb")) == {}


@pytest.mark.parametrize(
    ("seed", "size"),
    [
        pytest.param(9119, 4, id="a break begins where the accounted time ends"),
        pytest.param(9174, 3, id="a ruling on time joins a span that books pieces"),
        pytest.param(9177, 8, id="a ruling on long ago beside a state from counts"),
    ],
)
def test_a_log_on_time_in_small_parts_gives_what_one_go_gives(seed: int, size: int, tmp_path: Path) -> None:
    case = random_case(seed, 90)
    events = in_time(case.events)
    fill(tmp_path / "parts.duckdb", case.plant_toml, parts_of(events, size))
    fill(tmp_path / "once.duckdb", case.plant_toml, [events])
    assert unequal(dump(tmp_path / "once.duckdb"), dump(tmp_path / "parts.duckdb")) == {}


AT_THE_HORIZON: dict[str, list[Event]] = {
    "a correction that ends": [state(0, "producing"), reclassify(15, 10, 15, state="idle")],
    "a correction that begins": [state(0, "producing"), reclassify(15, 15, 30, state="idle")],
    "a state": [state(0, "producing"), state(15, "down")],
    "an order": [state(0, "producing"), order(15, "start", "O")],
    "silence": [state(0, "producing"), {**state(15, "down"), "equipment": OTHER}],
    "a sign of life after silence": [state(0, "producing"), count(18, 1)],
}


@pytest.mark.parametrize("reopen", [False, True], ids=["kept open", "opened again"])
@pytest.mark.parametrize("also", [[], [count(15, 1)]], ids=["nothing else", "a count at that instant"])
@pytest.mark.parametrize("what", AT_THE_HORIZON)
def test_what_changes_at_the_horizon_shows_when_time_goes_on(
    what: str, also: list[Event], reopen: bool, tmp_path: Path
) -> None:
    """It has no length yet, and nothing may be lost of it until it has; the second look is at the same instant."""
    toml = one_unit('stale_after = "15m"') + f'[equipment."{OTHER}"]\nlevel = "unit"\n'
    told, end = AT_THE_HORIZON[what], EIGHT + 20 * MINUTE
    whole, parts, plant = tmp_path / "whole.duckdb", tmp_path / "parts.duckdb", load_plant(toml)
    fill(whole, toml, [[*told, *also]], until=end)
    if reopen:
        fill(parts, toml, [told])
    with opened(parts, plant) as store:
        for events in (told, also, []):
            take_in(store, plant, events)
        take_in(store, plant, [], horizon=end)
    assert unequal(dump(whole), dump(parts)) == {}
