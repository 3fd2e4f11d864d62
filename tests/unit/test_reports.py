"""Shift reports: figures against those worked out by hand, files opened again, revisions that stay as they were."""

import csv
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader

from kpis.elements import ACCOUNTS
from kpis.errors import ConfigError, StorageError
from kpis.losses import waterfall
from storage.places import Places
from storage.reader import Reader
from storage.reports import reading, revisions
from storage.reports.content import Content, Difference, Figure, Report, Step
from storage.reports.sections import sections
from storage.reports.writing import file_name, written
from tests import shift_story
from tests.browser.stores import FILLER, LINE, PLANT
from tests.engine import fill
from tests.shift_story import AVAILABILITY, OVER, PERFORMANCE, QUALITY, SHIFT, WANTED

HOUR = 3_600_000_000
MINUTE = 60_000_000
OEE = AVAILABILITY * PERFORMANCE * QUALITY
SIGNED_AT = OVER + MINUTE


def read(db: Path, shift: str = SHIFT) -> Content:
    with Reader(db) as reader:
        return reading.read(reader, LINE, shift)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the shift at 15:00, for reading."""
    db = tmp_path_factory.mktemp("report") / "kpi.duckdb"
    shift_story.filled(db)
    return db


@pytest.fixture(scope="module")
def content(story: Path) -> Content:
    """The report of the shift."""
    return read(story)


@pytest.fixture
def db(story: Path, tmp_path: Path) -> Path:
    """A store of the shift, of one's own."""
    return Path(shutil.copy(story, tmp_path / "kpi.duckdb"))


def figures(content: Content) -> dict[str, Figure]:
    return {figure.name: figure for figure in content.figures}


def test_figures_are_those_worked_out_by_hand(content: Content) -> None:
    found = figures(content)
    assert found["oee"].value == pytest.approx(OEE)
    assert found["availability"].value == pytest.approx(AVAILABILITY)
    assert found["performance"].value == pytest.approx(PERFORMANCE)
    assert found["quality"].value == pytest.approx(QUALITY)
    assert (found["good"].value, found["scrap"].value, found["rework"].value) == (12_400, 560, 40)
    assert (found["oee"].target, found["good"].target) == (0.75, WANTED)
    assert (content.status, content.over, content.end - content.start) == ("closed", True, 8 * HOUR)


def test_hours_add_up_to_the_shift(content: Content) -> None:
    assert [hour.wanted for hour in content.hours] == [2700.0, 2700.0, 1350.0, *[2700.0] * 5]
    assert [hour.good for hour in content.hours] == [1_400, 0, 0, 11_000, 0, 0, 0, 0]
    assert content.hours[0].rejected == 100
    assert content.hours[-1].ahead == 12_400 - WANTED
    # 07:00 to 08:00 the filler ran 40 minutes and nothing was counted: lost speed, more than the jam of 20.
    assert (content.hours[1].loss, content.hours[1].lost_us) == ("Reduced speed", 40 * MINUTE)


def test_losses_stops_rejects_and_orders(content: Content) -> None:
    (stop,) = content.stops
    assert (stop.machine, stop.account, stop.counted_us) == (FILLER, "down", 20 * MINUTE)
    assert stop.start == content.start + HOUR
    assert [(lost.account, lost.us, lost.stops) for lost in content.losses] == [("down", 20 * MINUTE, 1)]
    told = [(rejected.quality, rejected.reason, rejected.pieces) for rejected in content.rejects]
    assert told == [("scrap", None, 500), ("scrap", "dent", 60), ("rework", None, 40)]
    (made,) = content.made
    assert (made.order, made.product, made.good, made.scrap, made.rework) == ("4711", "P-1", 12_400, 560, 40)
    assert content.corrections == ()


def test_the_waterfall_adds_up_in_what_is_shown(content: Content) -> None:
    uneven = {f"{account}_us": 1_600_000 + 777_777 * at for at, account in enumerate(ACCOUNTS)}
    uneven |= {"ideal_us": 1_300_001, "good_ideal_us": 800_002, "no_ideal": 0}
    steps = tuple(Step(step.name, step.factor, step.us, step.flag) for step in waterfall(uneven))
    for one in (content, replace(content, steps=steps)):
        (section,) = (section for section in sections(Report(one)) if section.name == "waterfall")
        shown = [(row.level, row.seconds or 0) for row in section.rows]
        level = shown[0][1]
        for is_level, seconds in shown[1:]:
            if is_level:
                assert seconds == level
            else:
                level -= seconds
    assert {step.name: step.us for step in content.steps}["down"] == 20 * MINUTE


