"""What is said about a plant file in which something is wrong or hardly meant."""

import pytest

from kpis.errors import ConfigError, OeeflowError
from kpis.plant import STARTER, PlantError, check_plant, load_plant
from kpis.toml_lines import key_lines, line_of

FAULTS = [
    ("syntax", "a = 1\nb = \n", 'line 2: not valid TOML: invalid value, found "b ="'),
    ("unclosed", '[plant]\nname = """x', "line 2: not valid TOML"),
    ("unknown table", "[plnt]\n", 'line 1: plnt: unknown key, found "plnt" (did you mean "plant"?)'),
    ("unknown key", '[equipment."a/b"]\nlevl = "unit"', 'line 2: equipment.a/b.levl: unknown key, found "levl"'),
    ("level in defaults", '[defaults]\nlevel = "unit"', 'defaults.level: unknown key, found "level"'),
    ("level", '[equipment.a]\nlevel = "lin"', 'found "lin" (did you mean "line"?)'),
    ("unquoted path", "[equipment.a.b]\n", '(a path is one quoted name: [equipment."a/b"])'),
    (
        "time zone",
        '[plant]\ntimezone = "Europe/Berln"',
        'unknown time zone, found "Europe/Berln" (did you mean "Europe/B',
    ),
    ("no time zone", '[plant]\ntimezone = ""', "unknown time zone"),
    ("zone folder", '[plant]\ntimezone = "Europe"', "unknown time zone"),
    ("zone file", '[plant]\ntimezone = "../../etc/passwd"', "unknown time zone"),
    ("definition", '[plant]\noee_definition = "iso"', "valid: standard, iso22400, smrp"),
    ("duration without unit", '[defaults]\ngrace = "2"', 'not a duration, found "2"'),
    ("duration as number", "[defaults]\ngrace = 2", "a duration must be text with a unit, found 2"),
    ("negative duration", '[defaults]\ngrace = "-2s"', "not a duration"),
    ("too fine", '[defaults]\ngrace = "0.5us"', "finer than one microsecond"),
    ("too long", '[defaults]\ngrace = "99999d"', "more than 100 years"),
    ("no cycle", '[equipment.a]\nideal_cycle = "0s"', "must be longer than 0s"),
    ("no cycles", '[defaults]\nstate_from_counts = { stop_after = "0x" }', "must be more than 0 cycles"),
    ("stop after what", '[defaults]\nstate_from_counts = { stop_after = "5 x" }', "not a duration"),
    ("quoted time", '[[shifts]]\nstart = "22:00"', 'shifts[0].start: must be a local time, found "22:00"'),
    ("quoted date", '[[exceptions]]\ndate = "2026-12-25"', "exceptions[0].date: must be a local date"),
    ("date with time", "[[exceptions]]\ndate = 2026-12-25T00:00:00", "exceptions[0].date: must be a local date"),
    ("no days", "[[shifts]]\ndays = []", "shifts[0].days: must not be empty"),
    ("wrong day", '[[shifts]]\ndays = ["monday"]', 'shifts[0].days[0]: not one of the valid values, found "monday"'),
    ("break", "[[shifts]]\nbreaks = [{ start = 02:00:00, minutes = 0 }]", "breaks[0].minutes: must be more than 0"),
    (
        "days of an exception",
        '[[exceptions]]\nshifts = [{ days = ["mon"] }]',
        "exceptions[0].shifts[0].days: unknown key",
    ),
    ("equipment calendar", '[equipment.a]\ncalendar = "x"', 'unknown calendar, found "x" (there are none)'),
    (
        "two calendars mistyped",
        '[[shifts]]\ncalendar = "two-shift"\n[[exceptions]]\ncalendar = "tow-shft"\n[defaults]\ncalendar = "tow-shift"',
        'line 6: defaults.calendar: unknown calendar, found "tow-shift" (did you mean "two-shift"?)',
    ),
    ("constraint without", '[equipment.a]\nrollup = "constraint"', 'rollup = "constraint" needs a constraint'),
    ("unknown constraint", '[equipment.a]\nconstraint = "b"', 'equipment.a.constraint: unknown equipment, found "b"'),
    ("own constraint", '[equipment.a]\nrollup = "constraint"\nconstraint = "a"', "would be rolled up from itself"),
    ("output above", '[equipment."a/b"]\noutput = "a"', "equipment.a/b.output: would be rolled up from itself"),
    (
        "product path",
        '[equipment.a]\n[products.P.ideal_cycle]\nb = "1s"',
        "products.P.ideal_cycle.b: unknown equipment",
    ),
    ("reason category", '[reasons.r]\ncategory = "producing"', "valid: setup, down, idle, planned"),
    ("state category", '[states]\nRUN = "running"', 'states.RUN: not one of the valid values, found "running"'),
    ("target", '[equipment.a]\ntargets = { oee = "0.8" }', "equipment.a.targets.oee: must be a number"),
    ("no such KPI", "[defaults]\ntargets = { oe = 0.5 }", 'targets.oe: unknown KPI, found "oe" (did you mean'),
    ("part of a minute", '[windows]\nsliding_length = "90s"', "sliding_length: must be whole minutes, found"),
    ("no step", '[windows]\nsliding_step = "0s"', "sliding_step: must be longer than 0s"),
    (
        "too many windows",
        '[windows]\nsliding_length = "70d"',
        "windows.sliding_length: too long for so short a step, found",
    ),
    ("target nan", "[equipment.a]\ntargets = { oee = nan }", "must be a finite number"),
    ("source kind", '[[sources]]\nkind = "opc"', "valid: mqtt, mtconnect"),
    ("source item", '[[sources]]\nkind = "mtconnect"\nitems = { a = "ok" }', "valid: state, good, scrap, rework"),
    ("source equipment", '[equipment.a]\n[[sources]]\nequipment = "b"', "sources[0].equipment: unknown equipment"),
    (
        "two sources",
        '[[sources]]\nname = "m"\n[[sources]]\nname = "m"',
        "line 4: sources[1].name: two sources of the same",
    ),
    *(
        (f"path {path!r}", f'[equipment."{path}"]', "not an equipment path")
        for path in ("", "/a", "a/", "a//b", "a/#", "a/+/b", "*", "a /b", " a", "a\\tb/\\u0000")
    ),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_faults_say_where_what_and_what_would_be_right(text: str, expected: str) -> None:
    report = check_plant(text)
    assert report.plant is None
    assert any(expected in str(fault) for fault in report.faults), "\n".join(map(str, report.faults))


@pytest.mark.parametrize("path", ["a", "a b/c", "Ä/ß-1", "line.1/x_y", "a/b/c/d/e/f/g"])
def test_paths_may_be_plain_names(path: str) -> None:
    assert path in load_plant(f'[equipment."{path}"]').equipment


def test_every_fault_is_found_at_once_and_in_order() -> None:
    report = check_plant("""
        [plant]
        oee_definition = "x"
        [defaults]
        calendar = "tow-shift"
        [[shifts]]
        calendar = "two-shift"
        name = "late"
        [equipment."a/b"]
        constraint = "a/c"
    """)
    assert [fault.key for fault in report.faults] == [
        "plant.oee_definition",
        "defaults.calendar",
        "shifts[0].start",
        "shifts[0].end",
        "shifts[0].days",
        "equipment.a/b.constraint",
    ]
    assert [fault.line for fault in report.faults] == [3, 5, 6, 6, 6, 10]


@pytest.mark.parametrize(
    ("fault", "warnings"),
    [
        ("[plnt]", ["defaults.ideal_cycle", "shifts[0].days[1]"]),
        ('[equipment.a]\ncalendar = "x"', ["defaults.ideal_cycle", "shifts[0].days[1]"]),
        ('[equipment.a]\nideal_cycle = "2h"\nlevl = "unit"', ["defaults.ideal_cycle", "shifts[0].days[1]"]),
        ("brakes = []", ["defaults.ideal_cycle", "equipment"]),
    ],
    ids=["an unknown table", "an unknown name", "a wrong table", "a wrong shift"],
)
def test_warnings_stand_beside_faults(fault: str, warnings: list[str]) -> None:
    """Of a table with a fault in it nothing is said, nor that what stands there is missing."""
    shift = SHIFT.format(name="early", start="06:00:00", end="14:00:00").replace('["mon"]', '["mon", "mon"]')
    report = check_plant(f'[plant]\ntimezone = "UTC"\n[defaults]\nideal_cycle = "2h"\n{shift}{fault}')
    assert (len(report.faults), report.plant) == (1, None)
    equipment = [] if "[equipment" in fault or "equipment" in warnings else ["equipment"]
    assert sorted(warning.key for warning in report.warnings) == sorted(warnings + equipment)


def test_a_wrong_shift_does_not_make_its_calendar_unknown() -> None:
    report = check_plant('[[shifts]]\ncalendar = "c"\nstart = 1\n[defaults]\ncalendar = "c"')
    assert "defaults.calendar" not in {fault.key for fault in report.faults}


def test_an_exception_may_make_a_calendar_only_if_it_is_used() -> None:
    exception = '[[exceptions]]\ncalendar = "c"\ndate = 2026-01-01\n'
    assert [fault.key for fault in check_plant(exception).faults] == ["exceptions[0].calendar"]
    assert check_plant(exception + '[equipment.a]\ncalendar = "c"').plant


def test_load_plant_raises_with_all_faults() -> None:
    with pytest.raises(PlantError, match="the plant file has 2 faults") as caught:
        load_plant("[plnt]\n[equipmnt]")
    assert len(caught.value.faults) == 2
    assert isinstance(caught.value, ConfigError)
    assert isinstance(caught.value, OeeflowError)


SHIFT = '[[shifts]]\ncalendar = "c"\nname = "{name}"\ndays = ["mon"]\nstart = {start}\nend = {end}\n'
EARLY = SHIFT.format(name="early", start="06:00:00", end="14:00:00")
LATER = SHIFT.format(name="x", start="13:00:00", end="15:00:00")
EXCEPTION = '[[exceptions]]\ncalendar = "c"\ndate = 2026-03-03\nshifts = {shifts}\n'
HOURS = "start = 06:00:00, end = 14:00:00"
USED = '[plant]\ntimezone = "UTC"\n[equipment."l/u"]\ncalendar = "c"\nideal_cycle = "1s"\n'

WARNINGS = [
    ("empty file", "", "no equipment"),
    ("no zone", "[plant]", "no timezone: days and shifts are in UTC"),
    (
        "overlap",
        USED + EARLY + SHIFT.format(name="x", start="13:00:00", end="15:00:00"),
        'overlaps early on mon, found "x"',
    ),
    (
        "overlap every day",
        USED
        + (EARLY + SHIFT.format(name="x", start="13:00:00", end="15:00:00")).replace('"mon"', '"mon", "sun", "tue"'),
        'overlaps early on mon, tue, sun, found "x"',
    ),
    (
        "overlap around an exception",
        USED + EARLY + LATER + '[[exceptions]]\ncalendar = "c"\ndate = 2026-03-03\n',
        'overlaps early on mon, found "x"',
    ),
    (
        "overlap on an exception",
        USED + EARLY + EXCEPTION.format(shifts=f"[{{ name = 'x', {HOURS} }}, {{ name = 'y', {HOURS} }}]"),
        'exceptions[0].shifts[1]: overlaps x on 2026-03-03, found "y"',
    ),
    ("day twice", USED + EARLY.replace('"mon"', '"mon", "mon"'), "shifts[0].days[1]: a day that is there already"),
    ("overlap at night", USED + EARLY + SHIFT.format(name="x", start="05:00:00", end="05:00:00"), "overlaps x on mon"),
    (
        "same name",
        USED + EARLY + SHIFT.format(name="early", start="15:00:00", end="16:00:00"),
        "two shifts of one name",
    ),
    ("break outside", USED + EARLY + "breaks = [{ start = 13:45:00, minutes = 30 }]", "break is not inside its shift"),
    (
        "breaks that overlap",
        USED + EARLY + "breaks = [{ start = 09:00:00, minutes = 30 }, { start = 08:45:00, minutes = 16 }]",
        'shifts[0].breaks[0]: overlaps the break at 08:45:00, found "09:00:00"',
    ),
    ("unused calendar", USED.replace('calendar = "c"', "") + EARLY, 'no equipment uses this calendar, found "c"'),
    ("levels", '[equipment.a]\nlevel = "unit"\n[equipment."a/b"]\nlevel = "site"', "below an equipment of level unit"),
    ("constraint unused", '[equipment.a]\nconstraint = "b"\n[equipment.b]', 'no effect with rollup = "sum"'),
    ("constraint aside", '[equipment.a]\nrollup = "constraint"\nconstraint = "b"\n[equipment.b]', "is not below a"),
    (
        "constraint of another line",
        '[equipment."a/u"]\n[equipment."b/u"]\n[equipment.a]\nrollup = "constraint"\nconstraint = "b/u"',
        'the constraint is not below a, found "b/u" (did you mean "a/u"?)',
    ),
    ("slow", '[defaults]\nideal_cycle = "61m"', 'an ideal cycle of more than an hour, found "3660 s"'),
    ("fast", '[equipment.a]\n[products.P.ideal_cycle]\na = "9ms"', "an ideal cycle under 10 ms"),
    ("no cycle", '[equipment.a]\nlevel = "unit"', "a unit without an ideal cycle"),
    ("percent", "[defaults]\ntargets = { oee = 80 }", "a target outside 0 to 1"),
    ("state", '[states]\ndown = "idle"', "the category down is given another meaning"),
    ("windows", '[windows]\nsliding_length = "1m"\nsliding_step = "2m"', "further apart than they are long"),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in WARNINGS], ids=[case[0] for case in WARNINGS])
