"""What is wrong with channels, people, duty and routes, and who would not hear of an alert."""

import pytest

from kpis.plant import check_plant
from tests.on_duty import PLANT, ROUTE, STAFF

WHOLE = PLANT + STAFF + ROUTE


def faults(text: str) -> list[str]:
    return [str(fault).partition(": ")[2] for fault in check_plant(text).faults]


def warnings(text: str) -> list[str]:
    return [str(warning).partition(": ")[2] for warning in check_plant(text).warnings]


def test_the_whole_is_without_faults() -> None:
    assert faults(WHOLE) == []
    assert [each for each in warnings(WHOLE) if "routes" in each or "alerts" in each] == []


@pytest.mark.parametrize(
    ("found", "instead", "fault"),
    [
        ('{ box = "anna" }', '{ bxo = "anna" }', 'people[0].channels.bxo: unknown channel, found "bxo"'),
        ('people = "Anna"', 'people = "Anne"', 'duty[0].people: unknown person, found "Anne" (did you mean "Anna"?)'),
        ('deputy = "Cleo"', 'deputy = ["Clea"]', 'duty[2].deputy[0]: unknown person, found "Clea"'),
        ('shifts = "early"', 'shifts = "erly"', 'duty[0].shifts: unknown shift, found "erly" (did you mean "early"?)'),
        (
            'to = "maintenance"',
            'to = "maintenence"',
            'routes[0].escalation[1].to: unknown role or person, found "maintenence" (did you mean "maintenance"?)',
        ),
        (
            'role = "maintenance"\npeople = "Dan"',
            'role = "Ben"\npeople = "Dan"',
            'duty[2].role: a role with the name of a person, found "Ben" (who is meant would not be clear)',
        ),
        ('name = "Ben"', 'name = "Anna"', 'people[1].name: two people of the same name, found "Anna"'),
        ('after = "30m"', 'after = "10m"', "routes[0].escalation: the steps are not in the order of their times"),
        ('folder = "mail"', 'url = "mailto://secret"', "channels[0].folder: missing, found nothing"),
        ("last = 2026-03-11", "last = 2026-03-01", "people[3].away[0].last: is before the first day"),
        (
            'kind = "mailbox"\nfolder = "mail"',
            'kind = "andon"\nbroker = "mqtt://b"',
            "people[0].channels.box: an andon channel",
        ),
    ],
)
def test_a_fault_is_said_with_its_place(found: str, instead: str, fault: str) -> None:
    assert found in WHOLE
    assert any(each.startswith(fault) for each in faults(WHOLE.replace(found, instead, 1))), faults(
        WHOLE.replace(found, instead, 1)
    )


def test_a_secret_is_not_repeated() -> None:
    channel = '[[channels]]\nname = "mail"\nkind = "apprise"\nurl = "mailto://anna:s3cret@acme.example"\n'
    (fault,) = faults(WHOLE + channel)
    assert "must not be written here" in fault
    assert "s3cret" not in fault


def test_hours_in_which_nobody_is_there_are_pointed_out() -> None:
    gap = WHOLE.replace('shifts = ["late", "night"]', 'shifts = "late"')
    (warning,) = [each for each in warnings(gap) if "nobody" in each]
    assert "routes[0].escalation[0].to: nobody to notify on Monday at 00:00" in warning
    assert [each for each in warnings(gap + '[notifications]\nfallback = "Cleo"') if "nobody" in each] == []
    weekend = WHOLE.replace('"sat", "sun"]\nstart = 22', '"sat"]\nstart = 22')
    assert [each for each in warnings(weekend) if "nobody" in each] == []  # no alert comes outside shifts, either
    always = weekend.replace('when = { state = "down" }', 'when = { state = "down" }\nquiet = []')
    (warning,) = [each for each in warnings(always) if "nobody" in each]
    assert "on Monday at 00:00" in warning  # Sunday's night shift is gone


def test_a_rule_that_no_route_is_for_is_pointed_out() -> None:
    (warning,) = [
        each for each in warnings(WHOLE.replace("[[routes]]", '[[routes]]\nrule = "other"')) if "alerts" in each
    ]
    assert 'nobody is told of this alert, found "stopped"' in warning
