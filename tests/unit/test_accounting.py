"""Accounts of half an hour drawn by hand, a character a minute, each case a unit of its own in one store.

Above what is sent: a state (capital letter), a count (1), a sign of life (+), lost communication (-). Below the account
of each minute (small letter; ? unknown, a space: not accounted yet).
"""

from typing import Any, NamedTuple

import pytest

from storage.reader import Reader
from storage.selection import Selection
from tests.engine import fill, in_microseconds
from tests.oracle.shorthand import EIGHT, MINUTE, at

WIDTH = 30
STATES = {"P": "producing", "D": "STOP", "I": "idle", "S": "setup", "L": "planned", "U": "nobody knows it"}
LETTERS = {
    "producing": "p",
    "minor_stop": "m",
    "down": "d",
    "idle": "i",
    "setup": "s",
    "planned_stop": "l",
    "break": "b",
    "unscheduled": "x",
    "unknown": "?",
}
PLANT = """
[plant]
name = "Ulm"
timezone = "UTC"
[states]
STOP = "down"
[reasons.cleaning]
category = "planned"
[reasons.starved]
category = "idle"
[[shifts]]
calendar = "short"
name = "s"
days = ["mon"]
start = 08:05:00
end = 08:20:00
breaks = [{ start = 08:10:00, minutes = 5 }]
[equipment."acme/clock"]
level = "unit"
"""
MINOR = 'minor_stop_under = "3m"'
SHORT = 'calendar = "short"'
STALE = 'stale_after = "5m"'
COUNTED = 'state_from_counts = { stop_after = "4m" }'


class Drawn(NamedTuple):
    """A half hour: what the unit sends, what its line sends, what comes of it."""

    sent: str
    accounts: str
    settings: str = ""
    line: str = ""
    more: tuple[dict[str, Any], ...] = ()


def rule(minute: int, start: int, end: int, **fields: Any) -> dict[str, Any]:
    """A correction, decided at a minute."""
    return {"type": "reclassify", "ts": at(minute), "start": at(start), "end": at(end), **fields}


def state(minute: float, name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "state", "ts": at(minute), "state": name, **fields}


CASES: dict[str, Drawn] = {
    "states hold until the next": Drawn(
        "P....D....I....S....L....U....",
        "pppppdddddiiiiissssslllll?????",
    ),
    "accounted from the first own event, unknown until the first state": Drawn(
        "..1....P......................",
        "  ?????ppppppppppppppppppppppp",
    ),
    "what the line tells starts nothing": Drawn(
        ".....P........................",
        "     ppppppppppppppppppppppppp",
        line="-.............................",
    ),
    "a stop is minor under the threshold only": Drawn(
        "P....D.P......D..P............",
        "pppppmmpppppppdddppppppppppppp",
        MINOR,
    ),
    "down and idle make one stretch, setup ends it": Drawn(
        "P....D.I.P....D.S.............",
        "pppppddiippppp" + "mm" + "s" * 14,
        MINOR,
    ),
    "planned by its reason ends a stretch": Drawn(
        "P....D........................",
        "pppppmm" + "l" * 23,
        MINOR,
        more=(state(7, "STOP", reason="cleaning"),),
    ),
    "an open stop is measured up to the horizon": Drawn(
        "P...........................D.",
        "p" * 28 + "mm",
        MINOR,
    ),
    "the calendar does not cut a stretch": Drawn(
        "P.......D.......P.............",
        "pppppppp" + "dd" + "bbbbb" + "d" + "p" * 14,
        f"{MINOR}\n{SHORT}",
    ),
    "a stop out of a break is measured whole": Drawn(
        "P.............D.P.............",
        "p" * 14 + "bm" + "p" * 14,
        f"{MINOR}\n{SHORT}",
    ),
    "producing counts at any time, all else waits for the schedule": Drawn(
        "D......P....D...............P.",
        "xxxxxdd" + "ppppp" + "bbb" + "ddddd" + "xxxxxxxx" + "pp",
        SHORT,
    ),
    "unscheduled and break beat unknown": Drawn(
        "U.............................",
        "xxxxx?????bbbbb?????xxxxxxxxxx",
        SHORT,
    ),
    "silence is unknown until any own event": Drawn(
        "P........+..1.........P.......",
        "ppppp????pppppppp?????ppppp???",
        STALE,
    ),
    "what the line says breaks no silence": Drawn(
        "P.............................",
        "ppppp" + "?" * 25,
        STALE,
        line="...+...+......................",
    ),
    "lost communication is unknown until the next state": Drawn(
        "P....-....+....I..............",
        "ppppp??????????iiiiiiiiiiiiiii",
    ),
    "lost communication of the line": Drawn(
        "P.......1..D..................",
        "ppppp??????ddddddddddddddddddd",
        line=".....-...+....................",
    ),
    "a correction": Drawn(
        "P.........D...................",
        "pppppllllllllll" + "d" * 15,
        more=(rule(25, 5, 15, state="planned"),),
    ),
    "of two corrections the later decision": Drawn(
        "D.............................",
        "dddddssssslllllsssssdddddddddd",
        more=(rule(26, 10, 15, state="planned"), rule(25, 5, 20, state="setup")),
    ),
    "of two decided at once the greater id": Drawn(
        "D.............................",
        "dddddssssslllllsssssdddddddddd",
        more=(rule(25, 10, 15, state="planned", id="b"), rule(25, 5, 20, state="setup", id="a")),
    ),
    "a reason alone keeps the state": Drawn(
        "D....P........................",
        "dddii" + "p" * 25,
        more=(rule(25, 3, 10, reason="starved"),),
    ),
    "a correction of silence": Drawn(
        "P.............................",
        "ppppp?????sssss???????????????",
        STALE,
        more=(rule(25, 10, 15, state="setup"),),
    ),
    "a correction makes two short stops of a long one": Drawn(
        "P....D....P...................",
        "pppppmmpmmpppppppppppppppppppp",
        MINOR,
        more=(rule(25, 7, 8, state="producing"),),
    ),
    "an early correction does not begin the accounting": Drawn(
        "..........D...................",
        "          dddddddddddddddddddd",
        more=(rule(1, 0, 5, state="setup"),),
    ),
    "a correction up to the future holds up to the horizon": Drawn(
        "D.............................",
        "d" * 20 + "s" * 10,
        more=(rule(25, 20, 90, state="setup"),),
    ),
    "a reason may name the category": Drawn(
        "P.............................",
        "pppppiiiii" + "p" * 20,
        more=(state(5, "STOP", reason="starved"), state(10, "producing", reason="starved")),
    ),
    "a state of the same instant: the greater id holds": Drawn(
        "P.............................",
        "ppppp" + "i" * 25,
        more=(state(5, "idle", id="b"), state(5, "setup", id="a")),
    ),
    "what was retracted was never sent": Drawn(
        "P.............................",
        "p" * 30,
        more=(state(5, "STOP", id="x"), {"type": "retract", "ts": at(2), "target": "x"}),
    ),
    "a retract cannot be retracted": Drawn(
        "P.............................",
        "p" * 30,
        more=(
            state(5, "STOP", id="x"),
            {"type": "retract", "ts": at(6), "target": "x", "id": "y"},
            {"type": "retract", "ts": at(7), "target": "y"},
        ),
    ),
    "counts alone make the state": Drawn(
        "1..1......1...................",
        "pppppppdddpppp" + "d" * 16,
        COUNTED,
    ),
    "a count between states": Drawn(
        "1.....S........1....I.........",
        "ppppddsssssssss" + "ppppd" + "i" * 10,
        COUNTED,
    ),
    "a count ends lost communication": Drawn(
        "1.-......1..-................1",
        "pp???????ppp" + "?" * 17 + "p",
        COUNTED,
    ),
    "inferred stops are minor too": Drawn(
        "1.....1........1..............",
        "ppppmmppppdddddpppp" + "d" * 11,
        f"{COUNTED}\n{MINOR}",
    ),
}


