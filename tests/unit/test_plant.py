"""The plant that a plant file describes: nearest settings, the tree, categories, ideal cycles, the fingerprint."""

import pickle
from datetime import date, time

import pytest

from kpis.plant import Break, Plant, check_plant, json_schema, load_plant
from kpis.plant_sources import MtconnectSource

SECOND = 1_000_000
MINUTE = 60 * SECOND

ACME = """
[plant]
name = "Acme Ulm"
timezone = "Europe/Berlin"

[defaults]
minor_stop_under = "2m"
targets = { oee = 0.7, coverage = 0.95 }

[[shifts]]
calendar = "two-shift"
name = "late"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 22:00:00
end = 06:00:00
breaks = [{ start = 02:00:00, minutes = 30 }]
[[exceptions]]
calendar = "two-shift"
date = 2026-12-25
shifts = []
reason = "Christmas"

[equipment."acme/ulm"]
level = "site"
calendar = "two-shift"
ideal_cycle = "2s"
stale_after = "10m"
[equipment."acme/ulm/packing/line-1"]
level = "line"
timezone = "Europe/London"
rollup = "constraint"
constraint = "acme/ulm/packing/line-1/filler"
output = "acme/ulm/packing/line-1/palletizer"
state_from_counts = { stop_after = "5x" }
[equipment."acme/ulm/packing/line-1/filler"]
level = "unit"
ideal_cycle = "500ms"
minor_stop_under = "0s"
capacity_per_hour = 7000
state_from_counts = { stop_after = "30s" }
targets = { oee = 0.8, scrap_ratio = 0.02 }
[equipment."acme/ulm/packing/line-1/palletizer"]
level = "unit"
[equipment."acme/ulm/lab/press"]
level = "unit"
state_from_counts = { stop_after = "0s" }

[products."P-100"]
label = "Pallet"
[products."P-100".ideal_cycle]
"acme/ulm/packing/line-1/filler" = "450ms"
"acme/ulm/packing" = "250us"

[states]
RUN = "producing"
UNAVAILABLE = "unknown"
down = "idle"
[reasons.jam]
label = "Jam at infeed"
category = "down"
loss = "Breakdowns"
[reasons.clean]
category = "planned"
maintenance = "preventive"
[reasons.bare]

[[sources]]
name = "mazak"
kind = "mtconnect"
equipment = "acme/ulm/lab/press"
items = { execution = "state", Part_Count = "good" }
"""


@pytest.fixture(scope="module")
def acme() -> Plant:
    return load_plant(ACME)


FILLER = "acme/ulm/packing/line-1/filler"
PALLETIZER = "acme/ulm/packing/line-1/palletizer"


