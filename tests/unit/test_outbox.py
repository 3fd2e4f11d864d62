"""The outbox of a store: messages are written with their alerts, and survive until somebody took them."""

from datetime import timedelta
from pathlib import Path

import pytest

from kpis.alert_actions import Action, as_frame
from kpis.plant import load_plant
from storage.outbox import DEAD, DELIVERED, WAITING, Report
from tests.engine import opened, queried
from tests.posting import MACHINE, TEXT, Engine


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "kpi.duckdb")


def test_a_message_is_there_with_its_alert_until_it_is_reported(engine: Engine) -> None:
    with engine.open() as store:
        engine.commit(store, [engine.state("down", minute=-5)])
        (letter,) = store.outbox.ready()
        assert store.outbox.ready() == []
        assert (letter.recipient, letter.channel, letter.lines[0].equipment) == ("Anna", "box", MACHINE)
    assert engine.deliveries() == [("Anna", "fired", WAITING, letter.message)]
    with engine.open() as store:  # it was killed before the message was sent
        engine.commit(store)
        (again,) = store.outbox.ready()
        assert again.message == letter.message
        store.outbox.report(Report(letter.message, "box", 1, None, WAITING, "not now"))
        store.outbox.report(Report(letter.message, "box", 2, engine.clock.us, DELIVERED, None))
        engine.commit(store)
    assert engine.deliveries() == [("Anna", "fired", DELIVERED, letter.message)]
    with engine.open() as store:
        engine.commit(store)
        assert store.outbox.ready() == []


def test_it_goes_on_where_it_was_when_the_store_is_opened_again(engine: Engine) -> None:
    with engine.open() as store:
        engine.commit(store, [engine.state("down", minute=-5)])
    engine.clock.now += timedelta(hours=5)  # the next shift, all steps long due
    with engine.open() as store:
        engine.commit(store)
    assert [(person, kind) for person, kind, *_ in engine.deliveries()] == [
        ("Anna", "fired"),
        ("Ben", "handed_over"),
        ("Dan", "escalated"),
    ]
    engine.clock.now += timedelta(minutes=1)
    with engine.open() as store:
        engine.commit(store, [engine.state("producing", minute=299)])
    assert [(person, kind) for person, kind, *_ in engine.deliveries()][3:] == [
        ("Anna", "resolved"),
        ("Ben", "resolved"),
        ("Dan", "resolved"),
    ]


def test_what_was_acknowledged_stays_so(engine: Engine) -> None:
    with engine.open() as store:
        engine.commit(store, [engine.state("down", minute=-5)])
        (alert,) = (case.alert for case in store.outbox.cases())
        action = Action(action="a" * 32, alert=alert, kind="acknowledge", by="Anna", way="command", at=engine.clock.us)
        engine.commit(store, actions=as_frame([action]))
        engine.commit(store, actions=as_frame([action]))
    engine.clock.now += timedelta(hours=2)
    with engine.open() as store:
        engine.commit(store)
        found = store.outbox.case(alert[:6])
        assert found is not None
        assert found[0].acknowledged_by == "Anna"
    assert len(queried(engine.db, "SELECT * FROM alert_actions")) == 1
    assert [kind for _, kind, *_ in engine.deliveries()] == ["fired"]


def test_nobody_is_told_of_what_was_over_before_all_was_known(engine: Engine) -> None:
    with engine.open() as store:
        engine.commit(store, [engine.state("down", minute=-5)], tell=False)
        engine.commit(store, [engine.state("producing", minute=-1)])
        engine.commit(store, [engine.state("down", minute=-0.5)])
    assert [(person, kind) for person, kind, *_ in engine.deliveries()] == [("Anna", "fired")]


def test_a_late_event_that_takes_the_cause_away_is_told_to_who_heard(engine: Engine) -> None:
    with engine.open() as store:
        engine.commit(store, [engine.state("down", minute=-5)])
        engine.clock.now += timedelta(minutes=1)
        engine.commit(store, [engine.state("producing", minute=-5) | {"id": "z"}])
    assert [(person, kind) for person, kind, *_ in engine.deliveries()] == [("Anna", "fired"), ("Anna", "withdrawn")]


def test_a_replay_tells_nobody(engine: Engine) -> None:
    with opened(engine.db, engine.plant, engine.clock) as store:
        engine.commit(store, [engine.state("down", minute=-5)], tell=False)
    assert engine.deliveries() == []
    assert queried(engine.db, "SELECT state FROM alerts") == [{"state": "firing"}]


def test_where_nobody_is_that_is_written_down(engine: Engine) -> None:
    text = TEXT.replace('people = "Anna"\nshifts = "early"', 'people = "Anna"\nshifts = "late"')
    engine.plant = load_plant(text.replace('shifts = ["late", "night"]', 'shifts = "night"'))
    with engine.open() as store:
        engine.commit(store, [engine.state("down", minute=-5)])
    (row,) = queried(engine.db, "SELECT * FROM alert_deliveries")
    assert (row["recipient"], row["outcome"], row["error"]) == (None, DEAD, "nobody is there to be told")
