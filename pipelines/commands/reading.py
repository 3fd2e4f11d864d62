"""Commands that print rows of the store."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpis.wording import counted
from pipelines.options import (
    By,
    Db,
    Definition,
    Equipment,
    From,
    Length,
    Level,
    Opened,
    Output,
    Step,
    To,
    opened,
)
from pipelines.output import Column, Format, duration, emit, local, percent, plain

if TYPE_CHECKING:
    import polars as pl

    from storage.selection import Selection

_EQUIPMENT = Column("equipment", plain("equipment"))


def kpi(
    db: Db,
    by: By = "shift",
    equipment: Equipment = None,
    level: Level = None,
    start: From = None,
    end: To = None,
    definition: Definition = None,
    length: Length = None,
    step: Step = None,
    form: Output = Format.TABLE,
) -> None:
    """KPI rows: OEE and all else for every window of a kind that starts from --from on and before --to.

    A performance above 100 %, marked with !, says that the ideal cycle is too long. What is undefined is shown as -.

    Examples:
      oeeflow kpi --db kpi.duckdb --by shift --level line
      oeeflow kpi --db kpi.duckdb --by hour --equipment 'acme/ulm/*' --from 2026-03-02 --format csv
      oeeflow kpi --db kpi.duckdb --by sliding --length 8h --step 15m --definition iso22400
    """
    with opened(db) as store:
        rows = store.reader.kpi(
            by,
            store.selection(equipment, level, start, end),
            definition or store.plant.oee_definition,
            history=True,
            **_sliding(store, length, step),
        )
        emit(rows, form, [_EQUIPMENT, *_window(by, store), *_KPI_COLUMNS])


def losses(
    db: Db,
    by: By = "shift",
    equipment: Equipment = None,
    level: Level = None,
    start: From = None,
    end: To = None,
    definition: Definition = None,
    length: Length = None,
    step: Step = None,
    six: Annotated[bool, typer.Option("--six", help="The six big losses, by the reasons given.")] = False,
    form: Output = Format.TABLE,
) -> None:
    """Where the time went: the waterfall from calendar time to fully productive time, exact to the microsecond.

    Each level is the one above less the losses between. With --six: the six big losses, which sum up to planned
    production (standard definition) less the ideal time of good pieces.

    Examples:
      oeeflow losses --db kpi.duckdb --by day --equipment acme/ulm/packing/line-1 --from 2026-03-02 --to 2026-03-03
      oeeflow losses --db kpi.duckdb --by week --level line --six
    """
    with opened(db) as store:
        selection = store.selection(equipment, level, start, end)
        window = _sliding(store, length, step)
        if six:
            rows = store.reader.six_big_losses(by, selection, **window)
            what = [Column("loss", plain("loss"))]
        else:
            rows = store.reader.waterfall(by, selection, definition or store.plant.oee_definition, **window)
            what = [Column("step", _level_or_loss), Column("factor", plain("factor"))]
        shown = [Column("time", duration("us"), right=True), Column("%", percent("share"), right=True)]
        emit(rows, form, [_EQUIPMENT, *_window(by, store)[:1], *what, *shown, Column("", plain("flag"))])


def stops(
    db: Db,
    equipment: Equipment = None,
    level: Level = None,
    start: From = None,
    end: To = None,
    form: Output = Format.TABLE,
) -> None:
    """Stops, down or idle, that overlap the time from --from to --to; * marks one that is still open.

    `duration_us` is from start to end, `us` what of it counts as minor stop, down or idle.

    Examples:
      oeeflow stops --db kpi.duckdb --equipment 'acme/ulm/packing/line-1/*' --from 2026-03-02 --format csv
    """
    with opened(db) as store:
        selection = store.selection(equipment, level, start, end)
        rows = store.reader.stops(selection)
        _tell_of_children(store, selection, rows)
        length = duration("duration_us")
        columns = [
            _EQUIPMENT,
            Column("start", local("start", store.zone)),
            Column("length", lambda row: length(row) + ("*" if row["open"] else ""), right=True),
            Column("category", lambda row: "minor" if row["minor"] else row["category"]),
            Column("reason", lambda row: row["reason_label"] or row["reason"] or ""),
            Column("order", plain("order")),
        ]
        emit(rows, form, columns)


def timeline(
    db: Db,
    equipment: Equipment = None,
    level: Level = None,
    start: From = None,
    end: To = None,
    form: Output = Format.TABLE,
) -> None:
    """What happened when: intervals, cut by nothing but their own change, that overlap the time from --from to --to.

    One that is still open ends at the horizon, the time up to which the store knows.

    Examples:
      oeeflow timeline --db kpi.duckdb --equipment acme/ulm/packing/line-1/filler --from 2026-03-02T06:00
    """
    with opened(db) as store:
        selection = store.selection(equipment, level, start, end)
        rows = store.reader.timeline(selection)
        _tell_of_children(store, selection, rows)
        length = duration("us")
        columns = [
            _EQUIPMENT,
            Column("start", local("start", store.zone)),
            Column("length", lambda row: length({"us": (row["end"] - row["start"]).total_seconds() * 1e6}), right=True),
            *(Column(name, plain(name)) for name in ("account", "reason", "product", "order")),
        ]
        emit(rows, form, columns)


def rejected(
    db: Db,
    plant: Annotated[
        Path | None, typer.Argument(help="With --retry: the corrected plant file; default: the one last used.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Take in what the plant file now allows.")] = False,
    equipment: Equipment = None,
    start: From = None,
    end: To = None,
    form: Output = Format.TABLE,
) -> None:
    """Events that could not be used and why, with their original bytes, rejected from --from on and before --to.

    Examples:
      oeeflow rejected --db kpi.duckdb
      oeeflow rejected --db kpi.duckdb --retry plant.toml
    """
    if retry:
        from pipelines.commands import filling

        filling.retry(db, plant)
        return
    if plant is not None:
        message = "a plant file is of use only with --retry"
        raise typer.BadParameter(message)
    with opened(db) as store:
        place = Column("source", lambda row: f"{row['source'] or '-'}:{row['line'] or '-'}")
        columns = [place, *(Column(name, plain(name)) for name in ("equipment", "id", "reason", "detail"))]
        rows = store.reader.rejected(store.selection(equipment, None, start, end))
        emit(rows, form, columns)
        if unknown := rows["reason"].to_list().count("unknown_equipment"):
            way = f"`oeeflow rejected --retry` takes in what it then knows of {counted(unknown, 'event')}"
            print(f"hint: put the equipment right in the plant file; {way}", file=sys.stderr)


_KPI_COLUMNS = (
    Column("status", plain("status")),
    Column("OEE %", percent("oee"), right=True),
    Column("A %", percent("availability"), right=True),
    Column("P %", percent("performance", flag_above_1=True), right=True),
    Column("Q %", percent("quality"), right=True),
    Column("good", plain("good"), right=True),
    Column("scrap", plain("scrap"), right=True),
    Column("cov %", percent("coverage"), right=True),
)


def _window(by: str, store: Opened) -> list[Column]:
    """The columns that tell which window a row is of."""
    if by == "shift":
        return [Column("shift", lambda row: row["shift"] or f"{row['production_date']} -")]
    if by in ("day", "week", "month"):
        return [Column(by, plain("production_date"))]
    start = Column("start", local("window_start", store.zone, seconds=False))
    return [start, Column("order", plain("order")), Column("product", plain("product"))] if by == "order" else [start]


def _level_or_loss(row: dict[str, str]) -> str:
    return row["step"] if row["factor"] is None else f"- {row['step']}"


def _sliding(store: Opened, length: str | None, step: str | None) -> dict[str, int]:
    from kpis.duration import parse_duration

    return {
        "length_us": store.plant.sliding_length_us if length is None else parse_duration(length),
        "step_us": store.plant.sliding_step_us if step is None else parse_duration(step),
    }


def _tell_of_children(store: Opened, selection: "Selection", rows: "pl.DataFrame") -> None:
    """Levels without events of their own have no intervals; what is below them has."""
    path = selection.equipment
    if rows.is_empty() and path is not None and store.plant.children(path):
        print(f"nothing of {path} itself; for what is below it: --equipment '{path}/*'", file=sys.stderr)
