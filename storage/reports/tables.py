"""A report as an Excel workbook and as CSV: numbers as numbers, all rows."""

import csv
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Final
from zoneinfo import ZoneInfo

from xlsxwriter.workbook import Workbook  # type: ignore[import-untyped]  # it comes without types
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

from storage.reports import words
from storage.reports.content import Report, rfc3339
from storage.reports.sections import Kind, Section, Value, facts, sections, title

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_FORMATS: Final[dict[Kind, str]] = {
    "ratio": "0.0%",
    "gap": "+0.0%;-0.0%;0.0%",
    "pieces": "#,##0",
    "more": "+#,##0;-#,##0;0",
    "us": "[h]:mm:ss",
    "clock": "hh:mm",
    "moment": "yyyy-mm-dd hh:mm",
}
_WIDE: Final = 26
_NARROW: Final = 12
_DISTINCT: Final[dict[Kind, str]] = {"ratio": "ratio", "gap": "ratio", "pieces": "pieces", "more": "pieces", "us": "us"}


def excel(report: Report) -> bytes:
    """The report as a workbook: a sheet of its head and figures, and one for each other section.

    Times are local, lengths of time are parts of a day, as Excel has them.
    """
    buffer = BytesIO()
    with Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"title": f"{words.REPORT} {title(report.content)}", "created": _made(report)})
        sheets = _Sheets(book, ZoneInfo(report.content.timezone))
        figures, *others = sections(report)
        sheet = book.add_worksheet(words.REPORT)
        sheet.write_string(0, 0, title(report.content), sheets.bold)
        for line, (name, told) in enumerate(facts(report), start=1):
            sheet.write_string(line, 0, words.FACTS[name])
            sheet.write_string(line, 1, told)
        sheets.fill(sheet, figures, len(facts(report)) + 2)
        for section in others:
            sheets.fill(book.add_worksheet(words.SECTIONS[section.name]), section, 0)
    return buffer.getvalue()


def comma_separated(report: Report) -> bytes:
    """The report as CSV, one value a line: section, row, column, value, unit.

    Ratios are fractions, lengths of time microseconds, times RFC 3339 in UTC; what is undefined is empty.
    """
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("section", "row", "column", "value", "unit"))
    lines.writerows(("report", name, "", value, "") for name, value in _head(report))
    for section in sections(report):
        for row in section.rows:
            for at, (column, value) in enumerate(zip(section.columns, row.values, strict=True)):
                kind = section.kind(at, row)
                lines.writerow((section.name, row.key, column.name, _plain(value, kind), _DISTINCT.get(kind, "")))
    return text.getvalue().encode()


class _Sheets:
    """Sheets of a workbook, with the formats that they share."""

    def __init__(self, book: Workbook, zone: ZoneInfo) -> None:
        self._zone = zone
        self.bold = book.add_format({"bold": True})
        self._head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._formats = {
            (kind, level): book.add_format({"num_format": shape, "bold": level})
            for kind, shape in _FORMATS.items()
            for level in (False, True)
        }

    def fill(self, sheet: Worksheet, section: Section, top: int) -> None:
        """Write a section from a line on."""
        for at, column in enumerate(section.columns):
            sheet.write_string(top, at, words.COLUMNS[column.name], self._head)
            sheet.set_column(at, at, _WIDE if column.kind == "text" or at == 0 else _NARROW)
        for line, row in enumerate(section.rows, start=top + 1):
            for at, value in enumerate(row.values):
                self._write(sheet, line, at, value, section.kind(at, row), level=row.level)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        if top == 0:
            sheet.freeze_panes(1, 0)

    def _write(self, sheet: Worksheet, line: int, at: int, value: Value, kind: Kind, *, level: bool) -> None:
        if value is None:
            return
        if isinstance(value, str):
            sheet.write_string(line, at, value, self.bold if level else None)
        elif kind in ("clock", "moment"):
            local = (_EPOCH + timedelta(microseconds=value)).astimezone(self._zone).replace(tzinfo=None)
            sheet.write_datetime(line, at, local, self._formats[kind, level])
        else:
            number = value / _DAY_US if kind == "us" else value
            sheet.write_number(line, at, number, self._formats[kind, level])


def _plain(value: Value, kind: Kind) -> Value:
    if value is None or isinstance(value, str) or kind not in ("clock", "moment"):
        return value
    return rfc3339(round(value))


def _head(report: Report) -> list[tuple[str, Value]]:
    content, signed = report.content, report.signed
    return [
        *((name, getattr(content, name)) for name in ("plant", "equipment", "shift", "status", "definition")),
        *((name, rfc3339(getattr(content, name))) for name in ("start", "end", "horizon")),
        ("revision", report.revision),
        ("signed_by", signed.by if signed else None),
        ("signed_at", rfc3339(signed.at) if signed else None),
    ]


def _made(report: Report) -> datetime:
    """When it was signed, else as of when it is: the same report always makes the same file."""
    at = report.signed.at if report.signed else report.content.horizon
    return (_EPOCH + timedelta(microseconds=at)).replace(tzinfo=None)
