"""`oeeflow report` as people and their schedulers call it."""

import csv
import subprocess
import sys
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests import shift_story
from tests.browser.stores import LINE
from tests.shift_story import SHIFT


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the shift."""
    path = tmp_path_factory.mktemp("report") / "kpi.duckdb"
    shift_story.filled(path)
    return path


def report(db: Path, *words: str | Path) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "pipelines.cli", "report", LINE, "--db", str(db), *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False)


def test_a_report_is_signed_off_corrected_and_signed_off_again(db: Path, tmp_path: Path) -> None:
    done = report(db, "--freeze", "--by", "Anna Schmid", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.iterdir()
    assert path.name == "2026-03-02_early_line-1_r1.pdf"
    assert "by Anna Schmid" in PdfReader(path).pages[0].extract_text()

    refused = report(db, "--freeze", "--format", "csv")
    assert refused.returncode == 2
    assert b"revision 1 is signed off" in refused.stderr

    shift_story.corrected(db)
    done = report(db, "--shift", SHIFT, "--freeze", "--by", "Ben", "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(StringIO(done.stdout.decode())))
    assert ["report", "revision", "", "2", ""] in rows
    down = next(row[1] for row in rows if row[0] == "differences" and row[3] == "\u2212 Down")
    told = {row[2]: row[3] for row in rows if row[0] == "differences" and row[1] == down}
    assert (told["before"], told["after"]) == ("0:20:00", "0:00:00")

    first = report(db, "--shift", SHIFT, "--revision", "1")
    assert "95.6" in PdfReader(BytesIO(first.stdout)).pages[0].extract_text()
    assert report(db, "--revision", "3").returncode == 2


def test_the_name_of_the_file_tells_its_kind(db: Path, tmp_path: Path) -> None:
    assert report(db, "--out", tmp_path / "late.xlsx").returncode == 0
    assert (tmp_path / "late.xlsx").read_bytes().startswith(b"PK")
    missing = report(db, "--out", tmp_path / "none" / "late.pdf")
    assert missing.returncode == 2
    assert b"cannot write" in missing.stderr
