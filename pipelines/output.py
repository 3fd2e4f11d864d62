"""Results on standard output: JSON, CSV and Parquet for programs, tables for people."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kpis.wording import counted

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]

_ROWS_AT_ONCE = 20_000
_MOST_ROWS_SHOWN = 1_000
_LEAST_WIDTH = 12


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class Column:
    """A column of a table for people: its title, the text of a row in it, and whether it is set to the right."""

    title: str
    text: Callable[[Row], str]
    right: bool = False


def emit(frame: "pl.DataFrame", form: Format, columns: Sequence[Column] = ()) -> None:
    """Write a whole frame: the columns given as a table, all of the frame's own in any other format.

    Without columns the table too shows all. Times are RFC 3339 in UTC in JSON and CSV; what is undefined is null in
    JSON and empty in CSV.
    """
    if form is Format.TABLE:
        write_table(frame.to_dicts(), columns or [Column(name, plain(name)) for name in frame.columns])
    elif form is Format.JSON:
        _write_json(frame)
    elif form is Format.CSV:
        _write(_as_texts(frame).write_csv().encode())
    else:
        buffer = BytesIO()
        frame.write_parquet(buffer)
        _write(buffer.getvalue())


def write_bytes(data: bytes) -> None:
    """Write the bytes of a file."""
    _write(data)


def _write(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Whoever read has seen enough; nothing must be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def _write_json(frame: "pl.DataFrame") -> None:
    start = b"[\n"
    for part in frame.iter_slices(_ROWS_AT_ONCE):
        if part.height:
            _write(start + b",\n".join(map(json_object, part.iter_rows(named=True))))
            start = b",\n"
    _write(b"\n]\n" if frame.height else b"[]\n")


def write_json_object(value: Row) -> None:
    """Write one object, in an array like the rows of any other result."""
    _write(b"[\n" + json_object(value) + b"\n]\n")


def json_object(value: Row) -> bytes:
    """A JSON object on one line, with times in RFC 3339 and NaN as null.

    >>> json_object({"oee": float("nan"), "good": 3})
    b'{"oee":null,"good":3}'
    """
    import orjson

    return orjson.dumps(value, default=_as_text, option=orjson.OPT_UTC_Z)


def _as_text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _as_texts(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The frame with times and bytes as texts, for CSV."""
    import polars as pl

    def rfc3339(name: str) -> pl.Expr:
        at, seconds = pl.col(name), "%Y-%m-%dT%H:%M:%S"
        whole = at.dt.microsecond() == 0
        text = pl.when(whole).then(at.dt.strftime(f"{seconds}Z")).otherwise(at.dt.strftime(f"{seconds}%.6fZ"))
        return text.alias(name)

    columns = []
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Datetime):
            columns.append(rfc3339(name))
        elif kind == pl.Binary or kind.is_nested():
            columns.append(pl.col(name).map_elements(_as_text, return_dtype=pl.String))
    return frame.with_columns(columns)


def write_text(text: str) -> None:
    """Write lines of text as they are."""
    _write(f"{text}\n".encode())


def write_table(rows: Sequence[Row], columns: Sequence[Column], title: str | None = None) -> None:
    """Write a table of these columns.

    A terminal too narrow for it shortens the first column from its left, then the others from their right; what is
    written elsewhere is never shortened.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[column.text(row) for column in columns] for row in rows[:_MOST_ROWS_SHOWN]]
    widths = [max([len(column.title), *(len(row[n]) for row in cells)]) for n, column in enumerate(columns)]
    console = Console(highlight=False)
    natural = sum(widths) + 2 * len(widths)
    if not console.is_terminal:
        console.width = max(natural, console.width)
    gap = 2 if natural <= console.width else 1
    first = max(_LEAST_WIDTH, console.width - sum(widths[1:]) - gap * len(widths))
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), title=title, title_justify="left")
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True, overflow="ellipsis")
    for row in cells:
        table.add_row(*map(Text, [shortened(row[0], first), *row[1:]]))
    with console.capture() as written:
        console.print(table)
    _write("".join(f"{line.rstrip()}\n" for line in written.get().splitlines()).encode())
    if len(rows) > len(cells):
        print(f"{counted(len(rows) - len(cells), 'row')} more: --format json, csv or parquet has all", file=sys.stderr)


def shortened(text: str, width: int) -> str:
    """The end of a text that is too long: of a path it tells the most.

    >>> shortened("acme/ulm/packing/line-1", 12)
    '…king/line-1'
    """
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"


def percent(name: str, *, flag_above_1: bool = False) -> Callable[[Row], str]:
    """The text of a ratio in per cent; `-` where it is undefined, with `!` where above 1 something is wrong."""

    def text(row: Row) -> str:
        value = row[name]
        if value is None:
            return "-"
        return f"{100 * value:.1f}" + ("!" if flag_above_1 and value > 1 else "")

    return text


def plain(name: str) -> Callable[[Row], str]:
    """The text of a value as it is; empty where there is none."""
    return lambda row: "" if row[name] is None else _as_text(row[name])


def local(name: str, zone: ZoneInfo, *, seconds: bool = True) -> Callable[[Row], str]:
    """The text of an instant in a time zone."""
    digits = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return lambda row: "" if row[name] is None else row[name].astimezone(zone).strftime(digits)


def duration(name: str) -> Callable[[Row], str]:
    """The text of microseconds in hours, minutes and whole seconds, such as `1:02:03`."""

    def text(row: Row) -> str:
        us = row[name]
        if us is None:
            return ""
        minutes, seconds = divmod(round(abs(us) / 1_000_000), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{'-' if us < 0 else ''}{hours}:{minutes:02}:{seconds:02}"

    return text
