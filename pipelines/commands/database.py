"""Commands that look after the store: access for other programs, health, copies."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import Db, Output
from pipelines.output import Column, Format, emit, plain, write_table, write_text

Folder = Annotated[Path, typer.Argument(help="Folder to write to, new or empty.", show_default=False)]


class ExportFormat(StrEnum):
    """How tables are exported."""

    PARQUET = "parquet"
    CSV = "csv"


def connect(db: Db, form: Output = Format.TABLE) -> None:
    """How to get at the store from DuckDB, Python, a BI tool, or over HTTP: the lines to type, as of now.

    While an engine writes the store these are its address and its published copy, else the file. The page
    docs/connect.md tells more.

    Examples:
      oeeflow connect --db kpi.duckdb
      oeeflow connect --db kpi.duckdb --format json
    """
    import polars as pl

    from pipelines.connecting import recipes, situation
    from storage.reader import Reader

    with Reader(db):  # whether it can be read at all
        found = recipes(db)
        told = situation(db)
    if form is not Format.TABLE:
        emit(pl.DataFrame(found), form)
        return
    write_text(told)
    for recipe in found:
        lines = recipe.lines.replace("\n", "\n    ")
        write_text(f"\n{recipe.program} ({recipe.gives})\n    {lines}")


def migrate(db: Db) -> None:
    """Bring a store of an older oeeflow up to date.

    Examples:
      oeeflow db migrate --db kpi.duckdb
    """
    from storage.maintenance import upgrade

    made = upgrade(db)
    print(f"applied: {', '.join(made)}" if made else "the schema is up to date", file=sys.stderr)


def backup(
    target: Annotated[Path, typer.Argument(help="New file for the copy.", show_default=False)],
    db: Db,
) -> None:
    """Copy the store to a new file, whole and checked.

    Examples:
      oeeflow db backup kpi-2026-03-02.duckdb --db kpi.duckdb
    """
    from storage.maintenance import back_up

    print(f"{back_up(db, target):,} events copied to {target}", file=sys.stderr)


def export(
    folder: Folder,
    db: Db,
    form: Annotated[ExportFormat, typer.Option("--format", help="Format of the files.")] = ExportFormat.PARQUET,
) -> None:
    """Write every table and every view of results to a file each.

    Examples:
      oeeflow export out --db kpi.duckdb
      oeeflow export out --db kpi.duckdb --format csv
    """
    from storage.maintenance import export as write

    rows = [{"name": name, "rows": number} for name, number in write(db, folder, form.value).items()]
    write_table(rows, [Column("table", plain("name")), Column("rows", plain("rows"), right=True)])
