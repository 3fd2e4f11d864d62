"""A running engine tells of what it sees itself: a lost broker, events that it cannot use, a question in SQL."""

from pathlib import Path

import pytest

from tests.broker import Broker
from tests.engine import queried
from tests.running import running, until

pytestmark = pytest.mark.slow

PLANT = """
[plant]
name = "Ulm"
[equipment."acme/ulm/line-1/filler"]
level = "unit"
[equipment."acme/ulm/line-1/capper"]
level = "unit"
[[sources]]
name = "gateway"
kind = "mqtt"
broker = "{url}"
topics = ["acme/ulm/#"]
[[alerts]]
name = "broker lost"
when = {{ disconnected = "*" }}
[[alerts]]
name = "refused"
when = {{ rejected = 1, window = "10m" }}
level = "unit"
[[alerts]]
name = "asked"
when = {{ sql = "SELECT equipment FROM events WHERE state = 'down'", every = "10s" }}
[[alerts]]
name = "wrong"
when = {{ sql = "SELECT equipment FROM nowhere" }}
"""
FILLER = "acme/ulm/line-1/filler"


def test_what_the_engine_sees_itself(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        (tmp_path / "plant.toml").write_text(PLANT.format(url=broker.url))
        with running(tmp_path / "plant.toml", tmp_path / "kpi.duckdb") as engine:

            def alerts(rule: str) -> list[tuple[str, str, str | None]]:
                rows = queried(engine.db, f"FROM alerts WHERE rule = '{rule}'")
                return [(row["equipment"], row["state"], row["reason"]) for row in rows]

            bad = {"equipment": FILLER, "ts": "2026-03-02T06:00:00Z", "type": "status", "online": "maybe"}
            down = {"equipment": FILLER, "ts": "2026-03-02T06:00:00Z", "type": "state", "state": "down"}
            engine.posted({**bad, "id": "1"}, {**bad, "id": "2"}, down)
            until(lambda: engine.metric('oeeflow_alert_rule_failures_total{rule="wrong"}') >= 1, 20)
            until(lambda: alerts("refused") == [(FILLER, "firing", None)], 20)
            broker.kill()
            until(lambda: alerts("broker lost") == [("acme/ulm", "firing", "gateway")], 20)
            broker.start()
            until(lambda: alerts("broker lost")[0][1] == "resolved", 30)
            until(lambda: alerts("asked") == [(FILLER, "firing", None)], 20)
            assert "an alert rule could not be looked at" in engine.said()
            engine.stop()
