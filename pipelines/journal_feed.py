"""The journal as the source of the dataflow: what came in since the last batch, and ticks when nothing did."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, NamedTuple

import polars as pl

from kpis import alert_actions, hour_notes
from kpis.alert_actions import Action, read_action
from kpis.alert_watch import Held
from kpis.errors import ConfigError
from kpis.events import EVENTS, REJECTED
from kpis.hour_notes import HourNote, read_note
from kpis.plant_sources import PEOPLE
from pipelines.decoding import Decoder
from pipelines.operators import Halt
from pipelines.quarantine import Quarantine
from pipelines.reception import Reception
from storage.batches import Batch
from storage.journal import Journal
from storage.writer import Position

FLUSH_EVERY: Final = 0.25
"""seconds from one batch to the next, at least, so that a batch holds what came in the meantime."""
TICK_EVERY: Final = 1.0
"""seconds without events until a batch without any moves the horizon: running figures go on."""
ENOUGH: Final = 10_000
"""messages that are worth a batch at once, and the most in one: a backlog is taken in with little memory."""
MOST_BYTES: Final = 32 << 20
LOOK_EVERY: Final = 0.2
"""seconds until the next look whether the engine is to stop."""


class Part(NamedTuple):
    """The part of the journal that a batch is made of.

    `received` tells of the messages their `offset`, `source` and `received_at`; `origin` of the events (by `line`) the
    `offset` of their message and their `index` in it.
    """

    received: pl.DataFrame
    origin: pl.DataFrame
    events: pl.DataFrame


class JournalFeed:
    """Makes batches, one at a time: the next one is asked for when the last one is committed.

    `between` is called each time before it waits for the next one. `sources` tells how the sources are, if that is new,
    `held` which conditions of alerts hold by the engine's clock.
    """

    def __init__(
        self,
        journal: Journal,
        reception: Reception,
        decoder: Decoder,
        clock: Callable[[], datetime],
        quarantine: Quarantine,
        halt: Halt,
        between: Callable[[], None],
        sources: Callable[[], pl.DataFrame | None],
        held: Callable[[], Sequence[Held] | None],
    ) -> None:
        self._journal = journal
        self._reception = reception
        self._decoder = decoder
        self._quarantine = quarantine
        self._clock = clock
        self._halt = halt
        self._between = between
        self._sources, self._held = sources, held
        self.part: Part | None = None
        """What the batch on its way is made of; None if it is a tick."""
        self.begun = 0.0
        """When that batch was begun, by the monotonic clock."""
        self.position = 0
        """The offset up to which batches were made."""
        self._told = 0

    def batches(self, position: int) -> Iterator[Batch]:
        """Batches of what is newer than `position`, until the dataflow is halted."""
        self.position = position
        while True:
            self._between()
            self._quarantine.trying(0, 0)
            news = self._wait()
            if self._halt.halted:
                return
            self.begun = time.monotonic()
            rows = self._read() if news else None
            self.part = None
            if rows is None or rows.is_empty():
                yield self._tick()
                continue
            self.position = int(rows["offset"][-1])
            rows, said = _parted(rows)
            aside = self._quarantine.reason()
            decoded = self._decoder.decode(rows) if aside is None else self._decoder.refuse(rows, aside)
            self.part = Part(rows.select("offset", "source", "received_at"), decoded.origin, decoded.events)
            yield Batch(
                decoded.events,
                decoded.rejected,
                Position(self._journal.identity, "journal", self.position, complete=False),
                horizon=self._now(),
                raw=decoded.raw,
                origin=_origin(rows, decoded.origin),
                sources=self._sources(),
                actions=said.actions,
                notes=said.notes,
                tell=self.position >= self._told,
                held=self._held(),
            )

    def _tick(self) -> Batch:
        events, rejected = (pl.DataFrame(schema=schema) for schema in (EVENTS, REJECTED))
        return Batch(events, rejected, horizon=self._now(), sources=self._sources(), tell=True, held=self._held())

    def _read(self) -> pl.DataFrame:
        """Messages whose senders were told that they are safe."""
        self._told = self._reception.last
        rows = self._reception.read(self.position, self._quarantine.most, MOST_BYTES)
        self._quarantine.trying(int(rows["offset"][-1]) if rows.height else 0, rows.height)
        return rows

    def _wait(self) -> bool:
        """Wait until a batch is due: soon when there are messages, else for a tick; whether there are."""
        while not self._halt.halted:
            news = self._reception.wait(self.position, LOOK_EVERY)
            left = self.begun + (FLUSH_EVERY if news else TICK_EVERY) - time.monotonic()
            if left <= 0 or self._reception.last - self.position >= ENOUGH:
                return news
            if news:
                time.sleep(left)
        return False

    def _now(self) -> int:
        return round((self._clock() - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)


class _Said(NamedTuple):
    """What people did about alerts, and what they said about hours; None: nothing."""

    actions: pl.DataFrame | None = None
    notes: pl.DataFrame | None = None


def _origin(rows: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Where lines come from: the `source` of their message, and as their `place` its offset in the journal."""
    named = lines.join(rows.select("offset", "source"), on="offset", how="left", maintain_order="left")
    return named.select("line", "source", place="offset")


def _parted(rows: pl.DataFrame) -> tuple[pl.DataFrame, _Said]:
    """Messages, and what people did and said that was among them; what cannot be read stays a message."""
    if PEOPLE not in rows["source"]:
        return rows, _Said()
    actions: list[Action] = []
    notes: list[HourNote] = []
    read: list[int] = []
    for offset, payload in rows.filter(pl.col("source") == PEOPLE).select("offset", "payload").iter_rows():
        with suppress(ConfigError):
            actions.append(read_action(payload))
            read.append(offset)
            continue
        with suppress(ConfigError):
            notes.append(read_note(payload))
            read.append(offset)
    said = _Said(alert_actions.as_frame(actions) if actions else None, hour_notes.as_frame(notes) if notes else None)
    return rows.filter(~pl.col("offset").is_in(read)), said
