"""What pages say, worked out by hand, without a page."""

import doctest
from pathlib import Path

import polars as pl
import pytest

from dashboards import attention, charts, losses, texts, theme, timeline
from dashboards.board import HOUR_US, Board, Settled, load
from dashboards.line_board import hour_rows
from dashboards.tiles import tiles
from kpis.elements import ACCOUNTS
from kpis.formats import clock, duration
from kpis.plant import load_plant
from storage.grains import MINUTE_US
from storage.reader import Reader
from tests.browser import stores
from tests.browser.stores import FILLER, LINE, OTHER, PACKER


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """The small plant at 11:00."""
    db = tmp_path_factory.mktemp("board") / "kpi.duckdb"
    stores.bottling(db)
    with Reader(db) as reader:
        found = load(reader, load_plant(reader.plant_text()))
    assert found is not None
    return found


def test_examples() -> None:
    assert doctest.testmod(theme).failed == 0


def test_the_line_with_the_worst_gap_comes_first(board: Board) -> None:
    first, second = tiles(board)
    assert (first.path, second.path) == (LINE, OTHER)
    assert first.standing is not None
    assert first.standing.account == "down"
    assert first.standing.reason == "Bottle jam <at> infeed & outfeed"
    # 20 of the last 60 minutes down; 8 counts of 273 at the filler, a second each; 268 of 270 good at the packer.
    assert first.oee == pytest.approx(40 / 60 * (8 * 273) / 2400 * 268 / 270)
    # Five hours planned but for half an hour of break that was worked: 5 h x 3600 pieces x 0.75.
    assert first.wanted == pytest.approx(5 * 3600 * 0.75)
    assert first.good == 47 * 268


def test_what_needs_somebody(board: Board) -> None:
    found = attention.matters(board, 10 * MINUTE_US)
    assert [(matter.kind, matter.path) for matter in found] == [
        ("stopped", FILLER),
        ("unclassified", FILLER),
        ("too_fast", f"{OTHER}/press"),
    ]
    assert (found[0].us, found[0].number) == (20 * MINUTE_US, 1)  # the packer waits for it
    assert attention.matters(board, 30 * MINUTE_US)[0].kind == "too_fast"


def test_the_hours_of_a_line(board: Board) -> None:
    rows = hour_rows(board, LINE)
    assert [row.wanted for row in rows] == [2700.0] * 5
    assert [row.good for row in rows] == [11 * 268, 10 * 268, 6 * 268, 12 * 268, 8 * 268]
    assert rows[-1].ahead == sum(row.good for row in rows) - 5 * 2700
    assert [row.loss.account for row in rows if row.loss is not None and row.loss.account] == ["down", "down"]
    assert rows[1].loss is not None
    assert rows[1].loss.us == 10 * MINUTE_US


def test_machines_stand_in_the_order_of_the_plant_file(board: Board) -> None:
    assert board.machines_of(LINE) == [FILLER, PACKER]


def test_the_cascade_adds_up() -> None:
    sums = dict.fromkeys((f"{account}_us" for account in ACCOUNTS), 0)
    sums |= {"producing_us": 700, "minor_stop_us": 50, "down_us": 100, "break_us": 150, "unscheduled_us": 500}
    sums |= {"ideal_us": 720, "good_ideal_us": 684, "good": 95, "scrap": 5, "rework": 0, "no_ideal": 0}
    rows = {row.name: row for row in losses.cascade(sums, "standard")}
    assert rows["calendar"].us == 1500
    assert rows["scheduled"].share == 1.0
    assert rows["down"].share == 0.1
    assert (rows["down"].left, rows["down"].width) == (0.75, 0.1)
    assert rows["down"].pieces == pytest.approx(100 / 7.2)
    assert rows["reduced_speed"].us == -20
    assert rows["reduced_speed"].flag == "ideal_cycle_too_long"
    assert rows["fully_productive"].us == 684
    assert sum(row.us for row in rows.values() if row.factor is not None) + 684 == 1500


