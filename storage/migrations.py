"""Numbered changes of the schema, each applied in one transaction with the record that it was."""

from collections.abc import Callable
from typing import Any, Final

import duckdb

from kpis.errors import StorageError
from storage.frozen import RETENTIONS
from storage.schema import TABLES, VERSION
from storage.tables import comment
from storage.writer import SUMS

Migration = Callable[[duckdb.DuckDBPyConnection], None]


_LATER: Final = {
    "recoveries",
    "horizons",
    "corrections",
    "writers",
    "source_health",
    "alerts",
    "alert_transitions",
    "alert_rules",
    "alert_deliveries",
    "alert_actions",
    "hour_notes",
}
_NEWEST: Final = {*SUMS, RETENTIONS.name}


def _tables(con: duckdb.DuckDBPyConnection) -> None:
    _create(con, {table.name for table in TABLES} - _LATER - _NEWEST)


def _recoveries(con: duckdb.DuckDBPyConnection) -> None:
    for table in ("alerts", "alert_deliveries"):
        con.execute(f"DROP TABLE IF EXISTS {table}")  # no version before wrote any
    _create(con, _LATER)
    con.execute("INSERT INTO corrections SELECT * EXCLUDE (flush) FROM events WHERE type IN ('reclassify', 'retract')")
    for (view,) in con.execute(
        "SELECT view_name FROM duckdb_views() WHERE starts_with(view_name, 'elements_')"
    ).fetchall():
        con.execute(f'DROP VIEW "{view}"')
    known = con.execute("SELECT 1 FROM duckdb_columns() WHERE table_name = 'plants' AND column_name = 'horizon'")
    if known.fetchall():
        con.execute("INSERT INTO horizons SELECT horizon FROM plants WHERE horizon IS NOT NULL")
        con.execute("ALTER TABLE plants DROP COLUMN horizon")


def _create(con: duckdb.DuckDBPyConnection, names: set[str]) -> None:
    for table in TABLES:
        for statement in table.ddl() if table.name in names else ():
            con.execute(statement)


def _sums_and_retentions(con: duckdb.DuckDBPyConnection) -> None:
    known = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    _create(con, {table.name for table in TABLES} - known)


MIGRATIONS: Final[tuple[tuple[int, str, Migration], ...]] = (
    (1, "tables", _tables),
    (2, "recoveries", _recoveries),
    (3, "sums and retentions", _sums_and_retentions),
)


def version(con: duckdb.DuckDBPyConnection) -> int:
    """Version of the schema in the file; 0 for an empty file.

    Raises StorageError for a DuckDB file of another program.
    """
    return told_version(lambda statement: con.execute(statement).fetchall())


def told_version(rows: Callable[[str], list[tuple[Any, ...]]]) -> int:
    """The same, from whatever gives the rows of a statement."""
    tables = {name for (name,) in rows("SELECT table_name FROM duckdb_tables()")}
    if "schema_versions" not in tables:
        if tables:
            msg = f"this DuckDB file is not an oeeflow store: it has tables {', '.join(sorted(tables)[:3])} …"
            raise StorageError(msg, hint="name another file with --db")
        return 0
    return int(rows("SELECT max(version) FROM schema_versions")[0][0])


def migrate(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Bring the schema up to date; names of the changes made.

    Raises StorageError when the file was written by a newer version.
    """
    found = version(con)
    if found > VERSION:
        msg = f"the store has schema version {found}, this oeeflow knows up to {VERSION}"
        raise StorageError(msg, hint="install the newer oeeflow that wrote it")
    made = []
    for number, name, change in MIGRATIONS:
        if number <= found:
            continue
        con.execute("BEGIN")
        try:
            if number == 1:
                con.execute("CREATE TABLE schema_versions (version INTEGER, name VARCHAR, applied_at TIMESTAMPTZ)")
                con.execute(comment("TABLE", "schema_versions", "Changes of the schema that were applied."))
                con.execute(comment("COLUMN", 'schema_versions"."version', "number of the change"))
                con.execute(comment("COLUMN", 'schema_versions"."name', "name of the change"))
                con.execute(comment("COLUMN", 'schema_versions"."applied_at', "when it was applied"))
            change(con)
            con.execute("INSERT INTO schema_versions VALUES (?, ?, now())", [number, name])
            con.execute("COMMIT")
        except duckdb.Error:
            con.execute("ROLLBACK")
            raise
        made.append(name)
    return made
