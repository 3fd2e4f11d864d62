"""The command `oeeflow` with a fault: `python -m tests.poisoned ...` fails on every batch with a poisonous event."""

from unittest.mock import patch

from pipelines.cli import main
from storage.batches import Batch, Pending
from storage.store import Store

POISON = "poison"

_take = Store.take


def take(store: Store, batch: Batch) -> Pending:
    if batch.events["id"].str.starts_with(POISON).any():
        msg = "the accounting is out of its depth"
        raise RuntimeError(msg)
    return _take(store, batch)


if __name__ == "__main__":
    with patch.object(Store, "take", take):
        main()
