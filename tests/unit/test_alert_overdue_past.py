"""Rules on overdue orders, tried out on what is in a store: the same alerts as when the engine asks every minute."""

from pathlib import Path

import polars as pl
import pytest

from kpis.plant import load_plant
from storage.alert_past import tried
from storage.reader import Reader
from tests.engine import fill
from tests.oracle.shorthand import EIGHT, MINUTE, UNIT, count, one_unit, order, reclassify, state
from tests.random_logs import Event

TOML = one_unit('ideal_cycle = "1s"') + '\n[[alerts]]\nname = "due"\nlevel = "unit"\nwhen = { overdue = "15m" }\n'
RUN = state(0, "producing")
TOLD = order(0, "start", "O-1", quantity=100)
FEW = count(1.5, 92)  # 100 at 1 s are due after 1 min 40 s: overdue by 15 min after 16 min 40 s, so at minute 17
LAST = state(50, "producing")

Told = tuple[float, float | None, float]


def found(folder: Path, toml: str, events: list[Event], **bounds: int | None) -> list[Told]:
    """When alerts fired and were resolved, in minutes after eight, and how many seconds the order was overdue then."""
    fill(folder / "kpi.duckdb", toml, [events])
    with Reader(folder / "kpi.duckdb") as reader:
        rows = tried(reader.query, load_plant(toml), bounds.get("start"), bounds.get("end"))
    assert set(rows["equipment"]) <= {UNIT}
    minutes = ((pl.col(name).cast(pl.Int64) - EIGHT) / MINUTE for name in ("fired_at", "resolved_at"))
    return rows.select(*minutes, pl.col("value") / 1e6).rows()


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([RUN, TOLD, FEW, LAST], [(17, None, 920)], id="it goes on"),
        pytest.param([RUN, TOLD, FEW, count(20, 8), LAST], [(17, 21, 920)], id="made late"),
        pytest.param([RUN, TOLD, FEW, count(20, 7), LAST], [(17, None, 920)], id="one is missing"),
        pytest.param([RUN, TOLD, count(1.5, 100), LAST], [], id="made in time"),
        pytest.param([RUN, TOLD, FEW, order(30, "end", "O-1"), LAST], [(17, 30, 920)], id="ended"),
        pytest.param(
            [RUN, TOLD, FEW, order(30, "start", "O-2", quantity=9), LAST],
            [(17, 30, 920), (46, None, 951)],
            id="the next one, too",
        ),
        pytest.param([RUN, order(0, "start", "O-1"), FEW, LAST], [], id="without a quantity"),
        pytest.param([RUN, TOLD, FEW, order(20, "start", "O-1", quantity=92), LAST], [(17, 20, 920)], id="fewer asked"),
        pytest.param(
            [RUN, TOLD, FEW, order(20, "start", "O-1", quantity=3000), LAST], [(17, 20, 920)], id="more asked for"
        ),
        pytest.param([RUN, TOLD, FEW, state(10, "planned"), LAST], [], id="a planned stop is no time to make it in"),
        pytest.param(
            [RUN, TOLD, FEW, LAST, reclassify(55, 5, 15, state="planned")], [(27, None, 920)], id="decided afterwards"
        ),
    ],
)
def test_when_an_order_was_overdue(tmp_path: Path, events: list[Event], expected: list[Told]) -> None:
    assert found(tmp_path, TOML, events) == expected


def test_the_times_of_a_rule_count(tmp_path: Path) -> None:
    held = TOML + 'for = "5m"\nkeep_for = "4m"\n'
    assert found(tmp_path / "late", held, [RUN, TOLD, FEW, count(20, 8), LAST]) == []
    assert found(tmp_path / "kept", held, [RUN, TOLD, FEW, count(30, 8), LAST]) == [(22, 35, 1220)]


def test_only_what_fired_in_the_time_asked_for(tmp_path: Path) -> None:
    events, at = [RUN, TOLD, FEW, count(20, 8), LAST], EIGHT + 17 * MINUTE
    assert found(tmp_path / "from", TOML, events, start=at) == [(17, 21, 920)]
    assert found(tmp_path / "after", TOML, events, start=at + 1) == []
    assert found(tmp_path / "to", TOML, events, end=at) == []
    assert found(tmp_path / "just", TOML, events, end=at + 1) == [(17, None, 920)]
