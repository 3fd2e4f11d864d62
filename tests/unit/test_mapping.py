"""Messages of machines as they are become events, by the mappings of the plant file."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kpis.plant import check_plant, load_plant
from pipelines.decoding import Decoded, Decoder
from tests.mqtt_messages import journalled

AT = 1_772_431_200_000_000  # 2026-03-02T06:00:00Z
MS = AT // 1_000
HEAD = """
[equipment."acme/line-1/filler"]
[[sources]]
name = "press"
kind = "mqtt"
broker = "mqtt://localhost"
[[sources.mappings]]
topic = "{line}/{machine}/data"
"""
STATE = """
equipment = "acme/{line}/{machine}"
ts = { from = "$.t", unit = "ms" }
[[sources.mappings.events]]
type = "state"
state = "$.s"
reason = "$.why"
"""
COUNTER = """
[[sources.mappings.events]]
type = "counter"
quality = "good"
value = "$.n"
rollover = 65536
"""
TOPIC = "line-1/filler/data"


def read(tables: str, *payloads: str | bytes, topic: str = TOPIC, received_at: int = AT) -> Decoded:
    """What messages become by a mapping."""
    raw = [payload.encode() if isinstance(payload, str) else payload for payload in payloads]
    return Decoder(load_plant(HEAD + tables)).decode(
        journalled(*((topic, one) for one in raw), received_at=received_at)
    )


def events(decoded: Decoded, *columns: str) -> list[Any]:
    """Columns of the events; of a single one its values."""
    assert decoded.rejected.rows() == []
    rows = decoded.events.select(columns).rows()
    return rows if len(columns) > 1 else [value for (value,) in rows]


def refusals(decoded: Decoded) -> list[tuple[str, str]]:
    """Why there are no events."""
    assert decoded.events.is_empty()
    return decoded.rejected.select("reason", "detail").rows()


def value(spelled: str, payload: str, field: str = "state") -> Decoded:
    """What a value of the mapping finds in a message."""
    kind = {"state": "state", "value": "counter", "online": "status"}[field]
    other = '\nquality = "good"' if kind == "counter" else ""
    mapping = f'equipment = "acme/{{line}}/{{machine}}"\nts = "received"\n[[sources.mappings.events]]\ntype = "{kind}"'
    return read(f"{mapping}{other}\n{field} = {spelled}\n", payload)


def test_one_message_two_events() -> None:
    decoded = read(STATE + COUNTER, f'{{"t": {MS}, "s": "RUN", "why": null, "n": 7}}')
    assert events(decoded, "equipment", "ts", "type", "state", "quality", "value", "rollover") == [
        ("acme/line-1/filler", AT, "state", "RUN", None, None, None),
        ("acme/line-1/filler", AT, "counter", None, "good", 7, 65536),
    ]
    first, second = decoded.events["id"]
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert second == f"{first}.2"


@pytest.mark.parametrize(
    ("spelled", "payload", "expected"),
    [
        ('"$"', "RUN", "RUN"),
        ('"$"', " RUN \n", "RUN"),
        ('"$"', '"RUN"', "RUN"),
        ('"$"', "6", "6"),
        ('"$"', "6.0", "6"),
        ('"$"', "6.5", "6.5"),
        ('"$"', "007", "007"),
        ('"$"', "true", "true"),
        ('"$.a.b[0].c"', '{"a": {"b": [{"c": "x"}]}}', "x"),
        ('"$.a[-1]"', '{"a": ["x", "y"]}', "y"),
        ("'$[\"a.b\"]'", '{"a.b": "x"}', "x"),
        ('"@.a"', '{"a": "x"}', "x"),
        ('"down"', "{}", "down"),
        ('"{machine}"', "{}", "filler"),
        ('"{machine}-{$.n}-{$.f}"', '{"n": 5, "f": true}', "filler-5-true"),
        ('{ from = "$", map = { 1 = "RUN" } }', "1", "RUN"),
        ('{ from = "$", map = { 1 = "RUN" } }', "2", "2"),
        ('{ from = "$", map = { true = "RUN" } }', "true", "RUN"),
        ('{ from = "$", map = { a = 5 } }', '"a"', "5"),
        ('"$.id"', '{"id": 123456789012345678901234567890}', "123456789012345678901234567890"),
    ],
)
def test_texts(spelled: str, payload: str, expected: str) -> None:
    assert events(value(spelled, payload), "state") == [expected]


@pytest.mark.parametrize(
    ("spelled", "payload", "expected"),
    [
        ('"$"', "12", 12),
        ('"$"', '"12"', 12),
        ('"$"', "12.0", 12),
        ('"$"', "1.2e1", 12),
        ('{ from = "$", factor = 12 }', "2.5", 30),
        ('{ from = "$", factor = 0.1 }', "30", 3),
        ('{ from = "$", factor = 0.1, offset = 0.7 }', "3", 1),
        ('{ from = "$", offset = -5 }', '"12"', 7),
        ('{ from = "$", map = { none = 0 }, factor = 2, offset = 1 }', '"none"', 1),
        ("7", "{}", 7),
    ],
)
def test_numbers_are_exact(spelled: str, payload: str, expected: int) -> None:
    assert events(value(spelled, payload, "value"), "value") == [expected]


@pytest.mark.parametrize(
    ("field", "spelled", "payload", "reason", "detail"),
    [
        ("state", '"$"', '{"a": 1}', "wrong_type", "`state` is an object, not one value"),
        ("state", '"$"', "[1]", "wrong_type", "`state` is an array, not one value"),
        ("state", '"$.n"', '{"n": 1' + "0" * 50 + "}", "out_of_range", "`state` has more than 40 digits"),
        ("value", '"$"', "12,5", "wrong_type", "`value` '12,5' is not a whole number"),
        ("value", '{ from = "$", factor = 0.1 }', "12", "wrong_type", "`value` '1.2' is not a whole number"),
        ("value", '{ from = "$", factor = 2 }', "NaN", "wrong_type", "`value` 'NaN' is not a whole number"),
        ("value", '{ from = "$", factor = 2 }', "1e99999", "wrong_type", "is not a whole number"),
        ("value", '"$"', "-1", "out_of_range", "`value` '-1' is outside 0 to"),
        ("value", '"$"', "true", "wrong_type", "`value` 'true' is not a whole number"),
        ("online", '"$"', "1", "wrong_type", "`online` '1' is not true or false"),
        ("state", '"$.s"', "RUN", "not_json", "the message is not JSON: "),
        ("state", '"$"', "null", "no_event", "the message holds no event: nothing is there for state"),
        ("state", '"$.s"', '{"S": 1}', "no_event", "nothing is there for state"),
        ("state", '"$.s.x"', '{"s": 1}', "no_event", "nothing is there for state"),
    ],
)
def test_values_that_cannot_be_used(field: str, spelled: str, payload: str, reason: str, detail: str) -> None:
    ((found, told),) = refusals(value(spelled, payload, field))
    assert (found, detail in told) == (reason, True), told


@pytest.mark.parametrize(
    ("unit", "time", "expected"),
    [
        ("iso", '"2026-03-02T07:00:00.0000019+01:00"', AT + 1),
        ("s", "1772431200", AT),
        ("s", "1772431200.000001", AT + 1),
        ("s", '"1772431200.5"', AT + 500_000),
        ("ms", "1772431200000.25", AT + 250),
        ("us", "1772431200000001", AT + 1),
        ("ns", "1772431200000001999", AT + 1),
        ("ms", "0", 0),
    ],
)
def test_times(unit: str, time: str, expected: int) -> None:
    assert events(read(STATE.replace('"ms"', f'"{unit}"'), f'{{"s": "x", "t": {time}}}'), "ts") == [expected]


@pytest.mark.parametrize(
    ("unit", "time", "reason", "detail"),
    [
        ("iso", "1772431200", "bad_time", 'is a number; say its unit in the mapping, such as unit = "ms"'),
        ("iso", '"1772431200"', "bad_time", "is a number; say its unit"),
        ("iso", '"2026-03-02T06:00:00"', "naive_time", "without an offset"),
        ("iso", '"today"', "bad_time", "`ts` 'today' is not a time"),
        ("s", '"today"', "bad_time", "`ts` 'today' is not a number of s"),
        ("s", "1772431200000", "out_of_range", "`ts` 1772431200000 (s) is outside the years 1970 to 2199"),
        ("ms", "-1", "out_of_range", "outside the years"),
        ("ms", "null", "missing_field", "an event needs the field `ts`"),
        ("ms", "{}", "wrong_type", "`ts` is an object"),
        ("ms", "true", "bad_time", "`ts` 'true' is not a number of ms"),
    ],
)
def test_times_that_cannot_be_used(unit: str, time: str, reason: str, detail: str) -> None:
    ((found, told),) = refusals(read(STATE.replace('"ms"', f'"{unit}"'), f'{{"s": "x", "t": {time}}}'))
    assert (found, detail in told) == (reason, True), told


READINGS = """
equipment = { from = "@.dev", map = { F1 = "acme/line-1/filler" } }
ts = { from = "$.t", unit = "ms" }
each = "$.values[*]"
[[sources.mappings.events]]
type = "state"
when = { "@.tag" = "State" }
state = "@.v"
[[sources.mappings.events]]
type = "count"
when = { "@.tag" = ["Total", 5], "$.live" = true }
good = { from = "@.v", factor = 6 }
scrap = "@.bad"
details = { lot = "$.lot", tag = "@.tag" }
"""


def test_each_element_of_an_array() -> None:
    values = '{"dev": "F1", "tag": "State", "v": "RUN"}, {"dev": "F1", "tag": "Total", "v": 2, "bad": 1}'
    more = '{"dev": "F1", "tag": 5, "bad": 3}, {"dev": "F1", "tag": "Temp", "v": 77.5}'
    decoded = read(READINGS, f'{{"t": {MS}, "lot": "L7", "live": true, "values": [{values}, {more}]}}')
    assert events(decoded, "type", "state", "good", "scrap", "details") == [
        ("state", "RUN", None, None, None),
        ("count", None, 12, 1, '{"lot":"L7","tag":"Total"}'),
        ("count", None, 0, 3, '{"lot":"L7","tag":5}'),
    ]
    name = decoded.events["id"][0]
    assert decoded.events["id"].to_list() == [name, f"{name}.4", f"{name}.6"]
    assert decoded.passed_over == 1
    assert decoded.origin.rows() == [(1, 1, 0), (2, 1, 1), (3, 1, 2)]


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        ("{}", "the message holds no event: $.values[*] is no array"),
        ('{"values": {}}', "the message holds no event: $.values[*] is no array"),
        ('{"values": []}', "the message holds no event: $.values[*] is empty"),
        ('{"values": [{"tag": "State"}]}', "element 0 of $.values[*] holds no event: nothing is there for state"),
    ],
)
def test_arrays_without_events(payload: str, detail: str) -> None:
    assert refusals(read(READINGS, payload)) == [("no_event", detail)]


def test_too_many_events() -> None:
    (refused,) = refusals(read(READINGS, '{"values": [' + ",".join(["1"] * 5_001) + "]}"))
    assert refused == ("too_long", "the message holds more than 10,000 events")


def test_a_message_that_is_not_asked_for_is_passed_over() -> None:
    decoded = read(STATE.replace('state = "$.s"', 'state = "$.s"\nwhen = { "$.kind" = "state" }'), '{"kind": "x"}')
    assert (decoded.events.height, decoded.rejected.height, decoded.passed_over) == (0, 0, 1)


def test_an_event_of_which_something_is_missing_is_left_out() -> None:
    decoded = read(STATE + COUNTER, f'{{"t": {MS}, "s": "RUN"}}', f'{{"t": {MS}, "n": 7}}')
    assert events(decoded, "type") == ["state", "counter"]


@pytest.mark.parametrize("key", ["", 'id = "$.seq"\n', 'id = "{machine}/{$.seq}"\n'])
def test_a_message_sent_again_is_the_same_event(key: str) -> None:
    payload = '{"t": %d, "s": "x", "seq": 5}'
    mapping, message = key + STATE, payload % MS
    first, again = (read(mapping, message, received_at=at).events.drop("line") for at in (AT, AT + 5))
    assert first.equals(again)
    assert read(mapping, payload % (MS - 1)).events["ts"].item() == AT - 1_000


def test_a_message_without_a_time_is_another_event_when_sent_again() -> None:
    mapping = STATE.replace('{ from = "$.t", unit = "ms" }', '"received"')
    first, again = (read(mapping, '{"s": "x"}', received_at=at).events for at in (AT, AT + 5))
    assert (first["ts"].item(), again["ts"].item()) == (AT, AT + 5)
    assert first["id"].item() != again["id"].item()


def test_ids_of_elements() -> None:
    body = f'{{"t": {MS}, "live": true, "no": 9, "values": [{{"dev": "F1", "tag": 5, "v": 1, "no": "a"}}]}}'
    assert events(read('id = "$.no"\n' + READINGS, body), "id") == ["9.2"]
    assert events(read('id = "@.no"\n' + READINGS, body.replace("[{", '[{"tag": ""}, {')), "id") == ["a.2"]


def test_the_first_mapping_that_fits_counts() -> None:
    second = '[[sources.mappings]]\ntopic = "#"\nequipment = "acme/line-1/filler"\nts = "received"\n'
    second += '[[sources.mappings.events]]\ntype = "state"\nstate = "down"\n'
    decoded = read(STATE + second, f'{{"t": {MS}, "s": "RUN"}}')
    assert events(decoded, "state") == ["RUN"]
    assert events(read(STATE + second, "?", topic="elsewhere"), "state") == ["down"]


@pytest.mark.parametrize("topic", ["x", "", "line-1/a\u202eb/data", "line-1/x'; DROP TABLE x; --/data", "a/\n/data"])
def test_topics_are_looked_up_and_nothing_else(topic: str) -> None:
    ((reason, detail),) = refusals(read(STATE, "{}", topic=topic))
    assert (reason, detail) == ("unknown_topic", f"no mapping of the source fits the topic {topic!r}")


def test_equipment_that_nobody_knows_is_found_later() -> None:
    message = f'{{"t": {MS + 10**9}, "s": "RUN"}}'
    decoded = read(STATE, message, topic="../etc/data".replace("etc", "passwd"))
    assert events(decoded, "equipment") == ["acme/../passwd"]
    line = decoded.raw(pl.Series([1])).item()
    assert line.startswith(b'{"equipment": "acme/../passwd", "id": "')


@pytest.mark.parametrize("page", ["sources.md"])
def test_examples_of_the_documentation_are_valid(page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert examples
    assert [check_plant(example).faults for example in examples] == [()] * len(examples)
