"""Whatever the bytes, decoders raise nothing they should not, lose no line and read it the same in any company."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kpis.errors import SourceError
from kpis.events import EVENTS, FIELDS, FORMS, REJECTED, REJECTION_REASONS, canonical_content
from pipelines.sources import csv_files, json_lines, mtconnect, open_events
from pipelines.sources.json_objects import decode_exactly
from pipelines.sources.lines import texts_of


class Recorder(NamedTuple):
    equipment: str = "a/b"
    items: Mapping[str, str] = {"execution": "state", "count": "good"}


TIMES = st.sampled_from(
    [
        *(0, 1_772_409_600_000, 1.5, -1, 10**20, True, None, ""),
        *("1772409600000", "2026-03-02", "2026-03-02T06:00:00", "2026-13-02T06:00:00Z"),
        *("2026-03-02T06:00:00Z", "2026-03-02t06:00:00.1234567z", "2026-03-02 06:00:00.5+01:00"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.integers(-9, 9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-1000, 1000, places=3).map(float),
    st.text(max_size=5),
    st.sampled_from(["5", "5.0", "true", "producing", "start", "good", ":", ":null", 'a"b', "\\", "\n", "é", "☃"]),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner))
KEYS = st.sampled_from([*FIELDS, "lot", "by", "x", "line", "details", "X-1", "a.b", 'q"'])


@st.composite
def _events(draw: st.DrawFn) -> dict[str, Any]:
    event: dict[str, Any] = {"ts": draw(TIMES), "equipment": "a/b", "type": draw(st.sampled_from([*FORMS, "state", 5]))}
    event |= {"state": "down", "quality": "good", "value": 7, "action": "end", "online": True, "start": 0, "end": 1}
    event |= draw(st.dictionaries(KEYS, VALUES, max_size=4))
    for name in draw(st.sets(st.sampled_from(sorted(event)), max_size=4)):
        del event[name]
    return event


def _spelled(event: dict[str, Any], compact: bool, ascii_only: bool) -> bytes:
    separators = (",", ":") if compact else (", ", ": ")
    return json.dumps(event, separators=separators, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


SPELLED = st.builds(_spelled, _events(), st.booleans(), st.booleans())
RAW = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"", b" ", b"{}", b"[]", b"null", b"{", b'{"ts":1,"ts":2}', b'{"a":"\\ud800"}', b'{"id":null}', b"\r"]
    ),
    st.sampled_from([b"x^hello", b"x^llo,1", b"x\x01", b"x\x9c", b"x\xda", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"]),
    st.sampled_from([b"[" * 2000, b'{"a":' * 600 + b"1" + b"}" * 600, b'{"x":1e400}', b'{"good":NaN}', b'{"id":007}']),
).map(lambda raw: raw.replace(b"\n", b"?"))
LINES = st.lists(st.one_of(SPELLED, SPELLED, RAW), max_size=12)


def _check_schemas(events: pl.DataFrame, rejected: pl.DataFrame) -> None:
    assert events.schema == EVENTS
    assert rejected.schema == REJECTED
    assert rejected.select("reason", "detail", "raw").null_count().sum_horizontal().item() == 0
    assert set(rejected["reason"]) <= set(REJECTION_REASONS)
    assert rejected["detail"].str.len_chars().lt(400).all()


@given(LINES)
@example([b'{"ts":0,"equipment":"a","type":"count","good":1,"good":2}'] * 3)
@example([b'{"ts":0,"equipment":"a","type":"count","lot":5.0}', b'{"ts":0,"equipment":"a","type":"count","lot":0.001}'])
@settings(deadline=None)
def test_each_json_line_ends_once_and_the_same_in_any_company(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    events, rejected = json_lines.decode(data, 1)
    _check_schemas(events, rejected)
    blank = [number for number, line in enumerate(lines, 1) if _is_blank(line)]
    assert sorted([*events["line"], *rejected["line"], *blank]) == list(range(1, len(lines) + 1))
    readable, unreadable = texts_of(data, 1, "not_json")
    exact = decode_exactly(readable)
    assert_frame_equal(events, exact.events)
    reasons = pl.concat([exact.rejected, unreadable]).sort("line").select("line", "equipment", "id", "reason", "raw")
    assert_frame_equal(rejected.select(reasons.columns), reasons)


def _is_blank(line: bytes) -> bool:
    try:
        return not line.removesuffix(b"\r").decode().strip(" \t\n\r")
    except UnicodeDecodeError:
        return False


CELLS = st.sampled_from(
    ["", "a/b", "0", "5", "5.5", "count", "state", "down", "true", '"a,b"', '"a""b"', '"', "é", "2026-03-02T06:00:00Z"]
)
ROWS = st.lists(st.one_of(st.lists(CELLS, min_size=5, max_size=7).map(",".join).map(str.encode), RAW), max_size=12)


@given(ROWS)
@settings(deadline=None)
def test_each_csv_row_ends_once(rows: list[bytes]) -> None:
    header = csv_files.Header(",", ["ts", "equipment", "type", "good", "state", "lot"])
    events, rejected = csv_files.decode(b"".join(row + b"\n" for row in rows), 2, header)
    _check_schemas(events, rejected)
    blank = [number for number, row in enumerate(rows, 2) if row in (b"", b"\r")]
    assert sorted([*events["line"], *rejected["line"], *blank]) == list(range(2, len(rows) + 2))


PARTS = st.sampled_from(["execution", "count", "ACTIVE", "", "12", "12.5", "x", "2026-03-02T06:00:00Z", "2026-03-02"])
RECORDED = st.lists(st.one_of(st.lists(PARTS, max_size=6).map("|".join).map(str.encode), RAW), max_size=12)


@given(RECORDED)
@settings(deadline=None)
def test_recorded_lines_never_fail(lines: list[bytes]) -> None:
    _check_schemas(*mtconnect.decode(b"".join(line + b"\n" for line in lines), 1, Recorder()))


@given(
    st.binary(max_size=200), st.sampled_from(["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.csv.gz", "a.parquet"])
)
@settings(deadline=None)
def test_any_file_is_read_or_refused(data: bytes, name: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        try:
            chunks = list(open_events(path))
        except SourceError:
            return
        for chunk in chunks:
            _check_schemas(chunk.events, chunk.rejected)


@given(st.lists(_events(), min_size=1, max_size=8))
@settings(deadline=None)
def test_content_is_equal_if_and_only_if_the_fields_are(events: list[dict[str, Any]]) -> None:
    frame = json_lines.decode(b"".join(_spelled(event, True, True) + b"\n" for event in events), 1).events
    frame = frame.with_columns(details=pl.lit(None, pl.String))
    rows = frame.drop("id", "line").rows()
    contents = canonical_content(frame)
    assert len(set(contents)) == len(set(rows))
    assert len(set(zip(contents, rows, strict=True))) == len(set(rows))
