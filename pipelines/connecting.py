"""How to get at the rows of a store from other programs: the lines to type, with the paths and addresses of today."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from storage.places import Places
from storage.running import Running
from storage.snapshots import LATEST, newest

_ASKED: Final = "SELECT equipment, window_start, shift, oee FROM kpi_shift ORDER BY window_start"


@dataclass(frozen=True)
class Recipe:
    """Lines to type in a program, and how fresh what they give is."""

    program: str
    gives: str
    lines: str


def situation(path: Path) -> str:
    """Who has the store at the moment, and so how it is read."""
    places = Places(path.resolve())
    running = Running.read(places)
    if running is None or running.readers is None:
        return f"The store is one DuckDB file: {places.db}\nNo engine writes it now, so it can be opened itself."
    return (
        f"The store {places.db} is being written by an engine (process {running.pid}).\n"
        f"It answers queries at {running.readers} to who shows a token; the one of this machine is in {places.token}.\n"
        f"{_copy(places)}"
    )


def recipes(path: Path) -> list[Recipe]:
    """What works at the moment, from the simplest on."""
    places = Places(path.resolve())
    running = Running.read(places)
    live = running is not None and running.readers is not None
    found = [
        Recipe("oeeflow", "up to date", f"oeeflow sql \"{_ASKED}\" --db '{places.db}'"),
        Recipe("Python with oeeflow", "up to date", _reader(places)),
    ]
    if running is not None and running.readers is not None:
        found += [
            Recipe("DuckDB 1.2 or newer, live", "up to date", _duckdb_live(running.readers)),
            Recipe("curl, or any program that speaks HTTP", "up to date", _curl(running.readers, places)),
        ]
    if not live or newest(places) is not None:
        file, gives = (places.snapshots / LATEST, "from the snapshot") if live else (places.db, "up to date")
        found += [
            Recipe("DuckDB (command line)", gives, f"duckdb -readonly '{file}'\n{_ASKED};"),
            Recipe(
                "DuckDB (beside another database)", gives, f"ATTACH '{file}' AS oee (READ_ONLY);\nFROM oee.kpi_day;"
            ),
            Recipe("Python", gives, _python(file)),
            Recipe(
                "BI tools, by their DuckDB driver", gives, f"database or path   {file}\naccess mode        READ_ONLY"
            ),
        ]
    return found


def _copy(places: Places) -> str:
    snapshot = newest(places)
    if snapshot is None:
        return "There is no published copy yet: the first comes within some minutes."
    age = (datetime.now(UTC) - snapshot.at).total_seconds()
    return f"Its published copy, {age:.0f} s old, is a DuckDB file that anybody may open: {places.snapshots / LATEST}"


def _reader(places: Places) -> str:
    return f"""\
from pathlib import Path
from storage.reader import Reader
with Reader(Path({str(places.db)!r})) as reader:
    frame = reader.query("{_ASKED}")"""


def _python(file: Path) -> str:
    return f"""\
import duckdb
with duckdb.connect({str(file)!r}, read_only=True) as con:
    frame = con.sql("{_ASKED}").pl()"""


def _duckdb_live(address: str) -> str:
    return f"""\
INSTALL httpfs; LOAD httpfs; SET force_download = true;
CREATE SECRET oee (TYPE http, BEARER_TOKEN 'TOKEN', SCOPE '{address}');
FROM read_parquet('{address}/query?format=parquet&sql=FROM kpi_shift');"""


def _curl(address: str, places: Places) -> str:
    return f"""\
curl -H @<(printf 'Authorization: Bearer %s' "$(cat '{places.token}')") \\
    '{address}/query?format=csv' --data '{_ASKED}'"""
