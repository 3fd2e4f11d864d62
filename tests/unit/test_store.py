"""The store as a file: its schema, what it refuses to open, and that what goes in comes out."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from kpis.errors import StorageError
from kpis.events import EVENTS
from kpis.plant import load_plant
from pipelines.sources.json_lines import decode
from storage.reader import Reader
from tests.engine import Row, fill, lines, opened, queried, take_in
from tests.oracle.shorthand import END, UNIT, count, event, one_unit, order, reading, reclassify, state

TOML = one_unit('ideal_cycle = "1s"', '[reasons.jam]\nlabel = "Jam"\n[products.P.ideal_cycle]\n"acme/ulm" = "2s"')


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "kpi.duckdb"
    fill(path, TOML, [[state(0, "producing"), count(1, 2), END]])
    return path


LINT: dict[str, str] = {
    "no key, unique or check constraint": "SELECT table_name, constraint_type FROM duckdb_constraints()",
    "no index": "SELECT index_name FROM duckdb_indexes()",
    "no sequence": "SELECT sequence_name FROM duckdb_sequences()",
    "no default": (
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND column_default IS NOT NULL"
    ),
    "every table has a comment": "SELECT table_name FROM duckdb_tables() WHERE coalesce(comment, '') = ''",
    "every view has a comment": (
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND coalesce(comment, '') = ''"
    ),
    "every column has a comment": (
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND coalesce(comment, '') = ''"
    ),
    "every time has a zone": (
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND data_type LIKE 'TIMESTAMP%' "
        "AND data_type <> 'TIMESTAMP WITH TIME ZONE'"
    ),
    "time and pieces are whole numbers": (
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal AND "
        "(column_name LIKE '%\\_us' ESCAPE '\\' OR column_name IN ('good', 'scrap', 'rework', 'pieces', 'us')) "
        "AND data_type <> 'BIGINT'"
    ),
}


@pytest.mark.parametrize("rule", LINT)
def test_the_schema(rule: str, db: Path) -> None:
    assert queried(db, LINT[rule]) == []


def test_tables_and_views_that_others_rely_on(db: Path) -> None:
    grains = ("minute", "hour", "shift", "day", "week", "month", "order")
    tables = {"events", "rejected_events", "equipment", "products", "shifts", "reasons", "count_elements", "stops"}
    wanted = tables | {"time_elements", "alerts", "alert_deliveries", "losses", "data_quality"}
    wanted |= {f"kpi_{grain}" for grain in grains}
    found = queried(
        db,
        "SELECT table_name AS name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views() WHERE NOT internal",
    )
    assert wanted - {row["name"] for row in found} == set()


@pytest.mark.parametrize("name", ["", "plants", "equipment", "products", "reasons", "losses", "data_quality"])
def test_everything_can_be_queried(name: str, db: Path) -> None:
    names = (
        [name]
        if name
        else [row["name"] for row in queried(db, "SELECT view_name AS name FROM duckdb_views() WHERE NOT internal")]
    )
    for table in names:
        assert isinstance(queried(db, f'SELECT * FROM "{table}" LIMIT 3'), list)


def test_time_elements_add_up_to_the_kpis(db: Path) -> None:
    (minutes,) = queried(db, "SELECT sum(us)::BIGINT AS us FROM time_elements WHERE account = 'producing'")
    (day,) = queried(db, f"SELECT producing_us AS us FROM kpi_day WHERE equipment = '{UNIT}'")
    assert minutes == day


def changed(path: Path, *statements: str) -> Path:
    """A DuckDB file after some statements."""
    with duckdb.connect(str(path)) as con:
        for statement in statements:
            con.execute(statement)
    return path


def newer(folder: Path) -> Path:
    path = folder / "newer.duckdb"
    with opened(path, load_plant(TOML)):
        pass
    return changed(path, "INSERT INTO schema_versions VALUES (999, 'from tomorrow', now())")


def foreign(folder: Path) -> Path:
    return changed(folder / "foreign.duckdb", "CREATE TABLE invoices (amount INTEGER)")


def no_database(folder: Path) -> Path:
    path = folder / "letter.duckdb"
    path.write_text("Dear Sir or Madam, " * 1000)
    return path


REFUSED = {
    "a newer schema": (newer, "schema version 999", "newer oeeflow"),
    "a DuckDB file of another program": (foreign, "not an oeeflow store: it has tables invoices", "--db"),
    "no DuckDB file": (no_database, "letter.duckdb", "path"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_store_is_refused(name: str, tmp_path: Path) -> None:
    make, message, hint = REFUSED[name]
    path = make(tmp_path)
    before = path.read_bytes()
    with pytest.raises(StorageError, match=message) as refused, opened(path, load_plant(TOML)):
        pass
    assert hint in (refused.value.hint or "")
    del refused  # with it goes the connection that the error holds on to
    with pytest.raises(StorageError):
        Reader(path)
    assert path.read_bytes() == before


def test_no_store_is_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no store"):
        Reader(tmp_path / "kpi.duckdb")
    assert list(tmp_path.iterdir()) == []


SENT = [
    state(0, "producing"),
    state(1, "\u00fcn\u0131c\u00f6d\u00e9 \U0001f600", reason='quote " and \\ and \t', id="a b/c"),
    state(1 + 1 / 60_000_000, "x" * 10_000),
    count(2, 2**53, scrap=-(2**53), rework=0, reason="jam", product="P", order="O", lot="L-7"),
    count(3, -5, note=None, nested={"b": [1, 2.5, None, True], "a": {"c": ""}}),
    reading(4, 2**53, rollover=2**53),
    reading(5, 0, quality="rework"),
    order(6, "start", "O", product="P", quantity=500),
    order(7, "end", "O"),
    event("status", 8, online=False),
    reclassify(9, 1, 2, state="idle", reason="jam", by="kim"),
    event("retract", 10, target="nothing", by="kim"),
    state(11, "down", equipment="acme/ulm/line"),
    event("status", 12, online=True, ts=0, id="the first instant"),
    event("status", 13, online=True, ts="2199-12-31T23:59:59.999999Z", id="the last instant"),
]


def test_events_come_out_as_they_went_in(tmp_path: Path) -> None:
    path = tmp_path / "kpi.duckdb"
    toml = TOML + '[equipment."acme/ulm/line"]\nlevel = "line"\n'
    fill(path, toml, [SENT[::2], SENT[1::2]], reopen=True)
    decoded = decode(lines(SENT), 1)
    assert decoded.rejected.is_empty()
    columns = [name for name in EVENTS if name != "line"]
    names = ", ".join(f'"{name}"' for name in columns)
    with Reader(path) as reader:
        stored = reader.query(f"SELECT {names} FROM events")
    stored = stored.with_columns(pl.col(pl.Datetime("us", "UTC")).cast(pl.Int64)).sort("equipment", "id")
    assert stored.equals(decoded.events.select(columns).sort("equipment", "id"))


def test_an_event_without_id_gets_one_from_its_content(tmp_path: Path) -> None:
    path, plant = tmp_path / "kpi.duckdb", load_plant(TOML)
    nameless = {name: value for name, value in count(1, 2).items() if name != "id"}
    same = nameless | {"scrap": 0, "ts": "2026-03-02T09:01:00+01:00"}
    with opened(path, plant) as store:
        assert take_in(store, plant, [nameless, nameless]).duplicates == 1
        assert take_in(store, plant, [same]).duplicates == 1
        assert take_in(store, plant, [nameless | {"good": 3}]).taken == 1
    rows: list[Row] = queried(path, "SELECT DISTINCT id FROM events")
    assert len(rows) == 2


def test_a_plant_file_that_only_reads_differently_rebuilds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kpi.duckdb"
    fill(path, TOML, [[state(0, "producing"), count(1, 2), END]])
    with opened(path, load_plant(TOML.replace("Jam", "Paper jam"))) as store:
        assert not store.rebuilt
    assert queried(path, "SELECT label FROM reasons") == [{"label": "Paper jam"}]
    with opened(path, load_plant(TOML.replace("2s", "3s"))) as store:
        assert store.rebuilt


def test_the_horizon_never_moves_back(tmp_path: Path) -> None:
    path, plant = tmp_path / "kpi.duckdb", load_plant(TOML)
    with opened(path, plant) as store:
        assert store.horizon is None
        take_in(store, plant, [state(30, "down")])
        first = store.horizon
        take_in(store, plant, [state(10, "down")])
        assert store.horizon == first
    with opened(path, plant) as store:
        assert store.horizon == first


def test_what_cannot_be_written_leaves_nothing_of_its_batch(tmp_path: Path) -> None:
    """It is written in a thread of its own: what goes wrong there comes to light when the store closes."""
    db, plant = tmp_path / "kpi.duckdb", load_plant(TOML)
    fill(db, TOML, [[state(0, "producing")]])
    more = [state(5, "down"), END]

    def write_into_a_store_without_stops() -> None:
        with opened(db, plant) as store:
            store.connection.execute("ALTER TABLE stops RENAME TO elsewhere")
            take_in(store, plant, more)

    with pytest.raises(duckdb.CatalogException, match="stops"):
        write_into_a_store_without_stops()
    with duckdb.connect(str(db)) as con:
        con.execute("ALTER TABLE elsewhere RENAME TO stops")
    assert queried(db, "SELECT count(*) AS n FROM events") == [{"n": 1}]
    with opened(db, plant) as store:
        assert take_in(store, plant, more).taken == 2
    assert queried(db, "SELECT category FROM stops") == [{"category": "down"}]


@pytest.mark.parametrize(("compacts", "groups"), [(True, 1), (False, 4)])
def test_a_checkpoint_brings_together_what_is_left_of_rows(compacts: bool, groups: int, tmp_path: Path) -> None:
    with opened(tmp_path / "kpi.duckdb", load_plant(TOML)) as store:
        con = store.connection
        con.execute("CREATE TABLE thinned AS FROM range(4 * 122_880) AS t (n)")
        store.compacts = compacts
        con.execute("DELETE FROM thinned WHERE n % 8 > 0")
        store.shorten_log()
        store.settle()
        found = con.execute("SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('thinned')").fetchall()
    assert found == [(groups,)]
