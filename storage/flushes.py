"""The record of commits: what each took in, from where, and the horizon it moved from and to."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime

import polars as pl

from kpis.work import MINUTE_US
from storage.database import instants
from storage.writer import Transaction

_SCHEMA: dict[str, pl.DataType] = {
    "flush": pl.Int32(),
    "committed_at": pl.Datetime("us", "UTC"),
    "horizon_before": pl.Int64(),
    "horizon": pl.Int64(),
    "source": pl.String(),
    **dict.fromkeys(("taken", "duplicates", "rejected", "late"), pl.Int64()),
}


@dataclass(frozen=True)
class Flush:
    """One commit, or several of one source within a minute of the horizon: live, there are many in a second.

    `plain`: nothing that was told before changed with it. Only such ones are put together, because what makes a closed
    window revised is told by the horizon before the commit.
    """

    flush: int
    committed_at: datetime
    horizon_before: int | None
    horizon: int | None
    source: str | None
    taken: int
    duplicates: int
    rejected: int
    late: int
    plain: bool

    def following(self, last: "Flush | None") -> "Flush":
        """This one put together with the last one, if they belong together."""
        if last is None or not self._continues(last):
            return self
        return replace(
            self,
            horizon_before=last.horizon_before,
            taken=self.taken + last.taken,
            duplicates=self.duplicates + last.duplicates,
            rejected=self.rejected + last.rejected,
            late=self.late + last.late,
        )

    def _continues(self, last: "Flush") -> bool:
        if not (self.plain and last.plain) or self.horizon is None or last.horizon is None:
            return False
        return self.source == last.source and self.horizon // MINUTE_US == last.horizon // MINUTE_US

    def write(self, transaction: Transaction, last: "Flush | None") -> None:
        """Record it, in the place of the last one if that is part of it."""
        if last is not None and self._continues(last):
            transaction.remove_flush(last.flush)
        row = {name: value for name, value in asdict(self).items() if name in _SCHEMA}
        transaction.insert("flushes", instants(pl.DataFrame([row], schema=_SCHEMA), "horizon_before", "horizon"))
