"""The kinds of files that a report can be, and how it is written as each."""

from typing import Final, Literal
from urllib.parse import quote

from storage.reports.content import Report

FileKind = Literal["pdf", "xlsx", "csv", "json"]
MEDIA_TYPES: Final[dict[FileKind, str]] = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "json": "application/json",
}


def written(report: Report, kind: FileKind) -> bytes:
    """The bytes of a report as a file. The same report always makes the same."""
    # What draws and calculates takes long to load, and most who look at a report take no file of it.
    if kind == "pdf":
        from storage.reports.pdf import pdf

        return pdf(report)
    if kind == "json":
        from storage.reports.revisions import as_json

        return as_json(report)
    from storage.reports import tables

    return tables.excel(report) if kind == "xlsx" else tables.comma_separated(report)


def file_name(report: Report, kind: FileKind) -> str:
    """A name for the file: day, shift, equipment and revision; what file systems do not take is escaped."""
    content = report.content
    parts = (*content.shift.split("/", 1), content.equipment.rsplit("/", 1)[-1], f"r{report.revision}")
    return f"{'_'.join(quote(part, safe=' ') for part in parts)}.{kind}"
