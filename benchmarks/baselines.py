"""What the engine is measured against."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import duckdb
import polars as pl
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.testing import TestingSink, TestingSource, run_main

FLUSH = 245_760
WINDOWED = 500_000


def bare_append(frame: pl.DataFrame, store: Path, db: Path) -> float:
    """Seconds to append the events that the store keeps, as it keeps them and in transactions of the same size."""
    db.unlink(missing_ok=True)
    con = duckdb.connect(str(db), config={"threads": 1})
    con.execute("SET TimeZone = 'UTC'; SET wal_autocheckpoint = '1TB'")
    con.execute(
        f"ATTACH '{store}' AS store (READ_ONLY); CREATE TABLE events AS FROM store.events LIMIT 0; DETACH store"
    )
    columns = [name for name, *_ in con.execute("DESCRIBE events").fetchall()]
    missing = [pl.lit(None).alias(name) for name in columns if name not in frame.columns]
    begin = time.perf_counter()
    for part in frame.iter_slices(FLUSH):
        con.register("batch", part.with_columns(missing).select(columns).to_arrow())
        con.execute("INSERT INTO events BY NAME SELECT * FROM batch")
        con.unregister("batch")
    con.execute("CHECKPOINT")
    seconds = time.perf_counter() - begin
    con.close()
    db.unlink()
    return seconds


def one_query(parquet: Path) -> float:
    """Seconds of the same sums, by machine and minute, as one polars query that stores nothing."""
    begin = time.perf_counter()
    events = pl.scan_parquet(parquet).sort("equipment", "ts")
    following = pl.col("ts").shift(-1).over("equipment")
    states = events.filter(pl.col("type") == "state").with_columns(length=following - pl.col("ts"))
    minute = pl.col("ts").dt.truncate("1m")
    time_sums = states.group_by("equipment", minute, "state").agg(pl.col("length").sum())
    counts = events.filter(pl.col("type") == "count")
    piece_sums = counts.group_by("equipment", minute).agg(pl.col("good", "scrap").sum())
    pl.collect_all([time_sums, piece_sums])
    return time.perf_counter() - begin


def dict_windows(parquet: Path) -> float:
    """Events a second of a plain dataflow over the same file: rows as dicts, bytewax's own windows of a minute.

    It adds up pieces and the time between states by machine and minute, as `one_query` does; it knows no calendar and
    no late event, forgets at the end of a minute which state is in force, and stores nothing.
    """
    frame = pl.scan_parquet(parquet).head(WINDOWED)
    out: list[Any] = []

    def rows() -> Iterator[dict[str, Any]]:
        for part in frame.collect().iter_slices(FLUSH):
            yield from part.iter_rows(named=True)

    flow = Dataflow("windows")
    keyed = op.key_on("by-machine", op.input("rows", flow, TestingSource(rows(), 1000)), lambda row: row["equipment"])
    clock: windowing.EventClock[dict[str, Any]] = windowing.EventClock(
        lambda row: row["ts"], timedelta(seconds=5), to_system_utc=lambda _: None
    )
    windower = windowing.TumblingWindower(timedelta(minutes=1), datetime.fromisoformat("2026-01-01T00:00:00+00:00"))

    summed = windowing.fold_window("sum", keyed, clock, windower, _nothing, _add, _both)
    op.output("out", summed.down, TestingSink(out))
    begin = time.perf_counter()
    execute: Callable[..., None] = run_main  # it comes without types
    execute(flow)
    return WINDOWED / (time.perf_counter() - begin)


def _nothing() -> dict[str, Any]:
    return {"good": 0, "scrap": 0, "state": None, "since": None, "time": {}}


def _add(sums: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    if row["type"] == "count":
        sums["good"] += row["good"] or 0
        sums["scrap"] += row["scrap"] or 0
        return sums
    if sums["since"] is not None:
        lasted = row["ts"] - sums["since"]
        sums["time"][sums["state"]] = sums["time"].get(sums["state"], timedelta()) + lasted
    sums["state"], sums["since"] = row["state"], row["ts"]
    return sums


def _both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    time = {name: first["time"].get(name, timedelta()) + lasted for name, lasted in second["time"].items()}
    pieces = {name: first[name] + second[name] for name in ("good", "scrap")}
    return {**second, **pieces, "time": first["time"] | time}
