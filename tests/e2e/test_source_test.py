"""`oeeflow source test`: what messages become, from a sample and from a broker, with nothing stored."""

import json
import threading
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.command import Command
from tests.mqtt_messages import Slow, ingest, publish, source
from tests.running import until

PLANT = """
[plant]
timezone = "Europe/Berlin"
[equipment."acme/line-1/filler"]
[[sources]]
name = "press"
kind = "mqtt"
broker = "mqtt://127.0.0.1:{port}"
[[sources.mappings]]
topic = "a/{{line}}/{{machine}}"
equipment = "acme/{{line}}/{{machine}}"
ts = {{ from = "$.t", unit = "s" }}
[[sources.mappings.events]]
type = "state"
when = {{ "$.kind" = "state" }}
state = {{ from = "$.v", map = {{ 1 = "producing" }} }}
"""
SAMPLE = """\
a/line-1/filler {"t": 1772431200, "kind": "state", "v": 1}
{"topic": "a/line-1/filler", "payload": {"t": 1772431200, "kind": "state", "v": 2}}
{"topic": "a/line-1/filler", "payload": "{\\"t\\": 1772431201, \\"kind\\": \\"state\\", \\"v\\": 3}"}

a/line-1/filler {"t": 1772431200, "kind": "temperature", "v": 77}
a/line-1/filler RUN
elsewhere {}
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    path = tmp_path / "plant.toml"
    path.write_text(PLANT.format(port=1))
    return path


def test_a_sample_is_shown_as_events(oeeflow: Command, plant: Path, tmp_path: Path) -> None:
    (tmp_path / "sample.txt").write_text(SAMPLE)
    ended = oeeflow("source", "test", str(plant), "--source", "press", "--sample", "sample.txt")
    assert ended.status == 1
    assert "acme/line-1/filler  2026-03-02 07:00:00  state  state producing" in ended.out
    assert "unknown_topic: no mapping of the source fits the topic 'elsewhere'" in ended.out
    assert "not_json: the message is not JSON" in ended.out
    assert "passed over" in ended.out
    assert ended.told == "6 messages: 3 events, 2 rejected 1 not_json 1 unknown_topic"
    assert not list(tmp_path.glob("*.duckdb*"))


def test_a_sample_for_programs(oeeflow: Command, plant: Path, tmp_path: Path) -> None:
    (tmp_path / "sample.txt").write_text(SAMPLE.replace("a/line-1/filler {", "a/line-2/filler {"))
    ended = oeeflow("source", "test", str(plant), "--source", "press", "--sample", "sample.txt", "--format", "json")
    rows = json.loads(ended.out)
    assert [row["rejected"] for row in rows] == [None, None, None, None, "not_json", "unknown_topic"]
    assert (rows[1]["ts"], rows[1]["type"], rows[1]["content"]) == ("2026-03-02T06:00:00Z", "state", "state 2")
    assert "equipment that the plant file does not know: acme/line-2/filler" in ended.told


def test_a_clean_sample_ends_with_0(oeeflow: Command, plant: Path, tmp_path: Path) -> None:
    (tmp_path / "sample.txt").write_text(SAMPLE.splitlines()[0])
    assert oeeflow("source", "test", str(plant), "--source", "press", "--sample", "sample.txt").status == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--source", "pres"), 'error: the plant file has no source "pres" of kind mqtt hint: it has: press'),
        (("--source", "press", "--sample", "none"), "error: cannot read none: no such file or directory"),
        (("--source", "press", "--seconds", "1"), "error: cannot connect to mqtt://127.0.0.1:1: connection refused"),
    ],
)
def test_what_is_wrong_is_told(oeeflow: Command, plant: Path, arguments: tuple[str, ...], told: str) -> None:
    ended = oeeflow("source", "test", str(plant), *arguments)
    assert ended.status == 2
    assert told in ended.told


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_broker_is_listened_to_without_taking_anything_away(oeeflow: Command, tmp_path: Path, version: str) -> None:
    with Broker(tmp_path / "broker", lasting=False) as broker:
        table = PLANT.format(port=broker.port).replace(
            "\n[[sources.mappings]]", f'\nversion = "{version}"\n[[sources.mappings]]'
        )
        (tmp_path / "plant.toml").write_text(table)
        slow, over = Slow(), threading.Event()
        message = ("a/line-1/filler", b'{"t": 1772431200, "kind": "state", "v": 1}')

        def keep_publishing() -> None:
            while not over.wait(0.05):
                publish(broker.port, [message])

        with ingest(source(broker.port), slow) as taken:
            until(lambda: taken.status().connected)
            sender = threading.Thread(target=keep_publishing)
            sender.start()
            try:
                options = ("--source", "press", "--seconds", "1", "--format", "json")
                ended = oeeflow("source", "test", "plant.toml", *options)
            finally:
                over.set()
                sender.join()
            rows = json.loads(ended.out[ended.out.index("[\n") :])  # our own source says that it is connected
            until(lambda: len(slow.offers) >= len(rows))
            for offer in slow.offers:
                offer.done(1)
        assert rows
        assert {row["equipment"] for row in rows} == {"acme/line-1/filler"}
        assert (ended.status, taken.status().reconnects) == (0, 0)


def test_a_broker_that_refuses_is_told(oeeflow: Command, tmp_path: Path) -> None:
    with Broker(tmp_path / "broker", "allow_anonymous false", lasting=False) as broker:
        (tmp_path / "plant.toml").write_text(PLANT.format(port=broker.port))
        ended = oeeflow("source", "test", "plant.toml", "--source", "press", "--seconds", "20")
    assert ended.status == 2
    assert "error: the broker refused the connection: not authorized" in ended.told
