"""What is an event, what is rejected and why, and when two events have the same content."""

import json
from typing import Any

import polars as pl
import pytest

from kpis.event_checks import validate
from kpis.events import EVENTS, FORMS, REJECTED, REJECTION_REASONS, canonical_content
from pipelines.sources.json_lines import decode

BASE = {"equipment": "a/b", "ts": "2026-03-02T06:00:00Z"}
STATE = {**BASE, "type": "state", "state": "down"}
COUNT = {**BASE, "type": "count"}
COUNTER = {**BASE, "type": "counter", "quality": "good", "value": 5}
ORDER = {**BASE, "type": "order", "action": "start", "order": "O-1"}
STATUS = {**BASE, "type": "status", "online": False}
RECLASSIFY = {**BASE, "type": "reclassify", "start": 0, "end": 1, "state": "idle"}
RETRACT = {**BASE, "type": "retract", "target": "e-1"}
NINE_O_CLOCK = 1_772_442_000_000_000


def _read(*events: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    decoded = decode(b"".join(json.dumps(event).encode() + b"\n" for event in events), 1)
    return decoded.events, decoded.rejected


@pytest.mark.parametrize("event", [STATE, COUNT, COUNTER, ORDER, STATUS, RECLASSIFY, RETRACT], ids=list(FORMS))
def test_each_type_is_an_event_with_its_required_fields_and_none_without(event: dict[str, Any]) -> None:
    events, rejected = _read(event)
    assert rejected.rows() == []
    assert events["type"].to_list() == [event["type"]]
    for name in ("equipment", "ts", "type", *FORMS[event["type"]].required):
        for missing in ({}, {name: None}, {name: ""}):
            _, rejected = _read({key: value for key, value in event.items() if key != name} | missing)
            assert rejected["reason"].to_list() == ["missing_field"], name
            assert f"`{name}`" in rejected["detail"].item()


@pytest.mark.parametrize(
    ("ts", "hour_us"),
    [
        ("2026-03-02T09:00:00Z", 0),
        ("2026-03-02t09:00:00z", 0),
        ("2026-03-02 10:00:00+01:00", 0),
        ("2026-03-01T23:30:00-09:30", 0),
        ("2026-03-02T09:00:00.5Z", 500_000),
        ("2026-03-02T09:00:00.123456999Z", 123_456),
        ("2026-03-02T10:00:00.9999999+01:00", 999_999),
        (NINE_O_CLOCK // 1000, 0),
        (float(NINE_O_CLOCK // 1000), 0),
    ],
)
def test_an_instant_is_exact_to_the_microsecond(ts: Any, hour_us: int) -> None:
    events, _ = _read({**STATE, "ts": ts})
    assert events["ts"].to_list() == [NINE_O_CLOCK + hour_us]


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"ts": "2026-03-02T09:00:00"}, "naive_time", "without an offset"),
        ({"ts": "2026-03-02"}, "naive_time", "'2026-03-02'"),
        ({"ts": "2026-03-02T09:00:60Z"}, "bad_time", "is not a time"),
        ({"ts": "2026-02-29T09:00:00Z"}, "bad_time", "is not a time"),
        ({"ts": "soon"}, "bad_time", "'soon'"),
        ({"ts": "1772442000000"}, "bad_time", "are a number"),
        ({"ts": 1.5}, "wrong_type", "1.5"),
        ({"ts": True}, "wrong_type", "true"),
        ({"ts": -1}, "out_of_range", "1970"),
        ({"ts": "2200-01-01T00:00:00Z"}, "out_of_range", "2199"),
        ({"ts": 10**17}, "out_of_range", "2199"),
        ({"ts": 10**23}, "out_of_range", "`ts` 1e+23 is outside the years"),
        ({"id": 5}, "wrong_type", "`id` 5 is not a text"),
        ({"equipment": ["a"]}, "wrong_type", "`equipment`"),
        ({"state": 1}, "wrong_type", "`state` 1 is not a text"),
        ({"type": "stat"}, "unknown_type", "'stat' is unknown; the types are state, count"),
        ({**COUNT, "good": 5.5}, "wrong_type", "`good` 5.5 is not a whole number"),
        ({**COUNT, "good": "5"}, "wrong_type", '`good` "5" is not a whole number'),
        ({**COUNT, "good": True}, "wrong_type", "`good` true"),
        ({**COUNT, "good": 2**53 + 1}, "out_of_range", "9007199254740993 is outside"),
        ({**COUNT, "scrap": -(2**60)}, "out_of_range", "`scrap`"),
        ({**COUNT, "good": 10**23}, "out_of_range", "`good` 1e+23 is outside -9007199254740992 to"),
        ({**COUNT, "order": 4711}, "wrong_type", "`order` 4711"),
        ({**COUNTER, "quality": "Good"}, "unknown_quality", "good or scrap or rework"),
        ({**COUNTER, "value": -1}, "out_of_range", "`value` -1"),
        ({**COUNTER, "rollover": 0}, "out_of_range", "`rollover` 0"),
        ({**ORDER, "action": "pause"}, "unknown_action", "start or end"),
        ({**ORDER, "order": None}, "missing_field", "the start of an order"),
        ({**STATUS, "online": 1}, "wrong_type", "`online` 1 is not true or false"),
        ({**STATUS, "online": "true"}, "wrong_type", "true or false"),
        ({**RECLASSIFY, "end": 0}, "empty_interval", "is not after"),
        ({**RECLASSIFY, "state": None}, "missing_field", "`state` or `reason`"),
        ({**RECLASSIFY, "start": "2026-03-02T09:00:00"}, "naive_time", "`start`"),
        ({**RETRACT, "target": 7}, "wrong_type", "`target` 7"),
    ],
)
def test_what_is_wrong_is_rejected_with_its_reason_and_its_bytes(
    change: dict[str, Any], reason: str, says: str
) -> None:
    event = {**STATE, **change}
    events, rejected = _read(event, STATE)
    assert events["line"].to_list() == [2]
    assert rejected["reason"].to_list() == [reason]
    assert says in rejected["detail"].item()
    assert rejected["raw"].to_list() == [json.dumps(event).encode()]
    assert reason in REJECTION_REASONS


