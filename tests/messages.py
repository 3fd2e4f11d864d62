"""Messages over MQTT, from the machines' side and from ours, as tests send and take them."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple

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


def state(number: int) -> bytes:
    """A canonical event."""
    return json.dumps({"id": str(number), "equipment": "a/b", "ts": number, "type": "state", "state": "down"}).encode()


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
