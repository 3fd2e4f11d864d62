"""A running engine tells of what it sees itself: a lost broker, events that it cannot use, a question in SQL."""

from datetime import UTC, datetime, timedelta
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
ideal_cycle = "1s"
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
name = "late order"
level = "unit"
when = {{ overdue = "15m" }}
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


def test_an_order_that_is_overdue_is_told_until_it_is_done(tmp_path: Path) -> None:
    """100 pieces at a second each, begun 20 minutes ago: due after 1 min 40 s, so overdue by 18 min 20 s and more.

    It is looked for once a minute, and at every start.
    """

    def event(seconds: float, **content: object) -> dict[str, object]:
        at = datetime.now(UTC) - timedelta(seconds=seconds)
        return {"equipment": FILLER, "ts": at.isoformat(), **content}

    def told(state: str, *events: dict[str, object]) -> dict[str, object]:
        """The alert once it is in a state, after events and another start."""
        with running(tmp_path / "plant.toml", tmp_path / "kpi.duckdb") as engine:
            engine.posted(*events)
            engine.stop()
        with running(tmp_path / "plant.toml", tmp_path / "kpi.duckdb") as engine:
            until(lambda: queried(engine.db, f"FROM alerts WHERE rule = 'late order' AND state = '{state}'"), 30)
            (row,) = queried(engine.db, "FROM alerts WHERE rule = 'late order'")
            engine.stop()
        return row

    order = {"type": "order", "action": "start", "order": "4711", "quantity": 100}
    begun = event(1_201, type="state", state="producing"), event(1_200, **order)
    with Broker(tmp_path / "broker") as broker:
        (tmp_path / "plant.toml").write_text(PLANT.format(url=broker.url))
        row = told("firing", *begun, event(60, type="count", good=92))
        assert (row["equipment"], row["reason"]) == (FILLER, "4711")
        assert 18 * 60 + 20 <= float(str(row["value"])) / 1e6 < 18 * 60 + 20 + 60
        assert told("resolved", event(0, type="count", good=8))["alert"] == row["alert"]
