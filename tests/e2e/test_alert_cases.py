"""A user tries rules on cases of his own: what is right is said, and what goes otherwise, and where."""

from pathlib import Path

from tests.command import Command
from tests.oracle.shorthand import LINE, UNIT, at, one_unit

RULES = f"""
[equipment."{LINE}"]
level = "line"
[[alerts]]
name = "stopped"
when = {{ state = "down" }}
level = "unit"
for = "5m"
"""
STATES = ", ".join(
    f'{{ equipment = "{UNIT}", ts = "{at(minute)}", type = "state", state = "{state}" }}'
    for minute, state in ((0, "producing"), (10, "down"), (20, "producing"), (30, "producing"))
)
OPEN = f'firing = [{{ rule = "stopped", equipment = "{UNIT}", since = {at(10)} }}]'


def case(name: str, *expected: str) -> str:
    return f'[[cases]]\nname = "{name}"\nevents = [{STATES}]\nexpect = [{", ".join(expected)}]\n'


def test_cases_that_go_as_expected_and_otherwise(oeeflow: Command) -> None:
    Path("plant.toml").write_text(one_unit() + RULES)
    right = [f"{{ at = {at(14)} }}", f"{{ at = {at(16)}, {OPEN} }}", f"{{ at = {at(22)}, firing = [] }}"]
    Path("right.toml").write_text(case("a stop of ten minutes", *right))
    ended = oeeflow("alerts", "test", "plant.toml", "right.toml")
    assert (ended.status, ended.out) == (0, "ok     a stop of ten minutes\n")

    wrong = case("too early", f"{{ at = {at(14)}, {OPEN} }}") + case("missed", f"{{ at = {at(16)} }}")
    Path("wrong.toml").write_text(wrong + case("right", *right))
    ended = oeeflow("alerts", "test", "plant.toml", "wrong.toml")
    assert ended.status == 1
    assert ended.out.splitlines() == [
        "failed too early",
        f"       2026-03-02T08:14:00+00:00  stopped on {UNIT} is not open",
        "failed missed",
        f"       2026-03-02T08:16:00+00:00  stopped on {UNIT} is open, and should not be",
        "ok     right",
    ]


def test_a_file_that_is_no_cases_names_the_key(oeeflow: Command) -> None:
    Path("plant.toml").write_text(one_unit() + RULES)
    Path("cases.toml").write_text('[[cases]]\nname = "x"\nexpected = []\n')
    ended = oeeflow("alerts", "test", "plant.toml", "cases.toml")
    assert ended.status != 0
    assert "expected" in ended.told
    assert "Traceback" not in ended.told


def test_an_order_that_is_overdue_is_found_by_cases_and_in_history(oeeflow: Command) -> None:
    """100 pieces at 1 s each, none made: due after 100 s, overdue by 15 min at the minute 17."""
    rule = '[[alerts]]\nname = "due"\nwhen = { overdue = "15m" }\nlevel = "unit"\n'
    Path("plant.toml").write_text(one_unit('ideal_cycle = "1s"') + rule)
    order = (
        f'{{ equipment = "{UNIT}", ts = "{at(0)}", type = "order", action = "start", order = "O-1", quantity = 100 }}'
    )
    due = f'{{ at = {at(17)}, firing = [{{ rule = "due", equipment = "{UNIT}", since = {at(17)} }}] }}'
    expected = f"{{ at = {at(16)} }}, {due}"
    Path("cases.toml").write_text(f'[[cases]]\nname = "late"\nevents = [{STATES}, {order}]\nexpect = [{expected}]\n')
    ended = oeeflow("alerts", "test", "plant.toml", "cases.toml")
    assert (ended.status, ended.out) == (0, "ok     late\n")

    Path("log.jsonl").write_text(
        f'{{"equipment":"{UNIT}","ts":"{at(0)}","type":"order","action":"start","order":"O-1","quantity":100}}\n'
        f'{{"equipment":"{UNIT}","ts":"{at(0)}","type":"state","state":"producing"}}\n'
        f'{{"equipment":"{UNIT}","ts":"{at(30)}","type":"count","good":1}}\n'
    )
    assert oeeflow("replay", "plant.toml", "log.jsonl", "--db", "kpi.duckdb").status == 0
    ended = oeeflow("alerts", "replay", "--db", "kpi.duckdb")
    assert "order O-1 is" in ended.out
    assert "due: would have fired once, suppressed 0 times" in ended.told
