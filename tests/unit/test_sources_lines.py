"""Files of lines: plain or compressed, damaged, resumed, huge; each line has its number and comes once."""

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard

from kpis.errors import SourceError
from pipelines.sources import open_events, size_of
from pipelines.sources.lines import KEPT_OF_LONG_LINE, LINE_LIMIT

LINE = b'{"equipment":"a/b","ts":%d,"type":"count","good":1}\n'
MANY = b"".join(LINE % number for number in range(5000))


def _read(path: Path, start: int = 0, rows: int = 245_760) -> tuple[pl.DataFrame, pl.DataFrame]:
    chunks = list(open_events(path, start=start, rows=rows))
    return pl.concat(chunk.events for chunk in chunks), pl.concat(chunk.rejected for chunk in chunks)


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "a.jsonl": bytes,
    "a.JSONL": bytes,
    "a.ndjson": bytes,
    "a.jsonl.gz": gzip.compress,
    "a.jsonl.zst": zstandard.compress,
    "two.jsonl.gz": lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:]),
    "two.jsonl.zst": lambda data: zstandard.compress(data[:99]) + zstandard.compress(data[99:]),
}


@pytest.mark.parametrize("name", list(COMPRESS))
@pytest.mark.parametrize("rows", [1, 700, 245_760])
def test_every_line_comes_once_with_its_number(tmp_path: Path, name: str, rows: int) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESS[name](MANY))
    events, rejected = _read(path, rows=rows)
    assert events["line"].to_list() == list(range(1, 5001))
    assert events["ts"].to_list() == [number * 1000 for number in range(5000)]
    assert rejected.is_empty()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("start", [0, 1, 1234, 4999, 5000, 6000])
def test_reading_goes_on_after_any_line(tmp_path: Path, name: str, start: int) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESS[name](MANY))
    chunks = list(open_events(path, start=start, rows=1000))
    lines = [line for chunk in chunks for line in chunk.events["line"]]
    assert lines == list(range(start + 1, 5001))
    assert [chunk.end for chunk in chunks] == [chunk.events["line"].max() for chunk in chunks]
    assert all(0 < chunk.bytes_read <= size_of(path) for chunk in chunks)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"\xef\xbb\xbf" + LINE % 1, [1]),
        (LINE % 1 + b"\n \t\r\n" + LINE % 2, [1, 4]),
        ((LINE % 1).replace(b"\n", b"\r\n") * 2, [1, 2]),
        ((LINE % 1) + (LINE % 2).rstrip(), [1, 2]),
        (b"  " + LINE % 1, [1]),
    ],
    ids=["empty", "blank", "byte order mark", "blank lines", "crlf", "no last newline", "indented"],
)
def test_odd_but_harmless_files(tmp_path: Path, data: bytes, lines: list[int]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    chunks = list(open_events(path))
    assert [line for chunk in chunks for line in chunk.events["line"]] == lines
    assert all(chunk.rejected.is_empty() for chunk in chunks)


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        (b"{", "not_json", "not JSON"),
        (LINE[:20], "not_json", "not JSON"),
        (b'{"a":1}{"a":2}', "not_json", "not JSON"),
        (b"{'a':1}", "not_json", "not JSON"),
        (b'{"a":NaN}', "not_json", "not JSON"),
        (b'{"a":"\xff"}', "not_json", "UTF-8"),
        (b'{"a":"\x00"}', "not_json", "not JSON"),
        (b"[" * 3000, "not_json", "not JSON"),
        (b"[{}]", "not_an_object", "an array"),
        (b"5", "not_an_object", "only 5"),
        (b"{}", "missing_field", "`equipment`"),
    ],
)
def test_a_bad_line_is_rejected_alone(tmp_path: Path, line: bytes, reason: str, says: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE % 1 + line + b"\r\n" + LINE % 3)
    events, rejected = _read(path)
    assert events["line"].to_list() == [1, 3]
    assert rejected.select("line", "reason", "raw").rows() == [(2, reason, line)]
    assert says in rejected["detail"].item()


