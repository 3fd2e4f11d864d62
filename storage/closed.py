"""What a store was like when it was last closed in order: so it need not be read to the end at every start."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from storage.database import connect
from storage.places import Places, sync
from storage.scanning import Reached

_LOGS: Final = (".wal", ".wal.checkpoint", ".wal.recovery")


def note_closed(places: Places) -> None:
    """Note it, once the store is closed; where nothing can be written, it is read at the next start instead.

    So is a store that something made us doubt.
    """
    if places.suspect.exists():
        return
    con = connect(places.db, read_only=True)
    try:
        positions = con.execute("SELECT digest, source, position, complete FROM positions").fetchall()
    finally:
        con.close()
    partial = places.closed.with_suffix(".partial")
    with suppress(OSError):
        places.make()
        partial.write_text(json.dumps({"file": _looks(places.db), "positions": positions}), encoding="utf-8")
        sync(partial)
        partial.replace(places.closed)


def closed_in_order(places: Places) -> bool:
    """Whether the store is as it was when it was last closed in order."""
    if places.suspect.exists() or logs(places.db):
        return False
    try:
        return bool(json.loads(places.closed.read_bytes())["file"] == _looks(places.db))
    except (OSError, ValueError, KeyError):
        return False


def taken_in(places: Places) -> list[Reached]:
    """How far each source was taken in by then; none if nothing was noted."""
    try:
        return [Reached(*row) for row in json.loads(places.closed.read_bytes())["positions"]]
    except (OSError, ValueError, KeyError):
        return []


def logs(path: Path) -> list[Path]:
    """The logs of a DuckDB file that are there: it was not closed, or is open now."""
    return [log for end in _LOGS if (log := path.with_name(path.name + end)).exists()]


def length_of_logs(path: Path) -> int:
    """Their bytes; 0 if there are none, or not any more."""
    with suppress(FileNotFoundError):
        return sum(log.stat().st_size for log in logs(path))
    return 0


def _looks(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]
