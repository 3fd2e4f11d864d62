"""MQTT: messages go to the journal, and are acknowledged when they are safe there."""

import random
import time
from collections.abc import Callable
from functools import partial
from threading import Condition, Event, Thread
from typing import Any, Final, NamedTuple, Protocol

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kpis.errors import OeeflowError
from kpis.plant_sources import MqttSource
from pipelines.decoding import shortened
from pipelines.sources.mqtt_client import Connection
from storage.journal import Entry

LEAST_DELAY: Final = 1.0
MOST_DELAY: Final = 5.0
"""seconds between two attempts to connect, more or less: many engines do not come back at the same time."""
ANSWER_WITHIN: Final = 10.0
"""seconds for a broker to answer."""
FINISH_WITHIN: Final = 5.0
"""seconds at the end for messages on their way into the journal."""

log = structlog.get_logger("mqtt")


class Receiver(Protocol):
    """Takes messages; `done` is told the offset of a message that is safe, None if it was not stored."""

    def offer(self, entry: Entry, done: Callable[[int | None], None]) -> None: ...


class SourceStatus(NamedTuple):
    """How a source is doing. `connected`: to the topics; `since` when (µs) that changed; numbers are since the start.

    `stored` messages are safe in the journal; `refused` ones could not be stored, and the broker sends them again.
    `oversize` ones were kept shortened; `faults` are messages at which something unforeseen happened.
    """

    name: str
    connected: bool
    since: int
    received: int
    stored: int
    refused: int
    oversize: int
    faults: int
    reconnects: int
    problem: str | None


def _now() -> int:
    return time.time_ns() // 1_000


class MqttIngest:
    """Takes the messages of a source in, from `start` to `stop`, whatever happens to the connection.

    The broker keeps a session for the client id of the source: what is not acknowledged, and what comes while this is
    not running, it sends again. Each connection is a new client, so an acknowledgement never goes to the wrong one.
    """

    def __init__(self, source: MqttSource, receiver: Receiver, *, clock: Callable[[], int] = _now) -> None:
        self._source = source
        self._receiver = receiver
        self._clock = clock
        self._thread = Thread(target=self._run, name=f"mqtt-{source.session}", daemon=True)
        self._stopping = Event()
        self._quiet = Condition()
        self._underway = 0
        self._connection: Connection | None = None
        self._connected = False
        self._subscribed = False
        self._since = clock()
        self._problem: str | None = None
        self._received = self._stored = self._refused = self._oversize = self._faults = self._connects = 0

    @property
    def name(self) -> str:
        """The name of the source."""
        return self._source.name

    def start(self) -> None:
        """Begin to connect. Raises ConfigError if a secret or a certificate is missing."""
        self._new_connection()
        self._thread.start()

    def stop(self) -> None:
        """Take nothing in any more, acknowledge what is stored meanwhile, and disconnect."""
        self._stopping.set()
        with self._quiet:
            self._quiet.wait_for(lambda: self._underway == 0, FINISH_WITHIN)
        if (connection := self._connection) is not None:
            connection.end()
        if self._thread.ident is not None:
            self._thread.join()

    def status(self) -> SourceStatus:
        """How the source is doing."""
        return SourceStatus(
            name=self._source.name,
            connected=self._connected and self._subscribed,
            since=self._since,
            received=self._received,
            stored=self._stored,
            refused=self._refused,
            oversize=self._oversize,
            faults=self._faults,
            reconnects=max(0, self._connects - 1),
            problem=self._problem,
        )

    def _run(self) -> None:
        delay = LEAST_DELAY
        while not self._stopping.is_set():
            before = self._stored
            try:
                self._serve(self._new_connection())
            except OeeflowError as error:
                self._tell(str(error))
            except Exception as error:
                self._tell(f"the connection failed: {type(error).__name__}: {error}")
            delay = LEAST_DELAY if self._stored > before else min(MOST_DELAY, 2 * delay)
            self._stopping.wait(delay * random.uniform(0.8, 1.2))

    def _new_connection(self) -> Connection:
        connection = Connection(self._source, client_id=self._source.session, lasting=True)
        connection.on_connect = self._on_connect
        connection.on_disconnect = self._on_disconnect
        connection.on_subscribe = self._on_subscribe
        connection.on_message = self._on_message
        return connection

    def _serve(self, connection: Connection) -> None:
        """A connection from its beginning to its end."""
        connection.open()
        self._connection = connection
        try:
            if not connection.over.wait(ANSWER_WITHIN) and not self._connected:
                connection.end("the broker does not answer")
            connection.over.wait()
        finally:
            self._connection = None
            connection.close()
            if self._connected:
                self._connected, self._since = False, self._clock()
                log.info("disconnected", source=self._source.name)
        if connection.why and not self._stopping.is_set():
            self._tell(connection.why)

    def _tell(self, problem: str) -> None:
        """Say what is wrong, once as long as it is the same."""
        if problem != self._problem:
            log.warning("not connected", source=self._source.name, problem=problem)
        self._problem = problem

    def _on_connect(
        self, client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if not isinstance(client, Connection):
            return
        if reason.is_failure:
            client.end(f"the broker refused the connection: {str(reason).lower()}")
            return
        self._connects += 1
        self._problem = None
        # In a session of an earlier run the topics may be others.
        log.info("connected", source=self._source.name, session=flags.session_present)
        if flags.session_present and self._subscribed:
            self._connected, self._since = True, self._clock()
        else:
            client.subscribe_all()

    def _on_disconnect(
        self, client: Client, data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if isinstance(client, Connection):
            client.end(f"the connection ended: {str(reason).lower()}")

    def _on_subscribe(
        self, client: Client, data: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._subscribed = True
        self._connected, self._since = True, self._clock()
        answers = zip(self._source.filters, reasons, strict=False)
        refused = [topic for topic, reason in answers if reason.is_failure or reason.value == 0]
        if refused:
            self._tell(f"the broker does not let us subscribe, with QoS 1, to {', '.join(refused)}")

    def _on_message(self, client: Client, data: Any, message: MQTTMessage) -> None:
        """Nothing may leave this: it would end the thread."""
        if self._stopping.is_set() or not isinstance(client, Connection):
            return
        try:
            self._take(client, message)
        except Exception as error:
            self._faults += 1
            fault = f"{type(error).__name__}: {error}"  # a traceback could show what is in the message
            log.error("a message could not be taken in", source=self._source.name, fault=fault)
            client.end("a message could not be taken in; the broker is to send it again")

    def _take(self, connection: Connection, message: MQTTMessage) -> None:
        self._received += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # the message is kept, and rejected if its topic matters
        payload = bytes(message.payload)
        self._oversize += len(payload) > self._source.max_payload
        entry = Entry(self._source.name, topic, shortened(payload, self._source.max_payload), self._clock())
        with self._quiet:
            self._underway += 1
        try:
            self._receiver.offer(entry, partial(self._done, connection, message.mid, message.qos))
        except BaseException:
            self._leave()
            raise

    def _done(self, connection: Connection, mid: int, qos: int, offset: int | None) -> None:
        """Called when a message is in the journal, or known not to get there."""
        try:
            if offset is None:
                self._refused += 1
                connection.end("messages cannot be stored; the broker is to send them again")
                return
            self._stored += 1
            if qos and not connection.over.is_set():
                connection.ack(mid, qos)
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._quiet:
            self._underway -= 1
            if not self._underway:
                self._quiet.notify_all()
