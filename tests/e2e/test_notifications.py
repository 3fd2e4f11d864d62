"""People hear of alerts: from `oeeflow run` to their channels and back, with real brokers, web hooks and kills."""

import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.broker import Broker, free_port
from tests.engine import queried
from tests.running import PATIENCE, ROOT, Engine, running, until

KILLS = int(os.environ.get("OEEFLOW_NOTIFIER_KILLS", "3"))
LINE = "acme/ulm/line-1"
MACHINE = f"{LINE}/filler"
PLANT = f"""
[plant]
name = "Ulm"
[equipment."{LINE}"]
level = "line"
[equipment."{MACHINE}"]
level = "unit"
ideal_cycle = "1s"
[[alerts]]
name = "jammed"
when = {{ reason = "jam" }}
level = "unit"
severity = "critical"
[[people]]
name = "Anna"
channels = {{ way = "anna" }}
[[people]]
name = "Ben"
channels = {{ way = "ben" }}
[[routes]]
escalation = [{{ after = "0s", to = "Anna" }}, {{ after = "2s", to = "Ben" }}]
"""

pytestmark = pytest.mark.slow


def state(number: int, *, jam: bool, ago: float = 0) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    told = {"id": f"{number}", "equipment": MACHINE, "ts": at.isoformat(), "type": "state", "state": "producing"}
    return told | ({"state": "down", "reason": "jam"} if jam else {})


