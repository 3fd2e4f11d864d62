"""Events older than a line go into an archive; results stay. See docs/adr/0014-retention-freezes-results.md.

Month by month: the files of a month are on disk and read again before one transaction takes the events out of the
store and notes the line they are before. Ended at any point, events are in the store or in the archive, or in both,
and the next time goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from kpis.errors import StorageError
from kpis.plant import load_plant
from kpis.shifts import production_days
from kpis.work import MINUTE_US
from storage.archive import Archive, events_sql, prepare, rejected_sql
from storage.catalog import stored_plant
from storage.database import bound, connect
from storage.frozen import RETENTIONS
from storage.ids import forget
from storage.journal import reach
from storage.needed import ARCHIVED, needed
from storage.places import Places
from storage.recovery import kept_sound
from storage.scanning import StoreDamaged
from storage.selection import instant
from storage.snapshots import Publisher
from storage.store import Store

LEAST_DAYS: Final = 28
"""So many days the line stays behind the horizon: late events and corrections are to find their time still open."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)

Choice = Callable[[str, datetime], date]
"""Chooses the first production day whose events stay, by the time zone of the plant and the horizon."""


@dataclass(frozen=True)
class Part:
    """A part of the past, at most a month, with instants in µs and local days; what was in it, once that is known."""

    first: int
    last: int
    first_day: date
    until: date
    events: int = 0
    rejected: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Retained:
    """What was archived: parts with something in them, how many events stay in the store too, bytes free in it.

    `until`: the production day from whose start on events are in the store. In a trial nothing has a size.
    """

    until: date
    folder: Path
    parts: tuple[Part, ...]
    kept: int
    free: int
    note: str | None = None


def retain(
    db: Path,
    choose: Choice,
    folder: Path | None,
    clock: Callable[[], datetime],
    progress: Callable[[Part], None] = lambda _: None,
) -> Retained:
    """Move the events before a production day into the archive `folder`, by default in the companion folder.

    Raises StoreLockedError while somebody writes the store, StorageError when the day is not far enough back or the
    archive cannot be written: then all months before the one told of are archived, and the store is as it was.
    """
    stored, places = stored_plant(db), Places(db)
    plant = load_plant(stored.text)
    target = (folder or places.archive).resolve()
    until, parts = _looked(db, plant.timezone, choose)
    if not parts:
        return Retained(until, target, (), 0, 0)
    prepare(target)
    with kept_sound(places, clock), Store(db, plant, plant_path=stored.path, clock=clock) as store:
        con, done = store.connection, []
        archive = Archive(con, target)
        for part in _parts(con, plant.timezone, until):
            progress(part)
            done.append(move(con, db, archive, part, clock()))
        note = _published(store, places, clock)
        kept = needed(con, done[-1].last).height
        ((free,),) = con.execute("SELECT free_blocks * block_size FROM pragma_database_size()").fetchall()
    forget(places.ids)
    return Retained(until, target, _filled(done), kept, free, note)


def tried(db: Path, choose: Choice, folder: Path | None) -> Retained:
    """What `retain` would do. Raises as that does, and changes nothing."""
    zone = load_plant(stored_plant(db).text).timezone
    until, parts = _looked(db, zone, choose)
    con = connect(db, read_only=True)
    try:
        kept = needed(con, parts[-1].last).height if parts else 0
    finally:
        con.close()
    return Retained(until, (folder or Places(db).archive).resolve(), _filled(parts), kept, 0)


def _looked(db: Path, zone: str, choose: Choice) -> tuple[date, list[Part]]:
    """Up to which day, and what there is to archive: no parts if there are no events in any of them."""
    con = connect(db, read_only=True)
    try:
        until = _chosen(con, zone, choose)
        parts = [_counted(con, part) for part in _parts(con, zone, until)]
    except duckdb.CatalogException as error:
        msg = f"the store {db} is of an older version"
        raise StorageError(msg, hint="bring it up to date with `oeeflow db migrate`") from error
    finally:
        con.close()
    return until, parts if any(part.events for part in parts) else []


def _filled(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if part.events or part.rejected)


