"""Files of an archive: events and rejected events in Parquet, named only once they are whole and durable."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from kpis.errors import StorageError
from storage.places import sync
from storage.schema import EVENT_COLUMNS
from storage.selection import instant, text

FORM: Final = "events 1"
"""What the metadata of a file with events says under `oeeflow`: its column `details` is all the details of an event."""

_PARTIAL: Final = ".partial"
_REJECTED: Final = "rejected"
_COLUMNS: Final = ", ".join(f'e."{name}"' for name, _, _ in EVENT_COLUMNS)
_TARGETS: Final = """
    SELECT {columns} FROM events e JOIN events t ON t.equipment = e.equipment AND t.id = (e.details->>'$.target')
    WHERE e.type = 'retract' AND CASE WHEN t.type = 'reclassify' THEN t."start" ELSE t.ts END {between}
"""


@dataclass(frozen=True)
class Written:
    """A file of an archive; `path` is None where there was nothing to write."""

    path: Path | None
    rows: int
    bytes: int


NOTHING: Final = Written(None, 0, 0)


def events_sql(first: int, last: int) -> str:
    """The events that belong into the archive of the time from `first` to before `last`, in µs.

    Reclassifications by the time they begin to rule on, retractions by what they take back.
    """
    between = f"BETWEEN {instant(first)} AND {instant(last - 1)}"
    return f"""
        SELECT {_COLUMNS} FROM events e WHERE type NOT IN ('reclassify', 'retract') AND ts {between}
        UNION ALL SELECT {_COLUMNS} FROM events e WHERE type = 'reclassify' AND "start" {between}
        UNION ALL {_TARGETS.format(columns=_COLUMNS, between=between)}
    """


def rejected_sql(first: int, last: int) -> str:
    """The rejected events that belong there, by when they were rejected."""
    return f"SELECT * FROM rejected_events WHERE rejected_at BETWEEN {instant(first)} AND {instant(last - 1)}"


def prepare(folder: Path) -> None:
    """Make the folders of an archive, and take away what a killed process left. Raises StorageError if it cannot."""
    with _told(folder):
        for place in (folder, folder / _REJECTED):
            place.mkdir(parents=True, exist_ok=True)
            sync(place.parent)
            for rest in place.glob(f"*{_PARTIAL}"):
                rest.unlink()


class Archive:
    """A prepared folder with a file of events for each part of a month, and rejected events in a folder within.

    What is there already is never lost: a file of the same name is replaced only by one that has all its rows.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._con, self._folder = con, folder

    def write_events(self, first: date, until: date, rows: str) -> Written:
        """Write the events of some days: durable, and read again. Raises StorageError when that fails."""
        target = "CASE WHEN type = 'retract' THEN details->>'$.target' END AS target"
        return self._write(
            self._folder / f"events-{first}-to-{until}.parquet",
            f"(SELECT *, {target} FROM ({rows}))",
            "ts, equipment, id",
            f", KV_METADATA {{oeeflow: {text(FORM)}}}",
        )

    def write_rejected(self, until: date, rows: str) -> Written:
        """Write rejected events. Raises StorageError when that fails."""
        path = self._folder / _REJECTED / f"rejected-to-{until}.parquet"
        return self._write(path, f"({rows})", "rejected_at, source, line, digest")

    def _write(self, path: Path, rows: str, order: str, more: str = "") -> Written:
        partial = path.with_name(f"{path.name}{_PARTIAL}")
        with _told(path.parent):
            content = self._content(rows)
            if not content[0]:
                return NOTHING
            target = text(str(partial))
            self._con.execute(
                f"COPY (FROM {rows} ORDER BY {order}) TO {target} (FORMAT parquet, COMPRESSION zstd{more})"
            )
            sync(partial)
            if self._content(_file(partial)) != content:
                msg = f"{partial} is not what was written to it"
                raise StorageError(msg, hint="check the disk; the store was not changed, the same command begins again")
            size = partial.stat().st_size
            path = self._free(path, partial)
            partial.rename(path)
            sync(path.parent)
            return Written(path, content[0], size)

    def _content(self, rows: str) -> tuple[int, int | None]:
        """How many rows, and a checksum of all of them."""
        ((count, checksum),) = self._con.execute(f"SELECT count(*), sum(hash(e)) FROM {rows} e").fetchall()
        return int(count), None if checksum is None else int(checksum)

    def _free(self, path: Path, fresh: Path) -> Path:
        """A name that is free, or is that of a file of which the fresh one has all rows."""
        number = 1
        while path.exists() and self._lacks(fresh, path):
            number += 1
            path = path.with_name(f"{path.stem.split('.')[0]}.{number}.parquet")
        return path

    def _lacks(self, fresh: Path, other: Path) -> bool:
        try:
            rest = f"SELECT 1 FROM (FROM {_file(other)} EXCEPT ALL FROM {_file(fresh)}) LIMIT 1"
            return bool(self._con.execute(rest).fetchall())
        except duckdb.Error:
            return True  # another kind of file, or a damaged one: not ours to replace


def _file(path: Path) -> str:
    return f"read_parquet({text(str(path))})"


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Say what went wrong in a folder, so that somebody can act on it."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or os.strerror(error.errno or 0)).lower()
        raise _cannot(folder, reason) from error
    except duckdb.Error as error:
        raise _cannot(folder, str(error).splitlines()[0]) from error


def _cannot(folder: Path, reason: str) -> StorageError:
    msg = f"cannot write the archive {folder}: {reason}"
    return StorageError(msg, hint="check the space left and the permissions; the same command goes on from there")
