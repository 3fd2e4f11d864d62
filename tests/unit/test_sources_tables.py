"""CSV and Parquet: the same events as in JSON lines, whatever the types of the columns."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kpis.errors import SourceError
from kpis.events import canonical_content
from pipelines.sources import open_events

HEADER = "id,ts,equipment,type,state,good,lot\n"


def _read(path: Path, start: int = 0, rows: int = 245_760) -> tuple[pl.DataFrame, pl.DataFrame]:
    chunks = list(open_events(path, start=start, rows=rows))
    return pl.concat(chunk.events for chunk in chunks), pl.concat(chunk.rejected for chunk in chunks)


def _csv(folder: Path, text: str) -> Path:
    path = folder / "a.csv"
    path.write_bytes(text.encode())
    return path


def _parquet(folder: Path, **columns: Any) -> Path:
    path = folder / "a.parquet"
    base = {"ts": [0], "equipment": ["a/b"], "type": ["count"]}
    pl.DataFrame(base | columns).write_parquet(path)
    return path


def test_the_same_event_has_the_same_content_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id":"1","ts":"2026-03-02T06:00:00.5Z","equipment":"a/b","type":"count","good":5,"lot":"L,1","temp":21.5}\n'
        '{"id":"2","ts":1772431200000,"equipment":"a/b","type":"status","online":true}\n'
        '{"id":"3","ts":1772431200000,"equipment":"a/b","type":"reclassify","start":0,"end":1000,"state":"idle"}\n'
    )
    _csv(
        tmp_path,
        "temp,lot,good,type,equipment,ts,id,online,start,end,state\n"
        '21.5,"L,1",5.0,count,a/b,2026-03-02T07:00:00.5+01:00,1,,,,\n'
        ",,,status,a/b,1772431200000,2,TRUE,,,\n"
        ",,,reclassify,a/b,2026-03-02 06:00:00Z,3,,1970-01-01T00:00:00Z,1000,idle\n",
    )
    at = datetime(2026, 3, 2, 6, tzinfo=UTC)
    pl.DataFrame(
        {
            "id": ["1", "2", "3"],
            "ts": [at.replace(microsecond=500_000), at, at],
            "equipment": pl.Series(["a/b"] * 3, dtype=pl.Categorical),
            "type": ["count", "status", "reclassify"],
            "good": pl.Series([5, None, None], dtype=pl.UInt8),
            "lot": ["L,1", None, None],
            "temp": [21.5, None, None],
            "online": [None, True, None],
            "start": pl.Series([None, None, 0.0]),
            "end": [None, None, 1000],
            "state": ["", "", "idle"],
        }
    ).write_parquet(tmp_path / "a.parquet")
    contents = []
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        events, rejected = _read(tmp_path / name)
        assert rejected.rows() == [], name
        contents.append(canonical_content(events).to_list())
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_cells_are_parted_as_in_the_header(tmp_path: Path, separator: str) -> None:
    text = (HEADER + "1,0,a/b,count,,5,L1\n").replace(",", separator)
    events, _ = _read(_csv(tmp_path, "\ufeff" + text.replace("\n", "\r\n")))
    assert events.select("id", "ts", "good", "details", "line").rows() == [("1", 0, 5, '{"lot":"L1"}', 2)]


@pytest.mark.parametrize(
    ("row", "reason", "says"),
    [
        ("1,0,a/b,count,,5", "not_a_row", "6 cells, the header has 7"),
        ("1,0,a/b,count,,5,L1,x", "not_a_row", "8 cells"),
        ('1,0,a/b,count,,5,"L1', "not_a_row", "not a row"),
        ("1,0,a/b,count,,5.5,L1", "wrong_type", "`good` '5.5' is not a whole number"),
        ("1,0,a/b,count,,five,L1", "wrong_type", "'five'"),
        ("1,0,a/b,count,,1e300,L1", "out_of_range", "'1e300'"),
        ("1,2026-03-02 06:00,a/b,count,,5,L1", "naive_time", "offset"),
        ("1,0,,count,,5,L1", "missing_field", "`equipment`"),
    ],
)
def test_a_bad_csv_row_is_rejected_alone(tmp_path: Path, row: str, reason: str, says: str) -> None:
    good = '2,0,a/b,state,"say ""hi""",,\n'
    events, rejected = _read(_csv(tmp_path, HEADER + row + "\n\n" + good))
    assert events.select("line", "state").rows() == [(4, 'say "hi"')]
    assert rejected.select("line", "reason", "raw").rows() == [(2, reason, row.encode())]
    assert says in rejected["detail"].item()


