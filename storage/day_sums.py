"""Sums by production day: what makes the figures of a year cheap to ask for.

A day that is long over is summed once. The commit of a late change to it forgets its sums, in one transaction with the
change, so the views over sums and rows together (`VIEWS`) are at any time what the rows alone would give.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

import polars as pl

from storage.database import Connection
from storage.writer import SUMS, Transaction

_EPOCH: Final = date(1970, 1, 1)
_DAY_US: Final = 86_400_000_000
_BEFORE: Final = 3
"""days from the one of an instant back to its production day: a shift may end two dates after its own, and a local date
is at most one off that in UTC."""
_AFTER: Final = 1
"""days on to it"""
_OVER: Final = 5
"""days from one that is summed to that of the horizon: nothing on time changes it, and no interval in it is open."""

_KEYS: Final = 'equipment, product, "order", shift, production_date'
_TIME: Final = f"{_KEYS}, account, reason, schedule"
_PIECES: Final = f"{_KEYS}, quality, reason"
_IN_ROWS: Final = f"""(
    SELECT DISTINCT d.production_date
    FROM production_days d CROSS JOIN horizons p CROSS JOIN (SELECT min(accounted_from) AS first FROM equipment)
    ANTI JOIN summed_days t ON t.production_date = d.production_date
    WHERE d.production_date - DATE '1970-01-01'
        BETWEEN epoch_us(first) // {_DAY_US} - {_BEFORE} AND epoch_us(p.horizon) // {_DAY_US} + {_AFTER}
)"""
"""The days that may have rows and are not summed, few and close together as a rule: joined with a table, they make that
what is of other days is passed over and not read."""
_BEGUN: Final = "lag(account) OVER (PARTITION BY equipment ORDER BY s) IS DISTINCT FROM account AS begun"

VIEWS: Final = {
    "time_by_day": f"""
        SELECT {_TIME}, e - s AS us FROM intervals_now SEMI JOIN {_IN_ROWS} d USING (production_date)
        UNION ALL SELECT {_TIME}, us FROM summed_time
    """,
    "begun_by_day": f"""
        SELECT {_TIME}, 1 AS begun FROM (
            SELECT *, {_BEGUN} FROM intervals_now SEMI JOIN (
                SELECT production_date FROM {_IN_ROWS} UNION SELECT production_date - 1 FROM {_IN_ROWS}
            ) d USING (production_date)
        ) SEMI JOIN {_IN_ROWS} d USING (production_date) WHERE begun
        UNION ALL SELECT {_TIME}, begun FROM summed_time WHERE begun > 0
    """,
    "pieces_by_day": f"""
        SELECT {_PIECES}, pieces, ideal_us, no_ideal, window_start
        FROM count_elements SEMI JOIN {_IN_ROWS} d USING (production_date)
        UNION ALL SELECT {_PIECES}, pieces, ideal_us, no_ideal, window_start FROM summed_pieces
    """,
}
MEANINGS: Final = {
    "time_by_day": "Time of equipment by production day, shift, product, order, account and reason; additive.",
    "begun_by_day": "How often an account began after another one, by the same; additive.",
    "pieces_by_day": "Pieces by production day, shift, product, order, quality and reason; additive.",
}


@dataclass(frozen=True)
class SummedDays:
    """The production days whose sums are in the store, as days since 1970."""

    days: frozenset[int] = frozenset()
    newest: int = -1

    @classmethod
    def load(cls, con: Connection) -> Self:
        """What is in the store."""
        rows = con.execute("SELECT production_date - DATE '1970-01-01' FROM summed_days").fetchall()
        return cls._of(day for (day,) in rows)

    @classmethod
    def _of(cls, days: Iterable[int]) -> Self:
        known = frozenset(days)
        return cls(known, max(known, default=-1))

    def changed(self, days: pl.Series) -> frozenset[int]:
        """The summed days of which something is not true any more when rows of these production days changed.

        What begins a day is known by what the day before it ended with.
        """
        earliest = days.min()
        if not isinstance(earliest, date) or (earliest - _EPOCH).days > self.newest:
            return frozenset()
        numbers = days.unique().to_physical()
        return self.days.intersection(numbers) | self.days.intersection(numbers + 1)

    def without(self, transaction: Transaction, days: Collection[int]) -> Self:
        """Forget the sums of some days."""
        if not days:
            return self
        for table in SUMS:
            transaction.execute(f'DELETE FROM "{table}" WHERE production_date IN ({_listed(days)})')
        return self._of(self.days.difference(days))

    def due(self, first: int, horizon: int) -> list[int]:
        """The days from that of the instant `first` (µs) on that are over and not summed, the newest first."""
        days = range(horizon // _DAY_US - _OVER, first // _DAY_US - _BEFORE - 1, -1)
        return [day for day in days if day not in self.days]

    def extended(self, transaction: Transaction, days: Collection[int]) -> Self:
        """Sum some days that are due."""
        wanted, near = _listed(days), _listed({day - n for day in days for n in (0, 1)})
        for table, rows in {
            "summed_time": f"""
                SELECT {_TIME}, sum(e - s)::BIGINT AS us, count(*) FILTER (begun) AS begun
                FROM (SELECT *, {_BEGUN} FROM intervals_now WHERE production_date IN ({near}))
                WHERE production_date IN ({wanted}) GROUP BY ALL""",
            "summed_pieces": f"""
                SELECT {_PIECES}, sum(pieces)::BIGINT AS pieces, sum(ideal_us)::BIGINT AS ideal_us,
                    sum(no_ideal)::BIGINT AS no_ideal, min(window_start) AS window_start
                FROM count_elements WHERE production_date IN ({wanted}) GROUP BY ALL""",
        }.items():
            transaction.execute(f'INSERT INTO "{table}" BY NAME {rows} ORDER BY production_date, equipment')
        transaction.execute(f"INSERT INTO summed_days SELECT unnest([{_listed(days)}])")
        return self._of(self.days.union(days))


def _listed(days: Collection[int]) -> str:
    return ", ".join(f"DATE '{_EPOCH + timedelta(day)}'" for day in sorted(days))
