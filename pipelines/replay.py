"""Replay: files of events through the dataflow, as fast as it goes, from wherever the last one stopped."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import polars as pl

from kpis.errors import ConfigError, SourceError
from kpis.events import EVENTS, REJECTED
from kpis.plant import Plant, Source, load_plant
from pipelines.flow import dataflow
from pipelines.operators import Halt, interruptible, run
from pipelines.shards import Accountants
from pipelines.sources import ROWS, Chunk, open_events, size_of
from pipelines.sources.batching import ahead, even
from pipelines.sources.json_lines import decode
from pipelines.times import parse_time
from storage import refused
from storage.batches import Batch, Outcome, Pending
from storage.catalog import stored_plant
from storage.health import Finding, doubts
from storage.places import Places
from storage.recovery import Recovery, kept_sound
from storage.store import Store
from storage.writer import Position

_DAYS_AT_ONCE: Final = 14
"""production days summed in one transaction: few enough for little memory"""
_EVENTS: Final = 4_000_000
"""events from one checkpoint to the next: what is in the log only is in memory as well"""


@dataclass(frozen=True)
class Progress:
    """How far a replay is: bytes of all files, events taken in and left out, and at the end days still to be summed."""

    file: Path
    bytes_read: int
    bytes_all: int
    outcome: Outcome
    days_left: int = 0


@dataclass
class Summary:
    """What a replay did.

    `skipped` files had been taken in before; `faults` tell of files that are damaged: what comes before the damage is
    taken in; `interrupted` when it was asked to stop; `rebuilt` when the plant file had changed, so that all results
    were made anew; `doubts` are about what was taken in as it is, and is hardly meant so.
    """

    outcome: Outcome = field(default_factory=Outcome)
    skipped: list[Path] = field(default_factory=list)
    faults: list[SourceError] = field(default_factory=list)
    interrupted: bool = False
    rebuilt: bool = False
    recovery: Recovery | None = None
    doubts: list[Finding] = field(default_factory=list)


def read_plant(path: Path) -> Plant:
    """The plant in a file. Raises ConfigError when it cannot be read, PlantError when it has faults."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read the plant file {path}: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg, hint="`oeeflow init DIR` writes a starter plant file") from error
    return load_plant(text)


