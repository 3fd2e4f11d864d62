"""The store, open for reading: whole frames of KPI rows, intervals, stops and the rest, each cut to a selection."""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import polars as pl

from kpis.errors import ConfigError, StorageError
from kpis.losses import waterfall
from kpis.registry import DEFINITIONS, frame_columns
from storage.access import Access
from storage.grains import MINUTE_US, Grain
from storage.listings import alerts_sql, rejected_sql, stops_sql, timeline_sql
from storage.losses import six_big_losses_sql
from storage.selection import Selection, instant, narrowed, overlapping, paths, texts
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
_REACHES_US: Final = tuple(hours * 60 * MINUTE_US for hours in (6, 48, 400))
_REACH_US: Final = {"minute": MINUTE_US, "hour": 60 * MINUTE_US}


class Reader:
    """Reads a store, and changes nothing in it nor anywhere else. Use it as a context manager.

    It may be kept for as long as one likes, through starts and ends of the engine, and asked from any thread. Raises
    StorageError when there is no store, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        self._access = Access(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store."""
        self._access.close()

    @property
    def note(self) -> str | None:
        """What people should know about where the figures come from; None: they are up to date."""
        return self._access.way.note

    def version(self) -> tuple[int, int]:
        """Something small to ask often: it changes with every commit that the figures could have changed with.

        It is the number of the last commit and the horizon in microseconds, 0 where there is none yet.
        """
        rows = self.query(
            "SELECT coalesce((SELECT max(flush) FROM flushes), 0) AS flush, "
            "coalesce((SELECT epoch_us(max(horizon)) FROM horizons), 0) AS horizon"
        )
        flush, horizon = rows.row(0)
        return flush, horizon

    def plant_text(self) -> str:
        """The plant file that the numbers were made with.

        Raises StorageError for a store that nothing was ever replayed into.
        """
        rows = self.query("SELECT text FROM plants")
        if rows.is_empty():
            msg = "the store is empty"
            raise StorageError(msg, hint="fill it with `oeeflow replay`")
        return str(rows["text"].item())

    def kpi(
        self,
        by: str,
        selection: Selection,
        definition: str,
        *,
        length_us: int = 0,
        step_us: int = 0,
        history: bool = True,
    ) -> pl.DataFrame:
        """Elements and KPIs of every window that starts in the time selected, in order of equipment and time.

        `by` is one of storage.windows.WINDOWS; for sliding windows `length_us` and `step_us` say how long they are and
        how often one ends. Without `history` there are no status, revision and time of the last change. Raises
        ConfigError for what does not exist.
        """
        if definition not in DEFINITIONS:
            msg = f'unknown OEE definition "{definition}"'
            raise ConfigError(msg, hint=f"one of {', '.join(DEFINITIONS)}")
        rows = self._windows(by, selection, length_us, step_us, history=history)
        return rows.with_columns(frame_columns(definition))

    def waterfall(
        self, by: str, selection: Selection, definition: str, *, length_us: int = 0, step_us: int = 0
    ) -> pl.DataFrame:
        """The steps from calendar time to fully productive time, in rows, for the same windows.

        `share` is of calendar time; null where a window has none.
        """
        windows = self._windows(by, selection, length_us, step_us)
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
        grain = _grain(by, selection, length_us, step_us)
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
        """Intervals that nothing cuts but a change of what they show, whole, where they overlap the time selected."""
        chosen, whole = self._chosen(selection), []
        if selection.start is not None and selection.end is not None:
            for reach in _REACHES_US:
                first, last = selection.start - reach, selection.end + reach
                rows = self.query(timeline_sql([*chosen, overlapping(first, last)], selection))
                beyond = (pl.col("start").cast(pl.Int64) <= first) | (pl.col("end").cast(pl.Int64) >= last)
                cut = pl.col("equipment").is_in(rows.filter(beyond)["equipment"].implode())
                whole.append(rows.filter(~cut))
                if (again := rows.filter(cut)["equipment"].unique().to_list()) == []:
                    return pl.concat(whole).sort("equipment", "start")
                chosen = [f"equipment IN {texts(again)}"]
        return pl.concat([*whole, self.query(timeline_sql(chosen, selection))]).sort("equipment", "start")

    def stops(self, selection: Selection) -> pl.DataFrame:
        """Stops that overlap the time selected, in order; `duration_us` is their length, `us` what of it counts."""
        return self.query(stops_sql(self._chosen(selection), selection))

    def alerts(
        self, selection: Selection, *, state: str | None = None, rule: str | None = None, severity: str | None = None
    ) -> pl.DataFrame:
        """Alerts that began in the time selected, of a state, rule and severity; without a state all but withdrawn."""
        return self.query(alerts_sql(self._chosen(selection), selection, state, rule, severity))

    def rejected(self, selection: Selection) -> pl.DataFrame:
        """Events rejected in the time selected; the equipment named may be one that the plant does not have."""
        return self.query(rejected_sql(selection))

    def query(self, statement: str) -> pl.DataFrame:
        """The result of any statement that reads. Raises StorageError with what DuckDB says about a wrong one."""
        return self._access.query(statement)

    def _windows(
        self, by: str, selection: Selection, length_us: int, step_us: int, *, history: bool = True
    ) -> pl.DataFrame:
        grain = _grain(by, selection, length_us, step_us)
        tables = self._narrowed(by, grain, selection, length_us)
        return self.query(
            f"WITH {', '.join([*tables, f'elements AS ({elements_sql(grain, history=history)})'])} "
            f"SELECT * FROM elements WHERE {self._starting(by, selection, step_us)} "
            f"ORDER BY {_order(by)}"
        )

    def _narrowed(self, by: str, grain: Grain, selection: Selection, length_us: int) -> list[str]:
        chosen = self._paths(selection)
        return narrowed(grain, selection, chosen, self._given(chosen), _REACH_US.get(by, length_us))

    def _starting(self, by: str, selection: Selection, step_us: int) -> str:
        conditions = ["true"]
        if selection.start is not None:
            conditions.append(f"window_start >= {instant(selection.start)}")
        if selection.end is not None:
            conditions.append(f"window_start < {instant(selection.end)}")
        if by == SLIDING:
            conditions.append(f"window_end < (SELECT horizon + to_microseconds({step_us}) FROM horizons)")
        return " AND ".join(conditions)

    def _paths(self, selection: Selection) -> list[str] | None:
        if selection.equipment is None and selection.level is None:
            return None
        return paths(selection, dict(self.query("SELECT equipment, level FROM equipment").rows()))

    def _given(self, chosen: list[str] | None) -> list[str] | None:
        """The equipment whose own elements make up those of the chosen; None: so many that all are read faster."""
        if chosen is None:
            return None
        found = self.query(
            f"SELECT contributor, bool_or(equipment IN {texts(chosen)}) AS gives FROM contributors GROUP BY contributor"
        )
        given = found.filter("gives")["contributor"]
        return None if 2 * len(given) > found.height else given.sort().to_list()

    def _chosen(self, selection: Selection) -> list[str]:
        chosen = self._paths(selection)
        return [] if chosen is None else [f"equipment IN {texts(chosen)}"]


def _grain(by: str, selection: Selection, length_us: int, step_us: int) -> Grain:
    if by == SLIDING:
        return sliding(length_us, step_us, selection.start, selection.end)
    return grain_named(by)


def _order(by: str) -> str:
    """By equipment, then time; outside shifts last."""
    run = ', "order", product' if by == "order" else ""
    return f"equipment, window_start, window_end, shift NULLS LAST{run}"
