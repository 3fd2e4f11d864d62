"""Whether a store is in order: what was found, and what to do about it."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import duckdb

from kpis.errors import OeeflowError, StorageError
from kpis.plant import load_plant
from storage.database import connect
from storage.migrations import version
from storage.schema import VERSION

_LEAST_FREE_BYTES: Final = 500_000_000
_GIGABYTE: Final = 1e9


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `advice` says what to do unless it is `ok`."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    text: str
    advice: str = ""


def findings(path: Path) -> Iterator[Finding]:
    """What there is to say about a store, from the file to its content."""
    folder = path.resolve().parent
    if not path.exists():
        yield Finding(
            "fail", "store", f"there is no store at {path}", "name another with --db, or run `oeeflow replay`"
        )
        return
    yield Finding("ok", "store", f"{path}, {path.stat().st_size / _GIGABYTE:.3f} GB")
    yield from _place(path, folder)
    try:
        con = connect(path, read_only=True)
    except StorageError as error:
        yield Finding("fail", "opening", str(error), error.hint or "")
        return
    try:
        yield from _content(con)
    finally:
        con.close()


def _place(path: Path, folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    room = f"{free / _GIGABYTE:.1f} GB free in {folder}"
    if free < max(_LEAST_FREE_BYTES, path.stat().st_size // 4):
        yield Finding("warn", "disk", room, "make room: a full disk stops the writer")
    else:
        yield Finding("ok", "disk", room)
    if os.access(path, os.W_OK) and os.access(folder, os.W_OK):
        yield Finding("ok", "permissions", "the store can be written")
    else:
        yield Finding("warn", "permissions", "the store can be read only", "allow writing to the file and its folder")


def _content(con: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    try:
        found = version(con)
    except StorageError as error:
        yield Finding("fail", "schema", str(error), error.hint or "")
        return
    if found != VERSION:
        advice = "run `oeeflow db migrate`" if found < VERSION else "install the newer oeeflow that wrote it"
        yield Finding("fail", "schema", f"version {found}, this oeeflow reads {VERSION}", advice)
        return
    yield Finding("ok", "schema", f"version {found}")
    for look in (_plant, _events, _rejected, _positions):
        yield from look(con)


def _plant(con: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    rows = con.execute("SELECT path, text, fingerprint FROM plants").fetchall()
    if not rows:
        yield Finding("warn", "plant", "the store is empty", "fill it with `oeeflow replay`")
        return
    path, text, fingerprint = rows[0]
    try:
        plant = load_plant(text)
    except OeeflowError as error:
        yield Finding("fail", "plant", f"its plant file is refused: {error}", "correct it and replay with it")
        return
    yield Finding("ok", "plant", f"{plant.name}, fingerprint {fingerprint[:12]}, from {path}")
    file = Path(path)
    if not file.is_file():
        yield Finding("warn", "plant file", f"{path} is gone", "replay with the file where it is now")
    elif file.read_text(encoding="utf-8", errors="replace") != text:
        advice = "replay with it: all results are made anew where numbers change"
        yield Finding("warn", "plant file", f"{path} was changed since", advice)


def _events(con: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    events, horizon = con.execute("SELECT (SELECT count(*) FROM events), max(horizon)::VARCHAR FROM plants").fetchall()[
        0
    ]
    yield Finding("ok", "events", f"{events:,}, accounted up to {horizon or 'nothing yet'}")


def _rejected(con: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    rows = con.execute("SELECT reason, count(*) FROM rejected_events GROUP BY 1 ORDER BY 2 DESC, 1").fetchall()
    if rows:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in rows)
        yield Finding("warn", "rejected events", reasons, "see `oeeflow rejected`; a corrected plant file: --retry")
    else:
        yield Finding("ok", "rejected events", "none")


def _positions(con: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    rows = con.execute("SELECT source FROM positions WHERE NOT complete ORDER BY source").fetchall()
    if rows:
        names = ", ".join(source for (source,) in rows)
        yield Finding("warn", "files", f"taken in only in part: {names}", "replay them again: it goes on from there")
