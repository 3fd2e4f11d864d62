"""One figure unfolded: the window it is of, and the intervals, pieces and events that make it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from kpis.errors import ConfigError
from storage.grains import Grain, of_rows
from storage.reader import Reader
from storage.schema import EVENT_COLUMNS
from storage.selection import Selection, instant, narrowed, text, texts
from storage.windows import SLIDING, grain_named, sliding

_DAY_US: Final = 86_400_000_000
_LONGEST_US: Final = {
    by: days * _DAY_US for by, days in {"minute": 1, "hour": 1, "shift": 4, "day": 3, "week": 9, "month": 33}.items()
}
_AT_ONCE: Final = 2
"""questions beside the one that is waited for"""
_NO_DATE: Final = "NULL::DATE"
_FIXED: Final = ("minute", "hour", SLIDING)
_EVENT: Final = ", ".join(f'"{name}"' for name, _, _ in EVENT_COLUMNS)
_SPOKEN: Final = "g.equipment = h.speaker AND (h.hearer = h.speaker OR g.type IN ('order', 'status'))"


_RETRACTED: Final = "EXISTS (FROM withdrawn w WHERE w.equipment = g.equipment AND w.id = g.id) AS retracted"


def _heard(table: str) -> str:
    return f"""
        SELECT g.*, h.hearer, h.hearer = h.speaker AS own,
            {_RETRACTED}
        FROM {table} g JOIN hearers h ON {_SPOKEN} WHERE g.type <> 'retract'
    """


_HEARD: Final = f"""
    withdrawn AS (SELECT equipment, details->>'$.target' AS id FROM corrections WHERE type = 'retract'),
    heard AS ({_heard("events")}), ruled AS ({_heard("corrections")} AND g.type = 'reclassify')
