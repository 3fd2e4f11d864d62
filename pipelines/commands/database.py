"""Commands that look after the store: access for other programs, health, copies."""

import sys
from datetime import UTC, datetime
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
    """Copy the store to a new file, whole and checked; while an engine writes it, its newest snapshot.

    Examples:
      oeeflow db backup kpi-2026-03-02.duckdb --db kpi.duckdb
    """
    from storage.copies import back_up

    made = back_up(db, target)
    print(f"{made.events:,} events copied to {target}", file=sys.stderr)
    if made.at:
        _tell_age(made.at)


def _tell_age(at: datetime) -> None:
    age = (datetime.now(UTC) - at).total_seconds()
    print(f"an engine writes the store: this is its snapshot of {age:.0f} s ago", file=sys.stderr)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A backup or a snapshot.", show_default=False)],
    db: Db,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Leave out what came in after it and is in no journal any more.")
    ] = False,
) -> None:
    """Put a backup or a snapshot in the place of the store, which is kept beside it under another name.

    What came in since is taken in from the journal when the engine starts.

    Examples:
      oeeflow db restore kpi-2026-03-02.duckdb --db kpi.duckdb
    """
    from storage.copies import restore as put_in_place

    done = put_in_place(source, db, lambda: datetime.now(UTC), accept_loss=accept_loss)
    print(f"{done.events:,} events restored from {source}", file=sys.stderr)
    if done.aside:
        print(f"the store that was there is now {done.aside}", file=sys.stderr)
    if done.lost:
        first, last = done.lost
        print(f"left out: messages {first:,} to {last:,}, which are in no journal any more", file=sys.stderr)


def export(
    folder: Folder,
    db: Db,
    form: Annotated[ExportFormat, typer.Option("--format", help="Format of the files.")] = ExportFormat.PARQUET,
) -> None:
    """Write every table and every view of results to a file each; while an engine writes, from its newest snapshot.

    Examples:
      oeeflow export out --db kpi.duckdb
      oeeflow export out --db kpi.duckdb --format csv
    """
    from storage.maintenance import export as write

    made = write(db, folder, form.value)
    rows = [{"name": name, "rows": number} for name, number in made.rows.items()]
    write_table(rows, [Column("table", plain("name")), Column("rows", plain("rows"), right=True)])
    if made.at:
        _tell_age(made.at)
