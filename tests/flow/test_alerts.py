"""Rules at work on short timelines: what is open when, as minutes after eight o'clock on a Monday."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.engine import fill, queried
from tests.oracle.shorthand import EIGHT, LINE, MINUTE, OTHER, PLANT, UNIT, count, event, reclassify, state
from tests.random_logs import Event

Open = tuple[str, str, float, float | None]
"""Rule, last name of the equipment, fired and resolved."""

UNITS = f"""{PLANT}
[equipment."{LINE}"]
level = "line"
flow = ["{UNIT}", "{OTHER}"]
rollup = "constraint"
constraint = "{UNIT}"
targets = {{ oee = 0.8 }}
[equipment."{UNIT}"]
level = "unit"
ideal_cycle = "1s"
[equipment."{OTHER}"]
level = "unit"
[reasons.jam]
label = "Jam at infeed"
"""
DAY = """
[defaults]
calendar = "day"
[[shifts]]
calendar = "day"
name = "day"
days = ["mon"]
start = 08:10:00
end = 09:00:00
breaks = [{ start = 08:30:00, minutes = 10 }]
"""


class Timeline(NamedTuple):
    """Rules, events, and the alerts that fire until nine; `quiet` are those suppressed: rule, equipment, by what."""

    rules: str
    events: Sequence[Event]
    fired: Sequence[Open]
    quiet: Sequence[tuple[str, str, str]] = ()
    tables: str = ""


def rule(name: str, when: str, *more: str) -> str:
    return "\n".join(["[[alerts]]", f'name = "{name}"', f"when = {{ {when} }}", *more, ""])


def other(minute: float, name: str, **fields: Any) -> Event:
    return state(minute, name, equipment=OTHER, **fields)


DOWN = 'state = "down"'
UNIT_ONLY = f'equipment = "{UNIT}"'
STOP = rule("stop", DOWN, 'for = "5m"', UNIT_ONLY)
RUN = state(0, "producing")

TIMELINES = {
    "shorter than for": Timeline(STOP, [RUN, state(10, "down"), state(14, "producing")], []),
    "exactly for": Timeline(STOP, [RUN, state(10, "down"), state(15, "producing")], []),
    "longer than for": Timeline(
        STOP, [RUN, state(10, "down"), state(15.1, "producing")], [("stop", "filler", 15, 15.1)]
    ),
    "still open": Timeline(STOP, [RUN, state(50, "down")], [("stop", "filler", 55, None)]),
    "at once": Timeline(
        rule("stop", DOWN, UNIT_ONLY), [RUN, state(10, "down"), state(11, "producing")], [("stop", "filler", 10, 11)]
    ),
    "another reason does not begin anew": Timeline(
        STOP,
        [RUN, state(10, "down"), state(13, "down", reason="jam"), state(17, "producing")],
        [("stop", "filler", 15, 17)],
    ),
    "by reason": Timeline(
        rule("jam", 'reason = "jam"', UNIT_ONLY),
        [RUN, state(10, "down"), state(13, "down", reason="jam"), state(17, "producing")],
        [("jam", "filler", 13, 17)],
    ),
    "kept": Timeline(
        rule("stop", DOWN, 'for = "5m"', 'keep_for = "3m"', UNIT_ONLY),
        [RUN, state(10, "down"), state(16, "producing"), state(18, "down"), state(19, "producing")],
        [("stop", "filler", 15, 22)],
    ),
    "kept, but not long enough": Timeline(
        rule("stop", DOWN, 'keep_for = "3m"', UNIT_ONLY),
        [RUN, state(10, "down"), state(11, "producing"), state(14, "down"), state(15, "producing")],
        [("stop", "filler", 10, 14), ("stop", "filler", 14, 18)],
    ),
    "planned instead, says a correction": Timeline(
        STOP, [RUN, state(10, "down"), state(20, "producing"), reclassify(30, 9, 21, state="planned")], []
    ),
    "break": Timeline(
        STOP, [RUN, state(28, "down"), state(39, "producing")], [], [("stop", "filler", "break")], tables=DAY
    ),
    "goes on after the break": Timeline(
        STOP, [RUN, state(28, "down"), state(50, "producing")], [("stop", "filler", 45, 50)], tables=DAY
    ),
    "before the shift": Timeline(STOP, [RUN, state(1, "down"), state(9, "producing")], [], tables=DAY),
    "begins with the shift": Timeline(
        STOP, [state(1, "down"), state(20, "producing")], [("stop", "filler", 15, 20)], tables=DAY
    ),
    "grace after the start": Timeline(
        rule("stop", DOWN, UNIT_ONLY, 'grace = { shift = "5m" }'),
        [RUN, state(11, "down"), state(17, "producing")],
        [("stop", "filler", 15, 17)],
        tables=DAY,
    ),
    "grace after setup": Timeline(
        rule("stop", DOWN, UNIT_ONLY, 'grace = { setup = "5m" }'),
        [state(0, "setup"), state(10, "down"), state(12, "producing")],
        [],
        [("stop", "filler", "after setup")],
    ),
    "line down inhibits its machines": Timeline(
        rule("line", DOWN, 'level = "line"', 'for = "2m"') + rule("stop", DOWN, 'level = "unit"', 'for = "2m"'),
        [
            RUN,
            other(0, "producing"),
            state(10, "down"),
            other(11, "down"),
            state(20, "producing"),
            other(20, "producing"),
        ],
        [("line", "line", 12, 20)],
        [("stop", "filler", LINE), ("stop", "capper", LINE)],
    ),
    "less urgent does not inhibit": Timeline(
        rule("line", DOWN, 'level = "line"') + rule("stop", DOWN, UNIT_ONLY, 'severity = "critical"'),
        [RUN, state(10, "down"), state(20, "producing")],
        [("line", "line", 10, 20), ("stop", "filler", 10, 20)],
    ),
    "upstream stopped inhibits starving": Timeline(
        rule("stop", DOWN, 'level = "unit"', 'for = "2m"')
        + rule("starved", 'state = "idle"', 'for = "2m"', 'level = "unit"'),
        [
            RUN,
            other(0, "producing"),
            state(10, "down"),
            other(11, "idle"),
            state(20, "producing"),
            other(21, "producing"),
        ],
        [("stop", "filler", 12, 20)],
        [("starved", "capper", UNIT)],
    ),
    "silence": Timeline(
        rule("silent", 'silence = "10m"', UNIT_ONLY),
        [RUN, count(5, 1), count(30, 1), count(58, 1)],
        [("silent", "filler", 15, 30), ("silent", "filler", 40, 58)],
    ),
    "before its first state or count nothing is silent": Timeline(
        rule("silent", 'silence = "10m"', UNIT_ONLY),
        [event("status", 0, online=True), state(30, "producing"), count(58, 1)],
        [("silent", "filler", 40, 58)],
    ),
    "a silent line is one alert": Timeline(
        rule("silent", 'silence = "10m"'),
        [RUN, other(1, "producing"), state(40, "producing"), other(45, "producing")],
        [("silent", "acme", 10, 40), ("silent", "capper", 40, 45), ("silent", "acme", 50, None)],
        [("silent", name, "acme") for name in ("ulm", "line", "filler", "ulm", "line", "filler", "capper")],
    ),
    "measured, with hysteresis": Timeline(
        rule("low", 'kpi = "availability", window = "10m", below = 0.5, clear = 0.7', UNIT_ONLY),
        # Availability of the last ten minutes: 0.5 at 15, 0.4 at 17, 0.6 at 22, 0.7 at 23.
        [
            RUN,
            state(10, "down"),
            state(15, "producing"),
            state(16, "down"),
            state(17, "producing"),
            state(60, "producing"),
        ],
        [("low", "filler", 17, 23)],
    ),
    "below": Timeline(
        rule("low", 'kpi = "availability", window = "10m", below = 0.5, clear = 0.7', UNIT_ONLY),
        [RUN, state(10, "down"), state(16, "producing"), state(60, "producing")],
        [("low", "filler", 16, 23)],
    ),
    "below target": Timeline(
        rule("low", 'kpi = "oee", window = "10m", below_target = 0.2', 'level = "line"'),
        [RUN, *(count(minute, 60) for minute in range(20)), *(count(minute, 30) for minute in range(20, 60))],
        [("low", "line", 29, None)],
    ),
    "scrap by reason": Timeline(
        rule("dented", 'scrap = 5, reason = "dented", window = "10m"', UNIT_ONLY),
        [
            RUN,
            count(5, 0, scrap=4, reason="dented"),
            count(8, 0, scrap=9, reason="x"),
            count(9.5, 0, scrap=2, reason="dented"),
            state(60, "down"),
        ],
        [("dented", "filler", 10, 16)],
    ),
    "behind plan": Timeline(
        rule("behind", 'behind = "5m"', 'level = "line"'),
        # From 8:10 on there are to be 48 pieces a minute and are none: five minutes are lost at 8:17 (6.25 minutes).
        [RUN, state(59, "producing")],
        [("behind", "line", 17, None)],
        tables=DAY,
    ),
}


def alerts_of(db: Path) -> tuple[list[Open], list[tuple[str, str, str]]]:
    """What fired in minutes after eight, and what was suppressed."""
    rows = queried(db, "SELECT * FROM alerts WHERE state <> 'withdrawn' ORDER BY fired_at, since, equipment")

    def minutes(at: int | None) -> float | None:
        return None if at is None else (at - EIGHT) / MINUTE

    fired = [
        (row["rule"], row["equipment"].rpartition("/")[2], minutes(row["fired_at"]) or 0.0, minutes(row["resolved_at"]))
        for row in rows
        if row["fired_at"] is not None
    ]
    quiet = [
        (row["rule"], row["equipment"].rpartition("/")[2], row["suppressed_by"]) for row in rows if not row["fired_at"]
    ]
    return fired, quiet


@pytest.mark.parametrize("name", TIMELINES)
def test_what_is_raised(name: str, tmp_path: Path) -> None:
    timeline = TIMELINES[name]
    toml = UNITS + timeline.tables + timeline.rules
    until = EIGHT + 60 * MINUTE
    fill(tmp_path / "whole", toml, [timeline.events], until=until)
    fired, quiet = alerts_of(tmp_path / "whole")
    assert fired == list(timeline.fired)
    assert sorted(quiet) == sorted(timeline.quiet)


def test_each_time_something_becomes_of_an_alert_it_is_told_once(tmp_path: Path) -> None:
    parts = [
        [RUN, state(10, "down")],
        [event("status", 16, online=True)],  # fired at 15
        [event("status", 17, online=True)],
        [state(20, "producing")],
        [event("status", 21, online=True)],
        [state(12, "producing", id="late"), state(13, "down", id="later")],  # so it began at 13
        [event("retract", 30, target="later")],  # and now never did
    ]
    fill(tmp_path / "kpi", UNITS + STOP, parts)
    steps = queried(
        tmp_path / "kpi",
        "SELECT t.became, t.at, a.since FROM alert_transitions t JOIN alerts a USING (alert) ORDER BY t.transition",
    )
    told = [(row["became"], (row["at"] - EIGHT) / MINUTE, (row["since"] - EIGHT) / MINUTE) for row in steps]
    assert told == [
        ("fired", 15, 10),
        ("resolved", 20, 10),
        ("withdrawn", 21, 10),
        ("corrected", 18, 13),
        ("resolved", 20, 13),
        ("withdrawn", 30, 13),
    ]


def test_new_rules_look_at_the_past_and_tell_only_what_is_open(tmp_path: Path) -> None:
    db = tmp_path / "kpi"
    log = [RUN, state(10, "down"), state(20, "producing"), state(40, "down"), event("status", 50, online=True)]
    fill(db, UNITS, [log])
    fill(db, UNITS + STOP, [[]])
    assert alerts_of(db)[0] == [("stop", "filler", 15, 20), ("stop", "filler", 45, None)]
    assert [row["became"] for row in queried(db, "FROM alert_transitions")] == ["fired"]
    fill(db, UNITS, [[]])
    assert alerts_of(db) == ([], [])


def test_a_sign_of_life_that_comes_late_ends_a_silence_of_long_ago(tmp_path: Path) -> None:
    toml = UNITS + rule("silent", 'silence = "10m"', UNIT_ONLY)
    later = [[count(minute, 1)] for minute in (33, 40, 47)]
    fill(tmp_path / "kpi", toml, [[RUN, count(30, 1)], *later, [event("status", 15, online=True)]])
    assert alerts_of(tmp_path / "kpi")[0] == [("silent", "filler", 10, 15), ("silent", "filler", 25, 30)]


def test_the_reason_of_what_began_long_ago_is_the_last_one_that_was_not_taken_back(tmp_path: Path) -> None:
    down = [state(0, "down", reason="jam"), state(10, "down"), state(40, "down", reason="other", id="wrong")]
    parts = [*([each] for each in down), [event("status", 50, online=True)], [event("retract", 51, target="wrong")]]
    for number, reason in ((4, "other"), (5, "jam")):
        fill(tmp_path / str(number), UNITS + STOP, parts[:number])
        assert [row["reason"] for row in queried(tmp_path / str(number), "FROM alerts")] == [reason]


def test_three_within_half_an_hour_chatter(tmp_path: Path) -> None:
    log = [RUN, *(state(5 * n, "down") for n in range(1, 5)), *(state(5 * n + 1, "producing") for n in range(1, 5))]
    fill(tmp_path / "kpi", UNITS + rule("stop", DOWN, UNIT_ONLY), [log])
    found = queried(tmp_path / "kpi", "SELECT chattering FROM alerts ORDER BY since")
    assert [row["chattering"] for row in found] == [False, False, True, True]


def test_what_chatters_still_does_when_it_ends_much_later(tmp_path: Path) -> None:
    stops = [state(2, "down"), state(4, "producing"), state(6, "down"), state(8, "producing"), state(10, "down")]
    later = [[event("status", minute, online=True)] for minute in (30, 45, 55)]
    fill(tmp_path / "kpi", UNITS + rule("stop", DOWN, UNIT_ONLY), [[RUN, *stops], *later, [state(59, "producing")]])
    found = queried(tmp_path / "kpi", "SELECT chattering FROM alerts ORDER BY since")
    assert [row["chattering"] for row in found] == [False, False, True]


def test_times_in_a_text_are_local_and_reasons_have_their_labels(tmp_path: Path) -> None:
    toml = UNITS.replace('"UTC"', '"Europe/Berlin"')
    toml += rule("stop", DOWN, UNIT_ONLY, 'text = "{unit} of {line}: {reason} ({since})"')
    fill(tmp_path / "kpi", toml, [[RUN, state(10, "down", reason="jam"), state(20, "producing")]])
    assert queried(tmp_path / "kpi", "SELECT text FROM alerts") == [
        {"text": "filler of line: Jam at infeed (2026-03-02 09:10)"}
    ]


def test_the_hour_that_comes_twice(tmp_path: Path) -> None:
    toml = UNITS.replace('"UTC"', '"Europe/Berlin"') + STOP
    log = [
        {"equipment": UNIT, "type": "state", "state": name, "ts": ts}
        for ts, name in (
            ("2026-10-25T02:58:00+02:00", "down"),
            ("2026-10-25T02:02:00+01:00", "producing"),  # four minutes later
            ("2026-10-25T02:58:00+01:00", "down"),
            ("2026-10-25T03:04:00+01:00", "producing"),
            ("2026-10-25T03:05:00+01:00", "producing"),
        )
    ]
    fill(tmp_path / "kpi", toml, [log])
    found = queried(
        tmp_path / "kpi", "SELECT (epoch_us(resolved_at) - epoch_us(since)) // 60000000 AS minutes FROM alerts"
    )
    assert found == [{"minutes": 6}]