def test_bad_lines_among_many_good_ones_are_rejected_alone(tmp_path: Path) -> None:
    lines = [b'{"equipment":"a/b","id":"%d","ts":1,"type":"count","good":1}\n' % number for number in range(500)]
    for number in (494, 499):
        lines[number] = b'{"equipment":"a/b","ts":"2026-11-02T10:23:59","type":"count","good":1}\n'
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(lines))
    events, rejected = _read(path)
    assert (events.height, rejected["line"].to_list()) == (498, [495, 500])
    assert rejected["detail"].str.contains("'2026-11-02T10:23:59'", literal=True).all()


@pytest.mark.parametrize("length", [LINE_LIMIT + 1, 5 * LINE_LIMIT])
def test_a_line_that_is_too_long_is_cut_and_rejected(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE % 1 + b"x" * length + b"\n" + LINE % 3)
    events, rejected = _read(path, rows=100)
    assert events["line"].to_list() == [1, 3]
    assert rejected["reason"].to_list() == ["too_long"]
    assert rejected["raw"].item() == b"x" * KEPT_OF_LONG_LINE


def test_the_first_of_a_field_given_twice_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"equipment":"a/b","ts":1,"type":"count","good":1,"good":2,"x":"\\u0041"}\n' + LINE % 2)
    events, _ = _read(path)
    assert events["good"].to_list() == [1, 1]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize(("keep", "state"), [(0.5, "cut off"), (-3, "cut off")])
def test_what_comes_before_the_end_of_a_cut_file_is_read(tmp_path: Path, name: str, keep: float, state: str) -> None:
    data = COMPRESS[name](b"".join(LINE % (number * 7919 % 10**12) for number in range(20_000)))
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * keep)] if keep > 0 else data[: int(keep)])
    read: list[int] = []
    with pytest.raises(SourceError, match=state) as raised:
        read.extend(line for chunk in open_events(path, rows=1000) for line in chunk.events["line"])
    assert read == list(range(1, len(read) + 1))
    assert f"after line {len(read)}" in str(raised.value)
    assert name in str(raised.value)


def test_what_is_not_compressed_as_its_name_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"this is not gzip")
    with pytest.raises(SourceError, match="not compressed as its name says"):
        list(open_events(path))


def test_of_damaged_compressed_data_nothing_is_read(tmp_path: Path) -> None:
    """A digit of the first line is another one: it can be read, and only the checksum at the end tells."""
    data = bytearray(gzip.compress(MANY, compresslevel=0))
    place = data.index(b'"good":1') + 7
    data[place : place + 1] = b"7"
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(SourceError, match="damaged"):
        next(open_events(path, rows=100))


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50, b"a line of a log\n" * 1000])
def test_another_kind_of_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with pytest.raises(SourceError, match="not a file of JSON lines"):
        list(open_events(path))


@pytest.mark.parametrize(
    ("name", "says"), [("none.jsonl", "no such file"), (".", "is a folder"), ("a.txt", "the name")]
)
def test_a_file_that_cannot_be_events_is_refused_at_once(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(SourceError, match=says) as raised:
        open_events(tmp_path / name)
    assert raised.value.hint


LIKE_COMPRESSED = [b"x^hello", b"x^llo,1", b"x\x01a", b"x\x9ca", b"x\xdaa", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"]


@pytest.mark.parametrize("start", LIKE_COMPRESSED)
def test_what_begins_like_compressed_data_is_a_line_as_any_other(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(start + b"\n" + MANY)
    events, rejected = _read(tmp_path / "a.jsonl")
    assert events["line"].to_list() == list(range(2, 5002))
    assert rejected.select("line", "reason", "raw").rows() == [(1, "not_json", start)]
    (tmp_path / "a.csv").write_bytes(b"equipment,ts,type\n" + start + b",\na/b,0,count\n")
    events, rejected = _read(tmp_path / "a.csv")
    assert events["line"].to_list() == [3]
    assert rejected["line"].to_list() == [2]
