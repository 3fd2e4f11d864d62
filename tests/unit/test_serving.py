"""The server of readers: who is let in, what is refused, what is stopped, and that the writer goes on."""

import http.client
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, urlsplit

import duckdb
import polars as pl
import pytest

from kpis.errors import ConfigError, StorageError
from storage.access import Access
from storage.client import EngineGone, EngineWay
from storage.places import Places
from storage.serve import Serving
from storage.store import Store
from storage.tokens import FILE_VARIABLE, SEND, Tokens, hashed
from tests.served import commit, served

SELF_JOIN = "SELECT count(*) FROM range(45000) a(n) JOIN range(45000) b(m) ON a.n % 1 = b.m % 1 WHERE a.n + b.m <> -1"
SORT = "SELECT * FROM (SELECT n, hash(n) AS h, n || 'text' AS t FROM range(20000000) r(n)) ORDER BY h, t"
HOARD = "SELECT list(n || 'a text that is not short'), max(n) FROM range(60000000) r(n)"
HOSTILE = [
    "DELETE FROM events",
    "INSERT INTO events SELECT * FROM events",
    "UPDATE events SET id = 'x'",
    "MERGE INTO events USING events e ON false WHEN NOT MATCHED THEN INSERT BY NAME",
    "WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x",
    "SELECT 1; DELETE FROM events",
    "DELETE FROM events; SELECT 1",
    "SELECT 1; SELECT 2",
    "/* SELECT */ DROP TABLE events",
    "DROP VIEW kpi_shift",
    "TRUNCATE events",
    "ALTER TABLE events DROP COLUMN id",
    "CREATE TABLE mine (n INTEGER)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE OR REPLACE VIEW kpi_shift AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET s (TYPE http, BEARER_TOKEN 'x')",
    "COMMENT ON TABLE events IS 'mine'",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SET threads = 64",
    "SET GLOBAL memory_limit = '64GB'",
    "RESET memory_limit",
    "PRAGMA threads = 4",
    "PRAGMA enable_profiling",
    "USE memory",
    "ATTACH '/tmp/other.duckdb'",
    "DETACH kpi",
    "COPY events TO '/tmp/stolen.csv'",
    "COPY (SELECT 1) TO '/tmp/stolen.csv'",
    "COPY events FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/stolen'",
    "IMPORT DATABASE '/tmp/stolen'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "CALL checkpoint()",
    "FROM checkpoint()",
    'FROM "checkpoint"()',
    "FROM system.main.checkpoint()",
    "FROM/**/force_checkpoint /* x */ ()",
    "FROM CheckPoint()",
    "FROM\u00a0checkpoint()",
    "SELECT 1UNION ALL FROM checkpoint()",
    "EXPLAIN ANALYZE DELETE FROM events",
    "EXPLAIN ANALYZE SELECT * FROM checkpoint()",
    "FROM enable_logging()",
    "FROM duckdb_logs()",
    "FROM truncate_duckdb_logs()",
    "SELECT write_log('x')",
    "FROM duckdb_secrets()",
    "FROM duckdb_settings()",
    "FROM query('FROM checkpoint()')",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM checkpoint()'))",
    "FROM arrow_scan(1, 2, 3)",
    "FROM pandas_scan(1)",
    "FROM seq_scan('events')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_text('/etc/hostname')",
    "FROM read_blob('/etc/hostname')",
    "FROM read_parquet('http://127.0.0.1/x.parquet')",
    "FROM '/etc/passwd'",
    "FROM 'http://127.0.0.1/x.csv'",
    "FROM glob('/*')",
    "FROM sniff_csv('/etc/passwd')",
    "SELECT getenv('HOME')",
    "SELECT sleep_ms(100000)",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "SELECT $1",
    "PIVOT events ON type USING count(*)",
    "",
    ";",
    "\x00",
]
HARMLESS = [
    "SELECT 1",
    "FROM kpi_shift",
    "FROM events SELECT count(*)",
    "TABLE events",
    "VALUES (1), (2)",
    "WITH x AS (FROM events) SELECT * FROM x",
    "PIVOT events ON type IN ('count', 'state') USING count(*)",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
    "SHOW TABLES",
    "DESCRIBE kpi_shift",
    "SUMMARIZE events",
    "EXPLAIN SELECT * FROM kpi_shift",
    "EXPLAIN ANALYZE SELECT * FROM events",
    "FROM duckdb_columns()",
    "FROM range(3)",
    "SELECT unnest([1, 2])",
    "SELECT 'checkpoint()', '\"function_name\":\"checkpoint\"'",
    "SELECT 1 -- ; DELETE FROM events",
    "FROM runs",
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str, Places]]:
    """A store with one commit, written and served."""
    db = tmp_path_factory.mktemp("served") / "kpi.duckdb"
    with served(db, seconds=2.5) as (store, address):
        commit(store, 0)
        yield store, address, Places(db)


