"""CSV: a header with the names of the fields, then one event per line."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from kpis.errors import SourceError
from kpis.event_checks import Validated, validate
from kpis.wording import counted
from pipelines.sources.chunk import Chunk
from pipelines.sources.lines import Block, decode_ahead, read_blocks, texts_of, with_raw

_SEPARATORS: Final = (",", ";", "\t")
_NEEDED: Final = ("ts", "equipment", "type")


class Header(NamedTuple):
    """The first line of a CSV file: what parts its cells, and the fields they name."""

    separator: str
    names: list[str]


def read(path: Path, start: int, rows: int) -> Iterator[Chunk]:
    """The events of a CSV file after its line `start`; the header is line 1.

    Raises SourceError if the file cannot be read or its header does not name the fields of events.
    """
    head = next(read_blocks(path, 0, 1), None)
    if head is None:
        return
    header = read_header(path, head.data)

    def decode_block(block: Block) -> Chunk:
        is_head = block.first == 1
        data = block.data[block.data.index(b"\n") + 1 :] if is_head else block.data
        events, rejected = decode(data, block.first + is_head, header)
        return Chunk(events, rejected, block.end, block.bytes_read)

    yield from decode_ahead(read_blocks(path, start, rows), decode_block)


def read_header(path: Path, data: bytes) -> Header:
    """The header in the first line of `data`. Cells are parted by commas, semicolons or tabs."""
    line = data[: data.index(b"\n")].decode(errors="replace").rstrip("\r")
    separator = max(_SEPARATORS, key=line.count)
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        names = []
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        message = f"{path}: the first line names no column {', '.join(missing)}"
        raise SourceError(message, hint="a CSV file of events starts with the names of its columns")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"{path}: the first line names twice: {', '.join(twice) or 'an empty name'}"
        raise SourceError(message, hint="give every column a name of its own")
    return Header(separator, names)


def decode(data: bytes, first: int, header: Header) -> Validated:
    """Events out of whole lines; `first` is the number of the first one. An empty cell is a missing value.

    A line is a row: one with a quoted line break inside ends among the rejected, as do rows with too many or too few
    cells, since what they say is uncertain.
    """
    lines, unreadable = texts_of(data, first, "not_a_row")
    lines = lines.filter(pl.col("text") != "")
    plain = lines["text"].str.contains(_pattern(header))
    chosen = lines.filter(plain)
    given = _parse_plain(chosen, header)
    odd = lines.filter(~plain)
    faults: pl.DataFrame | None = None
    if odd.height:
        cells, faults = _parse_exactly(odd, header)
        given = pl.concat([given, cells])
        none = pl.DataFrame(schema=faults.schema).clear(chosen.height)
        faults = pl.concat([none, faults])
        chosen = pl.concat([chosen, odd])
    valid = validate(given, chosen["line"], faults=faults)
    rejected = pl.concat([unreadable, with_raw(valid.rejected, chosen)])
    return Validated(valid.events.sort("line"), rejected.sort("line"))


def _pattern(header: Header) -> str:
    """Rows of the right number of cells, without quotes inside quotes."""
    mark = r"\t" if header.separator == "\t" else header.separator
    cell = f'(?:"[^"]*"|[^"{mark}]*)'
    return rf"^{cell}(?:{mark}{cell}){{{len(header.names) - 1}}}$"


def _parse_plain(lines: pl.DataFrame, header: Header) -> pl.DataFrame:
    schema = dict.fromkeys(header.names, pl.String())
    if lines.is_empty():
        return pl.DataFrame(schema=schema)
    # Polars takes what begins like compressed data for such, be it text like `x^`: so it begins with a line to skip.
    data = "\n".join(["-", *lines["text"], ""]).encode()
    return pl.read_csv(data, has_header=False, separator=header.separator, schema=schema, skip_rows=1)


def _parse_exactly(lines: pl.DataFrame, header: Header) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows one by one, and for each what is wrong with it."""
    width = len(header.names)
    rows: list[list[str | None]] = []
    faults: list[tuple[str | None, str | None]] = []
    for text in lines["text"]:
        cells, detail = _cells(text, header)
        rows.append([*cells, *[None] * (width - len(cells))][:width])
        faults.append(("not_a_row", detail) if detail else (None, None))
    schema = dict.fromkeys(header.names, pl.String())
    named = {"reason": pl.String(), "detail": pl.String()}
    return pl.DataFrame(rows, schema, orient="row"), pl.DataFrame(faults, named, orient="row")


def _cells(text: str, header: Header) -> tuple[list[str], str | None]:
    try:
        cells = next(csv.reader([text], delimiter=header.separator, strict=True), [])
    except csv.Error as error:
        return [], f"the line is not a row of cells: {error}"
    if len(cells) != len(header.names):
        return cells, f"the row has {counted(len(cells), 'cell')}, the header has {len(header.names)}"
    return cells, None
