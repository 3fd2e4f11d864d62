"""How the live sources are: connected or not, heard of when, and whether their clocks are right."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import polars as pl

from pipelines.journal_feed import Part
from pipelines.sources.mqtt import MqttIngest

SKEW_WINDOW: Final = 60.0
"""seconds of messages by which the clock of a source is judged."""
_MINUTE_US: Final = 60_000_000
_SKEW_STEP_US: Final = 1_000_000
_SCHEMA: Final = pl.Schema(
    {
        "source": pl.String,
        "connected": pl.Boolean,
        "since": pl.Int64,
        "last_received_at": pl.Int64,
        "clock_skew_us": pl.Int64,
        "problem": pl.String,
    }
)


class SourceWatch:
    """Watches the brokers' connections and what comes in.

    The clock skew of a source is the least age of its events on arrival in the last minute: what a slow network and
    what waited at the broker add to the age of some events does not show in it.
    """

    def __init__(self, ingests: Sequence[MqttIngest]) -> None:
        self._ingests = ingests
        self._heard: dict[str, int] = {}
        self._ages: dict[str, deque[tuple[float, int]]] = {}
        self._told: pl.DataFrame | None = None

    def hear(self, part: Part) -> None:
        """Messages were taken in."""
        now = time.monotonic()
        for source, at in part.received.group_by("source").agg(pl.col("received_at").max()).iter_rows():
            self._heard[source] = max(at, self._heard.get(source, at))
        ages = (
            part.events.select("line", "ts")
            .join(part.origin.select("line", "offset"), on="line")
            .join(part.received, on="offset")
            .group_by("source")
            .agg(age=(pl.col("received_at") - pl.col("ts")).min())
        )
        for source, age in ages.iter_rows():
            seen = self._ages.setdefault(source, deque())
            seen.append((now, age))
            while seen[0][0] < now - SKEW_WINDOW:
                seen.popleft()

    def skews(self) -> dict[str, int]:
        """The clock skew of each source that ever was heard of, in µs; below 0: its clock is ahead."""
        return {source: min(age for _, age in list(seen)) for source, seen in self._ages.items()}

    def silences(self) -> dict[str, float]:
        """For how many seconds each source has said nothing."""
        return {source: time.time() - at / 1e6 for source, at in self._heard.items()}

    def news(self) -> pl.DataFrame | None:
        """Rows for `source_health`; None as long as they are those of the last time."""
        skews = self.skews()
        connections = {status.name: status for status in (ingest.status() for ingest in self._ingests)}
        rows = []
        for source in sorted(connections.keys() | self._heard.keys()):
            status, heard, skew = connections.get(source), self._heard.get(source), skews.get(source)
            rows.append(
                (
                    source,
                    status.connected if status else None,
                    status.since if status else None,
                    None if heard is None else heard // _MINUTE_US * _MINUTE_US,
                    None if skew is None else round(skew / _SKEW_STEP_US) * _SKEW_STEP_US,
                    status.problem if status else None,
                )
            )
        now = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        if self._told is not None and now.equals(self._told):
            return None
        self._told = now
        return now

    def forget(self) -> None:
        """What was told may not have become durable: tell it again."""
        self._told = None
