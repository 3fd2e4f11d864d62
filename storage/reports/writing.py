"""The kinds of files that a report can be, and how it is written as each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from storage.reports.content import Report
from storage.reports.pdf import pdf
from storage.reports.revisions import as_json
from storage.reports.tables import comma_separated, excel


@dataclass(frozen=True)
class FileKind:
    """A kind of file: its media type, and what makes its bytes of a report."""

    media_type: str
    write: Callable[[Report], bytes]


KINDS: Final = {
    "pdf": FileKind("application/pdf", pdf),
    "xlsx": FileKind("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", excel),
    "csv": FileKind("text/csv", comma_separated),
    "json": FileKind("application/json", as_json),
}


def file_name(report: Report, kind: str) -> str:
    """A name for the file: shift, equipment and revision.

    Letters that file systems do not take are escaped.
    """
    content = report.content
    parts = (*content.shift.split("/", 1), content.equipment.rsplit("/", 1)[-1], f"r{report.revision}")
    return f"{'_'.join(quote(part, safe=' ') for part in parts)}.{kind}"
