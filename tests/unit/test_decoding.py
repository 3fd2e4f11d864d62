"""Journalled messages become events and rejected rows, each traceable to its message."""

import json
from typing import Any

import polars as pl
import pytest

from kpis.events import EVENTS, REJECTED
from kpis.plant import load_plant
from pipelines.decoding import KEPT_OF_LONG_MESSAGE, Decoded, Decoder, shortened
from tests.mqtt_messages import journalled

AT = 1_772_431_200_000_000
PLANT = """
[equipment."a/b"]
[equipment."a/c"]
future_tolerance = "1h"
[[sources]]
name = "press"
kind = "mqtt"
broker = "mqtt://localhost"
topics = ["#"]
"""
EVENT = {"id": "1", "equipment": "a/b", "ts": AT // 1_000, "type": "state", "state": "down"}


def event(**fields: Any) -> bytes:
    return json.dumps(EVENT | fields).encode()


def decode(*payloads: bytes, source: str = "press") -> Decoded:
    rows = journalled(*(("x/y", payload) for payload in payloads), received_at=AT, source=source)
    return Decoder(load_plant(PLANT)).decode(rows)


def test_nothing() -> None:
    decoded = decode()
    assert (decoded.events.schema, decoded.rejected.schema) == (EVENTS, REJECTED)
    assert (decoded.events.height, decoded.origin.height, decoded.skew.height) == (0, 0, 0)


@pytest.mark.parametrize(
    "payload",
    [
        event(),
        event() + b"\r\n",
        b"\xef\xbb\xbf" + event(),
        json.dumps(EVENT, indent=2).encode(),
        json.dumps(EVENT, indent=2).replace("\n", "\r\n").encode(),
        b"[" + event() + b"]",
        b" [\n " + event() + b"\n]\n",
    ],
)
def test_ways_to_write_an_event(payload: bytes) -> None:
    (row,) = decode(payload).events.to_dicts()
    assert {name: row[name] for name in EVENT} == EVENT | {"ts": AT}


@pytest.mark.parametrize("source", ["press", "http"])
def test_many_messages_keep_their_places(source: str) -> None:
    several = b"[" + b",".join([event(id="2"), b'{"id": "3"}', event(id="4", state="a\nb")]) + b"]"
    decoded = decode(event(), several, b"{", b"", event(id="5"), source=source)
    assert decoded.events.select("line", "id", "state").rows() == [
        *((1, "1", "down"), (2, "2", "down"), (4, "4", "a\nb"), (7, "5", "down")),
    ]
    assert decoded.rejected.select("line", "reason").rows() == [(3, "missing_field"), (5, "not_json"), (6, "no_event")]
    assert decoded.origin.rows() == [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 2, 2), (5, 3, 0), (6, 4, 0), (7, 5, 0)]
    assert decoded.raw(pl.Series([7, 4])).to_list() == [event(id="5"), event(id="4", state="a\nb")]


def test_numbers_stay_as_they_were_written() -> None:
    decoded = decode(b"[" + event(x=1.50, n=18446744073709551617) + b"]", event(x=1.50, n=18446744073709551617))
    assert decoded.events["details"].n_unique() == 1


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (b"", "no_event", "the message is empty"),
        (b" \n", "no_event", "the message is empty"),
        (b"[]", "no_event", "the message is an empty array"),
        (b"RUN", "not_json", "the message is not JSON: "),
        (b"\xff", "not_json", "the message is not text in UTF-8"),
        (b"[1, 2", "not_json", "the message is not JSON: "),
        (b"[" * 100_000, "not_json", "the message is not JSON: "),
        (b'{"a":' * 100_000, "not_json", "the message is not JSON: "),
        (b'{"a":\n' * 100_000, "not_json", "the message is not JSON: "),
        (b'{"state": "a\nb"}', "not_json", "the message is not JSON: "),
        (event() + b"\n" + event(), "not_json", "the message is not JSON: "),
        (b"3", "not_an_object", "a message holds one JSON object, this is only 3"),
        (b"[[1]]", "not_an_object", "a message holds one JSON object, this is an array"),
        (event(ts="2026-03-02"), "naive_time", "`ts` '2026-03-02' is a time without an offset"),
        (b"[" + b"{}," * 10_000 + b"{}]", "too_long", "the message holds more than 10,000 events"),
    ],
    ids=range(15),
)
def test_messages_that_cannot_be_used(payload: bytes, reason: str, detail: str) -> None:
    decoded = decode(event(id="0"), payload, event(id="9"))
    assert decoded.events["id"].to_list() == ["0", "9"]
    ((found, told, raw),) = decoded.rejected.select("reason", "detail", "raw").rows()
    assert (found, told.startswith(detail)) == (reason, True), told
    assert raw == (payload if reason != "not_an_object" else payload.removeprefix(b"[").removesuffix(b"]") or payload)


def test_a_message_that_is_too_long_keeps_its_length_and_its_beginning() -> None:
    payload = b"x" * 1_000_000
    kept = shortened(payload, 262_144)
    assert len(kept) < KEPT_OF_LONG_MESSAGE + 100
    ((reason, detail, raw),) = decode(kept).rejected.select("reason", "detail", "raw").rows()
    assert reason == "too_long"
    assert detail == "the message is 1,000,000 bytes long, more than 262,144; its first bytes are kept"
    assert raw == payload[:KEPT_OF_LONG_MESSAGE]
    assert decode(b"\x00" + b"9" * 5_000 + b" bytes, more than 1\n").rejected["reason"].item() == "too_long"


def test_a_source_that_is_no_more() -> None:
    assert decode(event(), source="gone").rejected["reason"].item() == "unknown_source"


def test_events_of_the_future() -> None:
    minute = 60_000
    near, far = AT // 1_000 + 5 * minute, AT // 1_000 + 5 * minute + 1
    decoded = decode(
        event(id="a", ts=near),
        event(id="b", ts=far),
        event(id="c", ts=far, equipment="a/c"),
        event(id="d", ts=far, equipment="unknown"),
    )
    assert decoded.events["id"].to_list() == ["a", "c", "d"]
    ((line, equipment, reason, detail, raw),) = decoded.rejected.drop("id").rows()
    assert (line, equipment, reason, raw) == (2, "a/b", "in_future", event(id="b", ts=far))
    assert detail == "`ts` is 0:05:00.001000 ahead of the clock, more than 0:05:00"


def test_skew_of_the_clocks() -> None:
    decoded = decode(
        event(id="a", ts=AT // 1_000 - 2),
        event(id="b", ts=AT // 1_000 + 7),
        event(id="c", equipment="a/c", ts=AT // 1_000 - 90_000),
        json.dumps(EVENT | {"type": "retract", "target": "x", "equipment": "a/c"}).encode(),
    )
    assert decoded.skew.rows() == [("a/b", -7_000, 2_000), ("a/c", 90_000_000, 90_000_000)]
