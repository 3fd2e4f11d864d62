"""Who is told what and when: escalation, hand-over, quiet hours, grouping, storms, restarts; by a moved clock."""

from tests.on_duty import PLANT, ROUTE, STAFF, Heard, Timeline, local

DAY = 9  # a Monday of March 2026
LEAD_ONLY = '[[routes]]\nescalation = [{ after = "0s", to = "lead" }]\n'


def timeline(
    clock: str = "07:00", *, day: int = DAY, route: str = ROUTE, staff: str = STAFF, more: str = ""
) -> Timeline:
    return Timeline(PLANT + staff + route + more, local(day, clock))


def test_it_climbs_until_somebody_acknowledges() -> None:
    line = timeline()
    line.fire("a")
    assert line.heard() == [Heard("09 07:00", "Anna", ("fired",), ("a",))]
    line.move(local(DAY, "07:09"))
    assert line.heard() == []
    line.move(local(DAY, "07:15"))
    assert line.heard() == [Heard("09 07:10", "Dan", ("escalated",), ("a",))]
    line.change("a", acknowledged_by="Dan")
    line.move(local(DAY, "12:00"))
    assert line.heard() == []
    line.resolve("a")
    assert line.heard() == [
        Heard("09 12:00", "Anna", ("resolved",), ("a",)),
        Heard("09 12:00", "Dan", ("resolved",), ("a",)),
    ]
    line.move(local(DAY + 1, "12:00"))
    assert line.heard() == []


def test_after_the_last_step_it_is_told_again() -> None:
    line = timeline(route=ROUTE.replace("[[routes]]", '[[routes]]\nrepeat = "1h"'))
    line.fire("a")
    line.move(local(DAY, "09:45"))
    assert line.heard()[2:] == [
        Heard("09 07:30", "Anna", ("escalated",), ("a",)),
        Heard("09 08:30", "Anna", ("repeated",), ("a",)),
        Heard("09 09:30", "Anna", ("repeated",), ("a",)),
    ]


def test_open_alerts_are_handed_over_to_the_next_shift_acknowledged_or_not() -> None:
    line = timeline("13:55")
    line.fire("a")
    line.change("a", acknowledged_by="Anna")
    line.fire("b", unit="capper")
    line.heard()
    line.move(local(DAY, "14:01"))
    assert line.heard() == [Heard("09 14:00", "Ben", ("handed_over",), ("a", "b"))]
    line.move(local(DAY + 1, "05:59"))
    # b climbs; who heard of it is not told twice. At midnight Dan's holidays begin.
    assert [(heard.at, heard.person) for heard in line.heard()] == [
        ("09 14:05", "Dan"),
        ("09 14:25", "Anna"),
        ("10 00:00", "Cleo"),
    ]
    line.resolve("a")
    assert [heard.person for heard in line.heard()] == ["Anna", "Ben"]


def test_the_shift_of_the_night_of_a_clock_change_is_an_hour_shorter() -> None:
    line = Timeline(PLANT + STAFF + ROUTE, local(29, "01:58"))
    line.fire("a")
    line.move(local(29, "05:59"))
    assert [(heard.at, heard.person) for heard in line.heard()] == [
        ("29 01:58", "Ben"),
        ("29 03:08", "Dan"),  # ten minutes later: at 02:00 it became 03:00
        ("29 03:28", "Anna"),
    ]
    line = Timeline(PLANT + STAFF + ROUTE, local(29, "05:55"))
    line.fire("b")
    line.move(local(29, "06:00"))
    assert line.heard()[-1] == Heard("29 06:00", "Anna", ("handed_over",), ("b",))


def test_a_deputy_is_there_when_all_are_away() -> None:
    line = timeline("07:00", day=10)
    line.fire("a")
    line.move(local(10, "07:10"))
    assert line.heard()[-1].person == "Cleo"


def test_nobody_on_duty_is_the_fallback_or_at_least_written_down() -> None:
    staff = STAFF.replace('shifts = ["late", "night"]', 'shifts = "late"')
    line = timeline("23:00", staff=staff, route=LEAD_ONLY)
    line.fire("a")
    assert line.heard() == [Heard("09 23:00", None, ("fired",), ("a",))]
    line.move(local(DAY + 1, "06:00"))
    assert line.heard()[-1] == Heard("10 06:00", "Anna", ("handed_over",), ("a",))
    line = timeline("23:00", staff=staff, more='[notifications]\nfallback = "Cleo"')
    line.fire("a")
    assert line.heard() == [Heard("09 23:00", "Cleo", ("fired",), ("a",))]


