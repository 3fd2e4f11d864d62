"""The dataflow, from top to bottom: take, account, commit (see docs/adr/0004-frames-in-lock-step.md).

Its step names are frozen: they name what happens in logs and metrics.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import bytewax.operators as op
from bytewax.dataflow import Dataflow

from kpis.plant import Plant
from kpis.work import Accounts, Work
from pipelines.operators import Commit, Feed, Halt
from pipelines.shards import Accountants, join, split
from storage.batches import Batch, Outcome, Pending
from storage.store import Store


class Part(NamedTuple):
    """Some shards of a batch on its way; the last step puts the `of` parts together again."""

    pending: Pending
    of: int
    work: Work | None


class Done(NamedTuple):
    """A part with its accounts."""

    part: Part
    accounts: Accounts | None


def dataflow(
    batches: Iterator[Batch],
    store: Store,
    plant: Plant,
    accountants: Accountants,
    workers: int,
    committed: Callable[[Pending, Outcome], None],
    halt: Halt,
) -> Dataflow:
    """Batches in, commits out; `committed` hears of each one, before it is durable (see Store.settle)."""

    def take(batch: Batch) -> Iterable[Part]:
        pending = store.take(batch)
        if pending.work is None:
            return [Part(pending, 1, None)]
        works = split(pending.work, plant, workers)
        return [Part(pending, len(works), work) for work in works]

    def account(parts: list[Part]) -> Iterable[Done]:
        works = [part.work for part in parts if part.work is not None]
        made = iter(accountants(works))
        return [Done(part, next(made) if part.work is not None else None) for part in parts]

    waiting: list[Done] = []

    def commit(items: list[Done]) -> None:
        waiting.extend(items)
        if len(waiting) < waiting[0].part.of:
            return
        pending = waiting[0].part.pending
        accounts = [done.accounts for done in waiting if done.accounts is not None]
        waiting.clear()
        outcome = store.commit(pending, join(accounts) if accounts else None)
        committed(pending, outcome)

    flow = Dataflow("oeeflow")
    feed = op.input("batches", flow, Feed(batches, halt))
    taken = op.flat_map("take", feed, halt.guard(take))
    accounted = op.flat_map_batch("account", taken, halt.guard(account))
    op.output("commit", accounted, Commit(commit, halt))
    return flow
