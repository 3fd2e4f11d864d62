"""Thin wrappers around bytewax: one source, one sink, and how a run ends."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

LOCK_STEP = timedelta(0)
"""Every batch is an epoch of its own: the next one enters when the last one is committed, so that what is looked up in
the store for a batch is always everything before it."""


class Halt:
    """Why a dataflow stops before its source ends: asked to, or because of an error.

    An exception that leaves a callback would take the process with it, and its traceback would be the engine's. So
    callbacks run under `guard`: the first error is kept, everything after it is skipped, and `run` raises it.
    """

    def __init__(self) -> None:
        self.asked = False
        self.error: BaseException | None = None

    @property
    def halted(self) -> bool:
        """Whether nothing more shall enter."""
        return self.asked or self.error is not None

    def guard(self, step: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterable[Any]]:
        """A step that yields nothing once there was an error."""

        def guarded(item: Any) -> Iterable[Any]:
            if self.error is not None:
                return []
            try:
                return step(item)
            except BaseException as error:  # also Ctrl-C: it is raised again by run
                self.error = error
                return []

        return guarded


@contextmanager
def interruptible(halt: Halt) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the source, and work that can be left off; what is on its way is committed."""

    def ask(number: int, frame: FrameType | None) -> None:
        halt.asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Feed(FixedPartitionedSource[Any, None]):
    """The one source of a dataflow: the items of an iterator, one at a time.

    It has no recovery state: how far it came is committed with the results.
    """

    def __init__(self, items: Iterator[Any], halt: Halt) -> None:
        self._items = items
        self._halt = halt

    def list_parts(self) -> list[str]:
        """A single part."""
        return ["feed"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_FeedPart":
        """The part that hands out the items."""
        return _FeedPart(self._items, self._halt)


class _FeedPart(StatefulSourcePartition[Any, None]):
    def __init__(self, items: Iterator[Any], halt: Halt) -> None:
        self._pull = halt.guard(lambda _: [next(items, None)])
        self._halt = halt

    def next_batch(self) -> Iterable[Any]:
        items = [] if self._halt.halted else self._pull(None)
        if not any(item is not None for item in items):
            raise StopIteration
        return items

    def snapshot(self) -> None:
        return None


class Commit(DynamicSink[Any]):
    """The one sink: hands all items of a batch to a function, at once."""

    def __init__(self, commit: Callable[[list[Any]], None], halt: Halt) -> None:
        self._commit = halt.guard(lambda items: self._written(commit, items))

    @staticmethod
    def _written(commit: Callable[[list[Any]], None], items: list[Any]) -> list[Any]:
        commit(items)
        return []

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_CommitPart":
        """The part that commits."""
        return _CommitPart(self._commit)


class _CommitPart(StatelessSinkPartition[Any]):
    def __init__(self, commit: Callable[[Any], Iterable[Any]]) -> None:
        self._commit = commit

    def write_batch(self, items: list[Any]) -> None:
        self._commit(items)


def run(flow: Dataflow, halt: Halt) -> None:
    """Run a dataflow in this thread until its source ends or it is halted. Raises what a step raised."""
    execute: Callable[..., None] = run_main  # it comes without types
    execute(flow, epoch_interval=LOCK_STEP)
    if halt.error is not None:
        raise halt.error