def replay(
    plant_path: Path,
    events: Sequence[Path],
    db: Path,
    *,
    until: int | None = None,
    source: str | None = None,
    workers: int = 1,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Summary:
    """Take files of events into a store and bring its results up to date.

    `until` (µs) leaves out what happened from then on and accounts up to it; without it time is accounted up to the
    newest event. `source` names the source of the plant file that recorded the files. A file that was taken in before
    is left out; one that was begun is resumed. Raises SourceError, before anything is done, for a file that is not
    there or of no known kind.
    """
    plant = read_plant(plant_path)
    recorded = _source(plant, source)
    for path in events:
        open_events(path, recorded)  # a wrong name is told before anything is done
    halt = Halt()
    salt = f"{source}|{until}|{plant.fingerprint}"
    files = [(path, _digest(path, salt)) for path in events]
    with (
        interruptible(halt),
        _store(db, plant, plant_path, halt) as (store, recovery),
        Accountants(plant, workers) as accountants,
    ):
        summary = Summary(rebuilt=store.rebuilt, recovery=recovery)
        feed = _Feed(files, store, recorded, until, summary)

        def tell(days_left: int = 0) -> None:
            progress(Progress(feed.file, feed.bytes_read, feed.bytes_all, summary.outcome, days_left))

        def committed(pending: Pending, outcome: Outcome) -> None:
            before = summary.outcome.taken
            summary.outcome += outcome
            tell()
            if summary.outcome.taken // _EVENTS > before // _EVENTS:
                store.shorten_log()

        run(dataflow(feed.batches(), store, plant, accountants, workers, committed, halt), halt)
        _sum(store, halt, tell)
        summary.interrupted = halt.asked
        summary.doubts += doubts(lambda statement: store.connection.execute(statement).fetchall(), plant)
    return summary


def recompute(db: Path, since: str | None, to: str | None) -> int:
    """Make the results of a time again from the events in a store; how many told times came out differently.

    The plant file is the one that the store keeps. `since` and `to` are times as people type them.
    """
    known = stored_plant(db)
    plant = load_plant(known.text)
    first, last = (None if text is None else parse_time(text, plant.timezone) for text in (since, to))
    halt = Halt()
    with interruptible(halt), _store(db, plant, Path(known.path), halt) as (store, _):
        changed = store.recompute(first, last)
        _sum(store, halt)
        return changed


def retry(db: Path, plant_path: Path | None) -> tuple[Outcome, int]:
    """Take in rejected events that a corrected plant file allows; without one, the file last used is read again.

    What became of those that were tried, and how many rejected events there are after it.
    """
    path = plant_path or Path(stored_plant(db).path)
    plant = read_plant(path)
    halt, outcomes = Halt(), [Outcome()]
    with interruptible(halt), _store(db, plant, path, halt) as (store, _), Accountants(plant, 1) as accountants:

        def batches() -> Iterator[Batch]:
            for rows in store.retriable():
                decoded = decode(b"".join(raw + b"\n" for raw in rows["raw"]), 1)
                yield Batch(
                    decoded.events,
                    decoded.rejected,
                    raw=partial(_line_of, rows["raw"]),
                    retried=rows["digest"],
                )

        def committed(pending: Pending, outcome: Outcome) -> None:
            outcomes.append(outcome)

        run(dataflow(batches(), store, plant, accountants, 1, committed, halt), halt)
        store.settle()
        rejected = refused.count(store.connection)
    return sum(outcomes[1:], start=outcomes[0]), rejected


def _sum(store: Store, halt: Halt, tell: Callable[[int], None] = lambda _: None) -> None:
    """Sum the production days that are over; `tell` is told how many are left. What is not done is done next time."""
    while not halt.asked and (days_left := store.sum_days(_DAYS_AT_ONCE)):
        tell(days_left)


@contextmanager
def _store(db: Path, plant: Plant, plant_path: Path, halt: Halt) -> Iterator[tuple[Store, Recovery | None]]:
    """The store, open for writing, and how it was made again before, if it was damaged."""
    with (
        kept_sound(Places(db), _now) as recovery,
        Store(db, plant, plant_path=str(plant_path.resolve()), clock=_now, interrupted=lambda: halt.asked) as store,
    ):
        yield store, recovery


def _line_of(raw: pl.Series, lines: pl.Series) -> pl.Series:
    return raw.gather(lines - 1)


def _now() -> datetime:
    return datetime.now(UTC)


def _source(plant: Plant, name: str | None) -> Source | None:
    if name is None:
        return None
    for source in plant.sources:
        if source.name == name:
            return source
    msg = f'the plant file has no source "{name}"'
    known = ", ".join(source.name for source in plant.sources)
    raise ConfigError(msg, hint=f"its sources are: {known}" if known else "it has none: see docs/plant-file.md")


def _digest(path: Path, salt: str) -> str:
    """A name for a file's content and for the way it is read: a position in it stays true wherever the file moves."""
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
    except OSError as error:
        msg = f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        raise SourceError(msg, hint="check the path and the permission to read it") from error
    content.update(salt.encode())
    return content.hexdigest()


class _Feed:
    """Batches of all files."""

    def __init__(
        self,
        files: Sequence[tuple[Path, str]],
        store: Store,
        source: Source | None,
        until: int | None,
        summary: Summary,
    ) -> None:
        self._source = source
        self._until = until
        self._summary = summary
        self._files: list[tuple[Path, str, int]] = []
        for path, digest in files:
            position = store.position(digest)
            if position and position.complete:
                summary.skipped.append(path)
            else:
                self._files.append((path, digest, position.position if position else 0))
        self.bytes_all = sum(size_of(path) for path, _, _ in self._files)
        self.bytes_read = 0
        self.file = files[0][0] if files else Path()
        self._before = self._end = 0

    def batches(self) -> Iterator[Batch]:
        """The batches in order; at the end one that moves the horizon to where it is to be."""
        for path, digest, start in self._files:
            self.file, self._before, self._end, whole = path, self.bytes_read, start, True
            chunks = ahead(even(open_events(path, self._source, start), ROWS))
            try:
                yield from map(partial(self._batch, digest), chunks)  # which holds on to none of them
            except SourceError as error:
                self._summary.faults.append(error)
                whole = False
            self.bytes_read = self._before + size_of(path)
            yield _empty(Position(digest, str(path), self._end, whole), self._until)
        if self._until is not None:
            yield _empty(None, self._until, self._until)

    def _batch(self, digest: str, chunk: Chunk) -> Batch:
        self.bytes_read = self._before + chunk.bytes_read
        self._end = chunk.end
        position = Position(digest, str(self.file), chunk.end, complete=False)
        raw = chunk.raw_lines if chunk.raw else None
        return Batch(chunk.events, chunk.rejected, position, self._until, raw=raw)


def _empty(position: Position | None, until: int | None, horizon: int | None = None) -> Batch:
    return Batch(pl.DataFrame(schema=EVENTS), pl.DataFrame(schema=REJECTED), position, until, horizon)
