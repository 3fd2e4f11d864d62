"""A value that is kept new while somebody asks: who waits, who does not, and when it ends."""

from collections.abc import Callable, Iterator
from threading import Condition

import pytest

from dashboards.latest import Latest
from kpis.errors import StorageError

_PATIENCE_S = 20
_SOON_S = 0.01
_NEVER_S = 3600.0


class Loads:
    """Counts up from 1 at every load; can be awaited, and told to fail."""

    def __init__(self) -> None:
        self.number = 0
        self.fails = False
        self._changed = Condition()

    def __call__(self, before: int | None) -> int:
        with self._changed:
            assert before == (self.number or None), "it is given the value before"
            if self.fails:
                msg = "gone"
                raise StorageError(msg)
            self.number += 1
            self._changed.notify_all()
            return self.number

    def reached(self, number: int) -> None:
        """Wait until it was loaded so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.number >= number, _PATIENCE_S), f"loaded {self.number} times"


@pytest.fixture
def latest() -> Iterator[Callable[[Loads, float, float], Latest[int]]]:
    """Makes values that are given up in the end."""
    made: list[Latest[int]] = []

    def make(load: Loads, every_s: float, idle_s: float) -> Latest[int]:
        made.append(Latest(load, every_s, idle_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_it_is_loaded_for_who_asks_first_and_then_by_itself(latest: Callable[..., Latest[int]]) -> None:
    load = Loads()
    value = latest(load, _SOON_S, _NEVER_S)
    assert load.number == 0, "nobody asked"
    assert value.get() >= 1
    load.reached(5)
    assert value.get() >= 4, "the one of a moment ago, without a load of its own"


def test_nobody_waits_between_two_loads(latest: Callable[..., Latest[int]]) -> None:
    load = Loads()
    value = latest(load, _NEVER_S, _NEVER_S)
    assert [value.get() for _ in range(3)] == [1, 1, 1]


def test_it_is_let_be_when_nobody_asks(latest: Callable[..., Latest[int]]) -> None:
    load = Loads()
    value = latest(load, _SOON_S, 0)
    assert value.get() == 1
    keeper = value._keeper
    assert keeper is not None
    keeper.join(_PATIENCE_S)
    assert not keeper.is_alive()
    assert load.number == 1
    assert value.get() == 2, "who comes back waits for a new one"


def test_who_asks_after_forget_waits_for_a_new_one(latest: Callable[..., Latest[int]]) -> None:
    value = latest(Loads(), _NEVER_S, _NEVER_S)
    assert value.get() == 1
    value.forget()
    assert (value.get(), value.get()) == (2, 2)


def test_a_failure_is_told_to_who_asks_next(latest: Callable[..., Latest[int]]) -> None:
    load = Loads()
    value = latest(load, _SOON_S, _NEVER_S)
    value.get()
    load.fails = True
    keeper = value._keeper
    assert keeper is not None
    keeper.join(_PATIENCE_S)
    with pytest.raises(StorageError, match="gone"):
        value.get()
    load.fails = False
    assert value.get() == load.number
