"""An MQTT client that serves its connection in bulk: one call of the system for hundreds of small messages.

paho reads a packet in three calls and writes each acknowledgement in another; each call lets other threads have the
interpreter, and with a busy one beside it that made a message cost ten times as much. The loop here is paho's
"external event loop": its `loop_read`, `loop_write` and `loop_misc`, on a socket that reads ahead and writes at once.
"""

import select
import socket
import ssl
import struct
from collections import deque
from contextlib import suppress
from itertools import chain
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt.client import PUBACK, Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

AT_ONCE: Final = 1 << 14
"""bytes read in one call, some dozen messages: while they are taken in, no other thread has the interpreter."""
LOOK_EVERY: Final = 1.0
"""seconds until the next look at the keepalive when nothing comes."""
LEAVE_WITHIN: Final = 2.0
"""seconds for the broker to take our leave."""


class BulkSocket:
    """A connected socket that reads ahead, and keeps what is to be sent until `flush`."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self._read = b""
        self._at = 0
        self._unsent = bytearray()

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; nothing at the end of the connection. Raises BlockingIOError if there are none yet."""
        if self._at >= len(self._read):
            self._read, self._at = self._socket.recv(AT_ONCE), 0
        begin, self._at = self._at, min(self._at + size, len(self._read))
        return self._read[begin : self._at]

    def send(self, data: bytes | bytearray) -> int:
        """Keep bytes for the next `flush`; how many."""
        self._unsent += data
        return len(data)

    def flush(self) -> None:
        """Send what is to be sent, as far as there is room."""
        with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]

    @property
    def unsent(self) -> bool:
        """Whether there is something left to send."""
        return bool(self._unsent)

    def pending(self) -> int:
        """Bytes that can be read without waiting for more."""
        beyond = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return len(self._read) - self._at + beyond

    def close(self) -> None:
        """Send what there is room for, and close."""
        with suppress(OSError):
            self.flush()
        self._socket.close()

    def fileno(self) -> int:
        """What select asks for."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """As sockets have it."""
        self._socket.setblocking(flag)


class BulkClient(Client):
    """A client of paho whose connection is served by a thread of ours, from `serve` to `leave`, or until it is lost.

    `connect` comes before `serve`. It never connects again by itself.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, reconnect_on_failure=False, **options)
        self._bulk: BulkSocket | None = None
        self._server: Thread | None = None
        self._leaving: float | None = None
        self._acknowledged: deque[int] = deque()
        self._awake = False
        self._waker: socket.socket | None = None
        # With a callback here paho leaves all writing to the loop.
        self.on_socket_register_write = lambda *_: self._wake()

    def serve(self) -> None:
        """Begin to send and receive."""
        self._waker, sleeper = socket.socketpair()
        for end in (self._waker, sleeper):
            end.setblocking(False)
        self._server = Thread(target=self._serve, args=(sleeper,), name="mqtt-connection", daemon=True)
        self._server.start()

    def leave(self) -> None:
        """Disconnect, and wait until that is done."""
        self.disconnect()
        self._leaving = monotonic() + LEAVE_WITHIN
        self._wake()
        if self._server is not None:
            self._server.join()
        if self._waker is not None:
            self._waker.close()

    def ack(self, mid: int, qos: int) -> MQTTErrorCode:
        """Acknowledge a message of QoS 1; may be called from any thread."""
        if qos != 1:
            return super().ack(mid, qos)
        self._acknowledged.append(mid)
        self._wake()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def ended(self, why: Exception | None) -> None:
        """The connection is over, by the fault `why` if it was one; called in its thread."""

    def _wake(self) -> None:
        """Whoever has put something out calls this after it; the loop clears the mark before it looks."""
        if not self._awake and self._waker is not None:
            self._awake = True
            with suppress(OSError):  # closed, or woken already
                self._waker.send(b"!")

    def _serve(self, sleeper: socket.socket) -> None:
        fault = None
        try:
            while self._bulk is not None and self.socket() is not None and not self._overdue():
                self._turn(self._bulk, sleeper)
        except Exception as error:
            fault = error
        finally:
            sleeper.close()
            if self._bulk is not None:
                self._bulk.close()
            self.ended(fault)

    def _overdue(self) -> bool:
        return self._leaving is not None and monotonic() > self._leaving

    def _turn(self, bulk: BulkSocket, sleeper: socket.socket) -> None:
        """Send what is to be sent, then wait for something to do."""
        self._send_acknowledgements(bulk)
        if self.want_write():
            self.loop_write()
        if self.socket() is not None:
            bulk.flush()
            self.loop_misc()
        if self.socket() is None:
            return
        timeout = 0.0 if bulk.pending() else LOOK_EVERY if self._leaving is None else LEAVE_WITHIN / 10
        both: list[BulkSocket | socket.socket] = [bulk, sleeper]
        readable, _, _ = select.select(both, [bulk] if bulk.unsent else [], [], timeout)
        if sleeper in readable:
            with suppress(BlockingIOError):
                sleeper.recv(AT_ONCE)
            self._awake = False
        if bulk in readable or bulk.pending():
            self._read_all(bulk)

    def _read_all(self, bulk: BulkSocket) -> None:
        """All packets that were read ahead."""
        self.loop_read()
        while self.socket() is not None and bulk.pending():
            self.loop_read()

    def _send_acknowledgements(self, bulk: BulkSocket) -> None:
        """In the order in which they were given, as MQTT asks."""
        mids = [self._acknowledged.popleft() for _ in range(len(self._acknowledged))]
        if mids:
            bulk.send(struct.pack(f">{2 * len(mids)}H", *chain.from_iterable((PUBACK << 8 | 2, mid) for mid in mids)))

    def _handle_publish(self) -> MQTTErrorCode:
        """What paho does with a message of QoS 1 without properties, without what is not needed of it."""
        packet = bytes(self._in_packet["packet"])
        begin = 2 + (packet[0] << 8 | packet[1]) if len(packet) > 1 else 0
        body = begin + (2 if self.protocol != MQTTv5 else 3)
        plain = self._in_packet["command"] & 6 == 2 and begin > 2 and body <= len(packet)
        if not plain or (self.protocol == MQTTv5 and packet[body - 1]) or self.on_message is None:
            return super()._handle_publish()
        message = MQTTMessage((packet[begin] << 8) | packet[begin + 1], packet[2:begin])
        message.payload, message.qos, message.retain = packet[body:], 1, bool(self._in_packet["command"] & 1)
        self.on_message(self, None, message)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _create_socket(self) -> "SocketLike":
        plain = super()._create_socket()
        if not isinstance(plain, socket.socket):
            msg = f"not a socket: {plain!r}"
            raise TypeError(msg)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bulk = BulkSocket(plain)
        return self._bulk