def _chosen(con: duckdb.DuckDBPyConnection, zone: str, choose: Choice) -> date:
    rows = con.execute("SELECT epoch_us(horizon) FROM horizons").fetchall()
    if not rows:
        msg = "the store has no events"
        raise StorageError(msg, hint="fill it with `oeeflow run` or `oeeflow replay`")
    horizon = _EPOCH + timedelta(microseconds=rows[0][0])
    until = choose(zone, horizon)
    latest = horizon - LEAST_DAYS * _DAY
    if _start(zone, until) > rows[0][0] - (LEAST_DAYS * _DAY) // timedelta(microseconds=1):
        msg = f"events before {until} cannot be archived: the last {LEAST_DAYS} days stay in the store"
        hint = f"time is accounted up to {horizon:%Y-%m-%d %H:%M} UTC: take {latest - _DAY:%Y-%m-%d} or a day before it"
        raise StorageError(msg, hint=hint)
    return until


def _start(zone: str, day: date) -> int:
    """The start of a production day in µs, on a whole minute: pieces are kept by minutes."""
    start = int(production_days(zone, day, day)["start"][0])
    return start - start % MINUTE_US


def _parts(con: duckdb.DuckDBPyConnection, zone: str, until: date) -> Iterator[Part]:
    """The months, or what of them is left, from the last line or the first event up to the start of a day."""
    line = _start(zone, until)
    ((known,),) = con.execute("SELECT epoch_us(max(line)) FROM retentions").fetchall()
    (oldest,) = con.execute('SELECT epoch_us(min(ts)), epoch_us(min("start")) FROM events').fetchall()
    begin = known if known is not None else min((at for at in oldest if at is not None), default=line)
    if begin >= line:
        return
    day = _local(zone, begin)
    if known is None:
        begin, day = 0, day.replace(day=1)
    while begin < line:
        following = min((day.replace(day=1) + 32 * _DAY).replace(day=1), until)
        end = _start(zone, following)
        if end > begin:
            yield Part(begin, end, day, following)
        begin, day = max(begin, end), following


def _local(zone: str, at: int) -> date:
    """The production day that an instant is in."""
    day = (_EPOCH + timedelta(microseconds=at)).date()
    days = production_days(zone, day - _DAY, day + _DAY)
    return max((found for found, start, _ in days.iter_rows() if start <= at), default=day)


def _counted(con: duckdb.DuckDBPyConnection, part: Part) -> Part:
    ((events,),) = con.execute(f"SELECT count(*) FROM ({events_sql(part.first, part.last)})").fetchall()
    ((rejected,),) = con.execute(f"SELECT count(*) FROM ({rejected_sql(part.first, part.last)})").fetchall()
    return Part(part.first, part.last, part.first_day, part.until, events, rejected)


def move(con: duckdb.DuckDBPyConnection, db: Path, archive: Archive, part: Part, at: datetime) -> Part:
    """Archive a part, and only then take it out of the store, in one transaction with its line."""
    written = archive.write_events(part.first_day, part.until, events_sql(part.first, part.last))
    refused = archive.write_rejected(part.until, rejected_sql(0, part.last))
    size = written.bytes + refused.bytes
    row = (at, None if written.path is None else _told(db, written.path), written.rows, refused.rows, size)
    con.execute("BEGIN")
    try:
        with bound(con, needed=needed(con, part.last)):
            con.execute(
                f"DELETE FROM events AS e WHERE type IN {ARCHIVED} AND ts < {instant(part.last)} "
                "AND NOT EXISTS (FROM needed n WHERE n.equipment = e.equipment AND n.id = e.id)"
            )
        con.execute(f"DELETE FROM rejected_events WHERE rejected_at < {instant(part.last)}")
        con.execute(f"INSERT INTO {RETENTIONS.name} VALUES ({instant(part.last)}, ?, ?, ?, ?, ?)", row)
        con.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            con.execute("ROLLBACK")
        raise
    con.execute("CHECKPOINT")
    return Part(part.first, part.last, part.first_day, part.until, written.rows, refused.rows, size)


def _told(db: Path, file: Path) -> str:
    """A file as storage.frozen locates it again: a store that is moved takes the archive in its own folder along."""
    folder = db.resolve().parent
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _published(store: Store, places: Places, clock: Callable[[], datetime]) -> str | None:
    """Publish a snapshot of a store that has a journal, so that it is started from this one; else why there is none."""
    journal = reach(places.journal)
    if journal is None:
        return None
    try:
        with Publisher(places, clock) as publisher:
            publisher.begin(store, journal.identity)
            publisher.finish()
    except StoreDamaged:
        raise
    except StorageError as error:
        return str(error)
    return None
