"""What the engine counts and measures, for Prometheus: docs/operations.md says what each one means."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from pipelines.journal_feed import Part
from pipelines.notify.sender import ChannelStatus
from pipelines.source_watch import SourceWatch
from pipelines.sources.mqtt import MqttIngest
from pipelines.vitals import Vitals
from storage.batches import Outcome, Pending

_FLUSH_SECONDS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The registry of an engine, kept up to date by its dataflow and, when it is asked, from its vitals."""

    def __init__(self, vitals: Vitals, watch: SourceWatch, channels: Callable[[], dict[str, ChannelStatus]]) -> None:
        self._registry = CollectorRegistry()
        self._watch, self._channels = watch, channels
        self._messages = self._counter("messages", "Messages taken from the journal, by source", "source")
        self._events = self._counter("events", "Events by what became of them", "outcome")
        self._late = self._counter("late_events", "Events that happened before the horizon of the flush before")
        self._rejected = self._counter("rejected_events", "Events that could not be used, by reason", "reason")
        self._retries = self._counter("dataflow_retries", "Times the dataflow had to start again after a fault")
        self._misasked = self._counter("alert_rule_failures", "Times a condition in SQL could not be looked at", "rule")
        self._flush = Histogram(
            "oeeflow_flush_seconds", "From a batch to its commit", registry=self._registry, buckets=_FLUSH_SECONDS
        )
        self._skew = self._gauge("clock_skew_seconds", "Least age of events on arrival in the last minute", "source")
        self._silence = self._gauge("source_silence_seconds", "Time since a source was last heard of", "source")
        self._of_channels = {
            name: self._gauge(name, meaning, "channel")
            for name, meaning in (
                ("outbox_letters", "Letters that wait for a channel"),
                ("outbox_age_seconds", "Age of the oldest letter that waits for a channel"),
                ("channel_failures", "Failures of a channel since it last succeeded"),
                ("letters_delivered", "Letters that a channel took since the start"),
                ("letters_dead", "Letters that were given up since the start"),
            )
        }
        for name, meaning, value in (
            ("lag_messages", "Messages in the journal that the store does not hold yet", lambda: vitals.lag()[0]),
            ("lag_seconds", "How long the oldest of them waits", lambda: vitals.lag()[1]),
            ("queue_fill", "How full the queue before the journal is, from 0 to 1", lambda: vitals.reception.fill),
            ("journal_full", "1 while there is no room for the journal", lambda: float(vitals.reception.full)),
            ("journal_bytes", "Size of the journal", vitals.journal.bytes_on_disk),
            (
                "horizon_age_seconds",
                "How far figures are behind the clock",
                lambda: _age(None if vitals.horizon is None else vitals.horizon / 1e6),
            ),
            (
                "snapshot_age_seconds",
                "Age of the newest snapshot",
                lambda: _age(None if vitals.snapshot_at is None else vitals.snapshot_at.timestamp()),
            ),
            ("ready", "1 when /readyz says so", lambda: float(not vitals.problems())),
        ):
            self._gauge(name, meaning).set_function(value)
        connected = self._gauge("broker_connected", "1 while the broker of a source is connected", "source")
        reconnects = self._gauge("broker_reconnects", "Connections to a broker after the first", "source")
        for ingest in vitals.ingests:
            connected.labels(ingest.name).set_function(partial(_connected, ingest))
            reconnects.labels(ingest.name).set_function(partial(_reconnects, ingest))

    def flushed(self, pending: Pending, outcome: Outcome, part: Part | None, seconds: float) -> None:
        """A batch was committed."""
        self._flush.observe(seconds)
        if part is None:
            return
        for label, number in (
            ("taken", outcome.taken),
            ("duplicate", outcome.duplicates),
            ("rejected", outcome.rejected),
        ):
            self._events.labels(label).inc(number)
        self._late.inc(outcome.late)
        for reason, number in pending.rejected["reason"].value_counts().iter_rows():
            self._rejected.labels(reason).inc(number)
        for source, number in part.received["source"].value_counts().iter_rows():
            self._messages.labels(source).inc(number)

    def retried(self) -> None:
        """The dataflow starts again."""
        self._retries.inc()

    def misasked(self, rule: str) -> None:
        """The condition of an alert rule in SQL could not be looked at."""
        self._misasked.labels(rule).inc()

    def scraped(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        for gauge, values in ((self._skew, self._skews()), (self._silence, self._watch.silences())):
            for source, value in values.items():
                gauge.labels(source).set(value)
        for channel, status in self._channels().items():
            for gauge, number in zip(self._of_channels.values(), status[:5], strict=True):
                gauge.labels(channel).set(number)
        return generate_latest(self._registry)

    def _skews(self) -> dict[str, float]:
        return {source: skew / 1e6 for source, skew in self._watch.skews().items()}

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"oeeflow_{name}", meaning, labels, registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"oeeflow_{name}", meaning, labels, registry=self._registry)


def _age(at: float | None) -> float:
    """Seconds since a POSIX time; not a number if there was none yet."""
    return float("nan") if at is None else time.time() - at


def _connected(ingest: MqttIngest) -> float:
    return float(ingest.status().connected)


def _reconnects(ingest: MqttIngest) -> float:
    return float(ingest.status().reconnects)
