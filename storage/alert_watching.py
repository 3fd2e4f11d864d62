"""Alerts on what the running engine sees by its own clock, as rows of the table of alerts."""

from collections.abc import Callable, Iterable
from datetime import datetime

import duckdb
import polars as pl

from kpis.alert_texts import alert_id, line_of, text_of
from kpis.alert_watch import LOST, Episode, Held, Key, Watching, lost_spans
from kpis.plant import Plant
from storage.alert_rows import CHATTER_WITHIN_US, Row, chattering
from storage.database import microseconds

Step = tuple[str, str, int]
"""What became of which alert, and when (µs)."""


class AlertWatching:
    """Raises and resolves them; `recall` first says which of them the store has."""

    def __init__(self, con: duckdb.DuckDBPyConnection, plant: Plant, clock: Callable[[], datetime]) -> None:
        self._con, self._plant, self._clock = con, plant, clock
        self._numbers = {rule.name: number for number, rule in enumerate(plant.alerts) if rule.watched}
        self._watching = Watching(plant.alerts)
        self._rows: dict[str, Row] = {}
        self.lost = pl.DataFrame(schema=LOST)

    @property
    def rules(self) -> frozenset[str]:
        """The names of the rules."""
        return frozenset(self._numbers)

    def recall(self, first: int) -> None:
        """Go on with what the store has, as far back as an instant (µs)."""
        if not self._numbers:
            return
        found = self._con.execute(
            "SELECT * FROM alerts WHERE fired_at IS NOT NULL AND state <> 'withdrawn' "
            "AND (resolved_at IS NULL OR epoch_us(resolved_at) >= $1)",
            [first - CHATTER_WITHIN_US],
        ).pl()
        for row in microseconds(found).iter_rows(named=True):
            if row["rule"] not in self._numbers or row["equipment"] not in self._plant.equipment:
                continue
            self._rows[row["alert"]] = row
            if row["resolved_at"] is None:
                episode = Episode(row["since"], row["value"], fired_at=row["fired_at"])
                self._watching.episodes[self._key(row)] = episode
        self._find_lost()

    def look(self, holding: Iterable[Held], now: int) -> tuple[list[Row], list[Step], dict[str, int]]:
        """Rows to write, what became of them, and from when on (µs) the silence of which equipment is explained."""
        rows: list[Row] = []
        steps: list[Step] = []
        for key, episode in self._watching.look(holding, now):
            row = row_of(self._plant, key, episode) | {"changed_at": self._clock()}
            before = self._rows.get(row["alert"])
            if before is not None:
                row = {**before, "revision": before["revision"] + 1, "changed_at": self._clock()}
                row |= {"state": "resolved", "resolved_at": episode.resolved_at}
            rows.append(row)
            over = episode.resolved_at
            steps.append((row["alert"], "fired", row["fired_at"]) if over is None else (row["alert"], "resolved", over))
        chattering([row for row in rows if row["resolved_at"] is None], self._rows, {})
        self._rows |= {row["alert"]: row for row in rows}
        lost = [row for row in rows if self._kind(row) == "disconnected"]
        if not lost:
            return rows, steps, {}
        self._find_lost()
        told = lost_spans(self._plant, map(self._loss, lost)).group_by("contributor").agg(pl.col("start").min())
        return rows, steps, dict(told.iter_rows())

    def forget(self, before: int) -> None:
        """Let go of what was over before an instant (µs), and so long before that it is not needed to find chatter."""
        last = before - CHATTER_WITHIN_US
        self._rows = {
            name: row for name, row in self._rows.items() if row["resolved_at"] is None or row["resolved_at"] >= last
        }
        self._find_lost()

    def _kind(self, row: Row) -> str:
        return self._plant.alerts[self._numbers[row["rule"]]].when.kind

    def _key(self, row: Row) -> Key:
        return self._numbers[row["rule"]], row["equipment"], row["reason"]

    def _find_lost(self) -> None:
        rows = [row for row in self._rows.values() if self._kind(row) == "disconnected"]
        self.lost = lost_spans(self._plant, map(self._loss, rows))

    def _loss(self, row: Row) -> tuple[int, str | None, int, int | None]:
        return self._numbers[row["rule"]], row["reason"], row["fired_at"], row["resolved_at"]


def row_of(plant: Plant, key: Key, episode: Episode) -> Row:
    """The row of an alert that has fired."""
    number, path, subject = key
    rule = plant.alerts[number]
    name = rule.name if subject is None else f"{rule.name}\n{subject}"
    return {
        "alert": alert_id(name, path, episode.since),
        "rule": rule.name,
        "equipment": path,
        "line": line_of(plant, path),
        "severity": rule.severity,
        "state": "firing",
        "since": episode.since,
        "fired_at": episode.fired_at,
        "resolved_at": None,
        "suppressed_by": None,
        "reason": subject,
        "value": episode.value,
        "chattering": False,
        "text": text_of(plant, rule, path, episode.since, reason=subject, value=episode.value, limit=None, target=None),
        "corrects": None,
        "revision": 0,
    }
