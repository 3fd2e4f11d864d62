"""What a reader may ask: one statement that selects, from this store and nothing else."""

import re
from functools import cache
from typing import Final

import duckdb

from kpis.errors import StorageError

_EXPLAIN: Final = re.compile(r"^\s*explain\s+(analyze\s+)?", re.IGNORECASE)
_WORD: Final = re.compile(r"\w+")
_CALLED: Final = re.compile(r'"function_name":"([^"]*)"')
_HARMLESS: Final = ("range", "generate_series", "unnest", "repeat", "json_each", "json_tree", "icu_calendar_names")
_CATALOG: Final = "columns constraints databases dependencies functions indexes schemas sequences tables types views"
_ALLOWED: Final = {*_HARMLESS, *(f"duckdb_{name}" for name in _CATALOG.split()), "pragma_table_info", "pragma_version"}
_CHANGING: Final = {"write_log", "sleep_ms", "setseed", "nextval", "currval", "getvariable"}


def check(con: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Let a statement pass, or raise StorageError saying what it may not do.

    What its words leave open is looked up in the tree that DuckDB makes of it: only a statement that selects has one,
    and comments and quotes hide nothing there. Files, settings and extensions are shut off besides (`restrict`).
    """
    if _is_plain(con, statement):
        return
    asked = _EXPLAIN.sub("", statement)
    tree = str(con.execute("SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", [asked]).fetchall()[0][0])
    if tree.startswith('{"error":true'):
        _refuse(con, statement)
    if len(duckdb.extract_statements(statement)) != 1:
        msg = "more than one statement, or a PIVOT that does not name its values"
        raise StorageError(msg, hint="ask one at a time; PIVOT … ON column IN ('a', 'b') names them")
    for name in _CALLED.findall(tree):
        if name.lower() in _denied():
            msg = f"{name}() is not for readers"
            raise StorageError(msg, hint='query the tables and views; `oeeflow sql "SHOW TABLES"` lists them')


def _is_plain(con: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """Whether it is one that selects, and no word in it is the name of what is denied.

    That holds for nearly all that pages ask, and takes less than half as long as looking into the tree. A function is
    called by its name as a word of its own, so this lets through nothing that the tree would not; the other way round
    the name may be that of a column, or stand in a text.
    """
    if not _denied().isdisjoint(_WORD.findall(statement.lower())):
        return False
    try:
        found = con.extract_statements(statement)
    except duckdb.Error:
        return False
    return len(found) == 1 and found[0].type == duckdb.StatementType.SELECT


def _refuse(con: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Say why a statement that cannot be serialized is refused: it is wrong, or it is no SELECT."""
    try:
        found = con.extract_statements(statement)
    except duckdb.Error as error:
        raise StorageError(str(error).splitlines()[0], hint="correct the statement") from error
    kind = found[0].type.name.lower().replace("_", " ") if found else "empty"
    msg = f"a reader may only select, this statement is: {kind}"
    raise StorageError(msg, hint="start with SELECT, FROM, WITH, DESCRIBE or SHOW")


@cache
def _denied() -> frozenset[str]:
    """Functions that give rows and are not known to be harmless: files, pointers, logs, checkpoints, SQL in text."""
    with duckdb.connect() as con:
        tables, scalars = (
            {name for (name,) in con.execute(f"SELECT function_name FROM duckdb_functions() WHERE {kind}").fetchall()}
            for kind in ("function_type IN ('table', 'pragma')", "function_type IN ('scalar', 'aggregate', 'macro')")
        )
    return frozenset((tables - scalars - _ALLOWED) | _CHANGING)


def restrict(con: duckdb.DuckDBPyConnection) -> None:
    """Shut a database off from files, extensions and the variables of this process, for good."""
    for setting in (
        "python_enable_replacements = false",
        "enable_external_access = false",
        "enable_progress_bar = false",
    ):
        con.execute(f"SET {setting}")
    con.execute("SET GLOBAL TimeZone = 'UTC'")
