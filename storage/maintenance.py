"""Care of a store: newer schema, exports."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import duckdb

from kpis.errors import StorageError, StoreLockedError
from kpis.plant import load_plant
from storage.database import connect
from storage.migrations import migrate
from storage.places import Places
from storage.schema import TABLES
from storage.snapshots import newest
from storage.views import create_views
from storage.writer import SUMS

EXPORTED_VIEWS: Final = (
    "view_name LIKE 'kpi!_%' ESCAPE '!' "
    "OR view_name IN ('time_elements', 'losses', 'six_big_losses', 'data_quality', 'alert_calls', 'alert_load')"
)


def upgrade(path: Path) -> list[str]:
    """Bring the schema of a store up to date and make its views anew; names of the changes made.

    Raises StorageError when there is no store or it is of a newer version.
    """
    _must_exist(path)
    con = connect(path, read_only=False)
    try:
        made = migrate(con)
        for (text,) in con.execute("SELECT text FROM plants").fetchall():
            create_views(con, load_plant(text))
        con.execute("CHECKPOINT")
    finally:
        con.close()
    return made


@dataclass(frozen=True)
class Exported:
    """What was written: rows by the name of the table or view, and when they were like that; None: nobody writes."""

    rows: dict[str, int]
    at: datetime | None


def export(path: Path, folder: Path, form: Literal["parquet", "csv"]) -> Exported:
    """Write every table and every view of results to a file of its own; of a store that is being written, its newest
    snapshot.

    Sums by production day are left out: they only say once more what the rows do.

    Raises StorageError when the folder is not empty or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is no folder"
        raise StorageError(msg, hint="name a new folder: every table becomes a file in it")
    if folder.exists() and any(folder.iterdir()):
        msg = f"the folder {folder} is not empty"
        raise StorageError(msg, hint="name a new one, so that files of two exports do not mix")
    con, at = _readable(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        views = con.execute(f"SELECT view_name FROM duckdb_views() WHERE {EXPORTED_VIEWS} ORDER BY 1").fetchall()
        names = [table.name for table in TABLES if table.name not in SUMS] + [view for (view,) in views]
        return Exported({name: _copy(con, name, folder / f"{name}.{form}", form) for name in names}, at)
    except (OSError, duckdb.Error) as error:
        msg = f"cannot export to {folder}: {str(error).splitlines()[0]}"
        raise StorageError(msg, hint="check the permissions and the space left") from error
    finally:
        con.close()


def _readable(path: Path) -> tuple[duckdb.DuckDBPyConnection, datetime | None]:
    """The store, or its newest snapshot and when that was made. Raises StoreLockedError when there is none yet."""
    try:
        return connect(path, read_only=True), None
    except StoreLockedError:
        snapshot = newest(Places(path))
        if snapshot is None:
            raise
        return connect(snapshot.path, read_only=True), snapshot.at


def _copy(con: duckdb.DuckDBPyConnection, name: str, file: Path, form: str) -> int:
    target = str(file).replace("'", "''")
    written = con.execute(f"COPY (FROM \"{name}\") TO '{target}' (FORMAT {form})").fetchall()
    return int(written[0][0])


def _must_exist(path: Path) -> None:
    if not path.exists():
        msg = f"there is no store at {path}"
        raise StorageError(msg, hint="name another with --db or OEEFLOW_DB")
