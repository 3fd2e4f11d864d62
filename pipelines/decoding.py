"""From journalled messages to events: canonical ones whole frames at a time, others by the mappings of their source."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
import polars as pl

from kpis.event_checks import Validated, validate
from kpis.event_lines import as_lines
from kpis.events import EVENTS, FIELDS, REJECTED
from kpis.plant import Plant
from kpis.plant_sources import HTTP, MqttSource
from pipelines.sources import json_lines
from pipelines.sources.mapping import EVENTS_LIMIT, NOT_JSON, Mapper

KEPT_OF_LONG_MESSAGE: Final = 64 << 10
"""So many bytes of a message that is too long are kept."""

_LONG: Final = re.compile(rb"\x00([0-9]+) bytes, more than ([0-9]+)\n")
_BLANK: Final = b" \t\r\n"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MAPPED: Final = dict.fromkeys((*FIELDS, "details"), pl.String())
_CORRECTIONS: Final = ("reclassify", "retract")


def shortened(payload: bytes, limit: int) -> bytes:
    """A message as it is journalled: of one of more than `limit` bytes, its length and its first bytes.

    >>> shortened(b"RUN", 3), shortened(b"RUN", 2)
    (b'RUN', b'\\x003 bytes, more than 2\\nRUN')
    """
    if len(payload) <= limit:
        return payload
    return b"\x00%d bytes, more than %d\n" % (len(payload), limit) + payload[:KEPT_OF_LONG_MESSAGE]


class Decoded(NamedTuple):
    """What messages say, as EVENTS and REJECTED: `line` numbers their events, usable or not, from 1.

    `raw` gives the bytes of some lines: the message or its part that is the event; of an event that a mapping made,
    the event as a canonical line. `origin` (`line`, `offset`, `index`) says which message a line is of, and its number
    in it, from 0. `skew` (`equipment`, `least`, `most`) is how much later than it happened an event came in, in µs:
    less than 0 if the clock of the machine is ahead. `passed_over` messages, or elements of one, are of no interest by
    the `when` of their mappings.
    """

    events: pl.DataFrame
    rejected: pl.DataFrame
    raw: Callable[[pl.Series], pl.Series]
    origin: pl.DataFrame
    skew: pl.DataFrame
    passed_over: int


class Decoder:
    """Makes events out of messages, by the sources of a plant. Messages of the HTTP door are canonical."""

    def __init__(self, plant: Plant) -> None:
        sources = [source for source in plant.sources if isinstance(source, MqttSource)]
        self._mappers = {source.name: Mapper(source.mappings) for source in sources if source.mappings}
        self._known = {HTTP, *(source.name for source in plant.sources)}
        self._tolerance = {path: equipment.future_tolerance_us for path, equipment in plant.equipment.items()}

    def decode(self, rows: pl.DataFrame) -> Decoded:
        """The events of messages (`offset`, `source`, `topic`, `payload`, `received_at`).

        Every message gives at least one event or one rejected row, unless a mapping passes it over.
        """
        sheet = _Sheet()
        columns = ("source", "topic", "payload", "received_at")
        for number, (source, topic, payload, received) in enumerate(rows.select(columns).iter_rows()):
            sheet.number, sheet.index = number, 0
            if payload[:1] == b"\x00" and (long := _LONG.match(payload)):
                detail = f"the message is {int(long[1][:18]):,} bytes long, more than {int(long[2][:18]):,}"
                sheet.reject("too_long", f"{detail}; its first bytes are kept", payload[long.end() :])
            elif not payload.strip(_BLANK):
                sheet.reject("no_event", "the message is empty", payload)
            elif (mapper := self._mappers.get(source)) is not None:
                sheet.add_mapped(mapper, topic, payload, received)
            elif source not in self._known:
                sheet.reject("unknown_source", "the plant file has no source of this name any more", payload)
            elif payload[:1] == b"{" and b"\n" not in payload:
                sheet.add_text(payload)
            else:
                sheet.add_canonical(payload)
        return self._checked(rows, sheet)

    def refuse(self, rows: pl.DataFrame, why: str) -> Decoded:
        """The same of messages that would be events, but cannot be accounted."""
        sheet = _Sheet()
        for number, payload in enumerate(rows["payload"]):
            sheet.number = number
            sheet.reject("not_accounted", f"it is put aside, because the engine failed on it: {why}", payload)
        return self._checked(rows, sheet)

    def _checked(self, rows: pl.DataFrame, sheet: "_Sheet") -> Decoded:
        events, rejected = sheet.decoded()
        raw = partial(sheet.raw, events)
        numbers = pl.Series(sheet.numbers, dtype=pl.Int64)
        received = rows["received_at"].gather(numbers)
        origin = pl.DataFrame(
            {"offset": rows["offset"].gather(numbers), "index": pl.Series(sheet.indices, dtype=pl.Int64)}
        )
        origin = origin.select(pl.int_range(1, pl.len() + 1).alias("line"), "offset", "index")
        timed = events.select("line", "equipment", "id", "ts", "type", received=received.gather(events["line"] - 1))
        late = timed.filter(~pl.col("type").is_in(_CORRECTIONS)).select(
            "equipment", us=pl.col("received") - pl.col("ts")
        )
        skew = late.group_by("equipment").agg(least=pl.col("us").min(), most=pl.col("us").max()).sort("equipment")
        premature = self._premature(timed)
        if premature.height:
            premature = premature.with_columns(raw=raw(premature["line"])).select(REJECTED.names())
            events = events.filter(~pl.col("line").is_in(premature["line"].implode()))
            rejected = pl.concat([rejected, premature]).sort("line")
        return Decoded(events, rejected, raw, origin, skew, sheet.passed_over)

    def _premature(self, timed: pl.DataFrame) -> pl.DataFrame:
        """Events too far ahead of the clock. Of equipment that the plant does not have, none."""
        ahead = pl.col("ts") - pl.col("received")
        paths, limits = list(self._tolerance), list(self._tolerance.values())
        limit = pl.col("equipment").replace_strict(paths, limits, default=None, return_dtype=pl.Int64)
        found = timed.with_columns(ahead=ahead, limit=limit).filter(pl.col("ahead") > pl.col("limit"))
        details = [
            f"`ts` is {timedelta(microseconds=ahead)} ahead of the clock, more than {timedelta(microseconds=limit)}"
            for ahead, limit in found.select("ahead", "limit").iter_rows()
        ]
        return found.with_columns(reason=pl.lit("in_future"), detail=pl.Series(details, dtype=pl.String))


class _Sheet:
    """The events of a batch of messages while they are written down, one line each."""

    def __init__(self) -> None:
        self.number = self.index = self.passed_over = 0
        self.numbers: list[int] = []
        self.indices: list[int] = []
        self._texts: dict[int, bytes] = {}
        self._originals: dict[int, bytes] = {}
        self._mapped: dict[int, dict[str, str]] = {}
        self._faults: list[tuple[str | None, str | None]] = []
        self._payloads: dict[int, bytes] = {}
        self._rejected: list[tuple[int, None, None, str, str, bytes]] = []

    def _line(self) -> int:
        self.numbers.append(self.number)
        self.indices.append(self.index)
        self.index += 1
        return len(self.numbers)

    def reject(self, reason: str, detail: str, raw: bytes) -> None:
        """A message that cannot be used at all."""
        self._rejected.append((self._line(), None, None, reason, detail, raw))

    def add_text(self, text: bytes, original: bytes | None = None) -> None:
        """A canonical event on one line of JSON."""
        line = self._line()
        self._texts[line] = text
        if original is not None:
            self._originals[line] = original

    def add_canonical(self, payload: bytes) -> None:
        """A canonical message of any form: one event or an array of them, on one line or on several."""
        text = payload.removeprefix(_BYTE_ORDER_MARK).strip(_BLANK)
        if b"\n" in text:
            try:
                msgspec.json.decode(text, type=msgspec.Raw)
            except NOT_JSON as error:
                return self.reject("not_json", f"the message is not JSON: {str(error)[:80]}", payload)
        if text[:1] != b"[":
            return self.add_text(_on_one_line(text), payload)
        try:
            events = msgspec.json.decode(text, type=list[msgspec.Raw])
        except NOT_JSON as error:
            return self.reject("not_json", f"the message is not JSON: {str(error)[:80]}", payload)
        if not events:
            return self.reject("no_event", "the message is an empty array", payload)
        if len(events) > EVENTS_LIMIT:
            return self.reject("too_long", f"the message holds more than {EVENTS_LIMIT:,} events", payload)
        for event in events:
            self.add_text(_on_one_line(bytes(event)), bytes(event))
        return None

    def add_mapped(self, mapper: Mapper, topic: str, payload: bytes, received: int) -> None:
        """A message of a source with mappings."""
        for reading in mapper.read(topic, payload, received):
            if reading.passed_over:
                self.passed_over += 1
                continue
            line = self._line()
            self._mapped[line] = reading.fields
            self._faults.append((reading.reason, reading.detail))
            self._payloads[line] = payload

    def decoded(self) -> Validated:
        """All events and all rejected rows, in the order of their lines."""
        refused = pl.DataFrame(self._rejected, REJECTED, orient="row")
        canonical, mapped = self._decode_texts(), self._decode_mapped()
        events = pl.concat([canonical.events, mapped.events]).sort("line")
        return Validated(events, pl.concat([refused, canonical.rejected, mapped.rejected]).sort("line"))

    def _decode_texts(self) -> Validated:
        if not self._texts:
            return Validated(EVENTS.to_frame(), REJECTED.to_frame())
        decoded = json_lines.decode(b"\n".join(self._texts.values()) + b"\n", 1)
        lines = pl.Series("line", self._texts.keys(), dtype=pl.Int64)
        events, rejected = (frame.with_columns(line=lines.gather(frame["line"] - 1)) for frame in decoded)
        detail = pl.col("detail").str.replace(r"^(the|a) line\b", "$1 message")
        rejected = pl.concat([rejected.with_columns(detail), _blank(lines, events, rejected)])
        raw = [self._originals.get(line, self._texts[line]) for line in rejected["line"]]
        return Validated(events, rejected.with_columns(raw=pl.Series(raw, dtype=pl.Binary)))

    def _decode_mapped(self) -> Validated:
        if not self._mapped:
            return Validated(EVENTS.to_frame(), REJECTED.to_frame())
        given = pl.DataFrame(list(self._mapped.values()), schema=_MAPPED)
        lines = pl.Series(self._mapped.keys(), dtype=pl.Int64)
        faults = pl.DataFrame(self._faults, {"reason": pl.String, "detail": pl.String}, orient="row")
        valid = validate(given.drop("details"), lines, details=given["details"], faults=faults)
        raw = pl.Series([self._payloads[line] for line in valid.rejected["line"]], dtype=pl.Binary)
        return Validated(valid.events, valid.rejected.with_columns(raw=raw))

    def raw(self, events: pl.DataFrame, lines: pl.Series) -> pl.Series:
        """The bytes of lines, on one line each."""
        mapped = events.filter(pl.col("line").is_in(lines.implode()) & pl.col("line").is_in(list(self._mapped)))
        spelled: dict[int, Any] = dict(zip(mapped["line"], as_lines(mapped), strict=True))
        return pl.Series("raw", [self._texts.get(line, spelled.get(line)) for line in lines], dtype=pl.Binary)


def _on_one_line(json: bytes) -> bytes:
    """A JSON text without line breaks, which stand only between its parts."""
    return json.replace(b"\r", b" ").replace(b"\n", b" ")


def _blank(lines: pl.Series, events: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """What is left of lines: those of white space of some kind, which would do no harm in a file."""
    left = lines.to_frame().join(pl.concat([events.select("line"), rejected.select("line")]), on="line", how="anti")
    none = pl.lit(None, pl.String)
    return left.select(
        *("line", none.alias("equipment"), none.alias("id")),
        *(pl.lit("no_event").alias("reason"), pl.lit("the message is empty").alias("detail")),
        pl.lit(None, pl.Binary).alias("raw"),
    )
