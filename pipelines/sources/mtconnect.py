"""MTConnect recordings: lines `timestamp|item|value`, as adapters write them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from kpis.event_checks import Validated, validate
from kpis.events import REJECTED
from pipelines.sources.chunk import Chunk
from pipelines.sources.lines import Block, decode_ahead, read_blocks, texts_of, with_raw

_NUMBER: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"


class Recorder(Protocol):
    """Whose data items mean what: `items` maps an item to `state` or to the quality of a cumulative counter."""

    @property
    def equipment(self) -> str: ...
    @property
    def items(self) -> Mapping[str, str]: ...


def read(recorder: Recorder, path: Path, start: int, rows: int) -> Iterator[Chunk]:
    """The events of a recording after its line `start`. Raises SourceError if the file cannot be read."""

    def decode_block(block: Block) -> Chunk:
        events, rejected = decode(block.data, block.first, recorder)
        return Chunk(events, rejected, block.end, block.bytes_read)

    return decode_ahead(read_blocks(path, start, rows), decode_block)


def decode(data: bytes, first: int, recorder: Recorder) -> Validated:
    """State and counter events out of whole lines; `first` is the number of the first one.

    Lines without an item of the recorder are passed over, and so are empty states and counters that are no number.
    An event's `line` is that of its line, which may hold several.
    """
    lines, unreadable = texts_of(data, first, "not_a_row")
    marks = [f"|{item}|" for item in recorder.items]
    wanted = pl.any_horizontal(pl.col("raw").bin.contains(mark.encode()) for mark in marks)
    unreadable = unreadable.filter(wanted) if marks else REJECTED.to_frame()
    lines = lines.filter(pl.col("text").str.contains_any(marks))
    is_time = pl.int_range(pl.len()).over("line") == 0
    parts = (
        lines.select("line", part=pl.col("text").str.split("|"))
        .with_columns(ts=pl.col("part").list.first())
        .explode("part")
        .with_columns(named=pl.col("part").replace_strict(dict(recorder.items), default=None, return_dtype=pl.String))
        .with_columns(item=pl.when(~is_time).then("named"), value=pl.col("part").shift(-1).over("line"))
        .with_columns(run=pl.col("item").is_not_null().rle_id())
    )
    # where a value spells the name of an item, names and values take turns
    is_name = pl.col("item").is_not_null() & (pl.int_range(pl.len()).over("run") % 2 == 0)
    is_number = pl.col("value").str.contains(_NUMBER)
    parts = parts.filter(is_name & (pl.col("value") != "") & ((pl.col("item") == "state") | is_number))
    state = pl.col("item") == "state"
    given = parts.select(
        "ts",
        equipment=pl.lit(recorder.equipment),
        type=pl.when(state).then(pl.lit("state")).otherwise(pl.lit("counter")),
        state=pl.when(state).then("value"),
        quality=pl.when(~state).then("item"),
        value=pl.when(~state).then("value"),
    )
    valid = validate(given, parts["line"])
    rejected = pl.concat([unreadable, with_raw(valid.rejected, lines)])
    return Validated(valid.events, rejected.sort("line"))
