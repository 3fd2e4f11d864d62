"""Conditions that the engine sees by its clock: how they go on, whom they are about, what the plant file refuses."""

import pytest

from kpis.alert_watch import Held, Watching, place_of, speakers
from kpis.plant import check_plant, load_plant
from kpis.plant_sources import MqttSource

LINE = "acme/ulm/line-1"
PLANT = f"""
[equipment."{LINE}/filler"]
[equipment."{LINE}/capper"]
[equipment."acme/ulm/line-2/filler"]
[[sources]]
name = "one"
kind = "mqtt"
broker = "mqtt://127.0.0.1"
topics = ["acme/ulm/line-1/#"]
[[sources]]
name = "all"
kind = "mqtt"
broker = "mqtt://127.0.0.1:1884"
topics = ["gateway/json"]
"""


def rule(when: str, *more: str) -> str:
    return "\n".join(["[[alerts]]", 'name = "r"', f"when = {{ {when} }}", *more, ""])


LOST = rule('disconnected = "*"', 'for = "10s"', 'keep_for = "5s"')


def test_it_fires_after_for_and_is_over_after_keep_for() -> None:
    watching = Watching(load_plant(PLANT + LOST).alerts)
    held = [Held(0, LINE, "one")]

    def told(now: int, holding: list[Held]) -> list[tuple[int | None, int | None]]:
        return [(each.fired_at, each.resolved_at) for _, each in watching.look(holding, now * 1_000_000)]

    assert told(0, held) == told(9, held) == []
    assert told(10, held) == [(10_000_000, None)]
    assert told(11, held) == told(12, []) == told(16, []) == []
    assert told(16, held) == told(20, []) == []  # back within the time for which it is kept: the same
    assert told(26, []) == [(10_000_000, 25_000_000)]
    assert told(30, held) == told(35, []) == told(36, held) == []  # shorter than `for`
    assert watching.look([Held(0, LINE, "one", since=20_000_000)], 46_000_000)[0][1].fired_at == 46_000_000


def test_each_source_has_an_alert_of_its_own() -> None:
    watching = Watching(load_plant(PLANT + LOST).alerts)
    both = [Held(0, LINE, "one", since=0), Held(0, LINE, "all", since=0)]
    assert [key[2] for key, _ in watching.look(both, 10_000_000)] == ["all", "one"]


def test_who_speaks_through_a_source_and_where_it_is_told() -> None:
    plant = load_plant(PLANT + LOST + LOST.replace('"r"', '"named"') + 'equipment = "acme/ulm/line-2/filler"\n')
    one, every = (source for source in plant.sources if isinstance(source, MqttSource))
    free, named = plant.alerts
    heard = speakers(plant, free, one)
    assert heard == {LINE, f"{LINE}/filler", f"{LINE}/capper"}
    assert place_of(plant, free, heard) == LINE
    assert speakers(plant, free, every) == plant.equipment.keys()
    assert place_of(plant, free, speakers(plant, free, every)) == "acme"
    assert speakers(plant, named, every) == {"acme/ulm/line-2/filler"}
    assert place_of(plant, named) == "acme/ulm/line-2/filler"
    assert place_of(plant, free) == "acme"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (rule('disconnected = "on"'), "unknown source"),
        (rule('failing = ["mial"]'), "unknown channel"),
        (rule('lag = "30s"', 'quiet = ["break"]'), "belongs to conditions on events"),
        (rule('lag = "30s", sql = "SELECT 1"'), "make it a rule for each"),
        (rule('sql = "SELECT 1", every = "1s"'), "too often"),
        (rule('lag = "30s", every = "1m"'), "belongs to sql"),
        (rule('rejected = 5, window = "shift"'), "is counted by the clock"),
        (rule('outbox = "5m", window = "5m"'), "belongs to kpi or scrap or rejected or late"),
    ],
)
def test_what_is_refused(text: str, found: str) -> None:
    faults = check_plant(PLANT + text).faults
    assert found in " ".join(f"{fault.message} {fault.hint}" for fault in faults), faults
    assert all(fault.line for fault in faults)


def test_names_that_fit_nothing_are_pointed_out() -> None:
    warnings = check_plant(PLANT + rule('failing = "*"')).warnings
    assert any("names no channel: the rule never fires" in warning.message for warning in warnings)
