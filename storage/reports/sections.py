"""A report as sections of rows, the same for every way of writing it: what a value is says how it is shown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal
from zoneinfo import ZoneInfo

from kpis.formats import NONE, clock, clock_duration, count, day, difference, moment, percent, points
from storage.reports import words
from storage.reports.content import RATIOS, Content, Report
from storage.slices import OUTSIDE

_SECOND_US: Final = 1_000_000
Kind = Literal["text", "ratio", "gap", "pieces", "more", "us", "clock", "moment", "figure", "distance"]
Value = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column: its name, which words.COLUMNS shows, and what its values are.

    `ratio` fractions, `gap` their difference, `pieces` a number, `more` pieces more or less, `us` microseconds,
    `clock` and `moment` µs since 1970; `figure` is a ratio or pieces, `distance` their difference, as the row says.
    """

    name: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Row:
    """A row: its values, what it is called (unique in its section), and whether it is a level among losses.

    `ratio`: it is about a ratio, else about pieces. `seconds`: its length of time in whole seconds, so chosen that
    what is shown adds up. `bar`: from where to where its bar goes, of the longest; None: it has none.
    """

    key: str
    values: tuple[Value, ...]
    level: bool = False
    ratio: bool = False
    seconds: int | None = None
    bar: tuple[float, float] | None = None