@pytest.mark.parametrize(
    ("path", "setting", "value"),
    [
        ("acme", "timezone", "Europe/Berlin"),
        (FILLER, "timezone", "Europe/London"),
        ("acme/ulm/packing", "timezone", "Europe/Berlin"),
        ("acme", "calendar", None),
        (FILLER, "calendar", "two-shift"),
        (FILLER, "minor_stop_under_us", 0),
        (PALLETIZER, "minor_stop_under_us", 2 * MINUTE),
        (PALLETIZER, "stale_after_us", 10 * MINUTE),
        ("acme", "stale_after_us", 0),
        ("acme", "grace_us", 2 * MINUTE),
        ("acme", "future_tolerance_us", 5 * MINUTE),
        (FILLER, "ideal_cycle_us", 500_000),
        (PALLETIZER, "ideal_cycle_us", 2 * SECOND),
        ("acme", "ideal_cycle_us", None),
        (FILLER, "targets", {"oee": 0.8, "scrap_ratio": 0.02, "coverage": 0.95}),
        (PALLETIZER, "targets", {"oee": 0.7, "coverage": 0.95}),
        (PALLETIZER, "stop_after_cycles", 5.0),
        (PALLETIZER, "stop_after_us", None),
        (FILLER, "stop_after_cycles", None),
        (FILLER, "stop_after_us", 30 * SECOND),
        ("acme/ulm/lab/press", "stop_after_us", None),
        ("acme/ulm/lab/press", "stop_after_cycles", None),
        (FILLER, "capacity_per_hour", 7000),
        (PALLETIZER, "capacity_per_hour", None),
        ("acme/ulm/packing/line-1", "rollup", "constraint"),
        (FILLER, "rollup", "sum"),
        (FILLER, "constraint", None),
        (FILLER, "parent", "acme/ulm/packing/line-1"),
        ("acme", "parent", None),
        ("acme/ulm/packing", "declared", False),
        (FILLER, "declared", True),
        ("acme", "level", "enterprise"),
        ("acme/ulm/packing", "level", "area"),
        ("acme/ulm/lab", "level", "line"),
    ],
)
def test_the_nearest_setting_counts(acme: Plant, path: str, setting: str, value: object) -> None:
    assert getattr(acme.equipment[path], setting) == value


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ('[equipment."a/b/c/d/e"]\nlevel = "unit"', "enterprise site area line unit"),
        ('[equipment."a/b/c/d/e"]', "enterprise site area line unit"),
        ('[equipment."a/b"]\nlevel = "unit"', "line unit"),
        ('[equipment."a/b/c/d/e/f"]\nlevel = "unit"', "enterprise enterprise site area line unit"),
        ('[equipment."a/b"]\nlevel = "site"\n[equipment."a/b/c/d"]\nlevel = "unit"', "enterprise site line unit"),
        ('[equipment."a/b"]\nlevel = "unit"\n[equipment."a/c"]\nlevel = "area"', "site unit area"),
    ],
)
def test_levels_of_what_is_not_declared_follow_from_below(declared: str, expected: str) -> None:
    assert " ".join(node.level for node in load_plant(declared).equipment.values()) == expected


def test_the_tree(acme: Plant) -> None:
    assert list(acme.equipment) == sorted(acme.equipment)
    assert acme.ancestors(FILLER) == ("acme/ulm/packing/line-1", "acme/ulm/packing", "acme/ulm", "acme")
    assert acme.ancestors("acme") == ()
    assert acme.children("acme/ulm") == ("acme/ulm/lab", "acme/ulm/packing")
    assert acme.children(FILLER) == ()
    assert acme.descendants("acme/ulm/packing") == ("acme/ulm/packing/line-1", FILLER, PALLETIZER)


def test_a_name_that_begins_like_another_is_not_below_it() -> None:
    plant = load_plant('[equipment."a/line"]\n[equipment."a/line-1"]\n[equipment."a/line/x"]')
    assert plant.descendants("a/line") == ("a/line/x",)
    assert plant.children("a/line") == ("a/line/x",)


@pytest.mark.parametrize(
    ("path", "product", "us"),
    [
        (FILLER, "P-100", 450_000),
        (PALLETIZER, "P-100", 250),
        ("acme/ulm/lab/press", "P-100", 2 * SECOND),
        (FILLER, "P-200", 500_000),
        (FILLER, None, 500_000),
        ("acme", "P-100", None),
    ],
)
def test_the_ideal_cycle_of_a_product_beats_that_of_the_equipment(
    acme: Plant, path: str, product: str | None, us: int | None
) -> None:
    assert acme.ideal_cycle_us(path, product) == us


@pytest.mark.parametrize(
    ("state", "reason", "category"),
    [
        ("RUN", None, "producing"),
        ("run", None, "unknown"),
        ("producing", None, "producing"),
        ("setup", None, "setup"),
        ("down", None, "idle"),
        ("UNAVAILABLE", None, "unknown"),
        ("setup", "jam", "down"),
        ("idle", "clean", "planned"),
        ("UNAVAILABLE", "jam", "down"),
        ("RUN", "jam", "producing"),
        ("setup", "bare", "setup"),
        ("setup", "never heard of", "setup"),
    ],
)
def test_the_category_of_a_state(acme: Plant, state: str, reason: str | None, category: str) -> None:
    assert acme.category(state, reason) == category


def test_reasons_products_sources(acme: Plant) -> None:
    assert (acme.reasons["jam"].label, acme.reasons["jam"].loss) == ("Jam at infeed", "breakdown")
    assert (acme.reasons["bare"].label, acme.reasons["bare"].category) == ("bare", None)
    assert acme.reasons["clean"].maintenance == "preventive"
    assert acme.products["P-100"].label == "Pallet"
    (mazak,) = acme.sources
    assert isinstance(mazak, MtconnectSource)
    assert (mazak.name, mazak.items["Part_Count"]) == ("mazak", "good")


