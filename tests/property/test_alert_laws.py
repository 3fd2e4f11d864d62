"""Laws of alerts: only the set of events counts, one open alert per rule and equipment, none before its time."""

import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from kpis.plant import load_plant
from storage import alert_past
from storage.reader import Reader
from tests.alert_plants import PLANT, RULES, SOON, random_log
from tests.engine import fill
from tests.random_logs import Event

pytestmark = pytest.mark.slow

_MADE = "SELECT * EXCLUDE (corrects, revision, changed_at) FROM alerts WHERE state <> 'withdrawn' ORDER BY ALL"


def alerts_of(db: Path) -> pl.DataFrame:
    """What does not depend on how events came in."""
    with Reader(db) as reader:
        return reader.query(_MADE)


def parts_of(events: list[Event], chance: random.Random, cut: int = 5) -> list[list[Event]]:
    cuts = sorted(chance.sample(range(1, len(events)), cut))
    return [events[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]


def unlawful(alerts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Alerts that break a law: fired before the rule's `for` had passed, over before they fired, two at a time."""
    waits = {rule.name: rule.for_us for rule in load_plant(PLANT + RULES).alerts}
    us = pl.col("since", "fired_at", "resolved_at").cast(pl.Int64)
    rows = alerts.with_columns(us, wait=pl.col("rule").replace_strict(waits, return_dtype=pl.Int64))
    fired = pl.col("fired_at").is_not_null()
    rows = rows.sort("rule", "equipment", "since").with_columns(
        before=pl.col("resolved_at").shift(1).over("rule", "equipment"),
        following=pl.col("since").shift(1).is_not_null().over("rule", "equipment"),
    )
    broken = {
        "too soon": fired & (pl.col("fired_at") - pl.col("since") < pl.col("wait")),
        "over before it fired": fired & (pl.col("resolved_at") < pl.col("fired_at")),
        "two at a time": pl.col("following") & (pl.col("before").is_null() | (pl.col("before") > pl.col("since"))),
    }
    found = {law: rows.filter(breach) for law, breach in broken.items()}
    return {law: breaches for law, breaches in found.items() if breaches.height}


@pytest.mark.parametrize("seed", range(3))
def test_any_order_in_any_parts_gives_the_same_alerts(seed: int, tmp_path: Path) -> None:
    events, chance = random_log(seed), random.Random(seed)
    fill(tmp_path / "whole", PLANT + RULES, [events])
    expected = alerts_of(tmp_path / "whole")
    assert expected["fired_at"].count() > 20
    assert unlawful(expected) == {}
    in_time = sorted(events, key=lambda event: str(event["ts"]))
    shuffled = chance.sample(events, len(events))
    for name, order in (("in time", in_time), ("shuffled", shuffled)):
        fill(tmp_path / name, PLANT + RULES, parts_of(order, chance), reopen=name == "shuffled" and seed % 2 == 0)
        found = alerts_of(tmp_path / name)
        missing = expected.join(found, on=expected.columns, how="anti", nulls_equal=True)
        more = found.join(expected, on=expected.columns, how="anti", nulls_equal=True)
        assert (name, missing.rows(), more.rows()) == (name, [], [])


def same_alerts(folder: Path, rules: str, events: Sequence[Event], parts: Sequence[Sequence[Event]]) -> bool:
    """Whether a log in parts gives the alerts of the whole log."""
    for name, log in (("whole", [events]), ("parts", parts)):
        fill(folder / name, PLANT + rules, log)
    return alerts_of(folder / "parts").rows() == alerts_of(folder / "whole").rows()


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(5004, id="minutes that were let go of"),
        pytest.param(6008, id="what explained it was over long ago"),
        pytest.param(6012, id="and of several equipments"),
    ],
)
def test_small_parts_on_time_give_the_same_alerts(seed: int, tmp_path: Path) -> None:
    """Memory goes back some hours only when something changes what began before."""
    events, chance = random_log(seed), random.Random(seed)
    in_time = sorted(events, key=lambda event: str(event["ts"]))
    cuts = sorted(chance.sample(range(1, len(events)), chance.choice((8, 20, 40))))
    # Some events come a little late.
    for number in chance.sample(range(1, len(events)), len(events) // 20) if seed % 3 == 0 else ():
        in_time[number - 1 : number + 1] = reversed(in_time[number - 1 : number + 1])
    parts = [in_time[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert same_alerts(tmp_path, SOON, events, parts)


@pytest.mark.parametrize("seed", [pytest.param(9015, id="heard before it had time")])
def test_many_parts_in_any_order_give_the_same_alerts(seed: int, tmp_path: Path) -> None:
    events, chance = random_log(seed), random.Random(seed)
    assert same_alerts(tmp_path, RULES, events, parts_of(chance.sample(events, len(events)), chance, 10))


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(30003, id="a minute of which the beginning was let go of"),
        pytest.param(30018, id="a reason that was taken back"),
        pytest.param(30030, id="what explains it begins before what is remembered"),
        pytest.param(30098, id="equipment whose only event was taken back"),
        pytest.param(31010, id="a silence that goes back further than what is known of shifts"),
    ],
)
def test_events_that_come_much_later_give_the_same_alerts(seed: int, tmp_path: Path) -> None:
    """What they change has been let go of."""
    events, chance = random_log(seed), random.Random(seed)
    in_time = sorted(events, key=lambda event: str(event["ts"]))
    late = chance.sample(range(len(events)), chance.choice((3, 7, 14)))
    places = [chance.uniform(n, len(events)) if n in late else n for n in range(len(events))]
    order = [in_time[n] for n in sorted(range(len(events)), key=lambda n: places[n])]
    assert same_alerts(tmp_path, SOON, events, parts_of(order, chance, chance.choice((8, 20, 40))))


@pytest.mark.parametrize("seed", [101, 105, 121])
def test_how_much_of_the_past_is_looked_at_at_once_does_not_count(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether rules are new, or events come so late that what they change is no longer in memory."""
    events, chance = random_log(seed), random.Random(seed)
    fill(tmp_path / "whole", PLANT + SOON, [events])
    expected = alerts_of(tmp_path / "whole")
    assert expected["fired_at"].count() > 20
    monkeypatch.setattr(alert_past, "STRETCH_US", 1)
    fill(tmp_path / "new rules", PLANT, [events[:-1]])
    fill(tmp_path / "new rules", PLANT + SOON, [events[-1:]])
    order = sorted(events, key=lambda event: str(event["ts"]))
    late = chance.sample(order[:-9], 4)
    fill(tmp_path / "late", PLANT + SOON, [[event for event in order if event not in late], *([one] for one in late)])
    for name in ("new rules", "late"):
        found = alerts_of(tmp_path / name)
        missing = expected.join(found, on=expected.columns, how="anti", nulls_equal=True)
        more = found.join(expected, on=expected.columns, how="anti", nulls_equal=True)
        assert (name, missing.rows(), more.rows()) == (name, [], [])
