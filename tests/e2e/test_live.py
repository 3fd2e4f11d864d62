"""A running engine, from other processes: figures, the HTTP door, health, metrics, the doctor."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine import queried
from tests.running import ROOT, Engine, running, until

MACHINE = "acme/ulm/line-1/filler"
PLANT = f"""
[plant]
name = "Ulm"
[equipment."{MACHINE}"]
level = "unit"
ideal_cycle = "1s"
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "plant.toml").write_text(PLANT)
    with running(folder / "plant.toml", folder / "kpi.duckdb", "--log-level", "debug") as engine:
        old = datetime.now(UTC) - timedelta(days=6)
        assert engine.posted(count("old", ts=old.isoformat()))[0] == 200
        yield engine
        engine.stop()


def count(name: str, **more: Any) -> dict[str, Any]:
    """Ten good pieces, made a while ago."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    return {"id": name, "equipment": MACHINE, "ts": at.isoformat(), "type": "count", "good": 10} | more


def token(engine: Engine) -> str:
    return f"Bearer {engine.places.token.read_text(encoding='utf-8')}"


def command(engine: Engine, *words: str, status: int = 0) -> str:
    """What a command prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *words, "--db", str(engine.db)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_an_answer_tells_what_became_of_each_event(engine: Engine) -> None:
    first, second = count("a"), count("b")
    assert engine.posted(first)[0] == 200
    late = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    status, answer = engine.posted(
        first, second, first | {"good": 11}, count("c", equipment="acme/nowhere"), count("d", ts=late), second
    )
    assert status == 200
    assert (answer["taken"], answer["duplicate"], answer["rejected"]) == (1, 2, 3)
    told = [(event["index"], event["outcome"], event.get("reason")) for event in answer["events"]]
    assert told == [
        (0, "duplicate", None),
        (1, "taken", None),
        (2, "rejected", "id_reused"),
        (3, "rejected", "unknown_equipment"),
        (4, "rejected", "in_future"),
        (5, "duplicate", None),
    ]
    (row,) = queried(engine.db, "SELECT count(*) AS events FROM events WHERE id IN ('a', 'b')")
    assert row["events"] == 2


def test_lines_are_taken_one_by_one(engine: Engine) -> None:
    body = "\n".join([json.dumps(count("lines-1")), "{not json}", "", json.dumps(count("lines-2"))]).encode()
    status, answer = engine.asked("/events", body, Authorization=token(engine))
    assert status == 200
    events = json.loads(answer)["events"]
    assert [event["outcome"] for event in events] == ["taken", "rejected", "taken"]
    assert events[1]["reason"] == "not_json"
    one = json.dumps(count("object")).encode()
    assert json.loads(engine.asked("/events", one, Authorization=token(engine))[1])["taken"] == 1


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "not JSON"),
        (b"no json", 400, "not JSON"),
        (b"no json\nat all", 400, "not JSON"),
        (b"42", 400, "no event"),
        (b"[]", 400, "empty"),
        (b"[" + b" " * (9 << 20) + b"]", 413, "longer than 8 MiB"),
    ],
)
def test_what_cannot_be_taken_is_told_in_words(engine: Engine, body: bytes, status: int, error: str) -> None:
    found, answer = engine.asked("/events", body, Authorization=token(engine))
    assert found == status
    assert error in json.loads(answer)["error"]
    assert json.loads(answer)["hint"]


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer nonsense", "Basic nonsense", "Bearer ünsinn"])
def test_nobody_posts_without_a_token(engine: Engine, shown: str) -> None:
    headers = {"Authorization": shown.encode().decode("latin-1")} if shown else {}
    status, answer = engine.asked("/events", json.dumps(count("x")).encode(), **headers)
    assert status == 401
    assert "token" in json.loads(answer)["error"]


def test_pages_of_other_sites_cannot_reach_it(engine: Engine) -> None:
    assert engine.asked("/readyz", Host="evil.example")[0] == 400


def test_figures_move_without_events(engine: Engine) -> None:
    engine.posted(
        {"id": "s", "equipment": MACHINE, "ts": datetime.now(UTC).isoformat(), "type": "state", "state": "down"}
    )

    def down() -> int:
        (row,) = queried(
            engine.db, "SELECT coalesce(sum(us), 0)::BIGINT AS us FROM time_elements WHERE account = 'down'"
        )
        return int(row["us"])

    before = down()
    until(lambda: down() > before, 5)


def test_commands_read_while_it_runs(engine: Engine) -> None:
    engine.posted(count("read", ts="2026-03-03T06:00:00Z"))
    rows = json.loads(
        command(engine, "kpi", "--by", "hour", "--from", "2026-03-03", "--to", "2026-03-04", "--format", "json")
    )
    assert sum(row["good"] for row in rows if row["equipment"] == MACHINE) == 10


def test_rejected_events_name_the_source_they_came_by(engine: Engine) -> None:
    engine.posted(count("fine"), count("nowhere", equipment="acme/elsewhere"), {"equipment": MACHINE, "id": "no time"})
    rows = json.loads(command(engine, "rejected", "--format", "json"))
    told = {row["id"]: (row["source"], row["line"] > 0) for row in rows}
    assert told["nowhere"] == told["no time"] == ("http", True)


def test_metrics_tell_what_came_in(engine: Engine) -> None:
    engine.posted(count("unknown", equipment="acme/nowhere"))
    rejected = 'oeeflow_rejected_events_total{reason="unknown_equipment"}'
    before = engine.metric(rejected)
    engine.posted(count("unknown too", equipment="acme/nowhere"), count("metrics"))
    assert engine.metric(rejected) == before + 1
    assert engine.metric('oeeflow_messages_total{source="http"}') >= 1
    assert engine.metric("oeeflow_lag_messages") == 0
    assert engine.metric("oeeflow_ready") == 1
    assert 0 <= engine.metric('oeeflow_clock_skew_seconds{source="http"}') < 70
    assert 0 <= engine.metric('oeeflow_source_silence_seconds{source="http"}') < 60


def test_a_second_engine_is_told_of_the_first(engine: Engine, tmp_path: Path) -> None:
    second = Engine(engine.plant, engine.db)
    second.log = tmp_path / "second.log"
    second.start()
    assert second.process.wait(60) == 2
    assert str(engine.process.pid) in second.said()
    assert engine.asked("/readyz")[0] == 200


def test_the_doctor_asks_the_engine(engine: Engine) -> None:
    told = command(engine, "doctor")
    assert f"process {engine.process.pid}" in told
    assert "0 messages behind" in told
    assert "source: http: last heard of" in told
    assert "error" not in told


def test_no_secret_is_in_the_log(engine: Engine) -> None:
    assert engine.places.token.read_text(encoding="utf-8") not in engine.said()


def test_days_that_are_over_are_summed(engine: Engine) -> None:
    """One day in ten seconds, the newest first: that of the event which was there first comes second."""
    until(lambda: queried(engine.db, "SELECT sum(pieces) AS n FROM summed_pieces") == [{"n": 10}])
