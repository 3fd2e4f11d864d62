"""What commands print: machine formats to the letter, tables that can be read."""

import json
from datetime import UTC, datetime
from io import BytesIO
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from pipelines.output import Column, Format, Row, duration, emit, local, percent, plain, write_table

WHOLE = datetime(2026, 3, 2, 6, tzinfo=UTC)
FRACTION = datetime(2026, 3, 2, 6, 0, 0, 1500, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "path": ["a/b", None],
        "at": [WHOLE, FRACTION],
        "us": [1, None],
        "oee": [0.1 + 0.2, float("nan")],
        "raw": [b"\xff{", b"x"],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC")},
)


def test_json_is_one_array_of_objects(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit(FRAME, Format.JSON)
    assert json.loads(capfdbinary.readouterr().out) == [
        {"path": "a/b", "at": "2026-03-02T06:00:00Z", "us": 1, "oee": 0.1 + 0.2, "raw": "\\xff{"},
        {"path": None, "at": "2026-03-02T06:00:00.001500Z", "us": None, "oee": None, "raw": "x"},
    ]


def test_json_of_nothing_is_an_empty_array(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit(FRAME.clear(), Format.JSON)
    assert json.loads(capfdbinary.readouterr().out) == []


def test_json_of_many_rows_is_still_one_array(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit(pl.DataFrame({"n": range(45_000)}), Format.JSON)
    assert [row["n"] for row in json.loads(capfdbinary.readouterr().out)] == list(range(45_000))


def test_csv_has_the_same_times(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit(FRAME.head(1), Format.CSV)
    assert capfdbinary.readouterr().out.decode().splitlines() == [
        "path,at,us,oee,raw",
        "a/b,2026-03-02T06:00:00Z,1,0.30000000000000004,\\xff{",
    ]


def test_parquet_is_the_frame(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit(FRAME, Format.PARQUET)
    assert pl.read_parquet(BytesIO(capfdbinary.readouterr().out)).equals(FRAME)


def table(capfdbinary: pytest.CaptureFixture[bytes], rows: list[Row], columns: list[Column]) -> list[str]:
    write_table(rows, columns)
    return capfdbinary.readouterr().out.decode().splitlines()


def test_a_table_elsewhere_than_on_a_terminal_is_plain_and_whole(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = "/".join(["acme"] * 40)
    columns = [Column("equipment", plain("path")), Column("n", plain("n"), right=True)]
    assert table(capfdbinary, [{"path": path, "n": 7}], columns) == [
        f"{'equipment':<{len(path)}}  n",
        f"{path}  7",
    ]


def test_a_narrow_terminal_shows_the_ends_of_paths(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"COLUMNS": "30", "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    columns = [Column("equipment", plain("path")), Column("good", plain("n"), right=True)]
    lines = table(capfdbinary, [{"path": "acme/ulm/packing/line-1/filler", "n": 123456}], columns)
    assert max(map(len, lines)) <= 60  # control sequences of the title included
    assert "line-1/filler" in lines[1]
    assert "123456" in lines[1]
    assert "…" in lines[1]


def test_a_long_table_is_cut_and_says_so(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_table([{"n": n} for n in range(1_500)], [Column("n", plain("n"))])
    out, err = capfdbinary.readouterr()
    assert len(out.splitlines()) == 1_001
    assert err.startswith(b"500 rows more")


def test_markup_in_data_is_data(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert table(capfdbinary, [{"a": "[red]x[/red]"}], [Column("a", plain("a"))])[1] == "[red]x[/red]"


@pytest.mark.parametrize(
    ("value", "flag", "shown"),
    [(0.8347, False, "83.5"), (0.0, False, "0.0"), (None, True, "-"), (1.042, True, "104.2!"), (1.0, True, "100.0")],
)
def test_ratios_are_shown_in_per_cent(value: float | None, flag: bool, shown: str) -> None:
    assert percent("oee", flag_above_1=flag)({"oee": value}) == shown


@pytest.mark.parametrize(
    ("us", "shown"),
    [(0, "0:00:00"), (3_723_000_000, "1:02:03"), (-90_000_000, "-0:01:30"), (360_000_000_000, "100:00:00"), (None, "")],
)
def test_times_are_shown_in_hours(us: int | None, shown: str) -> None:
    assert duration("us")({"us": us}) == shown


def test_instants_are_shown_in_local_time() -> None:
    assert local("at", ZoneInfo("Europe/Berlin"))({"at": WHOLE}) == "2026-03-02 07:00:00"
    assert local("at", ZoneInfo("Europe/Berlin"), seconds=False)({"at": WHOLE}) == "2026-03-02 07:00"
    assert local("at", ZoneInfo("Europe/Berlin"))({"at": None}) == ""
