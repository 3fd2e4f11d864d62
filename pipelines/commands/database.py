"""Commands that look after the store: access for other programs, health, copies."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kpis.wording import counted
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
    print(f"{counted(made.events, 'event')} copied to {target}", file=sys.stderr)
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
    print(f"{counted(done.events, 'event')} restored from {source}", file=sys.stderr)
    if done.aside:
        print(f"the store that was there is now {done.aside}", file=sys.stderr)
    if done.lost:
        first, last = done.lost
        print(f"left out: messages {first:,} to {last:,}, which are in no journal any more", file=sys.stderr)


def retain(
    db: Db,
    keep: Annotated[
        str | None, typer.Option(help="How much of the past stays, such as 400d, counted from the newest event.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(help="First production day that stays, such as 2026-01-01.", metavar="DATE")
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="Folder for the files; default: archive in the folder beside the store.", metavar="DIR"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Move old events out of the store into Parquet files; all results stay as they are.

    From then on what would change the time before that day is rejected as before_retention: late events, corrections,
    retractions. The store must not be in use.

    Examples:
      oeeflow db retain --db kpi.duckdb --keep 400d --dry-run
      oeeflow db retain --db kpi.duckdb --keep 400d
      oeeflow db retain --db kpi.duckdb --before 2026-01-01 --archive /archive/ulm
    """
    from datetime import UTC, datetime

    from pipelines.archiving import first_day
    from storage.retention import retain as move
    from storage.retention import tried

    choose = first_day(keep, before)
    if dry_run:
        done = tried(db, choose, archive)
    else:
        with Console(stderr=True).status("looking what there is") as status:
            done = move(
                db,
                choose,
                archive,
                lambda: datetime.now(UTC),
                lambda part: status.update(f"archiving {part.first_day} to {part.until}"),
            )
    if not done.parts:
        print(f"there are no events before {done.until} to archive", file=sys.stderr)
        return
    rows = [{**asdict(part), "days": f"{part.first_day} to {part.until}"} for part in done.parts]
    columns = [Column("days", plain("days")), Column("events", plain("events"), right=True)]
    columns += [Column("rejected", plain("rejected"), right=True), Column("bytes", plain("bytes"), right=True)]
    write_table(rows, columns[:3] if dry_run else columns)
    events, size = (sum(getattr(part, name) for part in done.parts) for name in ("events", "bytes"))
    moved = "would be moved" if dry_run else f"({size / 1e6:,.1f} MB) moved"
    print(f"{counted(events, 'event')} before {done.until} {moved} to {done.folder}", file=sys.stderr)
    print(f"{done.kept:,} of those before it stay in the store too: later figures need them", file=sys.stderr)
    if not dry_run:
        print(f"{done.free / 1e6:,.1f} MB are free in the store for what comes", file=sys.stderr)
    if done.note:
        print(f"no snapshot of the store as it is now: {done.note}", file=sys.stderr)


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
