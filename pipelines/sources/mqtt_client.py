"""A connection to an MQTT broker, as a source of the plant file describes it."""

import ssl
from pathlib import Path
from threading import Event
from typing import Final

from paho.mqtt.client import MQTTv5, MQTTv311
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from kpis.errors import ConfigError, SourceError
from kpis.plant_sources import Broker, MqttSource
from pipelines.secrets import check_private, read_secret
from pipelines.sources.mqtt_network import BulkClient

UNACKNOWLEDGED: Final = 1_000
"""A broker of MQTT 5 sends so many messages before it waits for acknowledgements."""
LARGEST_PACKET: Final = 64 << 20
"""Bytes; a broker of MQTT 5 is asked to keep larger ones to itself."""

_LONGEST_EXPIRY: Final = 0xFFFF_FFFE
_SECOND: Final = 1_000_000
_SEND_RETAINED_WHEN_NEW: Final = 1


class Connection(BulkClient):
    """One connection from its beginning to its end; it is never opened again.

    `over` is set when it has ended, or shall end: then `why` tells why, if that is worth telling.
    """

    def __init__(self, source: MqttSource, *, client_id: str, lasting: bool) -> None:
        five = source.version == "5"
        super().__init__(
            client_id=client_id,
            clean_session=None if five else not lasting,
            protocol=MQTTv5 if five else MQTTv311,
            manual_ack=True,
        )
        self.over = Event()
        self.why: str | None = None
        self._source = source
        self._lasting = lasting
        if source.username is not None:
            password = None if source.password is None else read_secret(source.password).get_secret_value()
            self.username_pw_set(read_secret(source.username).get_secret_value(), password)
        if source.encrypted:
            self.tls_set_context(tls_context(source))

    def open(self) -> None:
        """Connect and serve the connection in a thread of its own. Raises SourceError if nobody answers."""
        source = self._source
        keepalive = source.keepalive // _SECOND
        try:
            if source.version == "5":
                properties = self._properties()
                self.connect(source.host, source.port, keepalive, clean_start=not self._lasting, properties=properties)
            else:
                self.connect(source.host, source.port, keepalive)
        except OSError as error:
            message = f"cannot connect to {source.broker}: {(error.strerror or str(error)).lower()}"
            raise SourceError(message, hint="check the address, and whether the broker is running") from error
        self.serve()

    def end(self, why: str | None = None) -> None:
        """Say that the connection is, or shall be, over. Whoever opened it closes it."""
        self.why = self.why or why
        self.over.set()

    def close(self) -> None:
        """Disconnect, and wait for the thread. The broker keeps what it has for us."""
        self.leave()

    def ended(self, why: Exception | None) -> None:
        """Whatever ended it, even a fault, is known at once."""
        self.end("the connection was lost" if why is None else f"the connection failed: {type(why).__name__}: {why}")

    def subscribe_all(self) -> None:
        """Subscribe to the topics of the source."""
        if self._source.version == "5":
            options = SubscribeOptions(qos=1, retainHandling=_SEND_RETAINED_WHEN_NEW)
            self.subscribe([(each, options) for each in self._source.filters])
        else:
            self.subscribe([(each, 1) for each in self._source.filters])

    def _properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if self._lasting:
            properties.SessionExpiryInterval = min(self._source.session_expiry // _SECOND, _LONGEST_EXPIRY)
        properties.ReceiveMaximum = UNACKNOWLEDGED
        properties.MaximumPacketSize = LARGEST_PACKET
        return properties


def tls_context(source: Broker) -> ssl.SSLContext:
    """TLS 1.2 or newer; the broker's certificate and host name are always checked."""
    named: str | None = source.ca
    try:
        context = ssl.create_default_context(cafile=source.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if source.certificate is not None and source.key is not None:
            check_private(Path(source.key))
            named = f"{source.certificate} with {source.key}"
            context.load_cert_chain(source.certificate, source.key)
    except (OSError, ValueError) as error:
        message = f"cannot use the certificate {named}: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(
            message, hint="certificates and keys are files in PEM format, keys without a password"
        ) from error
    return context