def test_quiet_hours_hold_messages_back() -> None:
    quiet = ROUTE.replace("[[routes]]", "[[routes]]\nquiet = { start = 22:00:00, end = 06:00:00 }")
    line = timeline("23:00", route=quiet)
    line.fire("a")
    line.fire("over before morning", unit="capper")
    line.move(local(DAY + 1, "03:00"))
    line.resolve("over before morning")
    line.move(local(DAY + 1, "06:05"))
    assert line.heard() == [Heard("10 06:00", "Anna", ("fired",), ("a",))]


def test_steps_come_one_at_a_time_after_a_long_rest() -> None:
    line = timeline()
    line.fire("a", fired_at=local(DAY, "03:00"))
    assert line.heard() == [Heard("09 07:00", "Anna", ("fired",), ("a",))]
    line.sleep(local(DAY, "12:00"))
    line.move(local(DAY, "12:05"))
    assert line.heard() == [Heard("09 12:00", "Dan", ("escalated",), ("a",))]
    line.move(local(DAY, "12:25"))
    assert line.heard() == [Heard("09 12:20", "Anna", ("escalated",), ("a",))]


def test_what_is_shelved_comes_back_when_its_time_is_over() -> None:
    line = timeline()
    line.fire("a")
    line.heard()
    line.change("a", shelved_until=local(DAY, "09:00"))
    line.move(local(DAY, "09:05"))
    assert line.heard() == []
    line.move(local(DAY, "09:10"))
    assert line.heard() == [Heard("09 09:10", "Dan", ("escalated",), ("a",))]


def test_alerts_of_a_line_come_together_after_the_first_wait() -> None:
    line = timeline(route=ROUTE.replace("[[routes]]", '[[routes]]\nwait = "1m"'))
    line.fire("a")
    line.now += 30_000_000
    line.fire("b", unit="capper")
    line.fire("short", unit="capper")
    line.resolve("short")
    line.move(local(DAY, "07:03"))
    assert line.heard() == [Heard("09 07:01", "Anna", ("fired",), ("a", "b"))]


def test_a_storm_ends_in_few_messages() -> None:
    line = timeline(more="[notifications]\nper_hour = 3")
    for number in range(600):
        line.fire(f"alert {number}")
        line.now += 100_000
        line.resolve(f"alert {number}")
        line.now += 100_000
    assert line.now == local(DAY, "07:02")
    line.move(local(DAY, "13:00"))
    heard = line.heard()
    assert [each.person for each in heard] == ["Anna"] * len(heard)
    assert len(heard) <= 3 + 6
    assert set(line.cases["alert 0"].recipients) == {"Anna"}


def test_whoever_heard_of_it_hears_that_it_was_corrected_or_withdrawn_or_is_open_again() -> None:
    line = timeline()
    line.fire("a")
    line.heard()
    line.resolve("a")
    line.change("a", state="firing", over_at=None)
    assert [heard.kinds for heard in line.heard()] == [("resolved",), ("reopened",)]
    line.change("a", state="withdrawn", over_at=line.now)
    assert line.heard() == [Heard("09 07:00", "Anna", ("withdrawn",), ("a",))]


def test_the_first_route_that_fits_is_the_one() -> None:
    route = """
[[routes]]
severity = "critical"
equipment = "*/capper"
escalation = [{ after = "0s", to = ["Dan", "Cleo"] }]
[[routes]]
severity = ["critical", "warning"]
rule = "stop*"
level = "unit"
escalation = [{ after = "0s", to = "lead" }]
"""
    line = timeline(route=route)
    line.fire("a", unit="capper", severity="critical")
    line.fire("b", severity="critical")
    line.fire("c", severity="info")
    assert [(heard.person, heard.alerts) for heard in line.heard()] == [
        ("Dan", ("a",)),
        ("Cleo", ("a",)),
        ("Anna", ("b",)),
    ]


def test_the_same_story_has_the_same_messages() -> None:
    def told() -> list[str]:
        line = timeline()
        line.fire("a")
        line.move(local(DAY, "15:00"))
        line.resolve("a")
        return [message.message for message in line.messages]

    first = told()
    assert told() == first
    assert len(set(first)) == len(first) == 7