def test_a_shift_under_way_is_not_over(tmp_path: Path) -> None:
    db = tmp_path / "kpi.duckdb"
    fill(db, PLANT, [shift_story.events()[:-2]], until=OVER - 2 * HOUR)
    found = read(db)
    assert (found.over, found.status, found.steps[0].us) == (False, "open", 7 * HOUR)
    with Reader(db) as reader, pytest.raises(ConfigError, match="no shift that is over"):
        reading.latest(reader, LINE)


def test_the_last_shift_is_the_last_that_is_over(story: Path) -> None:
    with Reader(story) as reader:
        assert reading.latest(reader, LINE) == reading.read(reader, LINE, SHIFT)


@pytest.mark.parametrize(
    ("equipment", "shift", "told"),
    [
        ("acme/ulm/packing/line-9", SHIFT, "no equipment"),
        (LINE, "2026-03-02/late", "no time in a shift"),
        (LINE, "2026-03-02", "is no shift"),
        (LINE, "yesterday/early", "is no shift"),
        ("acme/*", SHIFT, "no time in a shift"),
    ],
)
def test_what_is_not_there_is_said(story: Path, equipment: str, shift: str, told: str) -> None:
    with Reader(story) as reader, pytest.raises(ConfigError, match=told) as found:
        reading.read(reader, equipment, shift)
    assert found.value.hint


def test_csv_has_every_value(content: Content) -> None:
    rows = list(csv.DictReader(StringIO(written(Report(content), "csv").decode())))
    found = {(row["section"], row["row"], row["column"]): row for row in rows}
    assert float(found["figures", "OEE", "value"]["value"]) == pytest.approx(OEE)
    assert found["report", "start", ""]["value"] == "2026-03-02T05:00:00Z"
    assert found["hours", "09:00", "good"]["value"] == "11000"
    assert (
        found["waterfall", "\u2212 Down", "us"] | {"unit": "us", "value": "1200000000"}
        == found["waterfall", "\u2212 Down", "us"]
    )
    assert len(found) == len(rows)


def test_the_workbook_has_numbers(content: Content) -> None:
    data = written(Report(content), "xlsx")
    assert data == written(Report(content), "xlsx")
    sheets = dict(opened(data))
    assert list(sheets) == [
        "Shift report",
        "Where the time went",
        "Hour by hour",
        "Losses by reason",
        "Scrap and rework",
        "Orders and products",
        "Longest stops",
        "What was said about the hours",
        "Corrections",
        "Differences",
    ]
    oee = next(row for row in sheets["Shift report"] if row[0] == "OEE")
    assert float(oee[1]) == pytest.approx(OEE)
    down = next(row for row in sheets["Where the time went"] if row[0] == "\u2212 Down")
    assert float(down[1]) == pytest.approx(20 / 1440)  # parts of a day
    assert [float(row[3]) for row in sheets["Hour by hour"][1:]] == [1_400, 0, 0, 11_000, 0, 0, 0, 0]


def opened(data: bytes) -> Iterator[tuple[str, list[list[str]]]]:
    """The sheets of a workbook with the texts of their cells."""
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(BytesIO(data)) as book:
        strings = [
            "".join(part.text or "" for part in item.iterfind(".//m:t", space))
            for item in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).iterfind("m:si", space)
        ]
        names = ElementTree.fromstring(book.read("xl/workbook.xml")).iterfind("m:sheets/m:sheet", space)
        for number, sheet in enumerate(names, start=1):
            rows = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml")).iterfind(".//m:row", space)
            yield sheet.attrib["name"], [list(cells(row, strings, space)) for row in rows]


def cells(row: ElementTree.Element, strings: list[str], space: dict[str, str]) -> Iterator[str]:
    for cell in row.iterfind("m:c", space):
        value = cell.findtext("m:v", "", space)
        yield strings[int(value)] if cell.get("t") == "s" else value


def test_the_sheet_of_paper(content: Content) -> None:
    data = written(Report(content), "pdf")
    assert data == written(Report(content), "pdf")
    (page,) = PdfReader(BytesIO(data)).pages
    told = re.sub(r"[\u202f\u00a0]", " ", page.extract_text())
    for shown in ("line-1, Mon 2 Mar 2026, early", "Revision 1", "not signed off", "12 400", "20 250", "0:20:00"):
        assert shown in told, shown
    for value in (OEE, AVAILABILITY, PERFORMANCE, QUALITY):
        assert f"{value * 100:.1f} %" in told
    assert "Bottle jam <at> infeed & outfeed" in told
    assert "Shift lead" in told
    assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx((595.28, 841.89), abs=0.01)


