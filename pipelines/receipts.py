"""What became of single messages, told to whoever waits for it once it is durable."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import polars as pl

from storage.batches import Pending

TAKEN: Final = "taken"
DUPLICATE: Final = "duplicate"
REJECTED: Final = "rejected"


@dataclass(frozen=True)
class Verdict:
    """What became of an event, the one with this index in its message; `reason` and `detail` if it was rejected."""

    index: int
    outcome: str
    reason: str | None = None
    detail: str | None = None


Tell = Callable[[list[Verdict]], None]


class Receipts:
    """Who waits for which message of the journal, by its offset.

    `decide` when its batch is committed, `release` when that is durable; `forget` takes back what was decided but never
    became durable.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, Tell] = {}
        self._decided: dict[int, list[Verdict]] = {}

    def expect(self, offset: int, tell: Tell) -> None:
        """Have `tell` called once with the verdicts on the events of a message."""
        with self._lock:
            self._waiting[offset] = tell

    def cancel(self, offset: int) -> None:
        """Wait no longer."""
        with self._lock:
            self._waiting.pop(offset, None)

    def decide(self, pending: Pending, origin: pl.DataFrame, last: int) -> None:
        """Note what became of every event of the messages up to offset `last` that somebody waits for."""
        with self._lock:
            asked = [offset for offset in self._waiting if offset <= last and offset not in self._decided]
        if not asked:
            return
        verdicts: dict[int, list[Verdict]] = {offset: [] for offset in asked}
        for offset, *verdict in _judged(pending, origin.filter(pl.col("offset").is_in(asked))).iter_rows():
            verdicts[offset].append(Verdict(*verdict))
        self._decided.update(verdicts)

    def release(self) -> None:
        """Tell what was decided."""
        for offset, verdicts in self._decided.items():
            with self._lock:
                tell = self._waiting.pop(offset, None)
            if tell is not None:
                tell(verdicts)
        self._decided.clear()

    def forget(self) -> None:
        """What was decided did not become durable: it will be decided anew."""
        self._decided.clear()


def _judged(pending: Pending, origin: pl.DataFrame) -> pl.DataFrame:
    """Events by the `offset` of their message and their `index` in it; what is neither new nor rejected is repeated."""
    new = pending.admitted.new.select("line", taken=pl.lit(value=True))
    rejected = pending.rejected.select("line", "reason", "detail").unique("line", keep="first")
    return (
        origin.join(new, on="line", how="left")
        .join(rejected, on="line", how="left")
        .sort("offset", "index")
        .select(
            "offset",
            "index",
            pl.when("taken")
            .then(pl.lit(TAKEN))
            .when(pl.col("reason").is_not_null())
            .then(pl.lit(REJECTED))
            .otherwise(pl.lit(DUPLICATE))
            .alias("outcome"),
            "reason",
            "detail",
        )
    )
