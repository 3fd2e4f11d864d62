"""Messages over MQTT, from the machines' side and from ours, as tests send and take them."""

import json
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any, NamedTuple

import polars as pl
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from kpis.plant_sources import MqttSource
from pipelines.sources.mqtt import MqttIngest, Receiver
from storage.journal import Entry


def source(port: int, **keys: Any) -> MqttSource:
    """A source of this broker."""
    given = {"name": "press", "kind": "mqtt", "broker": f"mqtt://127.0.0.1:{port}", "topics": ["a/#"]}
    return MqttSource.model_validate(given | keys)


@contextmanager
def ingest(source: MqttSource, receiver: Receiver) -> Iterator[MqttIngest]:
    """A source being taken in for the time of the block."""
    one = MqttIngest(source, receiver)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@contextmanager
def publisher(port: int) -> Iterator[Client]:
    """A client that publishes; it connects again by itself, and sends again what was not acknowledged."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=f"publisher-{os.urandom(4).hex()}", protocol=MQTTv5)
    client.max_inflight_messages_set(500)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(port: int, messages: Iterable[tuple[str, bytes]], *, qos: int = 1, retain: bool = False) -> None:
    """Publish messages, and wait until the broker has them."""
    with publisher(port) as client:
        for sent in [client.publish(topic, payload, qos=qos, retain=retain) for topic, payload in messages]:
            sent.wait_for_publish(30)
            assert sent.is_published()


def flood(port: int, messages: Sequence[tuple[str, bytes]]) -> None:
    """Publish many messages with QoS 1 at once (MQTT 3.1.1), and wait until the broker has them."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05flood")
        assert connection.recv(4) == b"\x20\x02\x00\x00"
        packets = b"".join(_packet(number, *message) for number, message in enumerate(messages, 1))
        sending = Thread(target=connection.sendall, args=(packets,))
        sending.start()
        awaited = 4 * len(messages)
        while awaited:
            awaited -= len(connection.recv(awaited))
        sending.join()


def _packet(number: int, topic: str, payload: bytes) -> bytes:
    body = struct.pack("!H", len(topic)) + topic.encode() + struct.pack("!H", number) + payload
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return b"\x32" + length + body


def state(number: int) -> bytes:
    """A canonical event."""
    return json.dumps({"id": str(number), "equipment": "a/b", "ts": number, "type": "state", "state": "down"}).encode()


def journalled(*messages: tuple[str, bytes], received_at: int = 0, source: str = "press") -> pl.DataFrame:
    """Messages (topic, payload) as they are read from a journal."""
    schema = {"offset": pl.Int64, "source": pl.String, "topic": pl.String, "payload": pl.Binary, "at": pl.Int64}
    rows = [(offset, source, *message, received_at) for offset, message in enumerate(messages, 1)]
    return pl.DataFrame(rows, schema=schema, orient="row").rename({"at": "received_at"})


class Offer(NamedTuple):
    """A message as it was offered to be stored."""

    entry: Entry
    done: Callable[[int | None], None]


class Slow:
    """Takes messages, and stores them when the test says so; `faults` of the first offers raise instead."""

    def __init__(self, faults: int = 0) -> None:
        self.offers: list[Offer] = []
        self._faults = faults
        self._lock = Lock()

    def offer(self, entry: Entry, done: Callable[[int | None], None]) -> None:
        """Keep a message waiting."""
        with self._lock:
            if self._faults:
                self._faults -= 1
                message = "no room in the test"
                raise RuntimeError(message)
            self.offers.append(Offer(entry, done))

    @property
    def payloads(self) -> list[bytes]:
        """What was offered so far."""
        return [offer.entry.payload for offer in list(self.offers)]
