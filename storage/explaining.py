"""One figure unfolded: the window it is of, and the intervals, pieces and events that make it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from kpis.errors import ConfigError
from storage.grains import Grain
from storage.reader import Reader
from storage.schema import EVENT_COLUMNS
from storage.selection import Selection, instant, text, texts
from storage.windows import grain_named

_LONGEST_US: Final = {"minute": 1, "hour": 1, "shift": 4, "day": 3, "week": 9, "month": 33}
_DAY_US: Final = 86_400_000_000
_NO_DATE: Final = "NULL::DATE"
_FIXED: Final = ("minute", "hour")
_EVENT: Final = ", ".join(f'"{name}"' for name, _, _ in EVENT_COLUMNS)


@dataclass(frozen=True)
class Explanation:
    """What stands behind the numbers of one window.

    `row` is the KPI row. `contributors` are the equipment whose elements it sums up, with what each gives. `intervals`
    make its time, `pieces` its counts, `events` are those in its time, those in force at its start and the
    corrections of it; `changes` are the commits that changed it later.
    """

    row: dict[str, Any]
    contributors: pl.DataFrame
    intervals: pl.DataFrame
    pieces: pl.DataFrame
    events: pl.DataFrame
    changes: pl.DataFrame

    def time_by_account(self) -> pl.DataFrame:
        """How much time, in how many intervals, is in each account."""
        return self.intervals.group_by("account", maintain_order=True).agg(intervals=pl.len(), us=pl.col("us").sum())


def explain(reader: Reader, equipment: str, by: str, at: int | None, definition: str) -> Explanation:
    """Unfold the window of an equipment that holds an instant (in µs); None: the last one.

    Raises ConfigError when there is no such equipment, kind of window or window.
    """
    grain = grain_named(by)
    row = _window(reader, equipment, by, at, definition)
    contributors = reader.query(
        "SELECT contributor, gives_time, gives_pieces FROM contributors "
        f"WHERE equipment = {text(row['equipment'])} ORDER BY contributor"
    )
    intervals = _intervals(reader, grain, row)
    return Explanation(
        row,
        contributors,
        intervals,
        _pieces(reader, grain, row),
        _events(reader, row, intervals),
        _changes(reader, row, contributors),
    )


def _window(reader: Reader, equipment: str, by: str, at: int | None, definition: str) -> dict[str, Any]:
    longest = _LONGEST_US.get(by)
    start = None if at is None or longest is None else at - longest * _DAY_US
    rows = reader.kpi(by, Selection(equipment, None, start, None if at is None else at + 1), definition)
    if at is not None:
        rows = rows.filter(pl.col("window_end").cast(pl.Int64) > at)
    if rows.is_empty():
        msg = f"{equipment} has no {by} with accounted time or pieces {'at that time' if at is not None else 'yet'}"
        raise ConfigError(msg, hint=f"see `oeeflow kpi --by {by} --equipment {equipment}`")
    # Time outside shifts spans its whole day: a shift that holds the instant means more.
    in_shift = rows.filter(pl.col("shift").is_not_null())
    return (rows if in_shift.is_empty() else in_shift).sort("window_start").row(-1, named=True)


def _part(grain: Grain, row: dict[str, Any], table: str, gives: str, us: str) -> str:
    """The rows of a table of elements that fall into the window, once for each time that they count in it."""
    if grain.date == _NO_DATE:
        bounds = zip((grain.start, grain.end), (row["window_start"], row["window_end"]), strict=True)
        conditions = [f"{bound} = {instant(_us(at))}" for bound, at in bounds]
    else:
        conditions = [f"{grain.date} = DATE '{row['production_date']}'"]
    if grain.name == "shift":
        conditions.append(f"{grain.label} IS NOT DISTINCT FROM {text(row['shift'])}")
    if grain.name == "order":
        conditions += [f's."{part}" IS NOT DISTINCT FROM {text(row[part])}' for part in ("order", "product")]
    return f"""
        SELECT s.*, {us} AS window_us, k.gives_time, k.gives_pieces
        FROM {table} s JOIN equipment q ON q.equipment = s.equipment {grain.joins}
        JOIN contributors k ON k.contributor = s.equipment AND k.equipment = {text(row["equipment"])} AND {gives}
        WHERE {" AND ".join(conditions)}
    """


def _intervals(reader: Reader, grain: Grain, row: dict[str, Any]) -> pl.DataFrame:
    part = _part(grain, row, f"(SELECT i.*, {grain.us} AS part_us FROM {grain.time} i)", "k.gives_time", "s.part_us")
    start, end = '"start"', '"end"'
    if grain.name in _FIXED:
        start = f'greatest("start", {instant(_us(row["window_start"]))})'
        end = f'least("end", {instant(_us(row["window_end"]))})'
    return reader.query(
        f"""
        SELECT equipment, {start} AS "start", {end} AS "end", account, category, reason, product, "order",
            window_us AS us
        FROM ({part}) WHERE window_us > 0 ORDER BY "start", equipment
        """
    )


def _pieces(reader: Reader, grain: Grain, row: dict[str, Any]) -> pl.DataFrame:
    """Pieces by all that the ideal cycle depends on; the cycle is null where there is none or where it changed."""
    return reader.query(
        f"""
        SELECT equipment, gives_time, gives_pieces, quality, reason, product, "order", sum(pieces)::BIGINT AS pieces,
            sum(ideal_us)::BIGINT AS ideal_us, sum(no_ideal)::BIGINT AS no_ideal,
            CASE WHEN sum(pieces) <> 0 AND sum(no_ideal) = 0 AND sum(ideal_us) % sum(pieces) = 0
                THEN (sum(ideal_us) // sum(pieces))::BIGINT END AS ideal_cycle_us
        FROM ({_part(grain, row, grain.pieces, "true", "0")}) GROUP BY ALL ORDER BY ALL
        """
    )


def _events(reader: Reader, row: dict[str, Any], intervals: pl.DataFrame) -> pl.DataFrame:
    """Events of the contributors, and those from above that hold for them; `role` says why an event is there."""
    first, last = (instant(_us(at)) for at in _extent(row, intervals))
    return reader.query(
        f"""
        WITH withdrawn AS (
            SELECT equipment, details->>'$.target' AS id FROM events WHERE type = 'retract'
        ), hearers AS (
            SELECT DISTINCT k.contributor AS hearer, q.equipment AS speaker
            FROM contributors k JOIN equipment q
              ON q.equipment = k.contributor OR starts_with(k.contributor, q.equipment || '/')
            WHERE k.equipment = {text(row["equipment"])}
        ), heard AS (
            SELECT e.*, h.hearer, h.hearer = h.speaker AS own,
                EXISTS (FROM withdrawn w WHERE w.equipment = e.equipment AND w.id = e.id) AS retracted
            FROM events e JOIN hearers h ON e.equipment = h.speaker
            WHERE e.type <> 'retract' AND (h.hearer = h.speaker OR e.type IN ('order', 'status'))
        ), found AS (
            SELECT *, 'in the window' AS role FROM heard WHERE type <> 'reclassify' AND ts >= {first} AND ts < {last}
            UNION ALL BY NAME
            SELECT *, 'corrects the window' AS role FROM heard
            WHERE type = 'reclassify' AND "start" < {last} AND "end" > {first}
            UNION ALL BY NAME
            SELECT *, 'in force at its start' AS role FROM heard
            WHERE ts < {first} AND NOT retracted AND (type IN ('state', 'order') OR NOT online)
            QUALIFY row_number() OVER (PARTITION BY hearer, type = 'order' ORDER BY ts DESC, id DESC, own DESC) = 1
        )
        SELECT DISTINCT {_EVENT}, role, retracted FROM found ORDER BY ts, equipment, id
        """
    )


def _extent(row: dict[str, Any], intervals: pl.DataFrame) -> tuple[datetime, datetime]:
    """First and last instant of what is in the window; a shift may reach beyond its day."""
    bounds = pl.DataFrame({"start": [row["window_start"]], "end": [row["window_end"]]})
    whole = pl.concat([bounds, intervals.select("start", "end")], how="vertical_relaxed")
    start, end = whole.select(pl.col("start").min(), pl.col("end").max()).row(0)
    return start, end


def _changes(reader: Reader, row: dict[str, Any], contributors: pl.DataFrame) -> pl.DataFrame:
    own = texts(contributors["contributor"].to_list())
    return reader.query(
        f"""
        SELECT c.flush, f.committed_at, f.source, c.equipment, min(c."start") AS "start", max(c."end") AS "end"
        FROM changes c JOIN flushes f ON f.flush = c.flush
        WHERE c.equipment IN {own} AND c."start" < {instant(_us(row["window_end"]))}
          AND c."end" > {instant(_us(row["window_start"]))}
        GROUP BY ALL ORDER BY c.flush, c.equipment
        """
    )


def _us(at: datetime) -> int:
    return int(pl.Series([at]).cast(pl.Datetime("us", "UTC")).cast(pl.Int64).item())
