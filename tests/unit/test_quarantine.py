"""Messages that the dataflow cannot take: found by halving, put aside, and all others go through."""

from dataclasses import dataclass, field

import pytest

from pipelines.quarantine import MOST_IN_A_ROW, Quarantine

LAST, USUAL, TRIES = 1_000, 64, 2_000


@dataclass
class Flow:
    """Messages 1 to LAST through batches that fail when one of `bad` is in them."""

    bad: set[int]
    taken: list[int] = field(default_factory=list)
    aside: list[int] = field(default_factory=list)
    tries: int = 0

    def run(self, quarantine: Quarantine) -> None:
        position, worth = 0, True
        while position < LAST and (worth or self.tries < TRIES):
            self.tries += 1
            quarantine.trying(0, 0)
            messages = list(range(position + 1, min(position + quarantine.most, LAST) + 1))
            quarantine.trying(messages[-1], len(messages))
            aside = quarantine.reason() is not None
            if self.bad & set(messages) and not aside:
                worth = quarantine.failed(position, "why")
                continue
            (self.aside if aside else self.taken).extend(messages)
            quarantine.passed()
            position = messages[-1]


@pytest.mark.parametrize(
    "bad",
    [set(), {1}, {LAST}, {500}, {63, 64, 65}, {1, 200, 201, 900}, set(range(10, LAST, 20))],
    ids=["none", "the first", "the last", "one", "three in a row", "several", "one in twenty"],
)
def test_those_that_fail_are_put_aside_and_no_others(bad: set[int]) -> None:
    flow, quarantine = Flow(bad), Quarantine(USUAL)
    flow.run(quarantine)
    assert flow.aside == sorted(bad)
    assert flow.taken == [n for n in range(1, LAST + 1) if n not in bad]


def test_when_all_fail_it_is_not_for_the_messages() -> None:
    flow, quarantine = Flow(set(range(100, LAST + 1))), Quarantine(USUAL)
    flow.run(quarantine)
    assert flow.taken == list(range(1, 100))
    assert flow.aside == list(range(100, 100 + MOST_IN_A_ROW))
    assert flow.tries == TRIES, "it goes on trying, in case it passes"


def test_what_fails_once_is_tried_as_it_is() -> None:
    quarantine = Quarantine(USUAL)
    quarantine.trying(64, 64)
    assert not quarantine.failed(0, "why")
    assert quarantine.most == USUAL


def test_what_fails_without_messages_is_not_for_them() -> None:
    quarantine = Quarantine(USUAL)
    for _ in range(9):
        quarantine.trying(0, 0)
        assert not quarantine.failed(7, "why")
    assert quarantine.most == USUAL


def test_one_put_aside_that_fails_all_the_same_stays_where_it_is() -> None:
    quarantine = Quarantine(1)
    worth = []
    for _ in range(5):
        quarantine.trying(8, 1)
        worth.append(quarantine.failed(7, "why"))
    assert worth == [False, True, False, False, False]
    assert quarantine.reason() == "why"


def test_batches_grow_again_when_it_is_found() -> None:
    quarantine = Quarantine(USUAL)
    Flow({2}).run(quarantine)
    assert quarantine.most == USUAL
