"""The store, open for reading: whole frames of KPI rows, intervals, stops and the rest, each cut to a selection."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import polars as pl

from kpis.errors import ConfigError, StorageError
from kpis.registry import DEFINITIONS, sql_columns
from storage.database import connect
from storage.grains import GRAINS, MINUTE_US, Grain
from storage.migrations import version
from storage.schema import VERSION
from storage.selection import Selection, instant, narrowed, paths, texts
from storage.sliding import SLIDING, sliding
from storage.views import elements_sql

WINDOWS: Final = (*(grain.name for grain in GRAINS), SLIDING)
"""The kinds of windows that rows can be asked for by."""

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

        `by` is one of `WINDOWS`; for sliding windows `length_us` and `step_us` say how long and how often. Raises
        ConfigError for what does not exist.
        """
        if definition not in DEFINITIONS:
            msg = f'unknown OEE definition "{definition}"'
            raise ConfigError(msg, hint=f"one of {', '.join(DEFINITIONS)}")
        columns = ", ".join(f'{sql} AS "{name}"' for name, sql in sql_columns(definition))
        return self._windows(by, selection, f"*, {columns}", length_us, step_us)

    def elements(self, by: str, selection: Selection, *, length_us: int = 0, step_us: int = 0) -> pl.DataFrame:
        """The additive elements of the same windows."""
        return self._windows(by, selection, "*", length_us, step_us)

    def _windows(self, by: str, selection: Selection, columns: str, length_us: int, step_us: int) -> pl.DataFrame:
        grain = sliding(length_us, step_us) if by == SLIDING else _grain(by)
        chosen = paths(selection, self._levels())
        tables = narrowed(grain, selection, chosen, self._given(chosen), _REACH_US.get(by, length_us))
        tables.append(f"elements AS ({elements_sql(grain)})")
        where = _starts(selection)
        if by == SLIDING:
            where.append(f"window_end < (SELECT horizon + to_microseconds({step_us}) FROM plants)")
        order = ', "order", product' if by == "order" else ""
        return self.query(
            f"WITH {', '.join(tables)} SELECT {columns} FROM elements WHERE {' AND '.join(where)} "
            f"ORDER BY equipment, window_start, shift NULLS LAST{order}"
        )

    def timeline(self, selection: Selection) -> pl.DataFrame:
        """Intervals that nothing cuts but a change of what they show, where they overlap the time selected."""
        where = ["e > s", *self._chosen(selection)]
        return self.query(
            f"""
            WITH shown AS (
                SELECT equipment, "start", "end", account, category, reason, product, "order",
                    production_date || '/' || shift AS shift
                FROM intervals_now WHERE {" AND ".join(where)}
            ), cut AS (
                SELECT *, (account, category, reason, product, "order", shift) IS NOT DISTINCT FROM
                    lag((account, category, reason, product, "order", shift)) OVER of AS same
                FROM shown WINDOW of AS (PARTITION BY equipment ORDER BY "start")
            ), numbered AS (
                SELECT *, sum((NOT same)::INTEGER) OVER (PARTITION BY equipment ORDER BY "start") AS piece FROM cut
            ), joined AS (
                SELECT equipment, min("start") AS "start", max("end") AS "end", any_value(account) AS account,
                    any_value(category) AS category, any_value(reason) AS reason, any_value(product) AS product,
                    any_value("order") AS "order", any_value(shift) AS shift
                FROM numbered GROUP BY equipment, piece
            )
            SELECT * FROM joined WHERE {" AND ".join(_overlaps(selection))} ORDER BY equipment, "start"
            """
        )

    def query(self, statement: str) -> pl.DataFrame:
        """The result of any SELECT. Raises StorageError with what DuckDB says about a wrong one."""
        try:
            return self._con.execute(statement).pl()
        except duckdb.Error as error:
            raise StorageError(str(error).splitlines()[0]) from error

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


def _grain(by: str) -> Grain:
    for grain in GRAINS:
        if grain.name == by:
            return grain
    msg = f'unknown kind of window "{by}"'
    raise ConfigError(msg, hint=f"one of {', '.join(WINDOWS)}")


def _starts(selection: Selection) -> list[str]:
    conditions = ["true"]
    if selection.start is not None:
        conditions.append(f"window_start >= {instant(selection.start)}")
    if selection.end is not None:
        conditions.append(f"window_start < {instant(selection.end)}")
    return conditions


def _overlaps(selection: Selection) -> list[str]:
    conditions = ["true"]
    if selection.start is not None:
        conditions.append(f'"end" > {instant(selection.start)}')
    if selection.end is not None:
        conditions.append(f'"start" < {instant(selection.end)}')
    return conditions