def test_the_pareto_drills_from_kinds_to_reasons() -> None:
    downtime = pl.DataFrame(
        {
            "account": ["down", "down", "setup", "planned_stop"],
            "reason": ["jam", None, None, None],
            "label": ["Jam", None, None, None],
            "us": [600, 300, 100, 1000],
            "stops": [2, 1, 1, 1],
        },
        schema_overrides={"label": pl.String, "reason": pl.String},
    )
    kinds = losses.pareto(downtime, None, planned=False)
    assert [(row["key"], row["us"], row["stops"]) for row in kinds] == [("down", 900, 3), ("setup", 100, 1)]
    reasons = losses.pareto(downtime, "down", planned=False)
    assert [row["label"] for row in reasons] == ["Jam", texts.NO_REASON]
    assert losses.pareto(downtime, None, planned=True)[0]["key"] == "planned_stop"


def test_ticks_are_local_hours_through_a_clock_change(board: Board) -> None:
    night = 1_774_738_800_000_000  # 28 March 2026, 23:00 UTC: 00:00 in Berlin, the clocks go forward at 01:00 UTC
    labels = [row["label"] for row in charts.ticks(night, night + 4 * 60 * MINUTE_US, board.zone)]
    assert labels == ["00:00", "00:30", "01:00", "01:30", "03:00", "03:30", "04:00", "04:30", "05:00"]


@pytest.mark.parametrize(
    "us",
    [0, 999_999, 45_000_000, 60_000_000, 61_000_000, 3_600_000_000, 5_160_000_000, 86_401_000_000, 90_000_000_000],
)
def test_frames_tell_times_as_everywhere(board: Board, us: int) -> None:
    told = pl.DataFrame({"us": [us]}).select(
        timeline.duration(pl.col("us")).alias("long"), timeline.clock(pl.col("us"), board.zone).alias("at")
    )
    assert told.row(0) == (duration(us), clock(us, board.zone))


@pytest.mark.parametrize(
    ("before", "from_hour"),
    [
        pytest.param(None, 2, id="nothing was read"),
        pytest.param((7, 20), 9, id="what is settled stays"),
        pytest.param((7, 5), 5, id="but for a stop that went on"),
        pytest.param((7, 1), 2, id="one from before the first hour"),
        pytest.param((6, 20), 2, id="a commit changed the past since"),
    ],
)
def test_which_hours_are_read_again(board: Board, before: tuple[int, int] | None, from_hour: int) -> None:
    def settled(change: int, open_since: int) -> Settled:
        return Settled(board.plant, change, 2 * HOUR_US, 9 * HOUR_US, open_since * HOUR_US + 1)

    known = None if before is None else settled(*before)
    assert settled(7, 20).after(known) == from_hour * HOUR_US


def test_losses_of_days_add_up() -> None:
    rows = [
        ("2026-03-02", "reduced_speed", 4, -70, "ideal_cycle_too_long"),
        ("2026-03-03", "reduced_speed", 4, 50, None),
        ("2026-03-02", "breakdown", 1, 5, None),
        ("2026-03-03", "breakdown", 1, 6, None),
    ]
    six = pl.DataFrame(rows, ["production_date", "loss", "rank", "us", "flag"], orient="row")
    summed = [("breakdown", 1, 11, None), ("reduced_speed", 4, -20, "ideal_cycle_too_long")]
    assert losses.six_of_all(six).rows() == summed
    unknown = six.with_columns(flag=pl.lit("no_ideal_cycle")).filter(pl.col("rank") == 4)
    assert losses.six_of_all(unknown).rows() == [("reduced_speed", 4, -20, "no_ideal_cycle")]


def test_every_account_has_its_look_and_its_word() -> None:
    assert set(theme.LOOKS) == set(texts.STATES) == set(theme.URGENCY) == set(ACCOUNTS)


def test_nothing_is_accounted_before_the_first_event(tmp_path: Path) -> None:
    stores.empty(tmp_path / "kpi.duckdb")
    with Reader(tmp_path / "kpi.duckdb") as reader:
        assert load(reader, load_plant(reader.plant_text())) is None
