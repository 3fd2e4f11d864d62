"""Parquet: one event per row, in columns of any fitting type."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from kpis.errors import SourceError
from kpis.event_checks import validate
from pipelines.sources.chunk import Chunk
from storage.archive import FORM

_NEEDED: Final = ("ts", "equipment", "type")


def read(path: Path, start: int, rows: int) -> Iterator[Chunk]:
    """The events of a Parquet file after its row `start`; the first row is row 1.

    Raises SourceError if the file is damaged or has not the columns of events.
    """
    try:
        frame = pl.scan_parquet(path)
        names = frame.collect_schema().names()
        total = frame.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, error) from error
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        message = f"{path}: there is no column {', '.join(missing)}"
        raise SourceError(message, hint="a Parquet file of events has a column for each field")
    # What oeeflow archived itself has all details of an event in one column: they are what they were.
    archived = pl.read_parquet_metadata(path).get("oeeflow") == FORM
    size = path.stat().st_size
    for offset in range(start, total, rows):
        try:
            given = frame.slice(offset, rows).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(path, error) from error
        end = offset + given.height
        fields, details = (given.drop("details"), given["details"]) if archived else (given, None)
        events, rejected = validate(fields, pl.int_range(offset + 1, end + 1, eager=True), details=details)
        yield Chunk(events, _with_raw(rejected, given, offset), end, size * end // total)


def _damaged(path: Path, error: Exception) -> SourceError:
    reason = str(error).splitlines()[0]
    return SourceError(f"{path}: cannot be read as Parquet: {reason}", hint="write or copy the file again")


def _with_raw(rejected: pl.DataFrame, given: pl.DataFrame, offset: int) -> pl.DataFrame:
    """Rejected rows with the row they come from, spelled as a JSON object."""
    if rejected.is_empty():
        return rejected
    rows = given[(rejected["line"] - offset - 1).to_list()]
    rows = rows.with_columns(pl.col(pl.Binary).bin.encode("hex"))
    texts = rows.select(raw=pl.struct(pl.all()).struct.json_encode().cast(pl.Binary))["raw"]
    return rejected.with_columns(texts)