def test_csv_goes_on_after_any_line(tmp_path: Path) -> None:
    path = _csv(tmp_path, HEADER + "".join(f"{n},{n},a/b,count,,1,\n" for n in range(3000)))
    whole, _ = _read(path, rows=500)
    assert whole["line"].to_list() == list(range(2, 3002))
    for start in (0, 1, 2, 1700):
        events, _ = _read(path, start=start, rows=500)
        assert_frame_equal(events, whole.filter(pl.col("line") > start))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,c\n1,2,3\n", "names no column ts, equipment, type"),
        ("ts,equipment,type,ts\n", "names twice: ts"),
        ("ts,equipment,type,,\n", "an empty name"),
        ("\x00\x01\n", "names no column"),
    ],
)
def test_a_csv_file_without_the_names_of_fields_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        list(open_events(_csv(tmp_path, text)))


def test_an_empty_csv_file_has_no_events(tmp_path: Path) -> None:
    assert list(open_events(_csv(tmp_path, ""))) == []
    assert [chunk.events.height for chunk in open_events(_csv(tmp_path, HEADER))] == [0]


@pytest.mark.parametrize(
    ("ts", "reason"),
    [
        ([datetime(2026, 3, 2, 6)], "naive_time"),  # noqa: DTZ001 - a time without a zone is the case
        ([date(2026, 3, 2)], "naive_time"),
        ([1.5], "wrong_type"),
        ([float("inf")], "wrong_type"),
        (pl.Series([2**63], dtype=pl.UInt64), "out_of_range"),
        (pl.Series([-1], dtype=pl.Int8), "out_of_range"),
        ([b"x"], "wrong_type"),
        ([[1]], "wrong_type"),
        (pl.Series([None], dtype=pl.Int64), "missing_field"),
    ],
)
def test_parquet_columns_of_times(tmp_path: Path, ts: Any, reason: str) -> None:
    _, rejected = _read(_parquet(tmp_path, ts=ts))
    assert rejected.select("line", "equipment", "reason").rows() == [(1, "a/b", reason)]
    assert b"a/b" in rejected["raw"].item()


def test_parquet_nanoseconds_are_cut(tmp_path: Path) -> None:
    ts = pl.Series([1_772_431_200_123_456_999]).cast(pl.Datetime("ns", "Europe/Berlin"))
    events, _ = _read(_parquet(tmp_path, ts=ts))
    assert events["ts"].to_list() == [1_772_431_200_123_456]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"good": [1.5]}, "wrong_type"),
        ({"good": [float("nan")]}, "wrong_type"),
        ({"good": [True]}, "wrong_type"),
        ({"good": pl.Series([2**63], dtype=pl.UInt64)}, "out_of_range"),
        ({"order": [4711]}, "wrong_type"),
        ({"id": [7]}, "wrong_type"),
        ({"type": ["status"], "online": [1]}, "wrong_type"),
    ],
)
def test_parquet_values_of_the_wrong_type_are_rejected(tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
    _, rejected = _read(_parquet(tmp_path, **columns))
    assert rejected["reason"].to_list() == [reason]


def test_parquet_columns_of_any_type_are_kept_as_details(tmp_path: Path) -> None:
    extras = {
        "temp": [5.0],
        "tags": [["a", "b"]],
        "at": [date(2026, 3, 2)],
        "none": [None],
        "state": ["x"],
        "n": [{"k": 1}],
    }
    events, rejected = _read(_parquet(tmp_path, **extras))
    assert rejected.rows() == []
    assert events["details"].item() == '{"at":"2026-03-02","n":{"k":1},"state":"x","tags":["a","b"],"temp":5}'


def test_parquet_goes_on_after_any_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"ts": range(1000), "equipment": "a/b", "type": "count"}).write_parquet(path, row_group_size=300)
    for start in (0, 299, 300, 999, 1000):
        lines = [line for chunk in open_events(path, start=start, rows=250) for line in chunk.events["line"]]
        assert lines == list(range(start + 1, 1001))


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        list(open_events(tmp_path / "a.parquet"))
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match="no column ts, equipment, type"):
        list(open_events(tmp_path / "b.parquet"))
