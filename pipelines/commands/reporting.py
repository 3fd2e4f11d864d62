"""The command that writes the report of a shift, and signs it off."""

import getpass
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.options import Db, opened
from pipelines.output import write_bytes

if TYPE_CHECKING:
    from storage.places import Places
    from storage.reports.content import Content, Report


class ReportFormat(StrEnum):
    """What kind of file a report is."""

    PDF = "pdf"
    XLSX = "xlsx"
    CSV = "csv"
    JSON = "json"


def report(
    equipment: Annotated[str, typer.Argument(help="Path of the line, or of any equipment.", show_default=False)],
    db: Db,
    shift: Annotated[
        str | None,
        typer.Option("--shift", help="Day and name, 2026-03-24/late; default: the last that is over."),
    ] = None,
    form: Annotated[
        ReportFormat | None, typer.Option("--format", help="Default: what --out ends with, else pdf.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File, or a folder to name one in; default: standard output.")
    ] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="Sign it off: keep it as it is, as a revision.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who signs it off; default: the user of this machine.")] = None,
    revision: Annotated[
        int | None, typer.Option("--revision", help="One that was signed off, as it was.", min=1)
    ] = None,
) -> None:
    """The report of a shift on one sheet of A4: figures, losses, hours, stops, scrap, orders, corrections.

    Once signed off, a report stays as it was; what is corrected later makes the next revision, which shows from what
    to what.

    Examples:
      oeeflow report acme/ulm/packing/line-1 --shift 2026-03-24/late --out late.pdf --db kpi.duckdb
      oeeflow report acme/ulm/packing/line-1 --freeze --by "Anna Schmid" --out reports/ --db kpi.duckdb
    """
    from kpis.errors import ConfigError
    from storage.places import Places
    from storage.reports import reading, revisions

    if freeze and revision is not None:
        message = "a revision that was signed off cannot be signed off again"
        raise ConfigError(message, hint="leave --revision out to sign off what has changed since")
    kind = form or _told(out)
    places = Places(db)
    with opened(db) as store:
        content = (
            reading.latest(store.reader, equipment) if shift is None else reading.read(store.reader, equipment, shift)
        )
    found = revisions.current(places, content) if revision is None else _kept(places, content, revision)
    if freeze:
        found = revisions.sign_off(places, found, by or getpass.getuser(), _now())
    _write(found, kind, out)


def _told(out: Path | None) -> ReportFormat:
    """The format that the name of a file tells."""
    suffix = "" if out is None else out.suffix.lower().removeprefix(".")
    return ReportFormat(suffix) if suffix in set(ReportFormat) else ReportFormat.PDF


def _kept(places: "Places", content: "Content", revision: int) -> "Report":
    from kpis.errors import ConfigError
    from storage.reports import revisions

    kept = revisions.kept(places, content.equipment, content.shift)
    for one in kept:
        if one.revision == revision:
            return one
    message = f"revision {revision} of {content.shift} was never signed off"
    told = ", ".join(str(one.revision) for one in reversed(kept))
    raise ConfigError(message, hint=f"there is {told}" if told else "sign one off with --freeze")


def _write(found: "Report", kind: ReportFormat, out: Path | None) -> None:
    from kpis.errors import ConfigError
    from storage.reports.writing import file_name, written

    state = "not signed off" if found.signed is None else f"signed off by {found.signed.by}"
    if out is None:
        if kind in (ReportFormat.PDF, ReportFormat.XLSX) and sys.stdout.isatty():
            message = f"a file of kind {kind} is nothing to read on a terminal"
            raise ConfigError(message, hint="name a file with --out")
        write_bytes(written(found, kind.value))
        return
    path = out / file_name(found, kind.value) if out.is_dir() else out
    try:
        path.write_bytes(written(found, kind.value))
    except OSError as error:
        message = f"cannot write {path}: {(error.strerror or str(error)).lower()}"
        raise ConfigError(message, hint="name a file in a folder that is there") from error
    print(f"revision {found.revision}, {state}, written to {path}", file=sys.stderr)


def _now() -> int:
    import time

    return time.time_ns() // 1_000