@pytest.fixture
def way(engine: tuple[Store, str, Places]) -> Iterator[EngineWay]:
    client = EngineWay(engine[1], engine[2].token)
    yield client
    client.close()


def asked(address: str, path: str, token: str | None, body: str = "") -> tuple[int, bytes]:
    """What any program gets over HTTP."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    connection.request("POST" if body else "GET", path, body.encode() or None, headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


@pytest.mark.parametrize("statement", HOSTILE)
def test_what_does_not_only_read_this_store_is_refused(way: EngineWay, statement: str) -> None:
    with pytest.raises(StorageError) as caught:
        way.query(statement)
    assert str(caught.value)
    assert caught.value.hint
    assert not isinstance(caught.value, EngineGone)


def test_refused_statements_have_changed_nothing(engine: tuple[Store, str, Places], way: EngineWay) -> None:
    before = way.query("SELECT * FROM events ORDER BY ALL")
    for statement in HOSTILE:
        with pytest.raises(StorageError):
            way.query(statement)
    assert way.query("SELECT * FROM events ORDER BY ALL").equals(before)
    assert way.query("SELECT DISTINCT database_name FROM duckdb_tables()").rows() == [("kpi",)]


@pytest.mark.parametrize("statement", HARMLESS)
def test_what_only_reads_is_answered(way: EngineWay, statement: str) -> None:
    assert way.query(statement).width > 0


@pytest.mark.parametrize("token", [None, "", "wrong", "Bearer"])
def test_without_a_token_nothing_is_told(engine: tuple[Store, str, Places], token: str | None) -> None:
    status, body = asked(engine[1], "/query", token, "SELECT 1")
    assert status == 401
    assert "no token" in json.loads(body)["error"]


def test_the_token_is_for_its_owner_and_in_no_argument(engine: tuple[Store, str, Places]) -> None:
    token = engine[2].token
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(engine[2].folder.stat().st_mode) == 0o700
    secret = token.read_text()
    processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not any(secret.encode() in arguments for arguments in processes)
    assert secret not in engine[2].live.read_text()


def test_other_host_names_are_refused(engine: tuple[Store, str, Places]) -> None:
    """A page in a browser that had its name resolve to this machine gets nowhere."""
    connection = http.client.HTTPConnection(urlsplit(engine[1]).netloc)
    connection.request("GET", "/query?sql=SELECT+1", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 400
    connection.close()


def test_other_forms(engine: tuple[Store, str, Places]) -> None:
    token = engine[2].token.read_text()
    query = quote("SELECT id, ts, good FROM events ORDER BY ts LIMIT 2")
    status, body = asked(engine[1], f"/query?format=csv&sql={query}", token)
    assert (status, body.decode().splitlines()[:2]) == (
        200,
        ['"id","ts","good"', '"count0.0",2026-03-02 08:00:00.000000Z,1'],
    )
    status, body = asked(engine[1], f"/query?format=parquet&sql={query}", token)
    assert pl.read_parquet(BytesIO(body)).columns == ["id", "ts", "good"]
    status, body = asked(engine[1], f"/query?format=xml&sql={query}", token)
    assert (status, json.loads(body)["hint"]) == (400, "one of arrow, csv, parquet")


def test_a_statement_may_not_be_endless(engine: tuple[Store, str, Places]) -> None:
    status, _ = asked(engine[1], "/query", engine[2].token.read_text(), "SELECT 1 --" + "x" * (1 << 20))
    assert status == 413


def test_named_tokens_are_taken_away_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# analysts\nanna {hashed('a')}\nbert {hashed('b')}\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    tokens = Tokens(Places(tmp_path / "kpi.duckdb"))
    assert [tokens.owner(token) for token in "abc"] == ["anna", "bert", None]
    assert tokens.owner("a", SEND) is None
    file.write_text(f"bert {hashed('b')} read send\n")
    assert tokens.owner("b", SEND) == "bert"
    assert [tokens.owner(token) for token in "ab"] == [None, "bert"]
    file.write_text("not a line of tokens at all\n")
    assert tokens.owner("b") is None
    file.unlink()
    assert tokens.owner("b") is None
    assert tokens.owner((tmp_path / "kpi.duckdb.d" / "token").read_text()) == "local"
    with pytest.raises(ConfigError, match="no such file"):
        Tokens(Places(tmp_path / "kpi.duckdb"))


def test_a_port_that_is_taken_is_told(engine: tuple[Store, str, Places]) -> None:
    store, address, places = engine
    serving = Serving(store.connection, places, Tokens(Places(places.folder / "other")))
    with pytest.raises(ConfigError, match="is taken"):
        serving.start(int(address.rsplit(":", 1)[1]))


@pytest.mark.parametrize(
    ("statement", "why"),
    [(SELF_JOIN, "stopped after 2.5 s"), (SORT, "stopped"), (HOARD, "stopped|memory")],
    ids=["2-billion-pair join", "big sort", "a list in memory"],
)
def test_a_runaway_query_is_stopped_and_the_writer_goes_on(
    engine: tuple[Store, str, Places], way: EngineWay, statement: str, why: str
) -> None:
    store = engine[0]
    first = store.flush
    stopped: list[str] = []

    def run() -> None:
        with pytest.raises(StorageError, match=why) as caught:
            way.query(statement)
        stopped.append(str(caught.value))
        way.close()

    running = threading.Thread(target=run)
    running.start()
    slowest = 0.0
    while running.is_alive():
        begun = time.monotonic()
        commit(store, store.flush)
        slowest = max(slowest, time.monotonic() - begun)
    running.join()
    assert stopped
    assert store.flush - first >= 2
    assert slowest < 2
    assert not _busy_threads()


def test_many_runaway_queries_at_once(engine: tuple[Store, str, Places]) -> None:
    store, address, places = engine
    ended: list[str] = []

    def run(statement: str) -> None:
        client = EngineWay(address, places.token)
        with pytest.raises(StorageError) as caught:
            client.query(statement)
        ended.append(str(caught.value))
        client.close()

    threads = [threading.Thread(target=run, args=[statement]) for statement in [SELF_JOIN, HOARD, SORT] * 2]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        commit(store, store.flush)
    for thread in threads:
        thread.join()
    assert len(ended) == 6
    client = EngineWay(address, places.token)
    assert client.query("SELECT count(*) FROM flushes").item() > 0
    client.close()


def test_a_query_whose_reader_went_away_is_stopped(engine: tuple[Store, str, Places]) -> None:
    connection = http.client.HTTPConnection(urlsplit(engine[1]).netloc)
    token = engine[2].token.read_text()
    connection.request("POST", "/query", SELF_JOIN.encode(), {"Authorization": f"Bearer {token}"})
    until(lambda: bool(_busy_threads()))
    connection.close()
    until(lambda: not _busy_threads(), 20)  # the join itself runs for longer


def test_eight_threads(engine: tuple[Store, str, Places]) -> None:
    access = Access(engine[2].db)
    wrong: list[object] = []

    def run() -> None:
        for number in range(20):
            found = access.query(f"SELECT {number} AS n, count(*) AS events FROM events").row(0)
            if found[0] != number:
                wrong.append(found)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    access.close()
    assert wrong == []


def test_checkpoints_go_on_while_it_is_served(engine: tuple[Store, str, Places], way: EngineWay) -> None:
    store = engine[0]
    commit(store, store.flush)
    store.checkpoint()
    assert way.query("SELECT max(flush) FROM flushes").item() == store.flush


def test_instants_are_in_utc_whatever_the_zone_of_the_process(way: EngineWay) -> None:
    at = way.query("SELECT TIMESTAMPTZ '2026-03-02 08:00:00+02' AS at, current_setting('TimeZone') AS zone").row(0)
    assert at == (datetime(2026, 3, 2, 6, tzinfo=UTC), "UTC")


def test_no_table_has_what_does_not_go_with_this_writer(way: EngineWay) -> None:
    """Keys, indexes, sequences and computed defaults: slower, larger, and not for files that others attach."""
    found = way.query(
        "SELECT (SELECT count(*) FROM duckdb_indexes()), (SELECT count(*) FROM duckdb_sequences()), "
        "(SELECT count(*) FROM duckdb_constraints()), "
        "(SELECT count(*) FROM duckdb_columns() WHERE column_default IS NOT NULL AND NOT internal)"
    )
    assert found.row(0) == (0, 0, 0, 0)


def _busy_threads() -> list[str]:
    """Threads of this process that run a query of a reader."""
    busy = []
    for task in Path("/proc/self/task").iterdir():
        try:
            state = (task / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(state[16]) > 0 and state[0] == "R":
            busy.append(task.name)
    return busy


def until(what: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_duckdb_itself_can_read_what_is_served(engine: tuple[Store, str, Places]) -> None:
    """The answer is a Parquet file to any program."""
    status, body = asked(engine[1], "/query?format=parquet&sql=FROM+kpi_shift", engine[2].token.read_text())
    assert status == 200, body
    file = engine[2].folder / "answer.parquet"
    file.write_bytes(body)
    with duckdb.connect() as con:
        assert con.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchall()[0][0] > 0