"""
REACHES_US: Final = (_DAY_US, 30 * _DAY_US, 400 * 365 * _DAY_US)
"""How far back what was in force is looked for, step by step."""


@dataclass(frozen=True)
class Explanation:
    """What stands behind the numbers of one window.

    `row` is the KPI row. `contributors` are the equipment whose elements it sums up, with what each gives. `intervals`
    make its time, `pieces` its counts, `events` are those in its time, those in force at its start and the
    corrections of it, `all_events` how many there are of these; `changes` are the commits that changed it later.
    `archived_before`: where events of the window are in an archive, the instant that this is so up to; what was in
    force at its start is not told then.
    """

    row: dict[str, Any]
    contributors: pl.DataFrame
    intervals: pl.DataFrame
    pieces: pl.DataFrame
    events: pl.DataFrame
    all_events: int
    changes: pl.DataFrame
    archived_before: datetime | None = None

    def time_by_account(self) -> pl.DataFrame:
        """How much time, in how many intervals, is in each account."""
        return self.intervals.group_by("account", maintain_order=True).agg(intervals=pl.len(), us=pl.col("us").sum())


def explain(
    reader: Reader,
    equipment: str,
    by: str,
    at: int | None,
    definition: str,
    *,
    length_us: int = 0,
    step_us: int = 0,
    most_events: int | None = None,
) -> Explanation:
    """Unfold the window of an equipment that holds an instant (in µs), the last of them; None: the last one.

    Sliding windows are so long and end so often as for Reader.kpi. `most_events`: only the first ones, since those of a
    month are many. Raises ConfigError when there is no such equipment,
    kind of window or window.
    """
    row = _window(reader, equipment, by, at, definition, length_us, step_us)
    first = _us(row["window_start"])
    grain = sliding(length_us, step_us, first, first + 1) if by == SLIDING else of_rows(grain_named(by))
    contributors = reader.query(
        "SELECT contributor, gives_time, gives_pieces FROM contributors "
        f"WHERE equipment = {text(row['equipment'])} ORDER BY contributor"
    )
    near = _near(grain, row, contributors)
    with ThreadPoolExecutor(_AT_ONCE) as asking:
        pieces = asking.submit(_pieces, reader, grain, row, near)
        changes = asking.submit(_changes, reader, row, contributors)
        intervals = _intervals(reader, grain, row, near)
        line = reader.query("SELECT max(line) AS line FROM retentions").item()
        archived = line is not None and _extent(row, intervals)[0] < line
        events, all_events = _events(reader, row, intervals, most_events, archived=archived)
    return Explanation(
        row, contributors, intervals, pieces.result(), events, all_events, changes.result(), line if archived else None
    )


def _window(
    reader: Reader, equipment: str, by: str, at: int | None, definition: str, length_us: int, step_us: int
) -> dict[str, Any]:
    longest = length_us + step_us if by == SLIDING else _LONGEST_US.get(by)
    last = at if at is not None else reader.query("SELECT epoch_us(max(horizon)) AS at FROM horizons").item()
    start = None if last is None or longest is None else last - longest
    until = None if at is None else at + 1
    rows = reader.kpi(by, Selection(equipment, None, start, until), definition, length_us=length_us, step_us=step_us)
    if at is not None:
        # A run that has just begun has no time yet, and holds the instant at which it did.
        begun, end = pl.col("window_start").cast(pl.Int64), pl.col("window_end").cast(pl.Int64)
        rows = rows.filter((end > at) | (begun == at))
    if rows.is_empty():
        msg = f"{equipment} has no {by} with accounted time or pieces {'at that time' if at is not None else 'yet'}"
        raise ConfigError(msg, hint=f"see `oeeflow kpi --by {by} --equipment {equipment}`")
    # Time outside shifts spans its whole day: a shift that holds the instant means more.
    in_shift = rows.filter(pl.col("shift").is_not_null())
    return (rows if in_shift.is_empty() else in_shift).sort("window_start").row(-1, named=True)


def _part(grain: Grain, row: dict[str, Any], table: str, gives: str, us: str) -> str:
    """The rows of a table of elements that fall into the window, once for each time that they count in it."""
    if grain.date == _NO_DATE:
        # Several runs of an order on the machines of a line may make one run on the line.
        start, end = (instant(_us(row[name])) for name in ("window_start", "window_end"))
        conditions = [f"{grain.start} >= {start}", f"{grain.end} <= {end}"]
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


def _near(grain: Grain, row: dict[str, Any], contributors: pl.DataFrame) -> str:
    """Common table expressions that leave out of the tables of elements what is of other times and equipment."""
    start, given = _us(row["window_start"]), contributors["contributor"].to_list()
    length = _us(row["window_end"]) - start
    return "WITH " + ", ".join(narrowed(grain, Selection(None, None, start, start + 1), None, given, length))


def _intervals(reader: Reader, grain: Grain, row: dict[str, Any], near: str) -> pl.DataFrame:
    part = _part(grain, row, f"(SELECT i.*, {grain.us} AS part_us FROM {grain.time} i)", "k.gives_time", "s.part_us")
    start, end = '"start"', '"end"'
    if grain.name in _FIXED:
        start = f'greatest("start", {instant(_us(row["window_start"]))})'
        end = f'least("end", {instant(_us(row["window_end"]))})'
    return reader.query(
        f"""
        {near}
        SELECT equipment, {start} AS "start", {end} AS "end", account, category, reason, product, "order",
            window_us AS us
        FROM ({part}) WHERE window_us > 0 ORDER BY "start", equipment
        """
    )


def _pieces(reader: Reader, grain: Grain, row: dict[str, Any], near: str) -> pl.DataFrame:
    """Pieces by all that the ideal cycle depends on; the cycle is null where there is none or where it changed."""
    return reader.query(
        f"""
        {near}
        SELECT equipment, gives_time, gives_pieces, quality, reason, product, "order", sum(pieces)::BIGINT AS pieces,
            sum(ideal_us)::BIGINT AS ideal_us, sum(no_ideal)::BIGINT AS no_ideal,
            CASE WHEN sum(pieces) <> 0 AND sum(no_ideal) = 0 AND sum(ideal_us) % sum(pieces) = 0
                THEN (sum(ideal_us) // sum(pieces))::BIGINT END AS ideal_cycle_us
        FROM ({_part(grain, row, grain.pieces, "true", "0")}) GROUP BY ALL ORDER BY ALL
        """
    )


def _events(
    reader: Reader, row: dict[str, Any], intervals: pl.DataFrame, most: int | None, *, archived: bool
) -> tuple[pl.DataFrame, int]:
    """Events of the contributors, and those from above that hold for them; `role` says why an event is there.

    At most so many, the first ones; and how many there are.
    """
    start, end = (_us(at) for at in _extent(row, intervals))
    if row.get("order") is not None and end == reader.query("SELECT epoch_us(horizon) AS at FROM horizons").item():
        end += 1  # pieces of a run that goes on may be booked at the horizon itself
    hearers = reader.query(
        f"""
        SELECT DISTINCT k.contributor AS hearer, q.equipment AS speaker
        FROM contributors k JOIN equipment q
          ON q.equipment = k.contributor OR starts_with(k.contributor, q.equipment || '/')
        WHERE k.equipment = {text(row["equipment"])}
        """
    )
    pairs = ", ".join(f"({text(hearer)}, {text(speaker)})" for hearer, speaker in hearers.sort("hearer").rows())
    heard = f"hearers(hearer, speaker) AS (VALUES {pairs}), {_HEARD}"
    first, last = instant(start), instant(end)
    inside = (
        f"FROM events g SEMI JOIN hearers h ON {_SPOKEN} "
        f"WHERE type NOT IN ('reclassify', 'retract') AND ts >= {first} AND ts < {last}"
    )
    upto = ""
    if most is not None:  # few columns of all of them tell up to when the first ones are
        number, until = reader.query(f"WITH {heard} SELECT count(*), list_max(min(ts, {most})) {inside}").row(0)
        upto = "" if until is None else f"AND ts <= {instant(_us(until))}"
    within = reader.query(f"WITH {heard} SELECT {_EVENT}, 'in the window' AS role, {_RETRACTED} {inside} {upto}")
    number = within.height if most is None else number
    ruled = reader.query(
        f"""
        WITH {heard}
        SELECT {_EVENT}, 'corrects the window' AS role, retracted FROM ruled WHERE "start" < {last} AND "end" > {first}
        """
    )
    others = pl.concat([ruled] if archived else [ruled, _in_force(reader, heard, start)]).unique()
    found = pl.concat([within, others]).sort("ts", "equipment", "id", "role")
    return (found if most is None else found.head(most)), number + others.height


def _in_force(reader: Reader, heard: str, start: int) -> pl.DataFrame:
    """The last events of each kind before an instant, by who hears them; looked for ever further back."""
    asked = reader.query(
        f"""
        WITH {heard}
        SELECT count(DISTINCT (h.hearer, g.type = 'order')) AS n FROM event_ranges g JOIN hearers h ON {_SPOKEN}
        WHERE g.type IN ('state', 'order', 'status') AND g.first_ts < {instant(start)}
        """
    ).item()
    for reach in REACHES_US:
        rows = reader.query(
            f"""
            WITH {heard}
            SELECT {_EVENT}, 'in force at its start' AS role, retracted FROM heard
            WHERE ts < {instant(start)} AND ts >= {instant(max(start - reach, 0))} AND NOT retracted
              AND (type IN ('state', 'order') OR NOT online)
            QUALIFY row_number() OVER (PARTITION BY hearer, type = 'order' ORDER BY ts DESC, id DESC, own DESC) = 1
            """
        )
        if rows.height >= asked:
            break
    return rows


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
