"""Results on standard output: JSON, CSV and Parquet for programs, tables for people."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import polars as pl

_ROWS_AT_ONCE = 50_000
_PLAIN_WIDTH = 100
_LEAST = 12
Row = dict[str, Any]


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True)
class Column:
    """A column of a table for people: its title, the text of a row in it, and whether numbers stand in it."""

    title: str
    text: Callable[[Row], str]
    number: bool = False


def emit(frame: "pl.DataFrame", form: Format, columns: Sequence[Column]) -> None:
    """Write a whole frame: the columns given as a table, all of the frame's own in any other format.

    Times are RFC 3339 in UTC in JSON and CSV; what is undefined is null in JSON and empty in CSV.
    """
    if form is Format.TABLE:
        write_table(frame.to_dicts(), columns)
    elif form is Format.JSON:
        _write_json(frame)
    elif form is Format.CSV:
        _write(_times_as_text(frame).write_csv().encode())
    else:
        buffer = BytesIO()
        frame.write_parquet(buffer)
        _write(buffer.getvalue())


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _write_json(frame: "pl.DataFrame") -> None:
    import orjson

    _write(b"[")
    separator = b"\n"
    for part in frame.iter_slices(_ROWS_AT_ONCE):
        for row in part.iter_rows(named=True):
            sys.stdout.buffer.write(separator + orjson.dumps(row, default=_as_text, option=orjson.OPT_UTC_Z))
            separator = b",\n"
    _write(b"\n]\n")


def _as_text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _times_as_text(frame: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    def rfc3339(name: str) -> pl.Expr:
        at = pl.col(name)
        digits = "%Y-%m-%dT%H:%M:%S"
        whole = at.dt.microsecond() == 0
        return pl.when(whole).then(at.dt.strftime(f"{digits}Z")).otherwise(at.dt.strftime(f"{digits}%.6fZ")).alias(name)

    times = [rfc3339(name) for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    binary = [
        pl.col(name).map_elements(_as_text, return_dtype=pl.String)
        for name, kind in frame.schema.items()
        if kind == pl.Binary
    ]
    return frame.with_columns(times + binary)


def write_table(rows: Sequence[Row], columns: Sequence[Column], title: str | None = None) -> None:
    """A table of these columns. Where the terminal is narrow the first column is shortened, from its left."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[column.text(row) for column in columns] for row in rows]
    console = Console(highlight=False)
    widths = [max([len(column.title), *(len(row[n]) for row in cells)]) for n, column in enumerate(columns)]
    room = console.width if console.is_terminal else max(console.width, _PLAIN_WIDTH, sum(widths) + 2 * len(widths))
    first = max(_LEAST, room - sum(widths[1:]) - 2 * len(widths))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=title, title_justify="left")
    for column in columns:
        table.add_column(column.title, justify="right" if column.number else "left", no_wrap=True, overflow="ellipsis")
    for row in cells:
        table.add_row(Text(_shortened(row[0], first)), *(Text(cell) for cell in row[1:]))
    console.width = room
    console.print(table)


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[1 - width :]}"


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
    return lambda row: "" if row[name] is None else str(row[name])


def local(name: str, zone: ZoneInfo, *, seconds: bool = True) -> Callable[[Row], str]:
    """The text of an instant in a time zone."""
    digits = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return lambda row: "" if row[name] is None else row[name].astimezone(zone).strftime(digits)


def duration(name: str) -> Callable[[Row], str]:
    """The text of microseconds, such as `1:02:03`."""

    def text(row: Row) -> str:
        us = row[name]
        if us is None:
            return ""
        minutes, seconds = divmod(round(abs(us) / 1_000_000), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{'-' if us < 0 else ''}{hours}:{minutes:02}:{seconds:02}"

    return text
