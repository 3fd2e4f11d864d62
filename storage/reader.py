"""The store, open for reading: whole frames of KPI rows, intervals, stops and the rest, each cut to a selection."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import polars as pl

from kpis.errors import ConfigError, StorageError
from kpis.losses import waterfall
from kpis.registry import DEFINITIONS, sql_columns
from storage.database import connect
from storage.grains import MINUTE_US, Grain
from storage.listings import alerts_sql, rejected_sql, stops_sql, timeline_sql
from storage.losses import six_big_losses_sql
from storage.migrations import version
from storage.schema import VERSION
from storage.selection import Selection, instant, narrowed, paths, texts
from storage.views import elements_sql
from storage.windows import SLIDING, grain_named, sliding

_WINDOW: Final = (
    "equipment",
    "level",
    "window_start",
    "window_end",
    "shift",
    "production_date",
    "status",
    "order",
    "product",
)
_STEPS: Final = pl.Schema(
    {"n": pl.UInt32, "step": pl.String, "factor": pl.String, "us": pl.Int64, "share": pl.Float64, "flag": pl.String}
)
_REACH_US: Final = {"minute": MINUTE_US, "hour": 60 * MINUTE_US}


class Reader:
    """Reads a store, and changes nothing in it nor anywhere else. Use it as a context manager.

    Raises StorageError when there is no store, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        self._con = connect(path, read_only=True)
        found = version(self._con)
        if found != VERSION:
            self._con.close()
            msg = f"the store {path} has schema version {found}, this oeeflow reads version {VERSION}"
            hint = "run `oeeflow db migrate`" if found < VERSION else "install the newer oeeflow that wrote it"
            raise StorageError(msg, hint=hint)
        for setting in (
            "python_enable_replacements = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._con.execute(f"SET {setting}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._con.close()

    def plant_text(self) -> str:
        """The plant file that the numbers were made with.

        Raises StorageError for a store that nothing was ever replayed into.
        """
        rows = self._con.execute("SELECT text FROM plants").fetchall()
        if not rows:
            msg = "the store is empty"
            raise StorageError(msg, hint="fill it with `oeeflow replay`")
        return str(rows[0][0])

    def kpi(
        self, by: str, selection: Selection, definition: str, *, length_us: int = 0, step_us: int = 0
    ) -> pl.DataFrame:
        """Elements and KPIs of every window that starts in the time selected, in order of equipment and time.

        `by` is one of storage.windows.WINDOWS; for sliding windows `length_us` and `step_us` say how long they are and
        how often one ends. Raises ConfigError for what does not exist.
        """
        if definition not in DEFINITIONS:
            msg = f'unknown OEE definition "{definition}"'
            raise ConfigError(msg, hint=f"one of {', '.join(DEFINITIONS)}")
        columns = ", ".join(f'{sql} AS "{name}"' for name, sql in sql_columns(definition))
        return self._windows(by, selection, f"*, {columns}", length_us, step_us)

    def waterfall(
        self, by: str, selection: Selection, definition: str, *, length_us: int = 0, step_us: int = 0
    ) -> pl.DataFrame:
        """The steps from calendar time to fully productive time, in rows, for the same windows.

        `share` is of calendar time; null where a window has none.
        """
        windows = self._windows(by, selection, "*", length_us, step_us)
        keys = [name for name in _WINDOW if name in windows.columns]
        steps = [waterfall(row, definition) for row in windows.iter_rows(named=True)]
        rows = [
            (number, step.name, step.factor, step.us, step.us / all_[0].us if all_[0].us else None, step.flag)
            for number, all_ in enumerate(steps)
            for step in all_
        ]
        return (
            windows.select(keys)
            .with_row_index("n")
            .join(pl.DataFrame(rows, schema=_STEPS, orient="row"), on="n", maintain_order="left_right")
            .drop("n")
        )

    def six_big_losses(self, by: str, selection: Selection, *, length_us: int = 0, step_us: int = 0) -> pl.DataFrame:
        """The six big losses of the same windows, six rows each.

        `share` is of their sum; null where that is not above 0.
        """
        grain = sliding(length_us, step_us) if by == SLIDING else grain_named(by)
        tables = self._narrowed(by, grain, selection, length_us)
        six = six_big_losses_sql(grain, f"({elements_sql(grain)})")
        rows = self.query(
            f"WITH {', '.join([*tables, f'six AS ({six})'])} SELECT * EXCLUDE (rank) FROM six "
            f"WHERE {self._starting(by, selection, step_us)} ORDER BY {_order(by)}, rank"
        )
        total = pl.col("us").sum().over([name for name in _WINDOW if name in rows.columns])
        share = pl.when(total > 0).then(pl.col("us") / total).alias("share")
        return rows.select(pl.all().exclude("flag"), share, "flag")

    def timeline(self, selection: Selection) -> pl.DataFrame:
        """Intervals that nothing cuts but a change of what they show, where they overlap the time selected."""
        return self.query(timeline_sql(self._chosen(selection), selection))

    def stops(self, selection: Selection) -> pl.DataFrame:
        """Stops that overlap the time selected, in order; `duration_us` is their length, `us` what of it counts."""
        return self.query(stops_sql(self._chosen(selection), selection))

    def alerts(self, selection: Selection) -> pl.DataFrame:
        """Alerts that began in the time selected."""
        return self.query(alerts_sql(self._chosen(selection), selection))

    def rejected(self, selection: Selection) -> pl.DataFrame:
        """Events rejected in the time selected; the equipment named may be one that the plant does not have."""
        return self.query(rejected_sql(selection))

    def query(self, statement: str) -> pl.DataFrame:
        """The result of any statement that reads. Raises StorageError with what DuckDB says about a wrong one."""
        try:
            relation = self._con.sql(statement)
            return pl.DataFrame() if relation is None else pl.DataFrame(relation)
        except (duckdb.Error, pl.exceptions.PolarsError) as error:
            hint = '`oeeflow sql "SHOW TABLES"` lists what there is, docs/data-dictionary.md tells what it means'
            raise StorageError(str(error).splitlines()[0], hint=hint) from error

    def _windows(self, by: str, selection: Selection, columns: str, length_us: int, step_us: int) -> pl.DataFrame:
        grain = sliding(length_us, step_us) if by == SLIDING else grain_named(by)
        tables = self._narrowed(by, grain, selection, length_us)
        return self.query(
            f"WITH {', '.join([*tables, f'elements AS ({elements_sql(grain)})'])} "
            f"SELECT {columns} FROM elements WHERE {self._starting(by, selection, step_us)} "
            f"ORDER BY {_order(by)}"
        )

    def _narrowed(self, by: str, grain: Grain, selection: Selection, length_us: int) -> list[str]:
        chosen = paths(selection, self._levels())
        return narrowed(grain, selection, chosen, self._given(chosen), _REACH_US.get(by, length_us))

    def _starting(self, by: str, selection: Selection, step_us: int) -> str:
        conditions = ["true"]
        if selection.start is not None:
            conditions.append(f"window_start >= {instant(selection.start)}")
        if selection.end is not None:
            conditions.append(f"window_start < {instant(selection.end)}")
        if by == SLIDING:
            conditions.append(f"window_end < (SELECT horizon + to_microseconds({step_us}) FROM plants)")
        return " AND ".join(conditions)

    def _levels(self) -> dict[str, str]:
        return dict(self._con.execute("SELECT equipment, level FROM equipment").fetchall())

    def _given(self, chosen: list[str] | None) -> list[str] | None:
        """The equipment whose own elements make up those of the chosen."""
        if chosen is None:
            return None
        found = self._con.execute(
            f"SELECT DISTINCT contributor FROM contributors WHERE equipment IN {texts(chosen)}"
        ).fetchall()
        return sorted(contributor for (contributor,) in found)

    def _chosen(self, selection: Selection) -> list[str]:
        chosen = paths(selection, self._levels())
        return [] if chosen is None else [f"equipment IN {texts(chosen)}"]


def _order(by: str) -> str:
    """By equipment, then time; outside shifts last."""
    run = ', "order", product' if by == "order" else ""
    return f"equipment, window_start, window_end, shift NULLS LAST{run}"
