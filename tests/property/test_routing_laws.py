"""Laws of routing, whatever alerts, people and clocks do."""

from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.routing import ESCALATED, FIRED, RESOLVED
from tests.on_duty import PLANT, ROUTE, STAFF, Timeline, local

MINUTE = 60_000_000
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fire", "resolve", "acknowledge", "shelve", "move", "sleep"]),
        st.integers(0, 5),
        st.integers(1, 400),
    ),
    max_size=30,
)


def played(steps: list[tuple[str, int, int]], more: str = "") -> Timeline:
    line = Timeline(PLANT + STAFF + ROUTE + more, local(9, "20:00"))
    for what, number, minutes in steps:
        name = f"alert {number}"
        known = name in line.cases
        if what == "fire" and not known:
            line.fire(name, unit=("filler", "capper")[number % 2])
        elif what == "resolve" and known and line.cases[name].open:
            line.resolve(name)
        elif what == "acknowledge" and known:
            line.change(name, acknowledged_by="Anna")
        elif what == "shelve" and known:
            line.change(name, shelved_until=line.now + minutes * MINUTE)
        elif what == "move":
            line.move(line.now + minutes * MINUTE)
        elif what == "sleep":
            line.sleep(line.now + minutes * MINUTE)
    return line


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_everybody_who_must_hear_does_once_and_in_order(steps: list[tuple[str, int, int]]) -> None:
    line = played(steps)
    line.move(line.now + 24 * 60 * MINUTE)
    for case in line.cases.values():
        calls = [told for told in case.told if told.kind in (FIRED, ESCALATED)]
        assert calls, "an alert that fired is told"
        assert case.told[0].kind == FIRED
        levels = sorted({told.level: told.at for told in calls}.items())
        assert [level for level, _ in levels] == list(range(len(levels)))
        for (_, earlier), (level, later) in pairwise(levels):
            assert later - earlier >= (10, 20)[level - 1] * MINUTE
        ends = Counter(told.recipient for told in case.told if told.kind == RESOLVED)
        assert set(ends.values()) <= {1}
        if not case.open:
            assert set(ends) == set(case.recipients)
        elif case.acknowledged_by is None:
            assert len(levels) == 3


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_messages_have_ids_of_their_own_and_always_the_same(steps: list[tuple[str, int, int]]) -> None:
    ids = [message.message for message in played(steps).messages]
    assert len(set(ids)) == len(ids)
    assert [message.message for message in played(steps).messages] == ids


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_nobody_gets_more_in_an_hour_than_he_may(steps: list[tuple[str, int, int]]) -> None:
    line = played(steps, "[notifications]\nper_hour = 1")
    times: dict[str | None, list[int]] = {}
    for message in line.messages:
        times.setdefault(message.recipient, []).append(message.at)
    for each in times.values():
        assert all(sum(0 <= other - at < 60 * MINUTE for other in each) <= 1 + 6 for at in each)