@pytest.mark.parametrize(
    ("event", "column", "value"),
    [
        ({**COUNT, "good": 5.0}, "good", 5),
        ({**COUNT, "good": -3}, "good", -3),
        ({**COUNT, "scrap": 1}, "good", 0),
        ({**COUNT, "good": None}, "rework", 0),
        (STATE, "good", None),
        ({**ORDER, "action": "end", "order": None}, "order", None),
        ({**ORDER, "quantity": 100.0}, "quantity", 100),
        ({**STATE, "id": ""}, "id", None),
        ({**STATE, "reason": ""}, "reason", None),
        ({**STATUS, "online": True}, "online", True),
        ({**COUNTER, "value": 2**53}, "value", 2**53),
    ],
)
def test_a_field_has_one_value(event: dict[str, Any], column: str, value: Any) -> None:
    events, _ = _read(event)
    assert events[column].to_list() == [value]


@pytest.mark.parametrize(
    ("event", "details"),
    [
        (STATE, None),
        ({**COUNT, "lot": "L1", "by": "kim"}, '{"by":"kim","lot":"L1"}'),
        (RETRACT, '{"target":"e-1"}'),
        ({**STATE, "good": 5, "lot": None, "x": ""}, '{"good":5}'),
        ({**STATE, "temp": 5.0, "ok": True}, '{"ok":true,"temp":5}'),
        ({**STATE, "z": [1, {"b": 1, "a": 2}]}, '{"z":[1,{"a":2,"b":1}]}'),
        ({**STATE, 'q"\n': "é\t\\"}, '{"q\\"\\n":"é\\t\\\\"}'),
        ({**STATE, "line": 9, "details": "d"}, '{"details":"d","line":9}'),
    ],
)
def test_what_a_type_does_not_have_is_kept_in_the_details(event: dict[str, Any], details: str | None) -> None:
    events, rejected = _read(event)
    assert rejected.rows() == []
    assert events["details"].to_list() == [details]


def test_a_faulty_event_still_tells_whose_it_is() -> None:
    _, rejected = _read({**STATE, "id": "e-9", "ts": "soon"})
    assert rejected.select("equipment", "id").rows() == [("a/b", "e-9")]


def test_frames_have_the_same_schema_when_they_are_empty() -> None:
    events, rejected = validate(pl.DataFrame({"ts": []}), pl.Series([], dtype=pl.Int64))
    assert events.schema == EVENTS
    assert rejected.schema == REJECTED


def test_the_spelling_of_content_never_changes() -> None:
    events, _ = _read(
        {**COUNT, "id": "e-1", "good": 5, "reason": "jam", "product": "P\x1f", "order": "O", "lot": "L1", "temp": 21.5},
        {**RECLASSIFY, "start": 0, "end": "1970-01-01T00:00:00.000002999Z", "reason": "x"},
        {**STATUS},
    )
    assert canonical_content(events).str.replace_all("\x1f", "|", literal=True).to_list() == [
        'a/b|1772431200000000|count||jam|P\x1e1|O|5|0|0|||||||||{"lot":"L1","temp":"21.5"}',
        "a/b|1772431200000000|reclassify|idle|x||||||||||||0|2|",
        "a/b|1772431200000000|status|||||||||||||false|||",
    ]


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ({**COUNT}, {**COUNT, "good": 0, "scrap": 0, "reason": None, "lot": ""}, True),
        ({**STATE, "id": "1"}, {**STATE, "id": "2"}, True),
        ({**STATE, "ts": "2026-03-02T07:00:00+01:00"}, STATE, True),
        ({**STATE, "temp": 5}, {**STATE, "temp": "5"}, True),
        ({**STATE, "temp": 5.0}, {**STATE, "temp": "5"}, True),
        ({**STATE, "ok": True, "x": -1e-7}, {**STATE, "x": "-1e-7", "ok": "true"}, True),
        ({**STATE, "reason": "a"}, STATE, False),
        ({**STATE, "state": "a\x1fb"}, {**STATE, "state": "a", "reason": "b"}, False),
        ({**STATE, "x": '":5,'}, {**STATE, "x": '":"5",'}, False),
        ({**STATE, "ts": "2026-03-02T06:00:00.000001Z"}, STATE, False),
    ],
)
def test_content_is_equal_when_it_says_the_same(left: dict[str, Any], right: dict[str, Any], equal: bool) -> None:
    events, _ = _read(left, right)
    contents = canonical_content(events)
    assert (contents[0] == contents[1]) is equal
