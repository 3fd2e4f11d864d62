"""A report on one sheet of A4."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from kpis.formats import count, percent
from storage.reports import words
from storage.reports.content import RATIOS, Figure, Report
from storage.reports.sections import Row, Section, facts, sections, title

_FONTS: Final = {"": "Regular", "B": "Semibold"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN: Final = 12.0
_WIDTH: Final = 210 - 2 * _MARGIN
_GAP: Final = 6.0
_HALF: Final = (_WIDTH - _GAP) / 2
_HIGHEST_ROW: Final = 4.7
_BELOW: Final = 14.0
"""Height of the lines to sign on, in mm."""
_INK: Final = (27, 39, 51)
_MUTED: Final = (82, 96, 109)
_RULE: Final = (221, 227, 232)
_LEVEL: Final = (240, 243, 245)
_BAD: Final = (179, 38, 30)
_BAR: Final = (127, 151, 168)
_LOSS: Final = {
    "schedule": (185, 195, 203),
    "availability": _BAD,
    "performance": (224, 138, 30),
    "quality": (91, 58, 135),
}
_WIDTHS: Final = {
    "waterfall": {"step": 33.0, "us": 17.0, "share": 13.0, "bar": 27.0},
    "hours": {"start": 9.0, "wanted": 12.0, "good": 12.0, "ahead": 13.0, "rejected": 9.0, "oee": 11.0, "loss": 24.0},
    "stops": {"start": 9.0, "machine": 20.0, "reason": 46.0, "counted_us": 15.0},
    "reasons": {"reason": 44.0, "state": 20.0, "us": 16.0, "stops": 10.0},
    "rejects": {"reason": 56.0, "quality": 18.0, "pieces": 16.0},
    "made": {"order": 22.0, "product": 34.0, "good": 13.0, "scrap": 11.0, "rework": 10.0},
    "notes": {"start": 12.0, "comment": 110.0, "by": 26.0, "signed_by": 38.0},
    "corrections": {"at": 28.0, "machine": 28.0, "start": 12.0, "end": 12.0, "what": 70.0, "by": 36.0},
    "differences": {"section": 36.0, "row": 70.0, "column": 26.0, "before": 27.0, "after": 27.0},
}
"""Which columns there are on paper, and how wide they are in mm."""
_MOST: Final = {"stops": 8, "reasons": 8, "rejects": 5, "made": 5, "notes": 6, "corrections": 4, "differences": 8}
_AROUND: Final = 11.5
"""Height of the title, the head and the gap of a section, in mm."""
_BESIDE: Final = (("waterfall", "hours"), ("stops", "reasons"), ("rejects", "made"))
_RIGHT: Final = ("us", "ratio", "pieces", "more", "gap")


def pdf(report: Report) -> bytes:
    """The report as a PDF. The same report always makes the same bytes."""
    sheet = _Sheet(report)
    sheet.head()
    sheet.figures()
    parts = {section.name: section for section in sections(report)}
    pairs = [(parts[left], parts[right]) for left, right in _BESIDE]
    asked = {"notes": bool(report.content.notes), "corrections": True, "differences": bool(report.differences)}
    whole = [parts[name] for name, wanted in asked.items() if wanted]
    sheet.fit([*(max(_lines(left), _lines(right)) for left, right in pairs), *map(_lines, whole)])
    for left, right in pairs:
        sheet.beside(left, right)
    for section in whole:
        sheet.across(section)
    sheet.sign()
    return bytes(sheet.paper.output())


def _lines(section: Section) -> int:
    """How many lines of a section are on paper, with the one that tells of more."""
    most = _MOST.get(section.name, len(section.rows))
    return max(1, min(len(section.rows), most + 1))


class _Sheet:
    """The sheet while it is drawn, from its top down."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._zone = ZoneInfo(report.content.timezone)
        self._row = _HIGHEST_ROW
        self.paper = FPDF(format="A4")
        self.paper.set_auto_page_break(False)
        self.paper.set_margin(_MARGIN)
        for style, face in _FONTS.items():
            path = files("font_source_sans_pro").joinpath("files", f"SourceSansPro-{face}.ttf")
            self.paper.add_font("sans", style, str(path))
        self.paper.set_title(f"{words.REPORT} {title(report.content)}")
        self.paper.set_creator("oeeflow")
        made = report.signed.at if report.signed else report.content.horizon
        self.paper.set_creation_date(_EPOCH + timedelta(microseconds=made))
        self.paper.add_page()

    def head(self) -> None:
        """What the report is of, and how final it is."""
        told = dict(facts(self._report))
        self._text(words.REPORT, 8, _MUTED, width=_HALF)
        self._text(told["plant"], 8, _MUTED, width=_HALF + _GAP, align="R", end=True)
        self._text(title(self._report.content), 16, _INK, "B", width=_WIDTH * 0.72, height=8)
        revision = f"{words.FACTS['revision']} {told['revision']}"
        self._text(revision, 12, _INK, "B", width=_WIDTH * 0.28, height=8, align="R", end=True)
        where = f"{told['equipment']}  ·  {told['from']} \u2013 {told['to']}  ·  {told['status']}"
        self._text(where, 8, _MUTED, width=_WIDTH, end=True)
        asked = (f"{words.FACTS[name]} {told[name]}" for name in ("as of", "definition"))
        coverage = next(figure.value for figure in self._report.content.figures if figure.name == "coverage")
        known = "  ·  ".join((*asked, f"{words.FIGURES['coverage']} {percent(coverage)}"))
        self._text(known, 8, _MUTED, width=_HALF)
        signed = words.NOT_SIGNED if self._report.signed is None else f"{words.FACTS['signed']} {told['signed']}"
        self._text(signed, 8, _INK, width=_WIDTH - _HALF, align="R", end=True)
        self.paper.ln(2)

    def figures(self) -> None:
        """The four ratios against their targets, then the pieces."""
        top, named = self.paper.get_y(), {figure.name: figure for figure in self._report.content.figures}
        ratios = [named[name] for name in RATIOS[:4]]
        width = _WIDTH / 6
        for place, figure in enumerate(ratios):
            self._ratio(figure, _MARGIN + place * width, top, width - 5)
        self._pieces(named, _MARGIN + 4 * width + 2, top, 2 * width - 2)
        self.paper.set_xy(_MARGIN, top + 19)

    def fit(self, lines: list[int]) -> None:
        """Choose how high rows are, so that sections of so many lines fill the rest of the sheet and no more."""
        room = 297 - _MARGIN - _BELOW - self.paper.get_y() - len(lines) * _AROUND
        self._row = min(_HIGHEST_ROW, room / sum(lines))

    def _ratio(self, figure: Figure, left: float, top: float, width: float) -> None:
        below = figure.value is not None and figure.target is not None and figure.value < figure.target
        self.paper.set_xy(left, top)
        self._text(words.FIGURES[figure.name], 8, _MUTED, width=width, end=True)
        self.paper.set_x(left)
        self._text(percent(figure.value), 15, _BAD if below else _INK, "B", width=width, height=6.5, end=True)
        y, width = self.paper.get_y() + 0.6, width - 2 * self.paper.c_margin
        left += self.paper.c_margin
        self._fill(left, y, width, 2, _LEVEL)
        self._fill(left, y, width * min(max(figure.value or 0, 0), 1), 2, _BAD if below else _BAR)
        if figure.target is not None:
            self._fill(left + width * min(figure.target, 1) - 0.25, y - 0.7, 0.5, 3.4, _INK)
        self.paper.set_xy(left - self.paper.c_margin, y + 2.4)
        told = words.NO_TARGET if figure.target is None else words.TARGET.format(value=percent(figure.target))
        self._text(told, 7, _MUTED, width=width)

    def _pieces(self, named: dict[str, Figure], left: float, top: float, width: float) -> None:
        self.paper.set_y(top)
        good = named["good"]
        wanted = "" if good.target is None else f" ({words.TARGET.format(value=count(good.target))})"
        rows = [(words.FIGURES["good"], f"{count(good.value)}{wanted}")]
        rows += [(words.FIGURES[name], count(named[name].value)) for name in ("scrap", "rework")]
        rows.append((words.FIGURES["first_pass_yield"], percent(named["first_pass_yield"].value, 2)))
        for name, value in rows:
            self.paper.set_x(left)
            self._text(name, 8, _MUTED, width=width * 0.42, height=4.3)
            self._text(value, 9, _INK, "B", width=width * 0.58, height=4.3, align="R", end=True)

    def beside(self, left: Section, right: Section) -> None:
        """Two sections beside each other."""
        top = self.paper.get_y()
        bottoms = []
        for section, at in ((left, _MARGIN), (right, _MARGIN + _HALF + _GAP)):
            self.paper.set_xy(at, top)
            self._section(section, words.SECTIONS[section.name], at, _HALF)
            bottoms.append(self.paper.get_y())
        self.paper.set_xy(_MARGIN, max(bottoms) + 2)

    def across(self, section: Section) -> None:
        """A section as wide as the sheet."""
        name = words.SECTIONS[section.name]
        if section.name == "differences":
            name = words.DIFFERENCES.format(now=self._report.revision, before=self._report.revision - 1)
        self._section(section, name, _MARGIN, _WIDTH)
        self.paper.set_xy(_MARGIN, self.paper.get_y() + 2)

    def sign(self) -> None:
        """Lines to sign on, at the bottom of the sheet."""
        width = (_WIDTH - 2 * _GAP) / 3
        y = 297 - _MARGIN - 5
        for place, name in enumerate(words.SIGN_HERE):
            left = _MARGIN + place * (width + _GAP)
            self.paper.set_draw_color(*_INK)
            self.paper.line(left, y, left + width, y)
            self.paper.set_xy(left, y + 0.5)
            self._text(name, 7, _MUTED, width=width)

    def _section(self, section: Section, name: str, left: float, width: float) -> None:
        self._text(name, 10, _INK, "B", width=width, height=5.5, end=True)
        if not section.rows:
            self.paper.set_x(left)
            self._text(words.NOTHING[section.name], 8, _MUTED, width=width, end=True)
            return
        widths = _WIDTHS[section.name]
        columns = {column.name: at for at, column in enumerate(section.columns)}
        self.paper.set_x(left)
        for column, wide in widths.items():
            right = column in columns and section.columns[columns[column]].kind in _RIGHT
            self._text(words.COLUMNS.get(column, ""), 7, _MUTED, width=wide, align="R" if right else "L")
        y = self.paper.get_y() + 3.6
        self.paper.set_draw_color(*_RULE)
        self.paper.line(left, y, left + width, y)
        most = _MOST.get(section.name, len(section.rows))
        for number, row in enumerate(section.rows[:most]):
            self.paper.set_xy(left, y + number * self._row)
            if row.level:
                self._fill(left, self.paper.get_y(), width, self._row, _LEVEL)
            for column, wide in widths.items():
                if column == "bar":
                    self._bar(row, self._report.content.steps[number].factor, self.paper.get_x(), wide)
                    continue
                kind, told = section.kind(columns[column], row), section.text(columns[column], row, self._zone)
                style = "B" if row.level else ""
                self._text(told, 8, _INK, style, width=wide, height=self._row, align="R" if kind in _RIGHT else "L")
        self.paper.set_xy(left, y + min(most, len(section.rows)) * self._row)
        if len(section.rows) > most:
            self._text(
                words.MORE.format(n=len(section.rows) - most), 7, _MUTED, width=width, height=self._row, end=True
            )

    def _bar(self, row: Row, factor: str | None, left: float, width: float) -> None:
        """The bar of a step of the waterfall: a level from the left, a loss where the level above ends."""
        if row.bar is not None:
            first, last = (left + 2 + edge * (width - 2) for edge in row.bar)
            colour = _LOSS[factor] if factor else _BAR
            self._fill(first, self.paper.get_y() + 0.8, last - first, self._row - 1.6, colour)

    def _fill(self, x: float, y: float, width: float, height: float, colour: tuple[int, int, int]) -> None:
        if width > 0:
            self.paper.set_fill_color(*colour)
            self.paper.rect(x, y, width, height, style="F")

    def _text(
        self, text: str, size: float, colour: tuple[int, int, int], style: str = "", *, width: float,
        height: float = 3.6, align: str = "L", end: bool = False,
    ) -> None:  # fmt: skip
        """A text in one line, shortened to its width."""
        self.paper.set_font("sans", style, size)
        self.paper.set_text_color(*colour)
        room = width - 2 * self.paper.c_margin
        if self.paper.get_string_width(text) > room:
            while text and self.paper.get_string_width(f"{text}…") > room:
                text = text[:-1]
            text = f"{text.rstrip()}…"
        x, y = (XPos.LMARGIN, YPos.NEXT) if end else (XPos.RIGHT, YPos.TOP)
        self.paper.cell(width, height, text, align=align, new_x=x, new_y=y)
