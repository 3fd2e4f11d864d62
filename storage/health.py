"""Whether a store is in order: what was found, and what to do about it."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from kpis.errors import OeeflowError, StorageError
from kpis.plant import Plant, load_plant
from kpis.wording import counted
from storage.access import Access
from storage.frozen import located
from storage.places import Places
from storage.recovery import JOURNAL
from storage.schema import VERSION
from storage.selection import texts
from storage.snapshots import newest

_LEAST_FREE: Final = 512 << 20
"""bytes; below 256 MiB the journal takes nothing in any more."""
_GIGABYTE: Final = 1e9
_FRESH_SNAPSHOT: Final = 3_600.0
_RECENT: Final = 7 * 86_400.0
_MOST_NAMES: Final = 10
_LONG_AGO: Final = "2000-01-01T00:00:00Z"

Level = Literal["ok", "warning", "error"]
Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `advice` says what to do unless it is `ok`; an `error` needs somebody to do it."""

    level: Level
    subject: str
    text: str
    advice: str = ""


def findings(path: Path) -> Iterator[Finding]:
    """What there is to say about a store, from the file to its content. A running engine is asked, not disturbed."""
    if not path.exists():
        advice = "name another with --db, or fill it with `oeeflow run` or `oeeflow replay`"
        yield Finding("error", "store", f"there is no store at {path}", advice)
        return
    yield Finding("ok", "store", f"{path}, {path.stat().st_size / _GIGABYTE:.3f} GB")
    places = Places(path.resolve())
    yield from _disk(places)
    yield from _permissions(places)
    try:
        access = Access(path)
    except StorageError as error:
        yield Finding("error", "opening", str(error), error.hint or "")
        return
    try:
        yield Finding("ok", "schema", f"version {VERSION}")
        if access.way.note:
            yield Finding("warning", "reading", access.way.note, "start the engine, or wait until it answers")
        for look in (_plant, _events, _rejected, _positions, _sources, _recoveries):
            yield from look(lambda statement: access.query(statement).rows())
        yield from _retention(lambda statement: access.query(statement).rows(), path)
    except StorageError as error:
        yield Finding("error", "reading", str(error), error.hint or "")
    finally:
        access.close()
    yield from _snapshots(places)


def plant_of(path: Path) -> str:
    """The plant file of a store: the file if it is still there, else what was in it; empty if it knows none.

    Raises StorageError when the store cannot be read.
    """
    if not path.exists():
        return ""
    access = Access(path)
    try:
        rows = access.query("SELECT path, text FROM plants").rows()
    finally:
        access.close()
    if not rows:
        return ""
    file, text = Path(rows[0][0]), str(rows[0][1])
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else text


def _disk(places: Places) -> Iterator[Finding]:
    size = places.db.stat().st_size
    for folder in dict.fromkeys((places.db.parent, places.folder)):
        if not folder.exists():
            continue
        free = shutil.disk_usage(folder).free
        room = f"{free / _GIGABYTE:.1f} GB free in {folder}"
        if free < _LEAST_FREE:
            advice = "make room now: with less than 256 MiB nothing is taken in any more"
            yield Finding("error", "disk", room, advice)
        elif free < 2 * size:
            yield Finding("warning", "disk", room, "make room: a snapshot needs as much again as the store")
        else:
            yield Finding("ok", "disk", room)


def _permissions(places: Places) -> Iterator[Finding]:
    if not (os.access(places.db, os.W_OK) and os.access(places.db.parent, os.W_OK)):
        advice = "run as the user that the engine runs as, or allow writing to the file and its folder"
        yield Finding("warning", "permissions", "the store can be read only", advice)
    else:
        yield Finding("ok", "permissions", "the store can be written")
    for secret in (places.folder, places.token):
        if secret.exists() and secret.stat().st_mode & 0o077:
            yield Finding("error", "permissions", f"others may look into {secret}", f"chmod go= {secret}")


def _plant(query: Query) -> Iterator[Finding]:
    rows = query("SELECT path, text, fingerprint FROM plants")
    if not rows:
        yield Finding("warning", "plant", "the store is empty", "fill it with `oeeflow run` or `oeeflow replay`")
        return
    path, text, fingerprint = rows[0]
    try:
        plant = load_plant(text)
    except OeeflowError as error:
        yield Finding("error", "plant", f"its plant file is refused: {error}", "correct it and run with it")
        return
    yield Finding("ok", "plant", f"{plant.name}, fingerprint {fingerprint[:12]}, from {path}")
    yield from doubts(query, plant)
    file = Path(path)
    if not file.is_file():
        yield Finding("warning", "plant file", f"{path} is gone", "run with the file where it is now")
    elif file.read_text(encoding="utf-8", errors="replace") != text:
        advice = "start the engine again, or replay with it: results are made anew where numbers change"
        yield Finding("warning", "plant file", f"{path} was changed since", advice)