def test_calendars(acme: Plant) -> None:
    calendar = acme.calendars["two-shift"]
    (late,) = calendar.on(date(2026, 12, 24))
    assert (late.name, late.start, late.end, late.overnight) == ("late", time(22), time(6), True)
    assert late.breaks == (Break(time(2), 30),)
    assert calendar.on(date(2026, 12, 25)) == ()
    assert calendar.on(date(2026, 12, 26)) == ()


def test_several_exceptions_of_a_date_add_up() -> None:
    plant = load_plant("""
        [[exceptions]]
        calendar = "c"
        date = 2026-05-01
        shifts = [{ name = "a", start = 06:00:00, end = 10:00:00 }]
        [[exceptions]]
        calendar = "c"
        date = 2026-05-01
        shifts = [{ name = "b", start = 12:00:00, end = 14:00:00 }]
        [equipment.x]
        calendar = "c"
    """)
    assert [shift.name for shift in plant.calendars["c"].on(date(2026, 5, 1))] == ["a", "b"]


@pytest.mark.parametrize(
    ("spelling", "loss"),
    [
        ("breakdown", "breakdown"),
        ("Setup and Adjustments", "setup"),
        ("set-up", None),
        ("idling-and-minor-stops", "minor_stop"),
        ("Speed", "reduced_speed"),
        ("process defects", "process_defect"),
        ("startup_rejects", "startup_reject"),
        ("reduced yield", "startup_reject"),
    ],
)
def test_the_six_big_losses_have_many_spellings(spelling: str, loss: str | None) -> None:
    plant = check_plant(f'[reasons.r]\nloss = "{spelling}"').plant
    assert (plant.reasons["r"].loss if plant else None) == loss


CHANGES = [
    ("name", 'name = "Acme Ulm"', 'name = "Acme"', False),
    ("a comment", "[states]", "# states\n[states]", False),
    ("a label", 'label = "Jam at infeed"', 'label = "Jam"', False),
    ("a product's label", 'label = "Pallet"', "", False),
    ("a target", "oee = 0.8", "oee = 0.9", False),
    ("why a day is closed", 'reason = "Christmas"', "", False),
    ("a declared ancestor", "[states]", '[equipment."acme/ulm/packing"]\n[states]', False),
    ("an ideal cycle", '"500ms"', '"501ms"', True),
    ("a product's cycle", '"450ms"', '"451ms"', True),
    ("a break", "minutes = 30", "minutes = 31", True),
    ("an exception", "2026-12-25", "2026-12-26", True),
    ("a state", 'UNAVAILABLE = "unknown"', "", True),
    ("a reason's category", 'category = "planned"', 'category = "down"', True),
    ("maintenance", 'maintenance = "preventive"', "", True),
    ("a minor stop", '"2m"', '"3m"', True),
    ("a time zone", "Europe/London", "Europe/Paris", True),
    ("a constraint", f'constraint = "{FILLER}"', f'constraint = "{PALLETIZER}"', True),
    ("new equipment", "[states]", '[equipment."acme/ulm/lab/lathe"]\n[states]', True),
]


@pytest.mark.parametrize(("old", "new", "changed"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_the_fingerprint_changes_with_what_changes_numbers(acme: Plant, old: str, new: str, changed: bool) -> None:
    assert old in ACME
    assert (load_plant(ACME.replace(old, new)).fingerprint != acme.fingerprint) is changed


def test_a_plant_can_be_sent_to_another_process(acme: Plant) -> None:
    assert pickle.loads(pickle.dumps(acme)) == acme


def test_the_json_schema_knows_every_table_and_how_durations_look() -> None:
    schema = json_schema()
    assert set(schema["properties"]) >= {"plant", "defaults", "shifts", "exceptions", "equipment", "sources"}
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["EquipmentTable"]["properties"]["ideal_cycle"]["anyOf"][0]["type"] == "string"
