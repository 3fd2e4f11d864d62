"""Sending messages to an MQTT broker, as machines and gateways do: QoS 1, a bounded number on their way."""

from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from kpis.errors import SourceError

ON_THEIR_WAY: Final = 500
"""messages that wait for their acknowledgement at once."""
PATIENCE: Final = 30.0
"""seconds that a broker may take to acknowledge."""


class Publisher:
    """A client of a broker on this machine. Use it as a context manager; it connects again by itself.

    Raises SourceError when the broker is not there, or does not acknowledge within half a minute.
    """

    def __init__(self, port: int, client_id: str, host: str = "127.0.0.1") -> None:
        self._address = f"{host}:{port}"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        self._client.reconnect_delay_set(1, 2)
        self._client.max_inflight_messages_set(100)
        self._waiting: deque[mqtt.MQTTMessageInfo] = deque()
        try:
            self._client.connect(host, port, keepalive=30)
        except OSError as error:
            msg = f"no MQTT broker answers at {self._address}: {(error.strerror or str(error)).lower()}"
            raise SourceError(msg, hint="start the broker first") from error
        self._client.loop_start()

    def publish(self, messages: Iterable[tuple[str, bytes]]) -> int:
        """Send topics and payloads, in their order; how many. Waits while too many are on their way."""
        number = 0
        for topic, payload in messages:
            self._waiting.append(self._client.publish(topic, payload, qos=1))
            number += 1
            while len(self._waiting) > ON_THEIR_WAY:
                self._settle(self._waiting.popleft())
        return number

    def flush(self) -> None:
        """Wait until the broker has acknowledged everything."""
        while self._waiting:
            self._settle(self._waiting.popleft())

    def _settle(self, sent: mqtt.MQTTMessageInfo) -> None:
        sent.wait_for_publish(PATIENCE)
        if not sent.is_published():
            msg = f"the MQTT broker at {self._address} does not acknowledge"
            raise SourceError(msg, hint="look whether it is still running")

    def close(self) -> None:
        """Take leave of the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
