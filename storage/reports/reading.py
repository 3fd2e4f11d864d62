"""The content of a shift report, read from the store at one moment."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from kpis.errors import ConfigError
from kpis.losses import waterfall
from kpis.plant import Plant, load_plant
from storage import hour_notes, hours, slices
from storage.hours import HOUR_US
from storage.reader import Reader
from storage.reports import words
from storage.reports.content import (
    RATIOS,
    Content,
    Correction,
    Figure,
    Hour,
    HourNote,
    Lost,
    Made,
    Rejected,
    Step,
    Stop,
)
from storage.selection import Selection, instant, paths, text, texts
from storage.slices import OUTSIDE, Slice

_NAMES: Final = {**words.STEPS, **words.STATES}
_DAY: Final = timedelta(days=1)
_ATTEMPTS: Final = 5
"""How often the report of a shift that is over is read anew because the engine changed the shift meanwhile. One under
way changes all the time: its parts may be a second apart, and it cannot be signed off yet."""

Row = dict[str, Any]


def read(reader: Reader, equipment: str, shift: str) -> Content:
    """The report of an equipment and a shift such as `2026-03-24/late`, as the store knows it now.

    `2026-03-24/-` stands for the time of that day outside every shift. Raises ConfigError when there is no such
    equipment or shift.
    """
    plant = load_plant(reader.plant_text())
    chosen = slices.one_shift(equipment, shift)
    for _ in range(_ATTEMPTS):
        row = _row(reader, chosen, shift, plant.oee_definition)
        found = _content(reader, plant, chosen, shift, row)
        if not found.over or _row(reader, chosen, shift, plant.oee_definition) == row:
            break
    return found


def _content(reader: Reader, plant: Plant, chosen: Slice, shift: str, row: Row) -> Content:
    (horizon,) = reader.query("SELECT horizon FROM horizons").row(0)
    equipment = chosen.equipment
    targets = plant.equipment[equipment].targets
    timed = reader.query(f"SELECT contributor FROM contributors WHERE equipment = {text(equipment)} AND gives_time")
    target = targets.get("oee", _target(plant, timed["contributor"].to_list()))
    start, end = _us(row["window_start"]), _us(row["window_end"])
    rows = _hours(reader, chosen, plant, target, start, end)
    asked = [hour.wanted for hour in rows if hour.wanted is not None or hour.good]
    wanted = None if None in asked or not asked else sum(filter(None, asked))
    figures = [Figure(name, row[name], target if name == "oee" else targets.get(name)) for name in RATIOS]
    figures.append(Figure("good", row["good"], wanted))
    figures += [Figure(name, row[name], None) for name in ("scrap", "rework")]
    return Content(
        plant.name,
        plant.timezone,
        equipment,
        shift,
        start,
        end,
        _us(horizon),
        row["status"],
        plant.oee_definition,
        tuple(figures),
        tuple(Step(step.name, step.factor, step.us, step.flag) for step in waterfall(row, plant.oee_definition)),
        tuple(rows),
        tuple(_stops(reader, chosen)),
        tuple(_losses(reader, chosen)),
        tuple(_rejects(reader, chosen)),
        tuple(_made(reader, chosen, plant)),
        tuple(_corrections(reader, chosen, row, plant)),
        tuple(_notes(reader, equipment, start, end)),
    )


def latest(reader: Reader, equipment: str) -> Content:
    """The report of the last shift that is over.

    Raises ConfigError when there is no such equipment, or none within a month.
    """
    paths(Selection(equipment), dict(reader.query("SELECT equipment, level FROM equipment").rows()))
    horizon = reader.query("SELECT horizon::TIMESTAMP::DATE FROM horizons")
    if not horizon.is_empty():
        (today,) = horizon.row(0)
        for name in slices.worked(reader, equipment, today - 31 * _DAY, today + _DAY):
            if (found := read(reader, equipment, name)).over:
                return found
    msg = f"{equipment} has no shift that is over"
    raise ConfigError(msg, hint="name a shift that is under way with --shift, or see `oeeflow kpi --by shift`")


def _row(reader: Reader, chosen: Slice, shift: str, definition: str) -> Row:
    """The KPI row of the shift, with its status."""
    midnight = datetime.combine(chosen.first, datetime.min.time(), UTC)
    around = Selection(chosen.equipment, None, _us(midnight - 2 * _DAY), _us(midnight + 3 * _DAY))
    rows = reader.kpi("shift", around, definition).filter(
        pl.col("equipment") == chosen.equipment, pl.col("production_date") == chosen.first
    )
    name = None if chosen.shifts == (OUTSIDE,) else shift
    for row in rows.drop("changed_at").iter_rows(named=True):
        if row["shift"] == name:
            return row
    msg = f'{chosen.equipment} has no time in a shift "{shift}"'
    known = slices.worked(reader, chosen.equipment, chosen.first - _DAY, chosen.first + _DAY)
    hint = f"there are {', '.join(reversed(known))}" if known else "see `oeeflow kpi --by shift` for what there is"
    raise ConfigError(msg, hint=hint)


def _target(plant: Plant, machines: list[str]) -> float | None:
    """The OEE target of the machine that makes the time, for a line without its own."""
    return plant.equipment[machines[0]].targets.get("oee") if machines else None


def _hours(reader: Reader, chosen: Slice, plant: Plant, target: float | None, start: int, end: int) -> list[Hour]:
    made = slices.hours(reader, chosen, plant.oee_definition)
    return [
        Hour(
            max(row.start, start),
            min(row.end, end),
            row.wanted,
            row.good,
            row.rejected,
            row.ahead,
            row.oee,
            row.loss.name if row.loss else None,
            row.loss.us if row.loss else None,
        )
        for row in hours.hour_rows(slices.time(reader, chosen), made, plant, target, _NAMES)
    ]


def _stops(reader: Reader, chosen: Slice) -> Iterable[Stop]:
    for row in slices.stops(reader, chosen).iter_rows(named=True):
        yield Stop(_us(row["start"]), row["equipment"], row["account"], row["label"], row["duration_us"], row["us"])


def _losses(reader: Reader, chosen: Slice) -> Iterable[Lost]:
    for row in slices.downtime(reader, chosen).iter_rows(named=True):
        yield Lost(row["account"], row["label"], row["us"], row["stops"])


def _rejects(reader: Reader, chosen: Slice) -> Iterable[Rejected]:
    found = slices.rejects(reader, chosen).group_by("quality", "label", maintain_order=True).agg(pl.col("pieces").sum())
    for quality, label, pieces in found.sort("pieces", descending=True, maintain_order=True).iter_rows():
        yield Rejected(quality, label, pieces)


def _made(reader: Reader, chosen: Slice, plant: Plant) -> Iterable[Made]:
    for row in slices.made(reader, chosen).iter_rows(named=True):
        product = plant.products.get(row["product"] or "")
        label = product.label if product else None
        yield Made(row["order"], row["product"], label, row["good"], row["scrap"], row["rework"])


def _corrections(reader: Reader, chosen: Slice, row: Row, plant: Plant) -> Iterable[Correction]:
    """What changed the shift after it was closed, commit by commit, and what people ruled for a time in it."""
    machines = reader.query(f"SELECT contributor FROM contributors WHERE equipment = {text(chosen.equipment)}")
    own = texts(machines["contributor"].to_list())
    closed = instant(_us(row["window_end"]) + plant.equipment[chosen.equipment].grace_us)
    found = reader.query(
        f"""
        SELECT f.committed_at AS at, c.equipment, min(c."start") AS "start", max(c."end") AS "end",
            NULL::VARCHAR AS state, NULL::VARCHAR AS reason, f.source AS by
        FROM changes c JOIN flushes f ON f.flush = c.flush AND f.horizon_before >= {closed}
        WHERE c.equipment IN {own} AND {chosen.conditions(runs=False)} GROUP BY ALL
        UNION ALL
        SELECT e.ts, e.equipment, e."start", e."end", e.state, coalesce(r.label, e.reason), e.details->>'$.by'
        FROM corrections e LEFT JOIN reasons r ON r.reason = e.reason
        WHERE e.type = 'reclassify' AND e.equipment IN {own} AND NOT EXISTS (
            FROM corrections t
            WHERE t.type = 'retract' AND t.equipment = e.equipment AND (t.details->>'$.target') = e.id
        ) AND e."start" < {instant(_us(row["window_end"]))} AND e."end" > {instant(_us(row["window_start"]))}
        ORDER BY ALL
        """
    )
    for at, equipment, start, end, state, reason, by in found.iter_rows():
        told = ", ".join(filter(None, (words.STATES.get(state, state), reason))) or None
        yield Correction(_us(at), equipment, _us(start), _us(end), told, by)


def _notes(reader: Reader, equipment: str, start: int, end: int) -> Iterable[HourNote]:
    """What is said about the hours of the shift, and who signed them off."""
    found = hour_notes.read(reader, equipment, start // HOUR_US * HOUR_US, end)
    for hour, notes in found.items():
        said, signed = notes.said, notes.signed
        if said or signed:
            comment, by = (said["comment"], said["by"]) if said else (None, None)
            who, at = (signed["by"], signed["at"]) if signed else (None, None)
            yield HourNote(max(hour, start), comment, by, who, at)


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
