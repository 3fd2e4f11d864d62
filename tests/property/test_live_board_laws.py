"""What live pages take over from the board before it is what they would read anew: with every part of a log."""

import os
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Final

import polars as pl
import pytest

from dashboards import lines
from dashboards.board import Board, load
from dashboards.lines import Lines
from kpis.plant import load_plant
from storage.reader import Reader
from tests.engine import fill
from tests.random_logs import Event, random_log
from tests.random_plants import random_plant

SEEDS: Final = (0, 11, 22, *range(100, 100 + int(os.environ.get("OEEFLOW_BOARD_SEEDS", "0"))))
"""In the first two a stop went on beyond hours that were read, in the third the horizon was at the end of one."""
PARTS: Final = 10


def parts(rng: Random, events: Sequence[Event], late_share: float) -> list[list[Event]]:
    """The log in the order of time, but for a share of it that comes with a later part."""
    ordered = sorted(events, key=instant)
    size = max(len(ordered) // PARTS, 1)
    found = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    for number, part in enumerate(found[:-1]):
        for event in [event for event in part if rng.random() < late_share]:
            part.remove(event)
            rng.choice(found[number + 1 :]).append(event)
    return found


def instant(event: Event) -> float:
    """When it happened; 0 for what tells no time that can be read."""
    try:
        at = event["ts"]
        return at / 1_000 if isinstance(at, int) else datetime.fromisoformat(at).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0


def same(found: Board | Lines, anew: Board | Lines) -> None:
    """Everything in them is equal, whatever order rows are in."""
    for field in fields(found):
        one, other = getattr(found, field.name), getattr(anew, field.name)
        if isinstance(one, pl.DataFrame):
            keys = [name for name in ("equipment", "window_start", "hour", "start", "order") if name in one.columns]
            one, other = (frame.sort(*keys, *one.columns).to_dicts() if keys else frame.to_dicts()
                          for frame in (one, other))  # fmt: skip
        assert one == other, field.name


@pytest.mark.parametrize("on_time", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_board_goes_on_from_the_one_before(tmp_path: Path, seed: int, on_time: bool) -> None:
    rng = Random(seed)
    drawn = random_plant(rng)
    plant, db = load_plant(drawn.toml), tmp_path / "kpi.duckdb"
    log = random_log(rng, drawn, 200)
    if on_time:
        log = [event for event in log if event.get("type") not in ("reclassify", "retract")]
    before, lines_before = None, None
    for part in parts(rng, log, 0 if on_time else 0.03):
        fill(db, drawn.toml, [part])
        with Reader(db) as reader:
            anew = load(reader, plant)
            if anew is None:
                continue
            before = load(reader, plant, before)
            assert before is not None
            same(before, anew)
            lines_before = lines.load(reader, before, lines_before)
            same(lines_before, lines.load(reader, anew))
    assert before is not None, "nothing of this log is accounted"
