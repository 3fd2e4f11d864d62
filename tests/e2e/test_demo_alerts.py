"""A jam in the live demo is told, goes on to the next people and is over: in the inbox, on the andon and by mail."""

import json
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from pipelines.commands.demonstrating import EXAMPLES
from pipelines.demo_plant import CATCHING_UP, Told, now
from pipelines.simulated_log import WEEK
from pipelines.simulated_story import LINE_1, ordinary
from pipelines.simulated_time import MINUTE
from storage.reader import Reader
from tests.e2e.test_demo_live import Demo, demo
from tests.running import until

pytestmark = pytest.mark.slow

SPEED = "100"
"""A jam of ten minutes lasts six seconds of the clock, by which people are called."""
LONG = 10 * MINUTE


def jams(zone: str, seed: int, at: int) -> bool:
    """Whether a long jam of the filler is told live at a time, as `PlantLog` makes a plant of a seed."""
    monday = date.fromisoformat(Told.begin(ZoneInfo(zone), at).first_day)
    earliest = at - CATCHING_UP + 10 * MINUTE  # the demo takes a while to start
    return any(
        jam.machine == "filler" and jam.end - jam.start > LONG and earliest < jam.start < earliest + 60 * MINUTE
        for week in (monday + number * WEEK for number in range(4))
        for jam in ordinary(ZoneInfo(zone), week, WEEK.days, seed * 1_000_000 + week.toordinal()).jams
    )


def jammed(folder: Path) -> None:
    """Prepare a demo whose filler jams for long soon after its plant is live, and where nobody has time to react.

    The waves of a shift leave out its last hours, so that at some times of the day there is none in any plant of Ulm:
    this one is where a shift is in the middle.
    """
    at = now()
    zones = [f"Etc/GMT+{hours}" for hours in range(8)]
    zone, seed = next((zone, seed) for seed in range(1, 1_000) for zone in zones if jams(zone, seed, at))
    plant = (EXAMPLES / "live-plant.toml").read_text()
    settings = "[notifications]\n"  # two hours of alerts come within one: no digest of them
    for usual, ours in (
        ('after = "2m"', 'after = "1s"'),
        ('"Europe/Berlin"', f'"{zone}"'),
        (settings, f"{settings}per_hour = 1000\n"),
    ):
        assert plant.count(usual) == 1
        plant = plant.replace(usual, ours)
    folder.mkdir()
    (folder / "live-plant.toml").write_text(plant)
    replace(Told.begin(ZoneInfo(zone), at), seed=seed).write(folder / "simulation.json")


def deliveries(shown: Demo) -> dict[str, dict[str, str]]:
    """What was told of each alert `line stands` of line 1 that was told live: message by kind."""
    with Reader(shown.db) as reader:
        rows = reader.query(
            "SELECT alert, kind, message FROM alert_deliveries JOIN alerts USING (alert) "
            f"WHERE rule = 'line stands' AND equipment = '{LINE_1}' AND outcome = 'delivered'"
        )
    found: dict[str, dict[str, str]] = {}
    for alert, kind, message in rows.iter_rows():
        found.setdefault(alert, {})[kind] = message
    return found


def whole(shown: Demo) -> str | None:
    """An alert that was told, went on to the next people and is over; None: there is none yet."""
    kinds = {"fired", "escalated", "resolved"}
    return next((alert for alert, told in deliveries(shown).items() if kinds <= told.keys()), None)


def retained(address: str) -> dict[str, bytes]:
    """The lights as somebody sees them who connects only now."""
    lights: dict[str, bytes] = {}
    client = watching(address, lambda message: lights.update({message.topic: message.payload}))
    until(lambda: "andon/engine" in lights)
    client.disconnect()
    client.loop_stop()
    return lights


def watching(address: str, see: Any) -> Client:
    def seen(client: Client, data: Any, message: MQTTMessage) -> None:
        see(message)

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.on_message = seen
    client.on_connect = lambda client, *_: client.subscribe("andon/#", qos=1)
    client.connect("127.0.0.1", int(address.rpartition(":")[2]))
    client.loop_start()
    return client


def test_a_jam_is_told_and_escalated_and_over(tmp_path: Path) -> None:
    jammed(tmp_path / ".demo")
    with demo(tmp_path, "--speed", SPEED) as shown:
        topic, lights = f"andon/{LINE_1}", []
        broker = shown.address("broker")
        client = watching(broker, lambda message: lights.append((message.topic, bytes(message.payload))))
        until(lambda: whole(shown))
        alert = whole(shown)
        assert alert is not None
        with Reader(shown.db) as reader:
            (row,) = reader.query(f"SELECT * FROM alerts WHERE alert = '{alert}'").to_dicts()
        assert (row["state"], row["severity"], row["line"]) == ("resolved", "critical", LINE_1)

        def lit() -> list[int]:
            """When the light of the line told of the alert."""
            return [
                n for n, (at, said) in enumerate(lights) if at == topic and said and json.loads(said)["alert"] == alert
            ]

        assert lit()
        until(lambda: any(at == topic for at, _ in lights[lit()[-1] + 1 :]))  # another alert, or dark
        until(lambda: retained(broker).get(topic, b"") == dict(lights)[topic])
        messages = deliveries(shown)[alert]
        mails = {
            mail["X-Oeeflow-Message"]: mail
            for path in (tmp_path / ".demo" / "mail").glob("*.eml")
            for mail in [message_from_bytes(path.read_bytes(), policy=policy.default)]
        }
        for kind in ("fired", "escalated", "resolved"):
            assert alert in mails[messages[kind]].get_content()
        assert "Dan" in mails[messages["escalated"]]["To"]  # maintenance
        assert "RESOLVED" in mails[messages["resolved"]]["Subject"]
        client.disconnect()
        client.loop_stop()
