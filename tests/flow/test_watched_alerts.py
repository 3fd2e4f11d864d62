"""Alerts on what the engine sees by its clock, in the store: raised, resolved, remembered, and what they explain."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kpis.accounting import account
from kpis.alert_watch import Held
from kpis.plant import load_plant
from storage.store import Store
from tests.engine import batch, opened, queried
from tests.flow.test_alerts import RUN, UNITS, rule
from tests.oracle.shorthand import EIGHT, LINE, MINUTE, OTHER, UNIT, state
from tests.random_logs import Event

SOURCE = """
[[sources]]
name = "gateway"
kind = "mqtt"
broker = "mqtt://127.0.0.1"
topics = ["acme/#"]
"""
LOST = rule("lost", 'disconnected = "gateway"', 'for = "1m"', 'severity = "critical"')
SILENT = rule("silent", 'silence = "5m"', 'level = "unit"', 'quiet = ["break"]')
TOML = UNITS + SOURCE + LOST + SILENT
PLANT = load_plant(TOML)
GONE = Held(0, "acme", "gateway", since=EIGHT + 3 * MINUTE)


def look(store: Store, minute: float, held: Sequence[Held] | None, events: Sequence[Event] = ()) -> None:
    """A batch of a running engine at so many minutes after eight."""
    told = replace(batch(events, horizon=EIGHT + round(minute * MINUTE)), held=held)
    pending = store.take(told)
    store.commit(pending, account(pending.work, PLANT) if pending.work else None)


def alerts(db: Path) -> list[tuple[str, str, str, float | None, float | None, str | None]]:
    rows = queried(db, "SELECT * FROM alerts ORDER BY rule, equipment, since")

    def minutes(at: int | None) -> float | None:
        return None if at is None else (at - EIGHT) / MINUTE

    return [
        (
            row["rule"],
            row["equipment"].rpartition("/")[2],
            row["state"],
            minutes(row["fired_at"]),
            minutes(row["resolved_at"]),
            row["suppressed_by"],
        )
        for row in rows
    ]


BOTH = [RUN, {**state(1, "producing"), "equipment": OTHER}]


def test_a_lost_broker_is_one_alert_and_explains_the_silence_of_all_behind_it(tmp_path: Path) -> None:
    db = tmp_path / "kpi"
    with opened(db, PLANT) as store:
        look(store, 2, [], BOTH)
        for minute in (3.5, 4, 5, 7, 9):
            look(store, minute, [GONE])
    assert alerts(db) == [
        ("lost", "acme", "firing", 4, None, None),
        ("silent", "capper", "suppressed", None, None, "source lost"),
        ("silent", "filler", "suppressed", None, None, "source lost"),
    ]
    with opened(db, PLANT) as store:  # it goes on after a restart
        look(store, 10, [GONE])
        look(store, 11, [])
        look(store, 12, [], [state(12, "producing", id="back")])
        for minute in (14, 15.5, 16.5):
            look(store, minute, [])
    assert alerts(db) == [
        ("lost", "acme", "resolved", 4, 11, None),
        # The one that does not speak again within five minutes of its return is silent after all.
        ("silent", "capper", "firing", 16, None, None),
        ("silent", "filler", "suppressed", None, 12, "source lost"),
    ]
    became = [row["became"] for row in queried(db, "FROM alert_transitions ORDER BY transition")]
    assert sorted(became) == ["fired", "fired", "resolved", "suppressed", "suppressed"]


def test_without_the_engine_the_same_events_give_the_plain_alerts(tmp_path: Path) -> None:
    db = tmp_path / "kpi"
    with opened(db, PLANT) as store:
        look(store, 9, None, BOTH)
    assert alerts(db) == [("silent", "capper", "firing", 6, None, None), ("silent", "filler", "firing", 5, None, None)]


def test_they_stay_when_other_rules_change_and_go_with_their_rule(tmp_path: Path) -> None:
    db = tmp_path / "kpi"
    with opened(db, PLANT) as store:
        look(store, 2, [], [RUN])
        look(store, 5, [GONE])
    for toml, expected in ((TOML.replace('"5m"', '"50m"'), "firing"), (UNITS + SOURCE, "withdrawn")):
        with opened(db, load_plant(toml)) as store:
            look(store, 6, [GONE] if expected == "firing" else None)
        assert [each[:3] for each in alerts(db) if each[0] == "lost"] == [("lost", "acme", expected)]


def test_what_it_says(tmp_path: Path) -> None:
    db = tmp_path / "kpi"
    rules = rule("lag", 'lag = "30s"') + rule("bad", 'rejected = 5, window = "10m"') + rule("ask", 'sql = "FROM x"')
    rules += rule("due", 'overdue = "15m"')
    late = Held(3, UNIT, "4711", 16 * MINUTE)
    with opened(db, load_plant(UNITS + rules)) as store:
        look(store, 1, [Held(0, "acme", value=42e6), Held(1, LINE, value=7), Held(2, UNIT), late], [RUN])
    texts = [row["text"] for row in queried(db, "SELECT text FROM alerts ORDER BY rule")]
    assert texts == [
        f"{UNIT}: ask since 2026-03-02 08:01",
        f"{LINE}: 7 events could not be used, limit 5",
        f"{UNIT}: order 4711 is 16 min overdue",
        "the engine is 42 s behind, limit 30 s",
    ]
