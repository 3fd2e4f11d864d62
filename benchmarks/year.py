"""A store with the last year of a hundred machines, up to now: a replayed week, written again for each week before.

It is kept, and brought up to date the next time.

Ten lines of ten machines in two halls: one works around the clock, the other in two shifts from Monday to Friday. A
machine stops every nine minutes or so, mostly briefly, and while it runs it counts every minute.
"""

import shutil
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.replay import replay
from storage.places import Places

LINES: Final = 10
EACH: Final = 10
WEEKS: Final = 52
ZONE: Final = ZoneInfo("Europe/Berlin")
PRODUCTS: Final = 6
RUN_S: Final = 520  # mean of a run
MINOR_SHARE: Final = 0.85
MINOR_S: Final = 35  # mean of a minor stop
LONG_S: Final = 600  # mean of the others
CYCLE_S: Final = 2.0
SPEED: Final = 0.93
SCRAP_SHARE: Final = 0.08  # of the minutes
CYCLES_PER_DAY: Final = 320  # more runs than fit into any day
REASONS: Final = ("jam", "infeed", "drive", "sensor", "material", "operator", "changeover", "cleaning")
STOPPED: Final = (("down", "jam"), ("down", "infeed"), ("down", "drive"), ("down", None), ("idle", "material"),
                  ("idle", None), ("setup", "changeover"), ("planned", "cleaning"))  # fmt: skip
Seconds = npt.NDArray[np.int64]


def line(number: int) -> str:
    """The path of a line: the first half of them is in the hall that works around the clock."""
    return f"acme/ulm/hall-{number * 2 // LINES}/line-{number}"


def machines() -> list[str]:
    """The paths of all machines."""
    return [f"{line(number // EACH)}/machine-{number:02d}" for number in range(LINES * EACH)]


def plant() -> str:
    """The plant file: shifts with breaks, lines that run as their fifth machine does, targets, reasons."""
    parts = [
        '[plant]\nname = "A year of a hundred machines"\ntimezone = "Europe/Berlin"\n',
        f'[defaults]\nminor_stop_under = "2m"\nideal_cycle = "{CYCLE_S:g}s"\nstale_after = "1h"\n',
        _shift("around-the-clock", "early", "06:00:00", "14:00:00", "10:00:00", 7),
        _shift("around-the-clock", "late", "14:00:00", "22:00:00", "18:00:00", 7),
        _shift("around-the-clock", "night", "22:00:00", "06:00:00", "02:00:00", 7),
        _shift("two-shift", "early", "06:00:00", "14:00:00", "10:00:00", 5),
        _shift("two-shift", "late", "14:00:00", "22:00:00", "18:00:00", 5),
        '[equipment."acme/ulm"]\nlevel = "site"\ntargets = { oee = 0.75, scrap_ratio = 0.02 }\n',
        '[equipment."acme/ulm/hall-0"]\nlevel = "area"\ncalendar = "around-the-clock"\n',
        '[equipment."acme/ulm/hall-1"]\nlevel = "area"\ncalendar = "two-shift"\n',
    ]
    for number in range(LINES):
        inside = machines()[number * EACH : (number + 1) * EACH]
        parts.append(
            f'[equipment."{line(number)}"]\nlevel = "line"\nrollup = "constraint"\nconstraint = "{inside[4]}"\n'
            f'output = "{inside[-1]}"\n'
        )
        parts += [f'[equipment."{path}"]\nlevel = "unit"\n' for path in inside]
    parts += [f'[products."P-{product}"]\nlabel = "Product {product}"\n' for product in range(PRODUCTS)]
    parts += [f'[reasons.{reason}]\nlabel = "{reason.capitalize()}"\n' for reason in REASONS]
    return "\n".join(parts)


def _shift(calendar: str, name: str, start: str, end: str, pause: str, days: int) -> str:
    named = ", ".join(f'"{day}"' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[:days])
    return (
        f'[[shifts]]\ncalendar = "{calendar}"\nname = "{name}"\ndays = [{named}]\nstart = {start}\nend = {end}\n'
        f"breaks = [{{ start = {pause}, minutes = 30 }}]\n"
    )


