"""Readers in other processes than the writer: whole commits, fresh ones, through restarts, and never in its way."""

import subprocess
import sys
import threading
import time
from bisect import bisect_right
from pathlib import Path

import pytest

from kpis.errors import StorageError, StoreLockedError
from storage.access import Access
from storage.places import Places
from storage.reader import Reader
from storage.running import Running
from storage.selection import Selection
from storage.store import Store
from tests.command import Command
from tests.engine import opened
from tests.running import running, until
from tests.served import AT_ONCE, PLANT, ROOT, commit, now, serving_process

AGREEING = """
    SELECT (SELECT count(*) FROM events WHERE type = 'count') AS events,
        (SELECT sum(pieces)::BIGINT FROM count_elements) AS pieces,
        (SELECT max(position) FROM positions) AS position
"""
TYPES = """
    SELECT 1::HUGEINT AS huge, sum(2) AS sum, 1.5::DECIMAL(18, 3) AS exact, true AS truth, DATE '2026-03-02' AS day,
        TIMESTAMPTZ '2026-03-02 08:00:00+02' AS at, [1, NULL] AS list, {'a': 1} AS fields, NULL AS nothing,
        'x'::BLOB AS bytes, 1.5 AS rational, TIME '10:00' AS clock, 255::UTINYINT AS small, 'ü' AS letters
"""


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "kpi.duckdb"