def doubts(query: Query, plant: Plant) -> Iterator[Finding]:
    """What was taken in as it is, and is hardly meant so: state names of the last 30 days, times of long ago."""
    known = texts(plant.state_names)
    rows = query(
        "SELECT state, count(*), list_sort(list(DISTINCT equipment)) FROM events "
        f"WHERE type = 'state' AND ts >= (SELECT horizon FROM horizons) - INTERVAL 30 DAY AND state NOT IN {known} "
        f"GROUP BY state ORDER BY count(*) DESC, state LIMIT {_MOST_NAMES}"
    )
    for state, events, paths in rows:
        whose = f"{counted(events, 'event')} of {paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        yield Finding(
            "warning",
            "states",
            f'the plant file does not know the state "{state}" ({whose}): its time is unknown',
            f'say in [states] what it is, such as {json.dumps(state)} = "producing"',
        )
    rows = query(
        "SELECT equipment, accounted_from FROM equipment "
        f"WHERE accounted_from < '{_LONG_AGO}' ORDER BY equipment LIMIT {_MOST_NAMES}"
    )
    for path, first in rows:
        yield Finding(
            "warning",
            "times",
            f"{path} has events of {first:%Y-%m-%d}, and time is accounted from then on",
            "a whole number as `ts` is milliseconds since 1970: if it was meant as seconds, retract these events",
        )


def _events(query: Query) -> Iterator[Finding]:
    ((events,),) = query("SELECT count(*) FROM events")
    horizons = query("SELECT horizon FROM horizons")
    reached = f"{horizons[0][0]:%Y-%m-%d %H:%M:%S} UTC" if horizons else "nothing yet"
    yield Finding("ok", "events", f"{events:,}, accounted up to {reached}")


def _retention(query: Query, path: Path) -> Iterator[Finding]:
    rows = query("SELECT line, file, events FROM retentions ORDER BY line")
    if not rows:
        return
    events = counted(sum(row[2] for row in rows), "event")
    text = f"{events} before {rows[-1][0]:%Y-%m-%d %H:%M} UTC archived"
    files = [located(path, file) for _, file, _ in rows if file is not None]
    gone = [file for file in files if not file.exists()]
    if gone:
        advice = "put them back: without them a retraction of what is in them is taken for one that came too early"
        missing = f"{len(gone)} of {counted(len(files), 'file')} gone: {gone[0]} …"
        yield Finding("warning", "archive", f"{text}; {missing}", advice)
    else:
        yield Finding("ok", "archive", f"{text}, in {counted(len(files), 'file')}")


def _rejected(query: Query) -> Iterator[Finding]:
    rows = query("SELECT reason, count(*) FROM rejected_events GROUP BY 1 ORDER BY 2 DESC, 1")
    if rows:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in rows)
        yield Finding("warning", "rejected events", reasons, "see `oeeflow rejected`; a corrected plant file: --retry")
    else:
        yield Finding("ok", "rejected events", "none")


def _positions(query: Query) -> Iterator[Finding]:
    rows = query(f"SELECT source FROM positions WHERE NOT complete AND source <> '{JOURNAL}' ORDER BY source")
    if rows:
        names = ", ".join(source for (source,) in rows)
        yield Finding("warning", "files", f"taken in only in part: {names}", "replay them again: it goes on from there")


def _sources(query: Query) -> Iterator[Finding]:
    rows = query(
        "SELECT source, connected, since, last_received_at, clock_skew_us, problem FROM source_health ORDER BY 1"
    )
    for source, connected, since, last, skew, problem in rows:
        heard = f"last heard of {_lasting(last)} ago" if last else "never heard of"
        if connected is False:
            text = f"{source}: not connected for {_lasting(since)}, {heard}{f': {problem}' if problem else ''}"
            yield Finding("warning", "source", text, "see that its broker runs and lets the engine in")
        elif skew is not None and abs(skew) > 5_000_000:
            side = "behind" if skew > 0 else "ahead"
            text = f"{source}: its events are {abs(skew) / 1e6:.1f} s {side}, {heard}"
            yield Finding("warning", "source", text, "set its clock by the plant's time server")
        else:
            yield Finding("ok", "source", f"{source}: {heard}")


def _recoveries(query: Query) -> Iterator[Finding]:
    for at, cause in query('SELECT "at", cause FROM recoveries ORDER BY "at" DESC LIMIT 5'):
        recent = (datetime.now(UTC) - at).total_seconds() < _RECENT
        advice = "check the disk; what was put aside is beside the store" if recent else ""
        yield Finding("warning" if recent else "ok", "recovery", f"{at:%Y-%m-%d %H:%M} UTC: {cause}", advice)


def _snapshots(places: Places) -> Iterator[Finding]:
    last = newest(places)
    if last is None:
        return
    age = (datetime.now(UTC) - last.at).total_seconds()
    running = places.live.exists()
    stale = running and age > _FRESH_SNAPSHOT
    advice = "look at the engine's log: there may be no room for one" if stale else ""
    yield Finding("warning" if stale else "ok", "snapshot", f"the newest is {_lasting(last.at)} old", advice)


def _lasting(since: datetime) -> str:
    seconds = max((datetime.now(UTC) - since).total_seconds(), 0.0)
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
