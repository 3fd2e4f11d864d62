"""A message that the engine fails on, whatever the reason: it is put aside, and all others are taken in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine import queried
from tests.poisoned import POISON
from tests.running import running, until

MACHINE = "acme/ulm/line-1/filler"
PLANT = f"""
[plant]
name = "Ulm"
[equipment."{MACHINE}"]
level = "unit"
ideal_cycle = "1s"
"""
AT_ONCE = 30

pytestmark = pytest.mark.slow


def count(name: str) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=1)
    return {"id": name, "equipment": MACHINE, "ts": at.isoformat(), "type": "count", "good": 1}


def test_it_is_put_aside_with_its_bytes_and_all_others_are_taken_in(tmp_path: Path) -> None:
    plant, db = tmp_path / "plant.toml", tmp_path / "kpi.duckdb"
    plant.write_text(PLANT)
    with running(plant, db, program="tests.poisoned") as engine:
        for number in range(AT_ONCE):
            name = POISON if number == AT_ONCE // 2 else f"{number}"
            assert engine.posted(count(name))[0] in (200, 202)
        until(lambda: engine.metric('oeeflow_rejected_events_total{reason="not_accounted"}') == 1)
        assert engine.posted(count("afterwards"))[0] == 200
        until(lambda: not engine.problems())
        engine.stop()
        assert "a message cannot be accounted and is put aside" in engine.said()
    ids = {row["id"] for row in queried(db, "SELECT id FROM events")}
    assert ids == {f"{number}" for number in range(AT_ONCE)} - {f"{AT_ONCE // 2}"} | {"afterwards"}
    (rejected,) = queried(db, "SELECT reason, detail, raw FROM rejected_events")
    assert rejected["reason"] == "not_accounted"
    assert "the accounting is out of its depth" in rejected["detail"]
    assert f'"id":"{POISON}"'.encode() in bytes(rejected["raw"]).replace(b'": "', b'":"')