def test_however_much_there_is_it_is_one_sheet(content: Content) -> None:
    hours = tuple(replace(content.hours[0], start=content.start + at * HOUR) for at in range(25))
    reason = "Zacięcie butelki, Ошибка привода, μηχανή, 瓶子卡住 " * 5
    full = replace(
        content,
        hours=hours,
        stops=tuple(replace(content.stops[0], reason=reason) for _ in range(60)),
        losses=content.losses * 40,
        rejects=content.rejects * 20,
        made=content.made * 30,
    )
    differences = tuple(Difference("figures", reason, "value", "1", str(at)) for at in range(40))
    (page,) = PdfReader(BytesIO(written(Report(full, 2, None, differences), "pdf"))).pages
    told = page.extract_text()
    assert "52 more" in told
    assert "32 more" in told
    assert "Zacięcie butelki, Ошибка" in told


def test_json_can_be_read_by_others(content: Content) -> None:
    found = json.loads(written(Report(content), "json"))
    assert found["content"]["start"] == "2026-03-02T05:00:00Z"
    assert found["content"]["figures"][0] == {"name": "oee", "value": figures(content)["oee"].value, "target": 0.75}


def test_a_report_stays_as_it_was_signed_off(db: Path) -> None:
    places = Places(db)
    first = revisions.sign_off(places, revisions.current(places, read(db)), "Anna", SIGNED_AT)
    assert revisions.kept(places, LINE, SHIFT) == [first]
    again = revisions.current(places, read(db))
    assert again == first
    with pytest.raises(StorageError, match="is signed off"):
        revisions.sign_off(places, again, "Ben", SIGNED_AT)

    shift_story.corrected(db)
    second = revisions.current(places, read(db))
    assert (second.revision, second.signed, second.content.status) == (2, None, "revised")
    changed = {(found.row, found.column): (found.before, found.after) for found in second.differences}
    assert changed["Availability", "value"] == ("95.6\u202f%", "100.0\u202f%")
    assert changed["Good pieces", "target"] == ("20\u202f250", "19\u202f350")  # 25800 s times 0.75
    assert changed["\u2212 Down", "us"] == ("0:20:00", "0:00:00")
    assert changed["\u2212 Planned stops", "us"] == ("0:00:00", "0:20:00")
    assert ("Scrap", "value") not in changed
    late, ruled = second.content.corrections
    assert {late.what, ruled.what} == {None, "planned"}
    assert "Anna" in {late.by, ruled.by}

    signed = revisions.sign_off(places, second, "Ben", SIGNED_AT + HOUR)
    assert revisions.kept(places, LINE, SHIFT) == [signed, first]
    assert "95.6" in PdfReader(BytesIO(written(signed, "pdf"))).pages[0].extract_text()
    assert file_name(signed, "pdf") == "2026-03-02_early_line-1_r2.pdf"


def test_two_who_sign_at_once_make_one_revision(db: Path) -> None:
    places = Places(db)
    report = revisions.current(places, read(db))
    kept = revisions.sign_off(places, report, "Anna", SIGNED_AT)
    with pytest.raises(StorageError, match="by somebody else"):
        revisions.sign_off(places, report, "Ben", SIGNED_AT)
    assert revisions.kept(places, LINE, SHIFT) == [kept]
    assert [path.name for path in places.reports.rglob("*.*") if path.is_file()] == ["revision-1.json"]


def test_what_cannot_be_signed_off(db: Path, content: Content) -> None:
    places = Places(db)
    with pytest.raises(StorageError, match="not accounted yet"):
        revisions.sign_off(places, Report(replace(content, horizon=content.end - 1)), "Anna", SIGNED_AT)
    with pytest.raises(StorageError, match="nobody"):
        revisions.sign_off(places, Report(content), "  ", SIGNED_AT)
    places.reports.parent.mkdir(exist_ok=True)
    places.reports.write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be kept"):
        revisions.sign_off(places, Report(content), "Anna", SIGNED_AT)


@pytest.mark.parametrize(
    "shift", ["2026-03-02/../../../early", "2026-03-02/früh 1", "2026-03-02/a%2Fb", "2026-03-02/."]
)
def test_names_lead_nowhere_else(db: Path, content: Content, shift: str) -> None:
    places = Places(db)
    for equipment in ("acme/../..", LINE):
        revisions.sign_off(places, Report(replace(content, equipment=equipment, shift=shift)), "Anna", SIGNED_AT)
        assert len(revisions.kept(places, equipment, shift)) == 1
    assert len(list(places.reports.rglob("revision-1.json"))) == 2


def test_a_damaged_report_is_told(db: Path, content: Content) -> None:
    places = Places(db)
    revisions.sign_off(places, Report(content), "Anna", SIGNED_AT)
    (path,) = places.reports.rglob("revision-1.json")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match="no report that can be read"):
        revisions.current(places, content)
