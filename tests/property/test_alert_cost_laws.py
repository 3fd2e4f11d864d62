"""What saves work on alerts finds the same as the long way round."""

import random
from itertools import pairwise

import polars as pl
import pytest

from kpis.alert_scope import Measure, scope_of
from kpis.alert_values import measured
from kpis.elements import ACCOUNTS
from kpis.plant import load_plant
from storage.alert_memory import INTERVALS, PIECES
from storage.alert_silences import CHANGES, GAPS, Signs, broken, heard
from tests.alert_plants import BEGIN, PLANT, RULES, UNITS

MINUTE = 60_000_000
LEAST = 100
MEASURES = (
    Measure(30 * MINUTE, "oee"),
    Measure(20 * MINUTE, "availability"),
    Measure(20 * MINUTE, "scrap", ("dented",)),
    Measure(0, "behind"),
)


def all_silences(signs: dict[str, set[int]]) -> set[tuple[str, int, int | None]]:
    """From each sign of life to the next one, if that is longer than LEAST, and from the last one on."""
    found: set[tuple[str, int, int | None]] = set()
    for part, its in signs.items():
        order = sorted(its)
        found |= {(part, one, other) for one, other in pairwise(order) if other - one > LEAST}
        found.add((part, order[-1], None))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_silences_are_those_of_all_signs_however_they_come_in(seed: int) -> None:
    chance = random.Random(seed)
    gaps, by_sign = pl.DataFrame(schema=GAPS), pl.DataFrame(schema=GAPS)
    signs: dict[str, set[int]] = {}
    known = pl.Series(["a", "b", "c"])
    for batch in range(12):
        now = batch * 80
        # A sign before all others of an equipment has its silences read anew: not here, where all begin with one.
        told = [(part, -1_000) for part in known if batch == 0] + [
            (part, now + chance.randrange(60) - (chance.randrange(400) if chance.random() < 0.1 else 0))
            for part in ("a", "b", "c", "unknown")
            if chance.random() < 0.7
            for _ in range(chance.randrange(1, 5))
        ]
        for part, at in told:
            if part != "unknown":
                signs.setdefault(part, set()).add(at)
        events = pl.DataFrame(told, schema={"equipment": pl.String, "ts": pl.Int64}, orient="row")
        spans = events.group_by(contributor="equipment").agg(first=pl.col("ts").min(), last=pl.col("ts").max())
        gaps, changes = heard(gaps, Signs(events, spans), known, LEAST)
        own = events.filter(pl.col("equipment") != "unknown").rename({"equipment": "contributor", "ts": "at"})
        by_sign, expected = broken(by_sign, own.unique(), LEAST)
        assert sorted(changes.select(CHANGES.names()).rows()) == sorted(expected.select(CHANGES.names()).rows())
        assert set(gaps.rows()) == set(by_sign.rows()) == all_silences(signs)
        assert len(gaps) == len(by_sign)


def some_time(chance: random.Random, first: int, last: int) -> pl.DataFrame:
    """Intervals of all units that follow on each other, some after a pause."""
    rows = []
    for unit in UNITS:
        at = first + chance.randrange(40) * MINUTE
        while at < last:
            end = min(last, at + chance.randrange(1, 15 * MINUTE))
            rows.append((unit, at, end, chance.choice(ACCOUNTS), None, None, None))
            at = end + chance.choice((0, 0, 0, MINUTE))
    return pl.DataFrame(rows, schema=INTERVALS, orient="row")


def some_pieces(chance: random.Random, first: int, last: int) -> pl.DataFrame:
    """Pieces of all units in whole minutes, some without an ideal cycle."""
    rows = [
        (
            unit,
            minute,
            quality,
            chance.choice((None, "dented", "torn")),
            chance.randrange(9),
            chance.randrange(5 * MINUTE),
            int(chance.random() < 0.01),
        )
        for unit in UNITS
        for minute in range(first, last, MINUTE)
        for quality in ("good", "scrap", "rework")
        if chance.random() < 0.5
    ]
    return pl.DataFrame(rows, schema=PIECES, orient="row")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.what)
def test_a_minute_alone_is_measured_as_among_others(measure: Measure, seed: int) -> None:
    chance = random.Random(seed)
    plant = load_plant(PLANT + RULES)
    first = int(BEGIN.timestamp() * 1e6)
    last = first + 150 * MINUTE
    scope = scope_of(plant, dict.fromkeys(UNITS, first))
    intervals, pieces = some_time(chance, first, last), some_pieces(chance, first, last)
    paths = sorted(scope.measured)
    minutes = pl.DataFrame({"at": range(first, last + 1, 5 * MINUTE)})
    points = pl.DataFrame({"equipment": paths}).join(minutes, how="cross")
    window = next(m for m in scope.limits if m.what == "behind") if measure.what == "behind" else measure
    together = measured(scope, window, intervals, pieces, points)
    alone = [measured(scope, window, intervals, pieces, part) for part in points.partition_by("at")]
    assert together["value"].drop_nulls().n_unique() > 10
    assert pl.concat(alone).sort("equipment", "at").equals(together.sort("equipment", "at"))