def events(day: date) -> pl.DataFrame:
    """What happens on a local day, in order; the same whenever it is asked for."""
    rng = np.random.default_rng(day.toordinal())
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    length = int((datetime.combine(day + timedelta(1), midnight.time(), ZONE).timestamp()) - midnight.timestamp())
    parts = [
        _worked(rng, range(LINES * EACH // 2), 0, length),
        *([_worked(rng, range(LINES * EACH // 2, LINES * EACH), 6 * 3600, 22 * 3600)] if day.weekday() < 5 else []),
    ]
    found = pl.concat(parts, how="diagonal").sort("s", maintain_order=True).with_row_index("n")
    return found.select(
        id=pl.format("{}-{}", pl.lit(day.toordinal()), "n"),
        ts=(pl.col("s") * 1_000_000 + int(midnight.timestamp()) * 1_000_000).cast(pl.Datetime("us", "UTC")),
        **{name: pl.col(name) for name in ("equipment", "type", "state", "reason", "good", "scrap")},
        **{name: pl.col(name) for name in ("action", "order", "product", "quantity")},
    )


def _worked(rng: np.random.Generator, which: range, begin: int, end: int) -> pl.DataFrame:
    """The events of machines that work from one second of the day to another."""
    shape = (len(which), CYCLES_PER_DAY)
    runs = rng.exponential(RUN_S, shape).astype(np.int64) + 5
    minor = rng.random(shape) < MINOR_SHARE
    stops = np.where(minor, rng.exponential(MINOR_S, shape), rng.exponential(LONG_S, shape)).astype(np.int64) + 3
    ends = begin + np.cumsum(runs + stops, axis=1)
    starts, halts = ends - runs - stops, ends - stops
    names = pl.Series(machines()[which.start : which.stop])
    return pl.concat(
        [
            _states(rng, names, starts, halts, end),
            _counts(rng, names, starts, halts, begin, end),
            _orders(rng, which, begin, end),
        ],
        how="diagonal",
    )


def _states(rng: np.random.Generator, names: pl.Series, starts: Seconds, halts: Seconds, end: int) -> pl.DataFrame:
    kinds = rng.integers(0, len(STOPPED), halts.shape)
    which = np.broadcast_to(np.arange(len(names))[:, None], starts.shape)
    running = pl.DataFrame({"s": starts.ravel(), "which": which.ravel()}).with_columns(state=pl.lit("producing"))
    stopped = pl.DataFrame({"s": halts.ravel(), "which": which.ravel(), "kind": kinds.ravel()}).with_columns(
        state=pl.Series([state for state, _ in STOPPED]).gather(pl.Series(kinds.ravel())),
        reason=pl.Series([reason for _, reason in STOPPED]).gather(pl.Series(kinds.ravel())),
    )
    over = pl.DataFrame({"s": [end - 1] * len(names), "which": range(len(names))}).with_columns(state=pl.lit("idle"))
    both = pl.concat([running, stopped.drop("kind")], how="diagonal").filter(pl.col("s") < end - 1)
    found = pl.concat([both, over], how="diagonal")
    return found.with_columns(equipment=names.gather(found["which"]), type=pl.lit("state")).drop("which")


def _counts(
    rng: np.random.Generator, names: pl.Series, starts: Seconds, halts: Seconds, begin: int, end: int
) -> pl.DataFrame:
    """A count at the end of every minute in which a machine ran."""
    running = np.zeros((len(names), end + 1), dtype=np.int32)
    for edges, step in ((starts, 1), (halts, -1)):
        np.add.at(running, (np.arange(len(names))[:, None], np.minimum(edges, end)), step)
    ran = running.cumsum(axis=1)[:, begin:end].reshape(len(names), -1, 60).sum(axis=2)
    made = np.floor(ran / CYCLE_S * SPEED * rng.uniform(0.9, 1.08, ran.shape)).astype(np.int64)
    which, minute = np.nonzero(made)
    good = made[which, minute]
    scrap = np.where(rng.random(len(good)) < SCRAP_SHARE, np.minimum(rng.integers(1, 4, len(good)), good), 0)
    return pl.DataFrame(
        {
            "s": begin + (minute + 1) * 60 - 1,
            "equipment": names.gather(pl.Series(which)),
            "good": good - scrap,
            "scrap": pl.Series(scrap),
        }
    ).with_columns(
        type=pl.lit("count"),
        scrap=pl.when(pl.col("scrap") > 0).then("scrap"),
        reason=pl.when(pl.col("scrap") > 0).then(pl.lit("material")),
    )


def _orders(rng: np.random.Generator, which: range, begin: int, end: int) -> pl.DataFrame:
    """Three or so orders a day on each line, one after the other."""
    rows: list[dict[str, Any]] = []
    for number in range(which.start // EACH, which.stop // EACH):
        for at in range(begin, end, 7 * 3600):
            rows.append(
                {
                    "s": at + int(rng.integers(0, 1800)),
                    "equipment": line(number),
                    "order": f"{rng.integers(10**6, 10**7)}",
                    "product": f"P-{rng.integers(0, PRODUCTS)}",
                    "quantity": 10_000,
                }
            )
    return pl.DataFrame(rows).with_columns(type=pl.lit("order"), action=pl.lit("start"))


def store(folder: Path, weeks: int = WEEKS) -> tuple[Path, Path]:
    """The plant file and the store in a folder, up to the last minute; what is missing is replayed."""
    folder.mkdir(parents=True, exist_ok=True)
    plant_file, db = folder / "plant.toml", folder / "kpi.duckdb"
    plant_file.write_text(plant())
    made = not db.exists()
    _replayed(plant_file, db)
    if made:
        _repeat(db, weeks)
        _replayed(plant_file, db)
    return plant_file, db


def _replayed(plant_file: Path, db: Path) -> None:
    """Take in what machines reported on the last seven days and today."""
    now = datetime.now(UTC)
    today = now.astimezone(ZONE).date()
    files = []
    for back in range(7, -1, -1):
        day = today - timedelta(back)
        files.append(db.parent / f"{day}{'' if back else '-so-far'}.parquet")
        if not back or not files[-1].exists():
            events(day).filter(pl.col("ts") < now).write_parquet(files[-1])
    begun = time.monotonic()
    taken = replay(plant_file, files, db).outcome.taken
    print(f"{taken:,} events replayed in {time.monotonic() - begun:.0f} s", file=sys.stderr)


def _repeat(db: Path, weeks: int) -> None:
    """Write the rows of the last seven days again for each week before them, oldest first, and so that ids differ."""
    con = duckdb.connect(str(db))
    con.execute("SET preserve_insertion_order = true")
    ((horizon, flushes),) = con.execute(
        "SELECT (SELECT max(horizon) FROM horizons), max(flush) FROM flushes"
    ).fetchall()
    for table, moved in _MOVED.items():
        con.execute(f"CREATE TEMP TABLE last AS SELECT * FROM {table}")
        con.execute(f"DELETE FROM {table}")
        for back in range(weeks - 1, -1, -1):
            changed = moved.format(days=7 * back, flushes=flushes * (weeks - 1 - back), back=back)
            inside = f"WHERE {_BEGINS[table]} >= $1 - INTERVAL 7 DAY" if back else ""
            con.execute(f"INSERT INTO {table} SELECT * REPLACE ({changed}) FROM last {inside}", [horizon] * bool(back))
            if back and table in ("intervals", "stops"):
                con.execute(f'UPDATE {table} SET "end" = $1 - INTERVAL {7 * back} DAY WHERE "end" IS NULL', [horizon])
        con.execute("DROP TABLE last")
        con.execute("CHECKPOINT")
    con.execute(f"UPDATE equipment SET accounted_from = accounted_from - INTERVAL {7 * (weeks - 1)} DAY")
    con.execute(f"UPDATE event_ranges SET first_ts = first_ts - INTERVAL {7 * (weeks - 1)} DAY")
    con.execute("DELETE FROM writers")
    con.close()
    shutil.rmtree(Places(db).ids, ignore_errors=True)


def _back(*columns: str) -> str:
    return ", ".join(f'"{column}" - INTERVAL {{days}} DAY AS "{column}"' for column in columns)


_DATED: Final = "(production_date - {days})::DATE AS production_date"
_MOVED: Final = {
    "events": f"""id || '~{{back}}' AS id, flush + {{flushes}} AS flush, {_back("ts", "start", "end")}""",
    "intervals": f"""{_back("start", "end", "run_start", "stretch_start")}, {_DATED}""",
    "count_elements": f"""{_back("window_start", "run_start")}, {_DATED}""",
    "stops": f"""{_back("start", "end", "booked_at", "run_start")}, {_DATED}""",
    "flushes": f"""flush + {{flushes}} AS flush, {_back("committed_at", "horizon_before", "horizon")}""",
}
_BEGINS: Final = {
    "events": "ts",
    "intervals": '"start"',
    "count_elements": "window_start",
    "stops": '"start"',
    "flushes": "horizon",
}