class Lights:
    """Retained messages of a broker, as a stack light sees them."""

    def __init__(self, broker: Broker) -> None:
        self.shown: dict[str, bytes] = {}
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._see
        self._client.on_connect = lambda client, *_: client.subscribe("andon/#", qos=1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def _see(self, client: Client, data: Any, message: MQTTMessage) -> None:
        self.shown[message.topic] = bytes(message.payload)

    def light(self, line: str) -> dict[str, Any]:
        return dict(json.loads(self.shown.get(f"andon/{line}") or b"{}"))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Mailbox:
    """The letters in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def mails(self) -> list[Any]:
        files = sorted(self.folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]

    def link(self, number: int) -> str:
        found = re.search(r"acknowledge: http://[^/]+(/\S+)", self.mails[number].get_content())
        assert found
        return found[1]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


def command(engine: Engine, *words: str) -> subprocess.CompletedProcess[str]:
    words = ("alerts", *words, "--db", str(engine.db))
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def rows(engine: Engine, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in queried(engine.db, f"SELECT * FROM {table}")]


def test_an_alert_on_its_way(tmp_path: Path, broker: Broker) -> None:
    box = Mailbox(tmp_path / "mail")
    (tmp_path / "plant.toml").write_text(
        PLANT.replace('"2s"', '"1h"')  # nobody escalates here, however long a step takes
        + f'[[channels]]\nname = "way"\nkind = "mailbox"\nfolder = "{box.folder}"\n'
        f'[[channels]]\nname = "lights"\nkind = "andon"\nbroker = "{broker.url}"\n'
    )
    lights = Lights(broker)
    with running(tmp_path / "plant.toml", tmp_path / "kpi.duckdb") as engine:
        until(lambda: lights.shown.get("andon/engine") == b"online")
        engine.posted(state(1, jam=True))
        until(lambda: len(box.mails) == 1)
        assert box.mails[0]["To"] == "Anna <anna>"
        until(lambda: lights.light(LINE).get("severity") == "critical")
        assert lights.light(LINE)["acknowledged"] is False
        _a_link_asks_first(engine, box)
        until(lambda: lights.light(LINE)["acknowledged"])
        (action,) = rows(engine, "alert_actions")
        assert (action["kind"], action["by"], action["way"]) == ("acknowledge", "Anna", "link")
        engine.posted(state(2, jam=False))
        until(lambda: len(box.mails) == 2)
        assert "RESOLVED" in box.mails[1]["Subject"]
        until(lambda: lights.shown[f"andon/{LINE}"] == b"")
        _people_act_by_command(engine, box, lights)
        engine.kill()
        until(lambda: lights.shown["andon/engine"] == b"offline")
    lights.close()


def _a_link_asks_first(engine: Engine, box: Mailbox) -> None:
    """Whoever follows the link sees a page; only its button acknowledges, and once."""
    link = box.link(0)
    status, page = engine.asked(link)
    assert (status, b"<button>Acknowledge as Anna" in page) == (200, True)
    time.sleep(0.5)
    assert rows(engine, "alert_actions") == []
    assert engine.asked(link.replace(link[-6:-3], "abc"), b"")[0] == 403
    assert b"Acknowledged" in engine.asked(link, b"")[1]
    until(lambda: b"Acknowledged by Anna already" in engine.asked(link)[1])
    assert b"already" in engine.asked(link, b"")[1]


def _people_act_by_command(engine: Engine, box: Mailbox, lights: Lights) -> None:
    engine.posted(state(3, jam=True))
    until(lambda: len(box.mails) == 3)
    alert = lights.light(LINE).get("alert") or rows(engine, "alerts WHERE state = 'firing'")[0]["alert"]
    said = command(engine, "comment", alert[:8], "--by", "Ben", "--comment", "belt torn")
    assert (said.returncode, said.stderr) == (0, "")
    assert alert in said.stdout
    shelved = command(engine, "shelve", alert, "--by", "Ben", "--for", "1h", "--reason", "spare part at noon")
    assert shelved.returncode == 0, shelved.stderr
    until(lambda: lights.shown[f"andon/{LINE}"] == b"", 20)
    actions = {row["kind"]: row for row in rows(engine, f"alert_actions WHERE alert = '{alert}'")}
    assert actions["comment"]["comment"] == "belt torn"
    assert actions["shelve"]["until"] > actions["shelve"]["at"]
    assert command(engine, "ack", alert, "--by", "Ben").returncode == 0
    unknown = command(engine, "ack", "0123456789abcdef", "--by", "Ben")
    assert (unknown.returncode, "no open alert" in unknown.stderr) == (2, True)


def test_without_an_engine_nothing_can_be_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(PLANT)
    said = command(Engine(tmp_path / "plant.toml", tmp_path / "kpi.duckdb"), "ack", "0123456789abcdef", "--by", "Ben")
    assert said.returncode == 2
    assert "no engine is running" in said.stderr


class Hook(ThreadingHTTPServer):
    """A web hook that takes its time, and keeps the ids of what it was told, by alert.

    With a `trap`, what comes is lost, and the trap is called: whoever sent it never hears of it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.lost: set[str] = set()
        self.trap: Callable[[], None] | None = None
        self.slow = 0.3
        super().__init__(("127.0.0.1", free_port()), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        message = self.headers["X-Oeeflow-Message"]
        if self.server.trap is not None:
            self.server.lost.add(message)
            self.server.trap()
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.slow)
        for alert in re.findall(r"alert ([0-9a-f]{16})", body["message"]):
            self.server.told.append((message, alert))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def hooked() -> Iterator[Hook]:
    hook = Hook()
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    try:
        yield hook
    finally:
        hook.shutdown()
        hook.server_close()


def test_whatever_is_killed_every_message_comes_and_none_without_its_alert(tmp_path: Path) -> None:
    """Two kills of three come when a message is on its way and never arrives, so surely after its commit."""
    (tmp_path / "plant.toml").write_text(
        PLANT
        + '[[channels]]\nname = "way"\nkind = "apprise"\nurl = { env = "HOOK" }\n[notifications]\nper_hour = 1000\n'
    )
    numbers, rng, waiting = count(), random.Random(7), 0
    with hooked() as hook:
        environment = {"HOOK": f"json://127.0.0.1:{hook.server_port}/"}
        engine = Engine(tmp_path / "plant.toml", tmp_path / "kpi.duckdb", environment=environment)
        for kill in range(KILLS):
            engine.start()
            engine.ready()
            until(lambda: not _waiting(engine))
            on_its_way = kill % 3 != 2
            hook.trap = engine.process.kill if on_its_way else None
            engine.posted(*(state(next(numbers), jam=jam) for jam in (False, True)))
            if on_its_way:
                engine.process.wait(PATIENCE)
            else:
                time.sleep(rng.uniform(0, 0.7))
                engine.kill()
            hook.trap = None
            caught = _waiting(engine)
            assert caught or not on_its_way
            waiting += bool(caught)
        engine.start()
        engine.ready()
        engine.posted(state(next(numbers), jam=False))
        _all_delivered(engine)
        deliveries = rows(engine, "alert_deliveries")
        alerts = {row["alert"] for row in rows(engine, "alerts")}
        engine.stop()
    messages = len({row["message"] for row in deliveries})
    print(f"{KILLS} kills, {waiting} between commit and delivery; {messages} messages, told {len(hook.told)} times")
    assert {(row["message"], row["alert"]) for row in deliveries} == set(hook.told)
    assert hook.lost <= {message for message, _ in hook.told}
    assert {alert for _, alert in hook.told} <= alerts
    assert {row["alert"] for row in deliveries} == {row["alert"] for row in deliveries if row["kind"] == "fired"}
    assert hook.lost


def _waiting(engine: Engine) -> bool:
    return bool(rows(engine, "alert_deliveries WHERE outcome = 'waiting'"))


def _all_delivered(engine: Engine) -> None:
    def done() -> bool:
        told = rows(engine, "alert_deliveries")
        ended = {row["alert"] for row in told if row["kind"] in ("resolved", "withdrawn")}
        return {row["outcome"] for row in told} == {"delivered"} and {row["alert"] for row in told} == ended

    until(done)


def test_a_heartbeat_is_heard_and_channels_tell_how_they_are(tmp_path: Path) -> None:
    beats: list[str] = []

    class Beat(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            beats.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Beat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "mail").write_text("a file, where a folder should be")
    (tmp_path / "plant.toml").write_text(
        PLANT + f'[[channels]]\nname = "way"\nkind = "mailbox"\nfolder = "{tmp_path}/mail"\n'
        '[notifications]\nheartbeat = { env = "HEART" }\n'
    )
    environment = {"HEART": f"http://127.0.0.1:{server.server_port}/beat"}
    with running(tmp_path / "plant.toml", tmp_path / "kpi.duckdb", environment=environment) as engine:
        engine.posted(state(1, jam=True))
        until(lambda: engine.metric('oeeflow_channel_failures{channel="way"}') >= 1)
        assert engine.metric('oeeflow_outbox_letters{channel="way"}') >= 1
        until(lambda: rows(engine, "alert_deliveries WHERE error IS NOT NULL"))
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", "doctor", "--db", str(engine.db)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert "channel way" in done.stdout
        until(lambda: beats)
        engine.stop()
    server.shutdown()
    server.server_close()
