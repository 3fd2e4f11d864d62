"""How much people are asked to do: floods, medians and what chatters, by hand."""

from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest

from dashboards import alert_load
from dashboards import texts_alert_load as words
from kpis.plant import STARTER, load_plant
from storage.alert_views import CALLS
from storage.database import bound
from storage.migrations import migrate
from storage.views import create_views

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Told:
    """A store that knows nothing but alerts and who was told of them."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        migrate(self.con)
        create_views(self.con, load_plant(STARTER))
        self._insert("horizons", horizon=NOON + timedelta(days=2))
        self._number = 0

    def alert(
        self, minute: float, who: str | None = "Anna", *, rule: str = "down", lasted: float | None = 1,
        acknowledged: float | None = None, chattering: bool = False,
    ) -> None:  # fmt: skip
        """An alert that fired, who was told, when it was over and, minutes after the telling, acknowledged."""
        self._number += 1
        name, at = f"{self._number}", NOON + timedelta(minutes=minute)
        over = None if lasted is None else at + timedelta(minutes=lasted)
        state = "firing" if over is None else "resolved"
        what = {"rule": rule, "equipment": "a", "line": "a", "severity": "info", "chattering": chattering}
        self._insert("alerts", alert=name, state=state, since=at, fired_at=at, resolved_at=over, **what)
        if who is not None:
            for kind, later in (("fired", 0), ("repeated", 5), ("resolved", 60)):
                due = at + timedelta(minutes=later)
                told = {"alert": name, "recipient": who, "kind": kind}
                self._insert("alert_deliveries", message=f"{name}-{kind}", due_at=due, **told)
        if acknowledged is not None:
            done = at + timedelta(minutes=acknowledged)
            self._insert("alert_actions", action=name, alert=name, kind="acknowledge", at=done)

    def load(self) -> list[dict[str, object]]:
        return self.con.execute("SELECT * FROM alert_load ORDER BY window_start, recipient").pl().to_dicts()

    def calls(self) -> pl.DataFrame:
        return self.con.execute(f"{CALLS} ORDER BY told_at").pl()

    def _insert(self, table: str, **values: object) -> None:
        row = pl.DataFrame([values]).with_columns(pl.col(pl.Datetime("us", "UTC")))
        with bound(self.con, batch=row):
            self.con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")


@pytest.fixture
def told() -> Told:
    return Told()


def test_an_hour_is_held_against_the_benchmarks(told: Told) -> None:
    for minute in range(6):
        told.alert(minute * 10)
    for minute in range(12):
        told.alert(60 + minute * 5)
    for minute in range(13):
        told.alert(120 + minute * 4)
    rows = told.load()
    assert [(row["alerts"], row["load"]) for row in rows] == [(6, "acceptable"), (12, "manageable"), (13, "too many")]
    assert [row["most_in_10_min"] for row in rows] == [1, 2, 3]
    assert [row["flood_us"] for row in rows] == [0, 0, 0]


def test_a_flood_goes_on_until_fewer_than_five_in_ten_minutes(told: Told) -> None:
    for slot, alerts in enumerate((10, 11, 5, 7, 4, 6)):
        for number in range(alerts):
            told.alert(slot * 10 + number * 0.5)
    told.alert(90)
    first, second = told.load()
    # From 12:10, with 11, up to 12:40, when there are only 4; 6 alone begin none.
    assert (first["alerts"], first["flood_us"], first["most_in_10_min"]) == (43, 30 * 60_000_000, 11)
    assert second["flood_us"] == 0


def test_a_flood_ends_in_silence(told: Told) -> None:
    for number in range(11):
        told.alert(number * 0.5)
    for number in range(6):
        told.alert(30 + number)
    assert [row["flood_us"] for row in told.load()] == [600_000_000]


def test_times_to_acknowledge_and_shares(told: Told) -> None:
    for minutes in (1, 2, 3, 4, 10):
        told.alert(0, acknowledged=minutes, chattering=minutes > 3)
    told.alert(1, lasted=None)
    told.alert(2, who="Ben", acknowledged=None)
    told.alert(3, who=None)
    anna, ben, nobody = told.load()
    assert (anna["alerts"], anna["unacknowledged"], anna["stale"]) == (6, 1, 1)
    assert (anna["acknowledge_median_us"], anna["acknowledge_p90_us"]) == (180_000_000, 456_000_000)
    assert (anna["chattering"], anna["chattering_rule"]) == (2, "down")
    assert (ben["acknowledge_median_us"], ben["unacknowledged"]) == (None, 1)
    assert (nobody["recipient"], nobody["alerts"]) == (None, 1)


def test_the_page_says_which_rule_to_mend(told: Told) -> None:
    for number in range(8):
        told.alert(number * 10, rule="chatters", chattering=number > 1, acknowledged=1, lasted=30)
    for number in range(5):
        told.alert(number * 7, rule="short", lasted=0.5)
    told.alert(0, rule="fine", acknowledged=2, lasted=10)
    found = {rule.name: rule for rule in alert_load.rules(told.calls())}
    assert found["chatters"].advice == (words.ADVICE["chattering"],)
    assert found["short"].advice == (words.ADVICE["short"], words.ADVICE["ignored"].format(share="100"))
    assert found["fine"].advice == ()
    worst = alert_load.worst(alert_load.rules(told.calls()))
    assert worst is not None
    assert (worst.name, worst.alerts, worst.share, worst.chattering) == ("chatters", 8, 8 / 14, 0.75)


def test_the_load_of_a_person_over_a_time(told: Told) -> None:
    for number in range(13):
        told.alert(number * 4, acknowledged=2)
    told.alert(600, who="Ben")
    hours = told.con.execute("SELECT * FROM alert_load").pl()
    anna, ben = alert_load.loads(told.calls(), hours, 2 * 86_400_000_000)
    assert (anna.recipient, anna.alerts, anna.per_day, anna.busiest, anna.over) == ("Anna", 13, 6.5, 13, 1)
    assert (anna.verdict, ben.verdict) == ("too many", "acceptable")
    assert (anna.median_us, anna.unacknowledged, ben.unacknowledged) == (120_000_000, 0, 1)