def test_readers_see_whole_commits_and_none_older_than_two_seconds(db: Path) -> None:
    with serving_process(db, commits=20, pause=0.02) as writer, Reader(db) as reader:
        answers: list[tuple[float, int]] = []
        versions = set()
        while not answers or answers[-1][1] < 20:
            asked = time.time()
            events, pieces, position = reader.query(AGREEING).row(0)
            assert events == pieces == position
            answers.append((asked, events // AT_ONCE))
            versions.add(reader.version()[0])
        assert [seen for _, seen in answers] == sorted(seen for _, seen in answers)
        assert len(versions) > 2
        assert max(versions) == 20
        writer.stdin.close()  # type: ignore[union-attr]
        commits = [0.0, *(float(ended) for ended in writer.stdout.read().split())]  # type: ignore[union-attr]
        for asked, seen in answers:  # an age by the clock would measure how busy the machine is
            assert seen >= bisect_right(commits, asked - 2)


def test_a_version_stays_as_long_as_nothing_is_committed(db: Path) -> None:
    with serving_process(db), Reader(db) as reader:
        assert {reader.version() for _ in range(10)} == {(1, reader.version()[1])}


def test_a_reader_outlives_the_engine_and_its_next_start(db: Path) -> None:
    with serving_process(db):
        reader = Reader(db)
        assert reader.query(AGREEING)["events"].item() == AT_ONCE
    assert reader.query(AGREEING)["events"].item() == AT_ONCE
    with serving_process(db):
        assert reader.query(AGREEING)["events"].item() == 2 * AT_ONCE
    assert reader.note is None
    reader.close()


def test_a_reader_outlives_a_killed_engine(db: Path) -> None:
    with serving_process(db) as engine:
        reader = Reader(db)
        before = reader.query(AGREEING)
        engine.kill()
        engine.wait()
        assert Running.read(Places(db)) is not None
        assert reader.query(AGREEING).equals(before)
        with serving_process(db):
            assert reader.query(AGREEING)["events"].item() == 2 * AT_ONCE
        reader.close()


def test_readers_of_the_file_let_an_engine_start(db: Path) -> None:
    with serving_process(db):
        pass
    stop, ended = threading.Event(), []

    def look() -> None:
        with Reader(db) as reader:
            while not stop.is_set():
                ended.append(reader.query(AGREEING)["events"].item())
                time.sleep(0.4)  # as a page does that looks for news

    looking = threading.Thread(target=look)
    looking.start()
    until(lambda: bool(ended))
    with serving_process(db):
        until(lambda: ended[-1] == 2 * AT_ONCE)
    stop.set()
    looking.join()


def test_an_engine_starts_however_much_is_read(db: Path, tmp_path: Path) -> None:
    with serving_process(db):
        pass
    plant = tmp_path / "plant.toml"
    plant.write_text(PLANT)
    stop, counted = threading.Event(), []

    def look() -> None:
        with Reader(db) as reader:
            while not stop.is_set():
                counted.append(reader.query(AGREEING)["events"].item())

    looking = threading.Thread(target=look)
    looking.start()
    until(lambda: len(counted) > 3)
    with running(plant, db) as engine:
        seen = len(counted)
        until(lambda: len(counted) > seen + 3)
        assert Running.read(engine.places) is not None
        stop.set()
        looking.join()
    assert set(counted) == {AT_ONCE}


def test_killed_clients_leave_nothing_behind(db: Path) -> None:
    asks = (
        "import sys; from pathlib import Path; from storage.reader import Reader\n"
        "r = Reader(Path(sys.argv[1])); print('asking', flush=True)\n"
        "r.query('SELECT count(*) FROM range(100000) a(n), range(1000000) b(m) WHERE n + m <> -1')"
    )
    with serving_process(db) as engine, Reader(db) as reader:
        idle = _processor_seconds(engine.pid)
        clients = [
            subprocess.Popen([sys.executable, "-c", asks, str(db)], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)
        ]
        for client in clients:
            assert client.stdout is not None
            client.stdout.readline()
        until(lambda: _processor_seconds(engine.pid) > idle + 0.3)
        for client in clients:
            client.kill()
            client.wait()
            client.stdout.close()  # type: ignore[union-attr]

        def at_rest() -> bool:
            before = _processor_seconds(engine.pid)
            time.sleep(0.2)
            return _processor_seconds(engine.pid) - before < 0.1

        until(at_rest)
        assert reader.query("SELECT count(*) FROM flushes").item() == 1


def test_types_are_the_same_on_every_way(db: Path) -> None:
    statements = [
        TYPES,
        "SELECT * FROM kpi_shift ORDER BY ALL",
        "FROM events ORDER BY ts, id",
        "FROM changes",
        "SHOW TABLES",
    ]
    with serving_process(db), Reader(db) as reader:
        live = [reader.query(statement) for statement in statements]
    with Reader(db) as reader:
        assert Access(db).way.name == "file"
        for statement, frame in zip(statements, live, strict=True):
            found = reader.query(statement)
            assert (found.schema, found.rows()) == (frame.schema, frame.rows())


def test_the_snapshot_is_read_when_the_writer_does_not_answer(db: Path) -> None:
    from kpis.plant import load_plant
    from storage.snapshots import publish

    places = Places(db)
    places.make()
    with opened(db, load_plant(PLANT), now) as store:
        with pytest.raises(StoreLockedError, match="open in"):
            Reader(db)
        commit(store, 0)
        publish(store, places, now)
        commit(store, 1)
        with Reader(db) as reader:
            assert reader.query(AGREEING)["events"].item() == AT_ONCE
            assert reader.note is not None
            assert "snapshot of" in reader.note
            assert reader.kpi("shift", Selection(), "standard").height > 0


def test_a_store_that_is_nowhere_is_told(db: Path) -> None:
    with pytest.raises(StorageError, match="there is no store"):
        Reader(db)


def test_commands_read_while_it_is_written(db: Path, oeeflow: Command) -> None:
    with serving_process(db):
        ended = oeeflow("kpi", "--db", str(db), "--by", "hour", "--format", "csv")
        assert (ended.status, ended.told) == (0, "")
        assert "acme/ulm/line/filler" in ended.out
        assert oeeflow("sql", "--db", str(db), "DELETE FROM events").status != 0
        shown = oeeflow("connect", "--db", str(db)).out
        running = Running.read(Places(db))
        assert running is not None
        assert running.readers is not None
        assert running.readers in shown
        assert str(Places(db).token) in shown
        assert Places(db).token.read_text() not in shown
    assert f"duckdb -readonly '{db}'" in oeeflow("connect", "--db", str(db)).out


def test_two_writers_are_told(db: Path) -> None:
    from kpis.plant import load_plant

    with serving_process(db), pytest.raises(StoreLockedError, match="open in another process"):
        Store(db, load_plant(PLANT), plant_path="plant.toml", clock=now)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
