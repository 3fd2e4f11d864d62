"""Recorded MTConnect lines become state and counter events; everything else on them is passed over."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kpis.errors import SourceError
from kpis.instants import instants
from pipelines.sources import open_events
from pipelines.sources.mtconnect import decode


@dataclass(frozen=True)
class Recorder:
    name: str = "mazak"
    kind: str = "mtconnect"
    equipment: str = "a/b"
    items: Mapping[str, str] = field(
        default_factory=lambda: {"execution": "state", "Part_Count": "good", "bad": "scrap"}
    )


AT = "2016-11-29T09:28:49.4440001Z"
AT_US = instants(pl.Series([AT])).us.item()


@pytest.mark.parametrize(
    ("line", "events"),
    [
        (f"{AT}|execution|ACTIVE", [("state", "ACTIVE", None, None)]),
        (f"{AT}|execution|UNAVAILABLE\r", [("state", "UNAVAILABLE", None, None)]),
        (f"{AT}|Part_Count|12", [("counter", None, "good", 12)]),
        (f"{AT}|Part_Count|12.0", [("counter", None, "good", 12)]),
        (f"{AT}|Part_Count|UNAVAILABLE", []),
        (f"{AT}|execution|", []),
        (f"{AT}|execution", []),
        (f"{AT}|Sspeed|execution", []),
        (f"{AT}|x|1|execution|READY|Part_Count|3", [("state", "READY", None, None), ("counter", None, "good", 3)]),
        (f"{AT}|load_cond|Unavailable||||", []),
        (f"{AT}|load_cond|FAULT|7|||text|execution|READY", [("state", "READY", None, None)]),
        (f"{AT}|execution|bad|bad|2", [("state", "bad", None, None), ("counter", None, "scrap", 2)]),
        ("", []),
        ("* comment", []),
    ],
)
def test_wanted_items_of_a_line(line: str, events: list[tuple[Any, ...]]) -> None:
    found, rejected = decode(line.encode() + b"\n", 7, Recorder())
    assert rejected.rows() == []
    assert found.select("type", "state", "quality", "value").rows() == events
    expected = ("a/b", None, AT_US, None, 7)
    assert all(row == expected for row in found.select("equipment", "id", "ts", "details", "line").rows())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2016-11-29T09:28:49|execution|ACTIVE", "naive_time"),
        (b"yesterday|execution|ACTIVE", "bad_time"),
        (b"|execution|ACTIVE", "missing_field"),
        (AT.encode() + b"|Part_Count|3.5", "wrong_type"),
        (AT.encode() + b"|Part_Count|-1", "out_of_range"),
        (AT.encode() + b"|execution|\xff", "not_a_row"),
    ],
)
def test_a_wanted_item_that_cannot_be_used_is_rejected(line: bytes, reason: str) -> None:
    events, rejected = decode(line + b"\n" + b"yesterday|other|x\n\xff|other|x\n", 1, Recorder())
    assert events.is_empty()
    assert rejected.select("line", "reason", "raw").rows() == [(1, reason, line)]


@pytest.mark.parametrize("name", ["day.txt", "day.txt.gz"])
def test_a_recording_is_read_and_resumed(tmp_path: Path, name: str) -> None:
    data = "".join(f"{AT}|execution|S{n}\n" for n in range(1000)).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    chunks = list(open_events(path, Recorder(), start=400, rows=100))
    assert [state for chunk in chunks for state in chunk.events["state"]] == [f"S{n}" for n in range(400, 1000)]
    assert chunks[-1].end == 1000


def test_a_kind_without_recordings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "day.txt"
    path.touch()
    with pytest.raises(SourceError, match="of kind opcua, which has no recordings"):
        open_events(path, Recorder(kind="opcua"))
