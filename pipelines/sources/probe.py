"""Trying a source out: messages of a sample or of the broker, and what each of them becomes."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import uuid4

import orjson
import polars as pl
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kpis.errors import SourceError
from kpis.event_lines import as_lines
from kpis.plant import Plant
from kpis.plant_sources import MqttSource
from kpis.wording import counted
from pipelines.decoding import Decoder, shortened
from pipelines.sources.mqtt_client import Connection
from storage.journal import Entry

MOST_MESSAGES: Final = 100_000

_SHOWN_ELSEWHERE: Final = ("equipment", "ts", "type")
_ANSWER_WITHIN: Final = 10.0


class Outcome(NamedTuple):
    """What messages become: a row for each event, rejected row, or message passed over; a summary in words.

    `findings`: whether something is rejected, or speaks of equipment that the plant does not have.
    """

    rows: pl.DataFrame
    summary: list[str]
    findings: bool


def outcome(plant: Plant, messages: list[Entry]) -> Outcome:
    """What messages become by the plant file."""
    received = pl.DataFrame(messages, schema=list(Entry._fields), orient="row") if messages else _none()
    received = received.with_row_index("offset", offset=1).with_columns(pl.col("offset").cast(pl.Int64))
    decoded = Decoder(plant).decode(received)
    content = [_content(line) for line in as_lines(decoded.events)]
    events = decoded.events.select(
        "line",
        "equipment",
        "id",
        pl.from_epoch("ts", time_unit="us").dt.replace_time_zone("UTC"),
        "type",
        content=pl.Series(content, dtype=pl.String),
    )
    rejected = decoded.rejected.select("line", "equipment", "id", "detail", "raw", rejected="reason")
    lines = pl.concat([events, rejected], how="diagonal").join(decoded.origin, on="line", how="left").sort("line")
    rows = received.select("offset", "topic").join(lines, on="offset", how="left", maintain_order="left_right")
    passed_over = pl.when(pl.col("line").is_null()).then(pl.lit("passed over: no `when` holds"))
    rows = rows.with_columns(content=pl.coalesce("content", passed_over))
    rows = rows.select("topic", "equipment", "ts", "type", "id", "content", "rejected", "detail", "raw")
    unknown = sorted(set(events["equipment"]) - set(plant.equipment))
    return Outcome(rows, list(_summary(received, decoded.events, rejected, unknown)), bool(rejected.height or unknown))


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema={"source": pl.String, "topic": pl.String, "payload": pl.Binary, "received_at": pl.Int64})


def _content(line: bytes) -> str:
    fields = orjson.loads(line)
    return ", ".join(f"{name} {value}" for name, value in fields.items() if name not in (*_SHOWN_ELSEWHERE, "id"))


def _summary(received: pl.DataFrame, events: pl.DataFrame, rejected: pl.DataFrame, unknown: list[str]) -> Iterator[str]:
    yield (f"{counted(received.height, 'message')}: {counted(events.height, 'event')}, {rejected.height:,} rejected")
    for reason, number in (
        rejected.group_by("rejected").len().sort("len", "rejected", descending=[True, False]).iter_rows()
    ):
        yield f"  {number:,} {reason}"
    if unknown:
        yield "equipment that the plant file does not know:"
        yield from (f"  {path}" for path in unknown)


def sampled(source: MqttSource, path: Path) -> list[Entry]:
    """The messages of a file: lines `topic payload`, or JSON objects with `topic` and `payload`.

    Raises SourceError if the file cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        message = f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        raise SourceError(message, hint="check the path and the permission to read it") from error
    now = time.time_ns() // 1_000
    messages = [_message(line.removesuffix(b"\r")) for line in lines if line.strip()]
    return [Entry(source.name, topic, shortened(payload, source.max_payload), now) for topic, payload in messages]


def _message(line: bytes) -> tuple[str, bytes]:
    """Topic and payload of a line; a JSON object without a topic is a payload itself."""
    if line.lstrip()[:1] == b"{":
        found: Any = None
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            return "", line
        if not (isinstance(found, dict) and isinstance(found.get("topic"), str) and "payload" in found):
            return "", line
        payload = found["payload"]
        return found["topic"], payload.encode() if isinstance(payload, str) else orjson.dumps(payload)
    topic, _, payload = line.partition(b" ")
    return topic.decode("utf-8", "replace"), payload


def listened(source: MqttSource, seconds: float) -> list[Entry]:
    """What the broker sends within some seconds, to a client of its own that it forgets at once.

    Raises SourceError if the broker does not let us in.
    """
    messages: list[Entry] = []
    lock = Lock()
    connection = Connection(source, client_id=f"oeeflow-test-{uuid4().hex[:12]}", lasting=False)

    def on_connect(
        client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            connection.end(f"the broker refused the connection: {str(reason).lower()}")
        else:
            connection.subscribe_all()

    def on_message(client: Client, data: Any, message: MQTTMessage) -> None:
        payload = shortened(bytes(message.payload), source.max_payload)
        with lock:
            messages.append(Entry(source.name, message.topic, payload, time.time_ns() // 1_000))
            full = len(messages) >= MOST_MESSAGES
        if message.qos:
            connection.ack(message.mid, message.qos)
        if full:
            connection.over.set()

    connection.on_connect, connection.on_message = on_connect, on_message
    try:
        connection.open()
        connection.over.wait(seconds)
    finally:
        why = connection.why
        connection.close()
    if why is not None:
        raise SourceError(why, hint="check user, password and certificate in the plant file")
    with lock:
        return list(messages)
