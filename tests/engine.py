"""The engine as tests drive it: logs in, in any parts; rows out, to compare with each other or with the oracle."""

import atexit
import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import duckdb
import polars as pl

from kpis.accounting import account
from kpis.events import EVENTS, REJECTED
from kpis.plant import Plant, load_plant
from pipelines.sources.json_lines import decode
from storage.batches import Batch, Outcome
from storage.reader import Reader
from storage.selection import Selection
from storage.store import Store
from tests.oracle import Result
from tests.oracle.windows import ELEMENTS
from tests.random_logs import Event

GRAINS = ("minute", "hour", "shift", "day", "week", "month", "order")
WINDOW = ("equipment", "window_start", "window_end", "shift")
RATIOS = (
    "availability",
    "performance",
    "quality",
    "oee",
    "ooe",
    "teep",
    "scrap_ratio",
    "throughput_per_hour",
    "coverage",
)
TABLES = {
    "events": "* EXCLUDE (flush) FROM events",
    "intervals": "* FROM intervals",
    "count_elements": "* FROM count_elements",
    "stops": "* FROM stops",
    "stops up to the horizon": "* FROM stops_now",
    "horizon": "horizon FROM horizons",
    "kpi_shift": "* EXCLUDE (status, revision, changed_at) FROM kpi_shift",
    "kpi_order": "* EXCLUDE (status, revision, changed_at) FROM kpi_order",
}
"""What must be equal whenever the events are. The other grains are made of the same tables; status, revision and change
time tell how events arrived."""

Row = dict[str, Any]


def new_year() -> datetime:
    """A clock that stands still."""
    return datetime(2026, 1, 1, tzinfo=UTC)


@cache
def _empty() -> Path:
    """A store without a plant and without anything in it: to make one takes longer than most tests."""
    db = Path(mkdtemp(prefix="oeeflow-empty-")) / "kpi.duckdb"
    atexit.register(shutil.rmtree, db.parent)
    with Store(db, load_plant("[plant]\nname = 'none'\n"), plant_path="plant.toml", clock=new_year):
        pass
    with duckdb.connect(str(db)) as con:
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            if table != "schema_versions":
                con.execute(f'DELETE FROM "{table}"')
    return db


def prepared(db: Path) -> Path:
    """The path of a store that is there: if it was not, an empty one."""
    if not db.exists():
        db.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_empty(), db)
    return db


@contextmanager
def opened(db: Path, plant: Plant, clock: Callable[[], datetime] = new_year) -> Iterator[Store]:
    """The store, open for writing."""
    with Store(prepared(db), plant, plant_path="plant.toml", clock=clock) as store:
        yield store


def lines(events: Iterable[Event]) -> bytes:
    """Events as a source sends them."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def batch(events: Sequence[Event], until: int | None = None, horizon: int | None = None) -> Batch:
    """Events as they come from a source."""
    if not events:
        return Batch(pl.DataFrame(schema=EVENTS), pl.DataFrame(schema=REJECTED), until=until, horizon=horizon)
    decoded = decode(lines(events), 1)
    return Batch(decoded.events, decoded.rejected, until=until, horizon=horizon)


def take_in(
    store: Store, plant: Plant, events: Sequence[Event], until: int | None = None, horizon: int | None = None
) -> Outcome:
    """One batch: taken, accounted, committed."""
    pending = store.take(batch(events, until, horizon))
    return store.commit(pending, account(pending.work, plant) if pending.work else None)


def fill(
    db: Path, toml: str, parts: Sequence[Sequence[Event]], *, until: int | None = None, reopen: bool = False
) -> None:
    """A log in parts: in one go, or with the store closed and opened again between them."""
    plant = load_plant(toml)
    for piece in [[part] for part in parts] if reopen else [parts]:
        with opened(db, plant) as store:
            for part in piece:
                take_in(store, plant, part, until)
    if until is not None:
        with opened(db, plant) as store:
            take_in(store, plant, [], until, until)


def queried(db: Path, statement: str) -> list[Row]:
    """Rows of a statement, instants in microseconds."""
    with Reader(db) as reader:
        return in_microseconds(reader.query(statement))


def in_microseconds(frame: pl.DataFrame) -> list[Row]:
    return frame.with_columns(pl.col(pl.Datetime("us", "UTC")).cast(pl.Int64)).to_dicts()


def dump(db: Path) -> dict[str, pl.DataFrame]:
    """All rows of TABLES, in an order of their own."""
    with Reader(db) as reader:
        return {name: reader.query(f"SELECT {what} ORDER BY ALL") for name, what in TABLES.items()}


def unequal(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> dict[str, Any]:
    """The tables of two dumps that differ, with the first rows that only one of them has."""
    different = {}
    for name, frame in one.items():
        if not frame.equals(other[name]):
            rows, others = frame.rows(), other[name].rows()
            only = [row for row in rows if row not in others], [row for row in others if row not in rows]
            different[name] = (len(rows), len(others), *(some[:2] for some in only))
    return different


def faults(db: Path, expected: Result, grains: Sequence[str] = GRAINS) -> list[str]:
    """Where a store differs from what the naive calculation says: nowhere, if all is well."""
    with Reader(db) as reader:
        found = in_microseconds(reader.timeline(Selection()))
        wrong = _rows("timeline", found, expected.timeline(), ("equipment", "start"), ())
        for grain in grains:
            keys = WINDOW + (("order", "product") if grain == "order" else ())
            found = in_microseconds(reader.query(f"SELECT * FROM kpi_{grain}"))
            wrong += _rows(grain, found, expected.kpi(grain), keys, RATIOS)
    return wrong


def _rows(
    name: str, found: list[Row], expected: list[Row], keys: tuple[str, ...], ratios: tuple[str, ...]
) -> list[str]:
    """Differences of two lists of rows; a ratio may be off by the rounding of a float."""
    ours = {tuple(row[key] for key in keys): row for row in found}
    theirs = {tuple(row[key] for key in keys): row for row in expected}
    wrong = [f"{name}: {len(found) - len(ours)} rows twice"] if len(ours) < len(found) else []
    wrong += [f"{name}: missing {key}" for key in theirs if key not in ours]
    wrong += [f"{name}: not expected {key}" for key in ours if key not in theirs]
    exact = [column for column in (expected[0] if expected else ()) if column not in ratios and column not in keys]
    for key in ours.keys() & theirs.keys():
        one, other = ours[key], theirs[key]
        differing = [column for column in exact if one[column] != other[column]]
        differing += [column for column in ratios if not _close(one[column], other[column])]
        wrong += [f"{name} {key}: {column} is {one[column]}, not {other[column]}" for column in differing]
    return wrong


def _close(one: float | None, other: Any) -> bool:
    if one is None or other is None:
        return one is None and other is None
    return math.isclose(one, float(other), rel_tol=1e-9, abs_tol=1e-12)


def element_sums(rows: Sequence[Row]) -> dict[str, int]:
    """The elements of rows added up."""
    return {name: sum(row[name] for row in rows) for name in ELEMENTS}
