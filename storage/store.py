"""The store, open for writing: takes batches in, has them accounted, and commits both together."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import polars as pl

from kpis.accounting import account
from kpis.errors import Interrupted, StorageError
from kpis.events import EVENTS
from kpis.plant import Plant
from kpis.work import Accounts, newest
from storage import catalog, refused
from storage.alerting import Alerting, Noticed
from storage.batches import Batch, Outcome, Pending
from storage.changes import SEGMENTS
from storage.closed import length_of_logs
from storage.database import Reading, connect, instants
from storage.day_sums import SummedDays
from storage.flushes import Flush
from storage.history import EVENT_FIELDS, first_accounted
from storage.ids import SeenIds
from storage.intake import IS_CORRECTION, admit, digest
from storage.ledger import Ledger, load, still_due, widen
from storage.memory import Memory
from storage.migrations import migrate
from storage.outbox import Outbox
from storage.places import Places
from storage.planning import plan, work_on
from storage.rewriting import Rewrite, rewrite
from storage.views import create_views
from storage.writer import Position, Transaction


class Store:
    """The one writer of a DuckDB file.

    `take` finds out what a batch changes and begins to write its events; `commit` adds the accounts of that work and
    sees it off: a thread of its own writes them while the next batch is taken. It is durable when `settle` returns.
    Between the two only one batch may be on its way. Use it as a context manager.
    """

    def __init__(
        self,
        path: Path,
        plant: Plant,
        *,
        plant_path: str,
        clock: Callable[[], datetime],
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._interrupted = interrupted
        self._file = connect(path, read_only=False)
        migrated = migrate(self._file)
        self._con = Reading(self._file, self.settle)
        self._last: Transaction | None = None
        self._shortening: Future[None] | None = None
        self._writer = self._file.cursor()
        self._writer.execute("SET TimeZone = 'UTC'")
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="append")
        self._ledger = load(self._con, plant, path)
        self._memory = Memory.empty()
        self._summed = SummedDays.load(self._con)
        self._alerting = Alerting(self._writer, plant, clock)
        self.outbox = Outbox(self._writer, plant, clock)
        self._open: Transaction | None = None
        self._flushed: Flush | None = None
        self._seen: SeenIds | None = None
        self._places = Places(path)
        self._days: tuple[date, date] | None = None
        self.compacts = True
        """Whether a checkpoint brings together what is left of rows, a group of each table: 70 MB more for a moment."""
        self.rebuilt = False
        try:
            self._settle(plant_path, bool(migrated))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Checkpoint and close the file. Raises what went wrong with the last commit."""
        try:
            if self._open:
                self._open.roll_back()
            self.settle()
            if self._seen:
                self._seen.close()
        finally:
            self._pool.shutdown()
            self._writer.close()
            try:
                self._file.execute("RESET max_vacuum_tasks; CHECKPOINT")
            finally:
                self._file.close()

    def settle(self) -> None:
        """Wait until everything committed is durable. Raises what went wrong."""
        if self._last is not None:
            self._last.wait()
            self._last = None
        if self._shortening is not None:
            self._shortening.result()
            self._shortening = None

    def shorten_log(self) -> None:
        """Checkpoint in the thread that writes, after what is on its way; not if a reader is in the way then."""
        self._shortening = self._pool.submit(self._shorten)

    def _shorten(self) -> None:
        with suppress(duckdb.TransactionException):
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._writer.execute(f"SET max_vacuum_tasks = {int(self.compacts)}")
        self._writer.execute("CHECKPOINT")

    def checkpoint(self) -> None:
        """Bring the log into the file: until the next time commits go to the log, and the file stays as it is.

        No batch may be on its way. Raises StorageError when a reader is in the way; try again later.
        """
        self.settle()
        try:
            self._checkpoint()
        except duckdb.TransactionException as error:
            msg = "the store cannot be checkpointed now: something is being read or written"
            raise StorageError(msg, hint="it is tried again later") from error

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The database that is being written, with all that is committed, for those who serve readers of it."""
        self.settle()
        return self._file

    @property
    def log_bytes(self) -> int:
        """The length of the log: what was committed since the last checkpoint, which is in memory as well."""
        return length_of_logs(self._places.db)

    @property
    def flush(self) -> int:
        """The number of the last commit; 0 in an empty store."""
        return self._ledger.flush

    @property
    def horizon(self) -> int | None:
        """The instant up to which time is accounted, in µs; None in an empty store."""
        return self._ledger.horizon

    def position(self, digest: str) -> Position | None:
        """How far the source with this digest was taken in, by what is committed."""
        query = "SELECT digest, source, position, complete FROM positions WHERE digest = ?"
        rows = self._file.execute(query, [digest]).fetchall()
        return Position(*rows[0]) if rows else None

    def retriable(self) -> Iterator[pl.DataFrame]:
        """Rejected events, by their `digest` and `raw` bytes, whose equipment the plant file knows by now."""
        return refused.retriable(self._con, self._ledger.plant.equipment)

    def take(self, batch: Batch) -> Pending:
        """Find out what is new in a batch and what it changes."""
        admitted = admit(self._con, self._ledger, self._ids(), batch.events, batch.until)
        at_the_door = admitted.rejected
        if at_the_door.height and batch.raw is not None:
            at_the_door = at_the_door.with_columns(raw=batch.raw(at_the_door["line"]))
        taken, after = digest(self._con, self._ledger, self._ids(), admitted.new)
        if taken.removed.height:
            self._memory = self._memory.without(taken.removed, after.plant)
        ranges = widen(self._ledger.ranges, taken.seen)
        horizon = self._horizon(batch, admitted.new, ranges)
        flush = self._ledger.flush + 1
        self._open = transaction = Transaction(
            self._writer, self._pool, after=self._last, events=admitted.new, flush=flush
        )
        work = None if horizon is None else plan(self._con, after, self._memory, taken, horizon)
        after = replace(after, ranges=ranges, horizon=horizon, flush=flush)
        rejected = pl.concat([batch.rejected, at_the_door])
        batch = replace(batch, raw=None)  # whole files of lines may hang on it, and nobody asks for them from here on
        return Pending(batch, work, after, admitted, taken.seen, rejected, transaction)

    def commit(self, pending: Pending, accounts: Accounts | None) -> Outcome:
        """Hand a batch over to be written with its accounts and its position, and know what comes after it."""
        transaction, before, after, admitted = pending.transaction, self._ledger, pending.ledger, pending.admitted
        made = None
        if pending.work is not None and accounts is not None:
            made = rewrite(pending.work, accounts, before.told)
            after = replace(after, due=still_due(after.due, accounts, pending.work))
            self._memory = self._memory.after(pending.work, accounts, after)
        outcome = Outcome(admitted.new.height, admitted.duplicates, pending.rejected.height, admitted.late)
        if self._last is not None:
            self._last.wait()  # so that no more than two are on their way
        noticed = self._alerting.notice(before.horizon, pending, accounts)
        transaction.commit(lambda: self._write(pending, accounts, made, before, after, outcome, noticed))
        self._last, self._open, self._ledger = transaction, None, after
        self._ids().add(pending.admitted.keys, after.flush)
        return outcome

    def _write(
        self,
        pending: Pending,
        accounts: Accounts | None,
        made: Rewrite | None,
        before: Ledger,
        after: Ledger,
        outcome: Outcome,
        noticed: Noticed | None,
    ) -> None:
        """Write all of a batch but its events, in the thread of its transaction."""
        transaction, batch, new = pending.transaction, pending.batch, pending.admitted.new
        segments, summed = pl.DataFrame(schema=SEGMENTS), self._summed
        if made is not None:
            changed = transaction.write_accounts(made)
            segments, summed = changed.segments, summed.without(transaction, summed.changed(changed.days))
        if batch.retried is not None:
            transaction.forget_rejected(batch.retried)
        source = batch.position.source if batch.position else None
        refused.write(self._writer, transaction, pending.rejected, source, batch.origin, self._clock())
        flush = self._write_flush(transaction, before, after, pending, outcome, segments)
        self._write_catalog(transaction, before, after)
        corrections = new.filter(IS_CORRECTION).select(EVENT_FIELDS)
        transaction.insert("corrections", instants(corrections, "ts", "start", "end"))
        self._alerting.follow(before.horizon, pending, accounts, noticed)
        self.outbox.follow(transaction, batch.actions, tell=batch.tell)
        if batch.notes is not None:
            transaction.replace("hour_notes", instants(batch.notes, "hour", "at"), "note")
        self._flushed, self._summed = flush, summed

    def _ids(self) -> SeenIds:
        """The ids in the store, opened when they are first asked for."""
        if self._seen is None:  # then nothing is on its way that it could miss, but maybe the views
            self._seen = SeenIds(self._file, self._places.ids)
        return self._seen

    def _horizon(self, batch: Batch, new: pl.DataFrame, ranges: pl.DataFrame) -> int | None:
        """Everything taken in pushes the horizon; events left out by `until` do not, nor corrections made later."""
        latest = newest(ranges["last_ts"] if batch.until is None else new["ts"])
        if latest is not None and batch.until is not None:
            latest = min(latest, batch.until)
        return max((at for at in (self._ledger.horizon, batch.horizon, latest) if at is not None), default=None)

    def _write_flush(
        self,
        transaction: Transaction,
        before: Ledger,
        after: Ledger,
        pending: Pending,
        outcome: Outcome,
        segments: pl.DataFrame,
    ) -> Flush:
        position = pending.batch.position
        flush = Flush(
            after.flush,
            self._clock(),
            before.horizon,
            after.horizon,
            position.source if position else None,
            **asdict(outcome),
            plain=segments.is_empty(),
        ).following(self._flushed)
        flush.write(transaction, self._flushed)
        if segments.height:
            transaction.insert("changes", instants(segments.with_columns(flush=pl.lit(after.flush)), "start", "end"))
        if position:
            row = pl.DataFrame([asdict(position)])
            transaction.replace("positions", row, "digest")
        if pending.batch.sources is not None:
            transaction.refill("source_health", instants(pending.batch.sources, "since", "last_received_at"))
        if pending.admitted.new.height:
            transaction.refill("event_ranges", instants(after.ranges, "first_ts", "last_ts"))
        return flush

    def _write_catalog(self, transaction: Transaction, before: Ledger, after: Ledger) -> None:
        """What readers need to know of the plant, where it changed."""
        if after.horizon is not None and after.horizon != before.horizon:
            transaction.set_horizon(after.horizon)
        ordering = [set(ledger.ranges.filter(pl.col("type") == "order")["equipment"]) for ledger in (before, after)]
        if after.accounted != before.accounted or ordering[0] != ordering[1]:
            catalog.write_equipment(transaction, after)
        days = catalog.days_of(after)
        if days and days != self._days:
            catalog.write_calendars(transaction, after.plant, *days, after.frozen)
            self._days = days

    def _settle(self, plant_path: str, migrated: bool) -> None:
        """Make the store follow the plant file: if what changes numbers is new, all results are made anew."""
        plant = self._ledger.plant
        known = self._con.execute("SELECT fingerprint, text FROM plants").fetchall()
        if known and not migrated and known[0] == (plant.fingerprint, plant.text):
            return
        anew = bool(known) and known[0][0] != plant.fingerprint
        transaction = self._transaction()
        try:
            if anew:
                # Should it end before all is made anew, the next one sees that no plant file is in force.
                transaction.clear_results(self._ledger.frozen)
                transaction.commit()
                self._summed = SummedDays()
                transaction = self._transaction(transaction)
                accounted = first_accounted(self._con, list(plant.equipment), self._ledger.retracted)
                self._ledger = replace(self._ledger, accounted=accounted)
                self._recompute(transaction)
                self.rebuilt = True
            catalog.write_plant(transaction, plant, plant_path)
            catalog.keep_shifts(transaction, self._ledger)
            catalog.write_equipment(transaction, self._ledger)
            self._days = catalog.days_of(self._ledger)
            if self._days:
                catalog.write_calendars(transaction, plant, *self._days, self._ledger.frozen)
        except BaseException:
            transaction.roll_back()
            raise
        transaction.commit(lambda: create_views(self._writer, plant))  # which takes a while, and is read by nobody yet
        self._last = transaction

    def _transaction(self, after: Transaction | None = None) -> Transaction:
        transaction = Transaction(self._writer, self._pool, after=after)
        transaction.wait()
        return transaction

    @contextmanager
    def _alone(self) -> Iterator[Transaction]:
        """A transaction while no batch is on its way; durable when the block ends."""
        self.settle()
        transaction = self._transaction()
        try:
            yield transaction
            transaction.commit()
            transaction.wait()
        except BaseException:
            transaction.roll_back()
            raise

    def recompute(self, first: int | None = None, last: int | None = None) -> int:
        """Make the results of a time again from the events; how many told segments came out differently."""
        with self._alone() as transaction:
            return self._recompute(transaction, first, last)

    def sum_days(self, at_most: int) -> int:
        """Sum some production days that are over, the newest first; how many are left. No batch may be on its way."""
        self.settle()
        first, horizon = min(self._ledger.accounted.values(), default=None), self._ledger.horizon
        due = [] if first is None or horizon is None else self._summed.due(first, horizon)
        if due:
            with self._alone() as transaction:
                summed = self._summed.extended(transaction, due[:at_most])
            self._summed = summed
        return len(due[at_most:])

    def _recompute(self, transaction: Transaction, first: int | None = None, last: int | None = None) -> int:
        horizon, frozen, changed = self._ledger.horizon, self._ledger.frozen, 0
        if horizon is None:
            return 0
        for path, accounted in self._ledger.accounted.items():
            if self._interrupted():
                msg = "interrupted while results were made anew"
                raise Interrupted(msg, hint="the same command starts that again")
            start = max(at for at in (accounted, first, frozen.before if frozen else None) if at is not None)
            end = min(horizon + 1, last if last is not None else horizon + 1)
            if start >= end:
                continue
            span = pl.DataFrame(
                {"equipment": [path], "start": [start], "end": [end], "count_start": [start], "count_end": [end]}
            )
            work = work_on(
                self._con, self._ledger, Memory.empty(), span, pl.DataFrame(schema=EVENTS).drop("line"), horizon
            )
            if work is not None:
                written = transaction.write_accounts(rewrite(work, account(work, self._ledger.plant), horizon))
                self._summed = self._summed.without(transaction, self._summed.changed(written.days))
                changed += written.segments.height
        return changed