def drawn_events(drawing: str, equipment: str) -> list[dict[str, Any]]:
    """The events that a drawing stands for."""
    kinds: dict[str, dict[str, Any]] = {
        "1": {"type": "count", "good": 1},
        "+": {"type": "status", "online": True},
        "-": {"type": "status", "online": False},
        **{letter: {"type": "state", "state": name} for letter, name in STATES.items()},
    }
    return [
        {"id": f"{minute}{letter}", "equipment": equipment, "ts": at(minute), **kinds[letter]}
        for minute, letter in enumerate(drawing)
        if letter != "."
    ]


def log_of(number: int, case: Drawn) -> list[dict[str, Any]]:
    """All events of a case, on a line of its own."""
    line, unit = f"acme/line-{number}", f"acme/line-{number}/unit"
    more = [{"id": f"more-{n}", "equipment": unit} | event for n, event in enumerate(case.more)]
    return drawn_events(case.sent, unit) + drawn_events(case.line, line) + more


@pytest.fixture(scope="module", params=["in time", "backwards", "in four parts"])
def drawings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The accounts of every case as the engine draws them."""
    toml = PLANT
    log = [{"id": "end", "equipment": "acme/clock", "ts": at(WIDTH), "type": "status", "online": True}]
    for number, case in enumerate(CASES.values()):
        toml += f'[equipment."acme/line-{number}/unit"]\nlevel = "unit"\n{case.settings}\n'
        log += log_of(number, case)
    log.sort(key=lambda event: str(event["ts"]), reverse=request.param != "in time")
    parts = [log[n::4] for n in range(4)] if request.param == "in four parts" else [log]
    db = tmp_path_factory.mktemp("drawn") / "kpi.duckdb"
    fill(db, toml, parts)
    drawn = dict.fromkeys(CASES, "")
    names = {f"acme/line-{number}/unit": name for number, name in enumerate(CASES)}
    with Reader(db) as reader:
        rows = in_microseconds(reader.timeline(Selection()))
    for row in rows:
        name = names[row["equipment"]]
        (start, odd), (end, rest) = divmod(row["start"] - EIGHT, MINUTE), divmod(row["end"] - EIGHT, MINUTE)
        assert (odd, rest) == (0, 0)
        drawn[name] = drawn[name].ljust(start) + LETTERS[row["account"]] * (end - start)
    return drawn


@pytest.mark.parametrize("name", CASES)
def test_accounts(name: str, drawings: dict[str, str]) -> None:
    case = CASES[name]
    assert len(case.sent) == len(case.accounts) == WIDTH, "the drawing itself is wrong"
    assert f"{case.sent}\n{drawings[name]}" == f"{case.sent}\n{case.accounts}"