@dataclass(frozen=True)
class Section:
    """A part of a report: its name, which words.SECTIONS shows."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def kind(self, column: int, row: Row) -> Kind:
        """What a value of a row is."""
        kind = self.columns[column].kind
        if kind == "figure":
            return "ratio" if row.ratio else "pieces"
        if kind == "distance":
            return "gap" if row.ratio else "more"
        return kind

    def text(self, column: int, row: Row, zone: ZoneInfo) -> str:
        """A value of a row as people read it."""
        kind = self.kind(column, row)
        value = row.values[column] if kind != "us" or row.seconds is None else row.seconds * _SECOND_US
        return shown(value, kind, zone)


def title(content: Content) -> str:
    """What a report is of: the equipment's own name, the day and the shift.

    A day outside shifts has its date only.
    """
    on, _, shift = content.shift.partition("/")
    told = f"{day(date.fromisoformat(on))} {on[:4]}"
    name = content.equipment.rsplit("/", 1)[-1]
    return f"{name}, {told}" if shift == OUTSIDE else f"{name}, {told}, {shift}"


def facts(report: Report) -> list[tuple[str, str]]:
    """The head of a report: names of words.FACTS, and what they are here."""
    content, zone = report.content, ZoneInfo(report.content.timezone)
    signed = words.NOT_SIGNED
    if report.signed is not None:
        signed = words.SIGNED.format(at=moment(report.signed.at, zone), by=report.signed.by)
    return [
        ("plant", content.plant),
        ("equipment", content.equipment),
        ("shift", content.shift),
        ("from", moment(content.start, zone)),
        ("to", moment(content.end, zone)),
        ("status", words.STATUS[content.status]),
        ("revision", str(report.revision)),
        ("signed", signed),
        ("as of", moment(content.horizon, zone)),
        ("definition", content.definition),
    ]


def sections(report: Report) -> tuple[Section, ...]:
    """All parts of a report, in the order of the page."""
    content = report.content
    return (*compared(content), _stops(content), _notes(content), _corrections(content), _differences(report))


def compared(content: Content) -> tuple[Section, ...]:
    """The parts that are held against those of another revision."""
    return (
        _figures(content),
        _waterfall(content),
        _hours(content),
        _reasons(content),
        _rejects(content),
        _made(content),
    )


def shown(value: Value, kind: Kind, zone: ZoneInfo) -> str:
    """A value as people read it; a dash where it is undefined."""
    if value is None:
        return "" if kind == "text" else NONE
    if isinstance(value, str):
        return value
    if kind == "ratio":
        return percent(value)
    if kind == "gap":
        return points(value)
    if kind == "us":
        return clock_duration(round(value))
    if kind == "clock":
        return clock(round(value), zone)
    if kind == "moment":
        return moment(round(value), zone)
    return difference(value) if kind == "more" else count(value)


def _figures(content: Content) -> Section:
    rows = []
    for figure in content.figures:
        gap = figure.value - figure.target if figure.value is not None and figure.target is not None else None
        values = (words.FIGURES[figure.name], figure.value, figure.target)
        rows.append(Row(words.FIGURES[figure.name], (*values, gap), ratio=figure.name in RATIOS))
    columns = (Column("figure"), Column("value", "figure"), Column("target", "figure"), Column("gap", "distance"))
    return Section("figures", columns, tuple(rows))


def _waterfall(content: Content) -> Section:
    scheduled = next(step.us for step in content.steps if step.name == "scheduled")
    rows, left = [], 0
    for step in content.steps:
        inside = scheduled > 0 and step.name not in ("calendar", "unscheduled")
        before, left = (left, step.us) if step.factor is None else (left, left - step.us)
        first, last = (0, step.us) if step.factor is None else sorted((before, left))
        seconds = _whole(left) if step.factor is None else _whole(before) - _whole(left)
        name = words.STEPS[step.name] if step.factor is None else f"\u2212 {words.STEPS[step.name]}"
        told = words.FLAGS[step.flag] if step.flag else words.BELONGS_TO[step.factor] if step.factor else None
        rows.append(
            Row(
                name,
                (name, step.us, step.us / scheduled if inside else None, told),
                level=step.factor is None,
                seconds=seconds,
                bar=(_within(first / scheduled), _within(last / scheduled)) if inside else None,
            )
        )
    columns = (Column("step"), Column("us", "us"), Column("share", "ratio"), Column("factor"))
    return Section("waterfall", columns, tuple(rows))


def _whole(us: int) -> int:
    """Whole seconds of a level; losses are the differences of these."""
    return round(us / _SECOND_US)


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _hours(content: Content) -> Section:
    zone = ZoneInfo(content.timezone)
    rows = [
        Row(
            clock(hour.start, zone),
            (
                hour.start,
                hour.end,
                hour.wanted,
                hour.good,
                None if hour.wanted is None else hour.good - hour.wanted,
                hour.ahead,
                hour.rejected,
                hour.oee,
                hour.loss,
                hour.lost_us,
            ),
        )
        for hour in content.hours
    ]
    columns = (
        Column("start", "clock"),
        Column("end", "clock"),
        Column("wanted", "pieces"),
        Column("good", "pieces"),
        Column("difference", "more"),
        Column("ahead", "more"),
        Column("rejected", "pieces"),
        Column("oee", "ratio"),
        Column("loss"),
        Column("lost_us", "us"),
    )
    return Section("hours", columns, _numbered(rows))


def _stops(content: Content) -> Section:
    rows = [
        Row(
            str(number),
            (stop.start, _name(stop.machine), words.STATES[stop.account], stop.reason or words.NO_REASON,
             stop.lasted_us, stop.counted_us),
        )
        for number, stop in enumerate(content.stops, start=1)
    ]  # fmt: skip
    columns = (
        Column("start", "clock"),
        Column("machine"),
        Column("state"),
        Column("reason"),
        Column("lasted_us", "us"),
        Column("counted_us", "us"),
    )
    return Section("stops", columns, tuple(rows))


def _reasons(content: Content) -> Section:
    rows = []
    for lost in content.losses:
        state, reason = words.STATES[lost.account], lost.reason or words.NO_REASON
        rows.append(Row(f"{state}: {reason}", (reason, state, lost.us, lost.stops)))
    columns = (Column("reason"), Column("state"), Column("us", "us"), Column("stops", "pieces"))
    return Section("reasons", columns, _numbered(rows))


def _rejects(content: Content) -> Section:
    rows = []
    for rejected in content.rejects:
        quality, reason = words.QUALITIES[rejected.quality], rejected.reason or words.NO_REASON
        rows.append(Row(f"{quality}: {reason}", (reason, quality, rejected.pieces)))
    return Section("rejects", (Column("reason"), Column("quality"), Column("pieces", "pieces")), _numbered(rows))


def _made(content: Content) -> Section:
    rows = []
    for made in content.made:
        product = " ".join(filter(None, (made.product, made.label))) or words.OUTSIDE["product"]
        order = made.order or words.OUTSIDE["order"]
        rows.append(Row(f"{order}: {product}", (order, product, made.good, made.scrap, made.rework)))
    pieces = (Column(name, "pieces") for name in ("good", "scrap", "rework"))
    return Section("made", (Column("order"), Column("product"), *pieces), _numbered(rows))


def _corrections(content: Content) -> Section:
    rows = [
        Row(
            str(number),
            (found.at, _name(found.machine), found.start, found.end,
             words.LATE if found.what is None else words.RULED.format(state=found.what), found.by),
        )
        for number, found in enumerate(content.corrections, start=1)
    ]  # fmt: skip
    columns = (
        Column("at", "moment"),
        Column("machine"),
        Column("start", "clock"),
        Column("end", "clock"),
        Column("what"),
        Column("by"),
    )
    return Section("corrections", columns, tuple(rows))


def _notes(content: Content) -> Section:
    rows = [
        Row(str(number), (note.hour, note.comment, note.by, note.signed_by, note.signed_at))
        for number, note in enumerate(content.notes, start=1)
    ]
    columns = (
        Column("start", "clock"),
        Column("comment"),
        Column("by"),
        Column("signed_by"),
        Column("signed_at", "moment"),
    )
    return Section("notes", columns, tuple(rows))


def _differences(report: Report) -> Section:
    rows = [
        Row(
            str(number),
            (words.SECTIONS[found.section], found.row, words.COLUMNS[found.column], found.before, found.after),
        )
        for number, found in enumerate(report.differences, start=1)
    ]
    names = ("section", "row", "column", "before", "after")
    return Section("differences", tuple(map(Column, names)), tuple(rows))


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _numbered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows with unique keys: two hours are called 02:00 in the night when clocks go back."""
    return tuple(_unique(rows))


def _unique(rows: Iterable[Row]) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for row in rows:
        seen[row.key] = seen.get(row.key, 0) + 1
        again = seen[row.key]
        yield row if again == 1 else replace(row, key=f"{row.key} ({again})")
