"""Whatever comes in over MQTT or HTTP, nothing raises, and every message ends as events or as rejected rows."""

import json
import os
import time
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kpis.events import EVENTS, FORMS, REJECTED, REJECTION_REASONS
from kpis.plant import load_plant
from pipelines.decoding import Decoded, Decoder
from pipelines.sources.mapping import EVENTS_LIMIT
from tests.mqtt_messages import journalled

SECONDS = 60.0 if os.environ.get("CI") == "true" else 3.0
"""how long to look for a message that the decoder cannot take."""

DECODER = Decoder(
    load_plant(
        """
[equipment."a/b"]
[[sources]]
name = "canonical"
kind = "mqtt"
broker = "mqtt://localhost"
topics = ["#"]
[[sources]]
name = "mapped"
kind = "mqtt"
broker = "mqtt://localhost"
[[sources.mappings]]
topic = "x/{machine}"
equipment = { from = "a/{machine}", map = { "a/1" = "a/b" } }
ts = { from = "$.t", unit = "ms" }
[[sources.mappings.events]]
type = "state"
state = { from = "$.s", map = { 1 = "RUN" } }
details = { all = "$", lot = "$.lot" }
[[sources.mappings.events]]
type = "count"
good = { from = "$.n", factor = 0.5, offset = 3 }
scrap = "$.s"
[[sources.mappings]]
topic = "y/#"
each = "$.v[*]"
equipment = "a/{@.t}"
ts = "received"
id = "@.n"
[[sources.mappings.events]]
type = "counter"
quality = "good"
value = "@.n"
[[sources.mappings.events]]
type = "reclassify"
start = { from = "@.t", unit = "s" }
end = "@.s"
state = "{@.s}-{$.v[0].n}"
[[sources.mappings]]
topic = "z"
equipment = "a/b"
ts = "received"
[[sources.mappings.events]]
type = "status"
online = { from = "$", map = { 1 = true } }
"""
    )
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 3),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["1", "2026-03-02T06:00:00Z", "state", "a/b", 1_772_431_200_000, 1_772_431_200, 10**400, "{}"]),
)
KEYS = st.sampled_from(["t", "s", "n", "v", "lot", "ts", "equipment", "type", "state", "good", "id", "x"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5))
CANONICAL = st.fixed_dictionaries(
    {"equipment": st.just("a/b"), "ts": st.integers(0, 4 * 10**12), "type": st.sampled_from(sorted(FORMS))},
    optional={"state": SCALARS, "good": SCALARS, "value": SCALARS, "id": SCALARS, "x": VALUES},
)


def spelled(value: Any, indent: int | None) -> bytes:
    """A value as JSON, or nearly: not a number is written as such."""
    return json.dumps(value, indent=indent).encode()


INDENTS = st.sampled_from([None, None, 1])
JSON = st.builds(spelled, st.one_of(VALUES, CANONICAL, st.lists(CANONICAL, max_size=3)), INDENTS)


def is_json(value: Any) -> bool:
    """Whether a value can be written as JSON that everybody reads."""
    try:
        orjson.loads(spelled(value, None))
    except orjson.JSONDecodeError:
        return False
    return True


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """JSON with something cut out, put in or turned around."""
    text = bytearray(draw(JSON))
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, len(text)))
        text[position : position + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(text)


TRICKY = st.sampled_from([b"[" * 3_000, b'{"v":' * 3_000, b"1" * 5_000, b"\xef\xbb\xbf", "\u2003".encode()])
PAYLOADS = st.one_of(JSON, damaged(), st.binary(max_size=30), TRICKY)
TOPICS = st.one_of(st.sampled_from(["x/1", "x/ä", "y", "y/1/2", "z", "x/a b", "x/\u202e"]), st.text(max_size=10))
SOURCES = st.sampled_from(["canonical", "mapped", "mapped", "http", "gone"])
MESSAGES = st.lists(st.tuples(SOURCES, TOPICS, PAYLOADS), max_size=6)


def decode(messages: list[tuple[str, str, bytes]]) -> Decoded:
    rows = journalled(*((topic, payload) for _, topic, payload in messages), received_at=1_772_431_200_000_000)
    sources = pl.Series("source", [source for source, _, _ in messages], dtype=pl.String)
    return DECODER.decode(rows.with_columns(sources))


def check(messages: list[tuple[str, str, bytes]]) -> None:
    """Everything ends once, and in company as alone."""
    decoded = decode(messages)
    assert decoded.events.schema == EVENTS
    assert decoded.rejected.schema == REJECTED
    assert decoded.rejected.select("reason", "detail", "raw").null_count().sum_horizontal().item() == 0
    assert set(decoded.rejected["reason"]) <= set(REJECTION_REASONS)
    assert decoded.rejected["detail"].str.len_chars().lt(400).all()
    lines = sorted([*decoded.events["line"], *decoded.rejected["line"]])
    assert lines == list(range(1, len(lines) + 1)) == decoded.origin["line"].to_list()
    assert set(decoded.origin["offset"]) == set(range(1, len(messages) + 1))
    assert decoded.raw(decoded.events["line"]).null_count() == 0
    alone = [decode([message]) for message in messages]
    if alone:
        assert_frame_equal(decoded.events.drop("line"), pl.concat([one.events.drop("line") for one in alone]))
        assert_frame_equal(decoded.rejected.drop("line"), pl.concat([one.rejected.drop("line") for one in alone]))


@given(MESSAGES)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_every_message_ends_once_and_the_same_in_any_company(messages: list[tuple[str, str, bytes]]) -> None:
    check(messages)


@given(st.lists(CANONICAL.filter(is_json), min_size=1, max_size=4), INDENTS)
@settings(deadline=None, max_examples=60)
def test_an_array_says_what_its_elements_say(events: list[dict[str, Any]], indent: int | None) -> None:
    together = decode([("http", "", spelled(events, indent))])
    apart = decode([("canonical", "", spelled(event, None)) for event in events])
    assert_frame_equal(together.events, apart.events)
    assert_frame_equal(together.rejected.drop("raw", "detail"), apart.rejected.drop("raw", "detail"))


@given(MESSAGES)
@settings(
    deadline=None,
    max_examples=50,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def look_for_trouble(messages: list[tuple[str, str, bytes]]) -> None:
    """Some messages that were not tried before."""
    check(messages)


@pytest.mark.slow
def test_no_message_is_too_much() -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        look_for_trouble()


def test_limits_hold() -> None:
    decoded = decode([("mapped", "y", b'{"v": [' + b",".join([b'{"n": 1}'] * (EVENTS_LIMIT // 2 + 1)) + b"]}")])
    assert decoded.rejected["reason"].to_list() == ["too_long"]
