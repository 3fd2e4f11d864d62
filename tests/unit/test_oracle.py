"""The oracle's timeline against accounts worked out by hand: who checks the checker."""

from typing import Any

import pytest

from tests.oracle import compute
from tests.oracle.events import parse_time
from tests.oracle.shorthand import (
    EIGHT,
    END,
    LINE,
    MINUTE,
    NIGHT,
    UNIT,
    at,
    count,
    event,
    one_unit,
    order,
    reading,
    reclassify,
    rows,
    spans,
    state,
)

BEFORE_MINOR = state(0, "producing")
TIMELINES: dict[str, tuple[str, list[dict[str, Any]], list[tuple[float, float, str]]]] = {
    "before the first state it is unknown": (
        "",
        [count(0, 1), state(10, "idle"), END],
        [(0, 10, "unknown"), (10, 60, "idle")],
    ),
    "an order alone starts nothing": (
        "",
        [order(0, "start", "O"), state(10, "down"), END],
        [(10, 60, "down")],
    ),
    "of a tie the larger id holds, in UTF-8 order": (
        "",
        [state(0, "idle", id="\U0001f600"), state(0, "down", id="\uff5e"), END],
        [(0, 60, "idle")],
    ),
    "a stop under the threshold is minor": (
        'minor_stop_under = "2m"',
        [BEFORE_MINOR, state(10, "down"), state(12 - 1 / MINUTE, "producing"), END],
        [(0, 10, "producing"), (10, 12 - 1 / MINUTE, "minor_stop"), (12 - 1 / MINUTE, 60, "producing")],
    ),
    "a stop at the threshold is not": (
        'minor_stop_under = "2m"',
        [BEFORE_MINOR, state(10, "down"), state(12, "producing"), END],
        [(0, 10, "producing"), (10, 12, "down"), (12, 60, "producing")],
    ),
    "down and idle make one stretch": (
        'minor_stop_under = "2m"',
        [BEFORE_MINOR, state(10, "down"), state(11, "idle"), state(12.5, "setup"), END],
        [(0, 10, "producing"), (10, 11, "down"), (11, 12.5, "idle"), (12.5, 60, "setup")],
    ),
    "an open stretch is measured to the horizon": (
        'minor_stop_under = "2m"',
        [BEFORE_MINOR, state(59, "down"), END],
        [(0, 59, "producing"), (59, 60, "minor_stop")],
    ),
    "silence starts after the limit and ends with any own event": (
        'stale_after = "10m"',
        [state(0, "producing"), event("status", 10, online=True), order(25, "end", "O"), END],
        [(0, 20, "producing"), (20, 25, "unknown"), (25, 35, "producing"), (35, 60, "unknown")],
    ),
    "corrections do not break the silence": (
        'stale_after = "10m"',
        [state(0, "producing"), reclassify(40, 30, 35, state="setup"), END],
        [(0, 10, "producing"), (10, 30, "unknown"), (30, 35, "setup"), (35, 60, "unknown")],
    ),
    "a lost connection is unknown until the next state": (
        "",
        [state(0, "producing"), event("status", 10, online=False), event("status", 20, online=True), state(30, "idle")],
        [(0, 10, "producing"), (10, 30, "unknown")],
    ),
    "a lost connection of the line counts for the unit": (
        "",
        [state(0, "producing"), event("status", 10, online=False, equipment=LINE), count(20, 1), END],
        [(0, 10, "producing"), (10, 60, "unknown")],
    ),
    "on a full tie the ancestor comes first": (
        "",
        [event("status", 0, online=False, equipment=LINE, id="x"), state(0, "idle", id="x"), END],
        [(0, 60, "idle")],
    ),
    "of overlapping corrections the one decided last wins, whatever the order of arrival": (
        "",
        [state(0, "down"), reclassify(50, 20, 30, state="setup"), reclassify(40, 10, 40, state="planned"), END],
        [(0, 10, "down"), (10, 20, "planned_stop"), (20, 30, "setup"), (30, 40, "planned_stop"), (40, 60, "down")],
    ),
    "the winning reason alone keeps the state below, not that of a loser": (
        "",
        [state(0, "down"), reclassify(40, 10, 40, state="planned"), reclassify(50, 20, 30, reason="r"), END],
        [(0, 10, "down"), (10, 20, "planned_stop"), (20, 30, "down"), (30, 40, "planned_stop"), (40, 60, "down")],
    ),
    "a reason moves any state but producing": (
        "",
        [
            state(0, "producing", reason="cleaning"),
            state(10, "down", reason="cleaning"),
            state(20, "gibberish", reason="cleaning"),
            state(30, "idle", reason="never-heard-of"),
            END,
        ],
        [(0, 10, "producing"), (10, 30, "planned_stop"), (30, 60, "idle")],
    ),
    "a reason given to silence": (
        'stale_after = "10m"',
        [state(0, "producing"), reclassify(50, 5, 30, reason="cleaning"), END],
        [(0, 10, "producing"), (10, 30, "planned_stop"), (30, 60, "unknown")],
    ),
    "counts make the state": (
        'state_from_counts = { stop_after = "5m" }',
        [count(0, 1), count(5, 1), count(7, 0), count(20, 1), state(22, "setup"), END],
        [(0, 10, "producing"), (10, 20, "down"), (20, 22, "producing"), (22, 60, "setup")],
    ),
    "counts make the state, by the cycle of the product": (
        'ideal_cycle = "1m"\nstate_from_counts = { stop_after = "5x" }',
        [count(0, 1), count(20, 1, product="P"), END],
        [(0, 5, "producing"), (5, 20, "down"), (20, 30, "producing"), (30, 60, "down")],
    ),
    "no cycle, no inferred stop": (
        'state_from_counts = { stop_after = "5x" }',
        [count(0, 1), END],
        [(0, 60, "producing")],
    ),
    "no stop is inferred while the connection is lost": (
        'state_from_counts = { stop_after = "5m" }',
        [count(0, 1), event("status", 2, online=False), count(20, 1), END],
        [(0, 2, "producing"), (2, 20, "unknown"), (20, 25, "producing"), (25, 60, "down")],
    ),
    "a retract that arrives before its target": (
        "",
        [event("retract", 50, target="state10"), state(0, "producing"), state(10, "down"), END],
        [(0, 60, "producing")],
    ),
    "a retract cannot be retracted": (
        "",
        [
            state(0, "producing"),
            state(10, "down"),
            event("retract", 20, target="state10", id="r"),
            event("retract", 30, target="r"),
            END,
        ],
        [(0, 60, "producing")],
    ),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_accounts(name: str) -> None:
    settings, events, expected = TIMELINES[name]
    tables = '[reasons.cleaning]\ncategory = "planned"\n[products.P.ideal_cycle]\n"acme/ulm" = "2m"'
    assert spans(compute(one_unit(settings, tables), events)) == expected


def test_only_its_own_change_cuts_the_timeline() -> None:
    log = [state(0, "down"), state(1, "down"), state(2, "down", reason="r"), count(3, 1), END]
    cuts = [(row["start"] - EIGHT, row["reason"]) for row in compute(one_unit(tables=NIGHT), log).timeline()]
    assert cuts == [(0, None), (2 * MINUTE, "r")]


COUNTERS: dict[str, tuple[list[dict[str, Any]], int]] = {
    "the first reading is the baseline": ([reading(0, 500)], 0),
    "rising": ([reading(0, 500), reading(1, 510), reading(2, 510), reading(3, 517)], 17),
    "a smaller one is a reset": ([reading(0, 500), reading(1, 8)], 8),
    "or a rollover": ([reading(0, 990), reading(1, 8, rollover=1000)], 18),
    "a rollover is not needed to rise": ([reading(0, 8), reading(1, 9, rollover=1000)], 1),
    "a retracted reading was never sent": (
        [reading(0, 10), reading(1, 3), reading(2, 12), event("retract", 9, target="counter1")],
        2,
    ),
    "each quality has its own": ([reading(0, 5), reading(1, 100, quality="scrap"), reading(2, 9)], 4),
}


@pytest.mark.parametrize("name", COUNTERS)
def test_counters(name: str) -> None:
    log, pieces = COUNTERS[name]
    assert sum(row["good"] for row in rows(compute(one_unit(), [*log, END]), "hour")) == pieces


def test_until() -> None:
    log = [
        state(0, "producing"),
        state(30, "down"),
        state(20, "idle", id="wrong"),
        event("retract", 50, target="wrong"),
        reclassify(55, 10, 15, state="setup"),
        reclassify(5, 30, 35, state="setup"),
        count(30, 1),
    ]
    result = compute(one_unit(), log, until=at(30))
    assert result.horizon_us == EIGHT + 30 * MINUTE
    assert spans(result) == [(0, 10, "producing"), (10, 15, "setup"), (15, 30, "producing")]
    assert sum(row["good"] for row in rows(result, "hour")) == 0
    assert spans(compute(one_unit(), log, until=at(90)))[-1] == (35, 90, "down")


def test_the_horizon_is_the_greatest_time_ever_taken_in() -> None:
    log = [state(0, "down"), state(40, "idle"), event("retract", 1, target="state40")]
    unknown = state(50, "idle", equipment="acme/elsewhere")
    assert spans(compute(one_unit(), [*log, unknown])) == [(0, 40, "down")]


def test_duplicates_and_rejected_events() -> None:
    first = count(0, 5)
    same = first | {"ts": EIGHT // 1000, "scrap": 0}
    other = first | {"good": 6}
    nameless = {key: value for key, value in count(1, 7).items() if key != "id"}
    unusable = [
        (first | {"equipment": "acme/other"}, "unknown_equipment"),
        (first | {"ts": "2026-03-02T08:00:00"}, "naive_time"),
        (first | {"ts": "2026-03-02"}, "bad_time"),
        (first | {"ts": "2026-03-02T08:00:60Z"}, "bad_time"),
        (first | {"ts": "2200-01-01T00:00:00.000001Z"}, "out_of_range"),
        (first | {"good": True}, "wrong_type"),
        (first | {"type": "gossip"}, "unknown_type"),
        ({"ts": 0, "equipment": UNIT}, "missing_field"),
        (state(0, ""), "missing_field"),
        (reclassify(0, 5, 5, state="idle"), "empty_interval"),
        (reading(0, 1, quality="shiny"), "unknown_quality"),
        (order(0, "pause", "O"), "unknown_action"),
    ]
    log = [first, same, other, nameless, nameless, *(sent for sent, _ in unusable)]
    result = compute(one_unit(), log)
    assert result.rejected() == [(other, "id_reused"), *unusable]
    assert result.duplicates() == 2
    assert sum(row["good"] for row in rows(result, "hour")) == 12


def test_digits_beyond_microseconds_are_cut() -> None:
    assert parse_time("2026-03-02T09:00:00.0000019+01:00") == EIGHT + 1
