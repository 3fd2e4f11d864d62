"""The data dictionary as a Markdown page, made from an empty store. `python -m storage.dictionary`."""

from collections.abc import Iterable

import duckdb

from kpis.plant import STARTER, load_plant
from storage.migrations import migrate
from storage.views import create_views

_HEAD = """\
# Data dictionary

This page is made from the comments in the store by `python -m storage.dictionary > docs/data-dictionary.md`; the same
comments are in the file itself (`SELECT * FROM duckdb_columns()`).

Every time is an instant in UTC (`TIMESTAMPTZ`), every duration whole microseconds, every ratio a fraction (0.85 is
85 %). Windows and intervals include their start and exclude their end. What is undefined is null. Elements are
integers that may be summed over any rows; ratios are not: sum the elements and divide, or ask for the larger window.

The tables and views to start from: `kpi_shift`, `kpi_day`, `losses`, `six_big_losses`, `data_quality`, `stops_now`,
`time_elements`, `count_elements` and `events`. How to attach to the file: `oeeflow connect`.
"""


def markdown() -> str:
    """The page: tables in the order they are kept, then views, each with its columns."""
    con = duckdb.connect()
    try:
        migrate(con)
        create_views(con, load_plant(STARTER))
        tables = con.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE NOT internal ORDER BY table_oid"
        ).fetchall()
        views = con.execute(
            "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY view_name"
        ).fetchall()
        sections = [_HEAD, "## Tables\n", *_sections(con, tables), "## Views\n", *_sections(con, views)]
    finally:
        con.close()
    return "\n".join(sections)


def _sections(con: duckdb.DuckDBPyConnection, relations: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, meaning in relations:
        columns = con.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
            [name],
        ).fetchall()
        rows = [f"| {column} | {_kind(kind)} | {_cell(text)} |" for column, kind, text in columns]
        yield "\n".join([f"### {name}\n", f"{meaning}\n", "| column | type | meaning |", "|---|---|---|", *rows, ""])


def _kind(name: str) -> str:
    return "TIMESTAMPTZ" if name == "TIMESTAMP WITH TIME ZONE" else name


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(markdown(), end="")
