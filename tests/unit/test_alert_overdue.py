"""Orders that should be finished by now: at which second one is overdue, and by how much."""

from pathlib import Path

import pytest

from kpis.alert_watch import Held
from kpis.plant import check_plant, load_plant
from storage.alert_questions import Questions
from tests.engine import opened, take_in
from tests.oracle.shorthand import EIGHT, LINE, MINUTE, OTHER, UNIT, at, count, event, one_unit, order, state
from tests.random_logs import Event
from tests.running import until

RULE = '\n[[alerts]]\nname = "due"\nlevel = "unit"\nwhen = { overdue = "15m" }\n'
CYCLE = 'ideal_cycle = "1s"'
SECOND = MINUTE // 60
RUN = state(0, "producing")
TOLD = order(0, "start", "O-1", quantity=100)
FEW = count(1.5, 92)  # 100 at 1 s are due after 1 min 40 s: overdue by 15 min after 16 min 40 s


def overdue(folder: Path, toml: str, events: list[Event], seconds: float) -> list[tuple[str, str | None, float]]:
    """What is overdue so many seconds after eight: equipment, order, seconds."""
    plant, said = load_plant(toml), list[str]()
    folder.mkdir(exist_ok=True)
    with opened(folder / "kpi", plant) as store:
        take_in(store, plant, events, horizon=EIGHT + round(seconds * SECOND))
        store.settle()
        with Questions(store.connection, plant, lambda _, what: said.append(what)) as questions:
            until(lambda: questions.answered or said, 20)
            assert said == []
            return [_short(held) for held in questions.holding()]


def _short(held: Held) -> tuple[str, str | None, float]:
    return held.equipment.rpartition("/")[2], held.subject, (held.value or 0) / SECOND


LATE = 16 * 60 + 40
SHIFT = """
[defaults]
calendar = "c"
[[shifts]]
calendar = "c"
name = "early"
days = ["mon"]
start = 06:00:00
end = 08:30:00
breaks = [{ start = 08:05:00, minutes = 10 }]
"""


@pytest.mark.parametrize(
    ("events", "seconds", "found"),
    [
        pytest.param([RUN, TOLD, FEW], LATE, None, id="not yet"),
        pytest.param([RUN, TOLD, FEW], LATE + 1, 901, id="from the second after"),
        pytest.param([RUN, TOLD, FEW, count(20, 7)], 3000, 2900, id="one is missing"),
        pytest.param([RUN, TOLD, FEW, count(20, 8)], 3000, None, id="made late"),
        pytest.param([RUN, TOLD, FEW, count(20, 0, scrap=8)], 3000, 2900, id="scrap is not made"),
        pytest.param([RUN, TOLD, count(1.5, 100)], 3000, None, id="made in time"),
        pytest.param([RUN, order(0, "start", "O-1"), FEW], 3000, None, id="without a quantity"),
        pytest.param([RUN, TOLD, FEW, order(20, "end", "O-1")], 3000, None, id="ended"),
        pytest.param([RUN, TOLD, FEW, order(40, "start", "O-2", quantity=9)], 3000, None, id="the next is in force"),
        pytest.param([state(0, "down"), TOLD], LATE + 1, 901, id="a machine that is down"),
        pytest.param([RUN, TOLD, FEW, state(10, "planned")], 3000, None, id="a planned stop is no time to make it in"),
        pytest.param([RUN, TOLD, FEW, order(20, "start", "O-1", quantity=92)], 3000, None, id="fewer asked for since"),
        pytest.param(
            [RUN, TOLD, order(0, "start", "O-1", id="wrong", quantity=9000), event("retract", 1, target="wrong"), FEW],
            3000,
            2900,
            id="a quantity that was taken back",
        ),
        pytest.param([order(-1, "start", "O-1", quantity=100), RUN, FEW], 3000, 2900, id="told before all else"),
        pytest.param([RUN, FEW, {**order(2, "start", "O-1", quantity=8), "equipment": LINE}], 3000, 2872, id="line"),
    ],
)
def test_an_order_is_overdue(tmp_path: Path, events: list[Event], seconds: int, found: float | None) -> None:
    order_ = [] if found is None else [("filler", "O-1", found)]
    assert overdue(tmp_path, one_unit(CYCLE) + RULE, events, seconds) == order_


def test_without_an_ideal_cycle_nothing_is_due(tmp_path: Path) -> None:
    assert overdue(tmp_path, one_unit() + RULE, [RUN, TOLD, FEW], 3000) == []


def test_the_cycle_is_that_of_the_product(tmp_path: Path) -> None:
    toml = one_unit(CYCLE, f'[products.P]\nideal_cycle = {{ "{LINE}" = "10s" }}') + RULE
    told = order(0, "start", "O-1", product="P", quantity=100)  # due after 1000 s
    assert overdue(tmp_path, toml, [RUN, told, FEW], 3000) == [("filler", "O-1", 2000)]


def test_it_is_due_at_the_pace_of_the_target(tmp_path: Path) -> None:
    toml = one_unit(f"{CYCLE}\ntargets = {{ oee = 0.8 }}") + RULE  # due after 125 s
    assert overdue(tmp_path, toml, [RUN, TOLD, FEW], 3000) == [("filler", "O-1", 2875)]


def test_breaks_and_time_outside_shifts_do_not_count(tmp_path: Path) -> None:
    # Idle since 2 min: 100 s are due within 5 min before the break, and 20 min are planned up to the end of the shift.
    events = [RUN, TOLD, FEW, state(2, "idle")]
    assert overdue(tmp_path, one_unit(CYCLE, SHIFT) + RULE, events, 3000) == [("filler", "O-1", 1100)]


def test_a_line_takes_time_from_its_constraint_and_pieces_from_its_output(tmp_path: Path) -> None:
    toml = (
        one_unit(CYCLE)
        + f'[equipment."{OTHER}"]\nlevel = "unit"\n'
        + f'[equipment."{LINE}"]\nlevel = "line"\nrollup = "constraint"\nconstraint = "{UNIT}"\noutput = "{OTHER}"\n'
        + RULE.replace('"unit"', '"line"')
    )
    told = {**TOLD, "equipment": LINE}
    made = {"id": "c", "equipment": OTHER, "ts": at(1), "type": "count", "good": 99}
    idle = {**state(0, "producing"), "equipment": OTHER}
    few, enough = [RUN, idle, told, count(1, 100), made], [RUN, idle, told, FEW, made | {"good": 100}]
    assert overdue(tmp_path / "few", toml, few, 3000) == [("line", "O-1", 2900)]
    assert overdue(tmp_path / "enough", toml, enough, 3000) == []


def test_a_level_that_adds_up_several_has_no_order_of_its_own(tmp_path: Path) -> None:
    toml = one_unit(CYCLE) + f'[equipment."{OTHER}"]\nlevel = "unit"\n' + RULE.replace('level = "unit"\n', "")
    events = [RUN, {**RUN, "equipment": OTHER}, TOLD, FEW]
    assert overdue(tmp_path, toml, events, 3000) == [("filler", "O-1", 2900)]


def test_a_rule_that_can_never_fire_is_pointed_out() -> None:
    message = "no equipment of the rule has an ideal cycle: it never fires"
    without, given = (check_plant(one_unit(settings) + RULE) for settings in ("", CYCLE))
    product = check_plant(one_unit("", f'[products.P]\nideal_cycle = {{ "{LINE}" = "10s" }}') + RULE)
    assert [message in {each.message for each in one.warnings} for one in (without, given, product)] == [
        True,
        False,
        False,
    ]
