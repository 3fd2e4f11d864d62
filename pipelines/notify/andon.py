"""Stack lights: a retained MQTT message for each line with its worst open alert; an empty one when there is none."""

import json
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kpis.plant_alerts import SEVERITIES
from kpis.plant_people import LINE_FIELD, AndonChannel
from kpis.routing import Case
from pipelines.secrets import read_secret
from pipelines.sources.mqtt_client import tls_context

ENGINE: Final = "engine"
"""Takes the place of the line in the topic that tells `online` or, by last will, `offline`."""
GOODBYE_WITHIN: Final = 2.0

log = structlog.get_logger("andon")


def lights(cases: Iterable[Case], now: int) -> dict[str, bytes]:
    """What to show for each line with open alerts that are not shelved (`now`: µs since 1970 UTC)."""
    lines: dict[str, list[Case]] = {}
    for case in cases:
        if case.open and case.shelved_until <= now:
            lines.setdefault(case.line, []).append(case)
    return {line: _light(found) for line, found in lines.items()}


def _light(cases: list[Case]) -> bytes:
    worst = max(cases, key=lambda case: (SEVERITIES.index(case.severity), -case.fired_at, case.alert))
    told = {
        "severity": worst.severity,
        "alert": worst.alert,
        "rule": worst.rule,
        "equipment": worst.equipment,
        "since": datetime.fromtimestamp(worst.fired_at / 1e6, UTC).isoformat(timespec="seconds"),
        "acknowledged": all(case.acknowledged_by is not None for case in cases),
        "open": len(cases),
    }
    return json.dumps(told).encode()


class Andon:
    """One broker's stack lights, kept as they should be over any number of connections, from `start` to `stop`."""

    def __init__(self, channel: AndonChannel, lines: Iterable[str]) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._shown: dict[str, bytes] = dict.fromkeys(lines, b"")
        self.connected = False
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"oeeflow-andon-{uuid4().hex[:8]}",
            protocol=MQTTv5 if channel.version == "5" else MQTTv311,
        )
        if channel.username is not None:
            password = None if channel.password is None else read_secret(channel.password).get_secret_value()
            client.username_pw_set(read_secret(channel.username).get_secret_value(), password)
        if channel.encrypted:
            client.tls_set_context(tls_context(channel))
        client.will_set(self._topic(ENGINE), b"offline", qos=1, retain=True)
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect

    @property
    def name(self) -> str:
        """The name of the channel."""
        return self._channel.name

    def start(self) -> None:
        """Begin to connect; a broker that is not there is tried again."""
        self._client.connect_async(self._channel.host, self._channel.port, self._channel.keepalive // 1_000_000)
        self._client.loop_start()

    def stop(self) -> None:
        """Say that the engine is gone, and disconnect. The lights stay as they are."""
        if self.connected:
            goodbye = self._client.publish(self._topic(ENGINE), b"offline", qos=1, retain=True)
            goodbye.wait_for_publish(GOODBYE_WITHIN)
        self._client.disconnect()
        self._client.loop_stop()

    def show(self, wanted: Mapping[str, bytes]) -> None:
        """Show what is wanted for each line; nothing for all others."""
        with self._lock:
            for line in self._shown.keys() | wanted.keys():
                light = wanted.get(line, b"")
                if self._shown.get(line) != light:
                    self._shown[line] = light
                    if self.connected:
                        self._publish(line, light)

    def _topic(self, line: str) -> str:
        return self._channel.topic.replace(LINE_FIELD, line)

    def _publish(self, line: str, light: bytes) -> None:
        self._client.publish(self._topic(line), light, qos=1, retain=True)

    def _on_connect(
        self, client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("not connected", channel=self.name, problem=str(reason).lower())
            return
        with self._lock:
            self.connected = True
            client.publish(self._topic(ENGINE), b"online", qos=1, retain=True)
            for line, light in self._shown.items():
                self._publish(line, light)
        log.info("connected", channel=self.name)

    def _on_disconnect(
        self, client: Client, data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self.connected = False