def test_warnings_point_out_what_is_hardly_meant(text: str, expected: str) -> None:
    report = check_plant(text)
    assert not report.faults
    assert report.plant is not None
    shown = [str(warning) for warning in report.warnings]
    assert any(expected in line for line in shown), "\n".join(shown)


def test_the_starter_works_as_it_is() -> None:
    report = check_plant(STARTER)
    assert (report.faults, report.warnings) == ((), ())
    assert report.plant is not None
    assert {node.level for node in report.plant.equipment.values()} == {"enterprise", "site", "area", "line", "unit"}


@pytest.mark.parametrize(
    "more",
    [
        "",
        "breaks = [{ start = 09:15:00, minutes = 30 }, { start = 09:00:00, minutes = 15 }]",
        SHIFT.format(name="late", start="14:00:00", end="06:00:00"),
    ],
    ids=["a shift", "breaks that follow on each other", "shifts that do"],
)
def test_a_plausible_plant_has_no_warnings(more: str) -> None:
    assert [str(warning) for warning in check_plant(USED + EARLY + more).warnings] == []


@pytest.mark.parametrize("name", [case[0] for case in WARNINGS if case[0].startswith("overlap")])
def test_two_shifts_that_overlap_are_one_warning(name: str) -> None:
    (text,) = (case[1] for case in WARNINGS if case[0] == name)
    assert sum("overlaps" in warning.message for warning in check_plant(text).warnings) == 1


LINES = """[plant]
name = "x"

[[shifts]]
name = "a"
days = [
  "mon",
]
[[shifts]]
name = "b"
breaks = [
  { start = 02:00:00 },
]
[equipment."a/b"]
targets.oee = 0.8
state_from_counts = { stop_after = "5x" }
[products."P 1".ideal_cycle]
"a/b" = "1s"
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("plant",), 1),
        (("plant", "name"), 2),
        (("plant", "timezone"), 1),
        (("shifts", 0), 4),
        (("shifts", 0, "days", 0), 6),
        (("shifts", 1, "name"), 10),
        (("shifts", 1, "breaks", 0, "minutes"), 11),
        (("equipment", "a/b", "targets", "oee"), 15),
        (("equipment", "a/b", "state_from_counts", "stop_after"), 16),
        (("products", "P 1", "ideal_cycle", "a/b"), 18),
        (("nothing",), None),
    ],
)
def test_where_a_key_stands(location: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(location, key_lines(LINES)) == line
