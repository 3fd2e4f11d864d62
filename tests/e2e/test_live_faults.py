"""Whatever happens to a running engine or its broker: nothing is lost, nothing counts twice."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker import Broker
from tests.engine import dump, fill, queried, unequal
from tests.running import Engine, running, until

KILLS = int(os.environ.get("OEEFLOW_TEST_KILLS", "10"))
STOPPED = float(os.environ.get("OEEFLOW_TEST_STOPPED", "7"))
"""seconds; the broker gives a client up after 1.5 times its keepalive"""
READY_WITHIN = 5.0
MACHINES = tuple(f"acme/ulm/line-{n % 3}/machine-{n}" for n in range(12))
STATES = ("producing", "down", "idle", "setup", "producing")
PLANT = """
[plant]
name = "Ulm"
timezone = "Europe/Berlin"
[defaults]
minor_stop_under = "30s"
ideal_cycle = "2s"
[[sources]]
name = "machines"
kind = "mqtt"
broker = "mqtt://127.0.0.1:{port}"
topics = ["acme/ulm/#"]
keepalive = "4s"
""" + "".join(f'[equipment."{path}"]\nlevel = "unit"\n' for path in MACHINES)
Event = dict[str, Any]


def made_up(number: int, rng: random.Random) -> Event:
    """The n-th event of a plant, happening now; some are late."""
    at = datetime.now(UTC) - timedelta(seconds=rng.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 90)))
    event: Event = {"id": str(number), "equipment": rng.choice(MACHINES), "ts": at.isoformat()}
    if rng.random() < 0.1:
        return event | {"type": "state", "state": rng.choice(STATES), "reason": f"r{rng.randrange(3)}"}
    return event | {"type": "count", "good": rng.randrange(3), "scrap": int(rng.random() < 0.02)}


class Machines:
    """Publish events at a rate, each again and again until the broker has acknowledged it; some twice anyway."""

    def __init__(self, port: int, rate: float) -> None:
        self._rate = rate
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._publish)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="machines", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._on_publish
        self._acknowledged = 0
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.events: list[Event] = []

    def __enter__(self) -> "Machines":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No more; returns when the broker has them all."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self) -> None:
        rng = random.Random(1)
        sent = 0
        begun = time.monotonic()
        while not self._stopping.is_set():
            while len(self.events) < (time.monotonic() - begun) * self._rate:
                event = made_up(len(self.events), rng)
                self.events.append(event)
                for _ in range(2 if rng.random() < 0.02 else 1):
                    self._client.publish(event["equipment"], json.dumps(event), qos=1)
                    sent += 1
            self._stopping.wait(0.01)
        until(lambda: self._acknowledged == sent, 60)

    def _on_publish(self, *_: object) -> None:
        self._acknowledged += 1


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), lasting=False) as broker:
        yield broker


@pytest.fixture
def plant(tmp_path: Path, broker: Broker) -> Path:
    """A plant file with a session at the broker of its own."""
    path = tmp_path / "plant.toml"
    session = f'client_id = "{tmp_path.name}"\ntopics'
    path.write_text(PLANT.format(port=broker.port).replace("topics", session))
    return path


def stored(engine: Engine) -> int:
    """How many events are in the store, as its readers see it."""
    (row,) = queried(engine.db, "SELECT count(*) AS events FROM events")
    return int(row["events"])


def assert_all_and_once(engine: Engine, plant: Path, machines: "Machines") -> None:
    """Nothing is lost, nothing counts twice, and the figures are those of the same events taken in undisturbed."""
    twice = queried(engine.db, "SELECT id FROM events GROUP BY id HAVING count(*) > 1")
    assert twice == []
    ids = {row["id"] for row in queried(engine.db, "SELECT id FROM events")}
    assert ids == {event["id"] for event in machines.events}
    (row,) = queried(engine.db, "SELECT horizon FROM horizons")
    undisturbed = engine.db.with_name("undisturbed.duckdb")
    fill(undisturbed, plant.read_text(), [machines.events], until=row["horizon"])
    assert unequal(dump(undisturbed), dump(engine.db)) == {}


def finish(engine: Engine, plant: Path, machines: "Machines") -> None:
    """Wait until everything published is in the store, stop, and compare."""
    machines.stop()
    until(lambda: stored(engine) >= len(machines.events), 60)
    engine.stop()
    assert not engine.places.live.exists()
    assert_all_and_once(engine, plant, machines)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_random_moments(plant: Path, broker: Broker, tmp_path: Path) -> None:
    rng = random.Random(3)
    with running(plant, tmp_path / "kpi.duckdb") as engine, Machines(broker.port, 150) as machines:
        for _ in range(KILLS):
            if rng.random() < 0.8:  # else while it starts
                until(engine.answers)
            time.sleep(rng.uniform(0, 1.5))
            engine.kill()
            engine.start()
        engine.kill()
        engine.start()
        until(engine.answers)
        assert engine.seconds() < READY_WITHIN
        finish(engine, plant, machines)


@pytest.mark.slow
def test_stopped_in_order_and_started_again(plant: Path, broker: Broker, tmp_path: Path) -> None:
    with running(plant, tmp_path / "kpi.duckdb") as engine, Machines(broker.port, 200) as machines:
        for number in (signal.SIGTERM, signal.SIGINT):
            until(lambda: stored(engine) > 0)
            engine.process.send_signal(number)
            engine.stop(number)
            assert not engine.places.live.exists()
            assert "Traceback" not in engine.said()
            engine.start()
            engine.ready()
        finish(engine, plant, machines)


@pytest.mark.slow
def test_a_process_that_is_held_up_goes_on(plant: Path, broker: Broker, tmp_path: Path) -> None:
    with running(plant, tmp_path / "kpi.duckdb") as engine, Machines(broker.port, 100) as machines:
        until(lambda: stored(engine) > 0)
        engine.process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED)
        engine.process.send_signal(signal.SIGCONT)
        finish(engine, plant, machines)


@pytest.mark.slow
def test_the_broker_dies_and_comes_back(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        path = tmp_path / "plant.toml"
        path.write_text(PLANT.format(port=broker.port))
        with running(path, tmp_path / "kpi.duckdb") as engine, Machines(broker.port, 100) as machines:
            until(lambda: len(machines.events) > 100)
            broker.kill()
            until(lambda: engine.asked("/readyz")[0] == 503)
            assert "source machines" in json.loads(engine.asked("/readyz")[1])["problems"]
            broker.start()
            until(lambda: engine.asked("/readyz")[0] == 200)
            assert engine.metric('oeeflow_broker_reconnects{source="machines"}') == 1
            finish(engine, path, machines)
