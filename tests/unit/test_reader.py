"""Reading the store: against the naive calculation, against hand-made answers, and against itself."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from kpis.derivation import derivation
from kpis.elements import ACCOUNTS
from kpis.errors import ConfigError, OeeflowError, StorageError
from kpis.registry import DEFINITIONS
from pipelines.replay import replay
from storage.explaining import explain
from storage.reader import Reader
from storage.selection import Selection
from storage.windows import WINDOWS
from tests.oracle import compute
from tests.strategies import Case, random_case

MINUTE = 60_000_000
HOUR = 60 * MINUTE
ALL = Selection()
PLANT = """
[plant]
name = "Hand"
timezone = "UTC"
[defaults]
ideal_cycle = "1m"
minor_stop_under = "5m"
calendar = "days"
[[shifts]]
calendar = "days"
name = "day"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
start = 08:00:00
end = 10:00:00
[equipment."a/line"]
level = "line"
rollup = "constraint"
constraint = "a/line/one"
output = "a/line/two"
[equipment."a/line/one"]
level = "unit"
[equipment."a/line/two"]
level = "unit"
[reasons.jam]
label = "Jam at infeed"
[reasons.warm]
loss = "startup_reject"
[reasons.wait]
loss = "breakdown"
"""


def event(at: str, unit: str, kind: str, **fields: object) -> dict[str, object]:
    return {"ts": f"2026-03-02T{at}Z", "equipment": f"a/line/{unit}", "id": f"{at}{kind}", "type": kind, **fields}


LOG = [
    event("08:00:00", "one", "state", state="producing"),
    event("08:30:00", "one", "count", good=20, scrap=2, reason="warm"),
    event("08:40:00", "one", "state", state="down", reason="jam"),
    event("08:50:00", "one", "state", state="producing"),
    event("08:55:00", "one", "state", state="idle"),
    event("08:58:00", "one", "state", state="producing"),
    event("09:20:00", "one", "state", state="idle", reason="wait"),
    event("09:30:00", "one", "state", state="producing"),
    event("09:59:00", "one", "count", good=40, scrap=3),
    event("08:00:00", "two", "state", state="producing"),
    event("09:00:00", "two", "count", good=50),
    event("10:10:00", "two", "state", state="down"),
    event("10:20:00", "one", "state", state="idle"),
]


def filled(folder: Path, plant: str, events: list[dict[str, Any]]) -> Path:
    """A store that has taken in these events."""
    (folder / "plant.toml").write_text(plant)
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    replay(folder / "plant.toml", [folder / "events.jsonl"], folder / "kpi.duckdb")
    return folder / "kpi.duckdb"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(filled(tmp_path_factory.mktemp("hand"), PLANT, LOG)) as opened:
        yield opened


@pytest.fixture(scope="module", params=range(2))
def case(request: pytest.FixtureRequest) -> Case:
    return random_case(int(request.param), 60)


@pytest.fixture(scope="module")
def random_reader(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(filled(tmp_path_factory.mktemp("random"), case.plant_toml, case.events)) as opened:
        yield opened


def us(at: str) -> int:
    """Microseconds of a time of the hand-made day."""
    return int(datetime.fromisoformat(f"2026-03-02T{at}+00:00").timestamp()) * 1_000_000


def microseconds(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Datetime("us", "UTC")).cast(pl.Int64))


def windows(reader: Reader, by: str, selection: Selection = ALL, definition: str = "standard") -> pl.DataFrame:
    return reader.kpi(by, selection, definition, length_us=HOUR, step_us=20 * MINUTE)


def keys(by: str) -> list[str]:
    return ["equipment", "window_start", "window_end", "shift", *(["order", "product"] if by == "order" else [])]


@pytest.mark.parametrize("definition", DEFINITIONS)
@pytest.mark.parametrize("by", ["hour", "shift", "order"])
def test_rows_are_those_of_the_naive_calculation(case: Case, random_reader: Reader, by: str, definition: str) -> None:
    found = {row_key(row, by): row for row in microseconds(windows(random_reader, by, ALL, definition)).to_dicts()}
    wanted = {row_key(row, by): row for row in compute(case.plant_toml, case.events).kpi(by, definition)}
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        for name, value in row.items():
            exact = pytest.approx(float(value), rel=1e-12) if isinstance(value, Fraction) else value
            assert found[key][name] == exact, (key, name)


def row_key(row: dict[str, Any], by: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in keys(by))


def test_the_timeline_is_that_of_the_naive_calculation(case: Case, random_reader: Reader) -> None:
    wanted = sorted(compute(case.plant_toml, case.events).timeline(), key=lambda row: (row["equipment"], row["start"]))
    assert microseconds(random_reader.timeline(ALL)).to_dicts() == wanted


@pytest.mark.parametrize("by", WINDOWS)
@pytest.mark.parametrize("pattern", ["*/line-1*", "acme"])
def test_a_selection_gives_the_same_rows_as_leaving_out_others(random_reader: Reader, by: str, pattern: str) -> None:
    rows = windows(random_reader, by)
    chosen = rows["equipment"].map_elements(lambda path: fnmatchcase(path, pattern), return_dtype=pl.Boolean)
    starts = sorted(rows["window_start"].cast(pl.Int64))
    if not chosen.any():
        pytest.skip("the plant has no such equipment")
    first, last = starts[len(starts) // 4], starts[3 * len(starts) // 4]
    inside = pl.col("window_start").cast(pl.Int64).is_between(first, last, closed="left")
    narrowed = windows(random_reader, by, Selection(pattern, None, first, last))
    assert narrowed.equals(rows.filter(chosen & rows.select(inside).to_series()))


@pytest.mark.parametrize("by", WINDOWS)
def test_six_big_losses_are_planned_production_less_good_time(random_reader: Reader, by: str) -> None:
    six = random_reader.six_big_losses(by, ALL, length_us=HOUR, step_us=20 * MINUTE)
    planned = [f"{account}_us" for account in ("producing", "minor_stop", "down", "idle", "setup")]
    rows = windows(random_reader, by).select(*keys(by), us=pl.sum_horizontal(planned) - pl.col("good_ideal_us"))
    assert six.height == 6 * rows.height
    assert six.group_by(keys(by), maintain_order=True).agg(pl.col("us").sum())["us"].to_list() == rows["us"].to_list()


@pytest.mark.parametrize("by", ["hour", "shift", "month", "order"])
def test_what_explains_a_row_adds_up_to_it(random_reader: Reader, by: str) -> None:
    rows = windows(random_reader, by)
    for row in rows[:: max(1, rows.height // 3)].iter_rows(named=True):
        at = int(microseconds(pl.DataFrame({"at": [row["window_start"]]}))["at"][0])
        found = explain(random_reader, row["equipment"], by, at, "standard")
        booked = dict(found.time_by_account().select("account", "us").iter_rows())
        assert {name: booked.get(name, 0) for name in ACCOUNTS} == {name: found.row[f"{name}_us"] for name in ACCOUNTS}
        good = found.pieces.filter(pl.col("quality") == "good", "gives_pieces")["pieces"].sum()
        assert good == found.row["good"]
        assert found.pieces.filter("gives_time")["ideal_us"].sum() == found.row["ideal_us"]


def test_a_shift_by_hand(reader: Reader) -> None:
    row = reader.kpi("shift", Selection("a/line/one", None, us("00:01"), us("09:00")), "standard").row(0, named=True)
    assert (row["shift"], row["status"]) == ("2026-03-02/day", "closed")
    minutes = {name: row[f"{name}_us"] / MINUTE for name in ACCOUNTS if row[f"{name}_us"]}
    assert minutes == {"producing": 97, "minor_stop": 3, "down": 10, "idle": 10}
    assert (row["good"], row["scrap"], row["ideal_us"] // MINUTE) == (60, 5, 65)
    assert row["availability"] == 100 / 120
    assert row["performance"] == 65 / 100
    assert row["oee"] == pytest.approx(60 / 120)


def test_a_line_takes_time_from_its_constraint_and_pieces_from_its_output(reader: Reader) -> None:
    row = reader.kpi("shift", Selection("a/line", None, us("00:01"), us("09:00")), "standard").row(0, named=True)
    assert (row["producing_us"] // MINUTE, row["good"], row["scrap"], row["ideal_us"] // MINUTE) == (97, 50, 0, 65)
    found = explain(reader, "a/line", "shift", us("09:00"), "standard")
    assert found.contributors.rows() == [("a/line/one", True, False), ("a/line/two", False, True)]


def test_six_big_losses_by_hand(reader: Reader) -> None:
    rows = reader.six_big_losses("shift", Selection("a/line/one", None, us("00:01"), us("09:00")))
    minutes = dict(zip(rows["loss"], (rows["us"] // MINUTE).to_list(), strict=True))
    assert minutes == {
        "breakdown": 20,
        "setup": 0,
        "minor_stop": 3,
        "reduced_speed": 32,
        "process_defect": 3,
        "startup_reject": 2,
    }
    assert rows["share"].sum() == pytest.approx(1)


def test_a_waterfall_by_hand(reader: Reader) -> None:
    rows = reader.waterfall("shift", Selection("a/line/one", None, us("00:01"), us("09:00")), "standard")
    levels = rows.filter(pl.col("factor").is_null())
    assert dict(zip(levels["step"], (levels["us"] // MINUTE).to_list(), strict=True)) == {
        "calendar": 120,
        "scheduled": 120,
        "planned_production": 120,
        "run": 100,
        "net_run": 65,
        "fully_productive": 60,
    }
    assert rows.filter(pl.col("step") == "run")["share"].item() == 100 / 120


def test_stops_by_hand(reader: Reader) -> None:
    rows = microseconds(reader.stops(ALL)).select("equipment", "start", "duration_us", "us", "reason_label", "minor")
    assert rows.rows() == [
        ("a/line/one", us("08:40"), 10 * MINUTE, 10 * MINUTE, "Jam at infeed", False),
        ("a/line/one", us("08:55"), 3 * MINUTE, 3 * MINUTE, None, True),
        ("a/line/one", us("09:20"), 10 * MINUTE, 10 * MINUTE, "wait", False),
    ]


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        ("08:50", None, [1, 2]),
        ("08:49", "08:50", [0]),
        (None, "08:55", [0]),
        (None, "08:55:01", [0, 1]),
    ],
)
def test_stops_overlap_the_time_selected(
    reader: Reader, start: str | None, end: str | None, numbers: list[int]
) -> None:
    bounds = (None if at is None else us(at) for at in (start, end))
    every = reader.stops(ALL)
    assert reader.stops(Selection(None, None, *bounds)).equals(every[numbers])


def test_intervals_at_the_edge_are_whole(reader: Reader) -> None:
    rows = microseconds(reader.timeline(Selection("a/line/one", None, us("08:45"), us("08:46"))))
    assert rows.select("start", "end", "account").rows() == [(us("08:40"), us("08:50"), "down")]


def test_sliding_windows_without_overlap_are_hours(reader: Reader) -> None:
    hours = reader.kpi("hour", ALL, "standard")
    sliding = reader.kpi("sliding", ALL, "standard", length_us=HOUR, step_us=HOUR)
    assert sliding.equals(hours)


def test_sliding_windows_by_hand(reader: Reader) -> None:
    rows = microseconds(
        reader.kpi("sliding", Selection("a/line/one"), "standard", length_us=HOUR, step_us=30 * MINUTE)
    ).select("window_start", "window_end", "good", pl.col("producing_us") // MINUTE, "status")
    assert rows.rows() == [
        (us("07:30"), us("08:30"), 0, 30, "closed"),
        (us("08:00"), us("09:00"), 20, 47, "closed"),
        (us("08:30"), us("09:30"), 20, 37, "closed"),
        (us("09:00"), us("10:00"), 40, 50, "closed"),
        (us("09:30"), us("10:30"), 40, 50, "open"),
    ]


def test_an_explanation_by_hand(reader: Reader) -> None:
    found = explain(reader, "a/line/one", "hour", us("09:15"), "standard")
    assert [(row["state"], row["role"]) for row in found.events.to_dicts() if row["type"] == "state"] == [
        ("producing", "in force at its start"),
        ("idle", "in the window"),
        ("producing", "in the window"),
    ]
    steps = {step.name: step for step in derivation("availability", found.row)}
    assert steps["availability"].numbers == "3 000 000 000 / 3 600 000 000"


def test_a_run_that_has_just_begun_is_explained(tmp_path: Path) -> None:
    begun = [event("11:00:00", "one", "order", action="start", order="O"), event("11:00:00", "one", "count", good=5)]
    with Reader(filled(tmp_path, PLANT, [*LOG, *begun])) as opened:
        found = explain(opened, "a/line/one", "order", us("11:00"), "standard")
    assert (found.row["order"], found.row["good"], found.pieces["pieces"].to_list()) == ("O", 5, [5])
    here = found.events.filter(pl.col("role") == "in the window")
    assert sorted(here["type"]) == ["count", "order"]


@pytest.mark.parametrize(
    ("ask", "message", "hint"),
    [
        (lambda r: r.kpi("shift", Selection("a/lin/one"), "standard"), 'no equipment "a/lin/one"', "a/line/one"),
        (lambda r: r.kpi("shift", Selection("x*"), "standard"), 'no equipment "x*"', "pattern"),
        (lambda r: r.stops(Selection(level="cell")), 'no equipment of level "cell"', "line, unit"),
        (lambda r: r.kpi("year", ALL, "standard"), 'unknown kind of window "year"', "month"),
        (lambda r: r.kpi("shift", ALL, "mine"), 'unknown OEE definition "mine"', "smrp"),
        (lambda r: r.kpi("sliding", ALL, "standard", length_us=90, step_us=MINUTE), "whole minutes", "--length 60m"),
        (lambda r: explain(r, "a/line/one", "shift", us("00:00") + 9 * 24 * HOUR, "standard"), "has no shift", "kpi"),
    ],
)
def test_what_does_not_exist_is_told(reader: Reader, ask: Callable[[Reader], object], message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(reader)
    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events",
        "CREATE TABLE more (n INTEGER)",
        "COPY events TO '/tmp/events.csv'",
        "SELECT * FROM read_text('/etc/hostname')",
        "ATTACH '/tmp/other.duckdb'",
        "SET enable_external_access = true",
        "SELECT * FROM reader",
        "SELECT",
    ],
)
def test_a_query_reads_the_store_and_nothing_else(reader: Reader, statement: str) -> None:
    with pytest.raises(StorageError) as caught:
        reader.query(statement)
    assert "\n" not in str(caught.value)


def test_a_store_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no store"):
        Reader(tmp_path / "none.duckdb")


def test_other_databases_are_no_stores(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as con:
        con.execute("CREATE TABLE t (n INTEGER)")
    with pytest.raises(OeeflowError, match="not an oeeflow store"):
        Reader(tmp_path / "other.duckdb")


def test_a_newer_store_is_told(tmp_path: Path) -> None:
    db = filled(tmp_path, PLANT, LOG)
    with duckdb.connect(str(db)) as con:
        con.execute("INSERT INTO schema_versions VALUES (1000, 'later', ?)", [datetime.now(UTC)])
    with pytest.raises(StorageError, match="1000"):
        Reader(db)


def test_of_many_events_the_first_are_told_and_how_many_there_are(random_reader: Reader) -> None:
    for row in windows(random_reader, "month").iter_rows(named=True):
        at = int(microseconds(pl.DataFrame({"at": [row["window_start"]]}))["at"][0])
        whole = explain(random_reader, row["equipment"], "month", at, "standard")
        assert whole.all_events == whole.events.height
        for most in (1, 5, whole.all_events + 1):
            found = explain(random_reader, row["equipment"], "month", at, "standard", most_events=most)
            assert found.all_events == whole.all_events
            assert found.events.equals(whole.events.head(most))
