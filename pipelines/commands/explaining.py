"""Commands that explain: one figure unfolded, the catalogue of figures, a query of one's own."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.options import By, Db, Definition, Opened, Output, opened
from pipelines.output import (
    Column,
    Format,
    Row,
    duration,
    emit,
    local,
    plain,
    write_json_object,
    write_table,
    write_text,
)
from pipelines.times import parse_time

if TYPE_CHECKING:
    from kpis.derivation import Step
    from kpis.kpi import Kpi
    from storage.explaining import Explanation

_ROWS_SHOWN = 40


def explain(
    equipment: Annotated[str, typer.Argument(help="Path of the equipment.", show_default=False)],
    db: Db,
    by: By = "shift",
    at: Annotated[
        str | None, typer.Option("--at", help="A time in the window; default: the last window.", show_default=False)
    ] = None,
    kpi: Annotated[str, typer.Option("--kpi", help="Name of the KPI, see `oeeflow catalogue`.")] = "oee",
    definition: Definition = None,
    form: Output = Format.TABLE,
) -> None:
    """One figure unfolded to its formula, its elements, and the intervals, pieces and events behind them.

    Examples:
      oeeflow explain acme/ulm/packing/line-1/filler --db kpi.duckdb --by shift --at 2026-03-02T10:00
      oeeflow explain acme/ulm/packing/line-1 --db kpi.duckdb --by day --kpi availability --format json
    """
    from kpis.derivation import derivation
    from kpis.elements import ELEMENTS
    from kpis.errors import ConfigError
    from kpis.registry import kpi_named
    from storage.explaining import explain as unfold

    if form not in (Format.TABLE, Format.JSON):
        message = f"an explanation is no table of rows, so it cannot be written as {form}"
        raise ConfigError(message, hint="--format table or json")
    asked = kpi_named(kpi)
    with opened(db) as store:
        instant = None if at is None else parse_time(at, store.plant.timezone)
        chosen = definition or store.plant.oee_definition
        found = unfold(
            store.reader, equipment, by, instant, chosen,
            length_us=store.plant.sliding_length_us, step_us=store.plant.sliding_step_us,
        )  # fmt: skip
        elements = {element.name: found.row[element.name] for element in ELEMENTS}
        steps = derivation(kpi, elements, chosen)
        if form is Format.JSON:
            write_json_object(_as_object(found, asked, chosen, steps, elements))
        else:
            _print(store, found, asked, chosen, steps, elements)


def catalogue(form: Output = Format.TABLE) -> None:
    """All KPIs: meaning, formula, unit, direction, source.

    Examples:
      oeeflow catalogue
      oeeflow catalogue --format json
    """
    import polars as pl

    from kpis.registry import KPIS

    rows = [
        {
            "name": kpi.name,
            "label": kpi.label,
            "acronym": kpi.acronym,
            "meaning": kpi.meaning,
            "formula": kpi.formula,
            "unit": kpi.unit,
            "better": kpi.better,
            "range": kpi.span,
            "undefined": kpi.undefined,
            "needs": kpi.basis,
            "iso_22400": kpi.iso_number,
            "source": kpi.source,
        }
        for kpi in KPIS
    ]
    if form is Format.TABLE:
        write_text("\n\n".join(map(_entry, rows)))
    else:
        emit(pl.DataFrame(rows, infer_schema_length=None), form)


def sql(
    statement: Annotated[str, typer.Argument(help="A statement that reads.", show_default=False)],
    db: Db,
    form: Output = Format.TABLE,
) -> None:
    """One query of the store, which it cannot change; docs/data-dictionary.md tells its tables and views.

    Examples:
      oeeflow sql --db kpi.duckdb "SELECT equipment, window_start, oee FROM kpi_shift ORDER BY oee LIMIT 5"
    """
    from storage.reader import Reader

    with Reader(db) as reader:
        rows = reader.query(statement)
        if reader.note:
            print(reader.note, file=sys.stderr)
        emit(rows, form)


def _entry(row: Row) -> str:
    import textwrap

    better = {"up": ", higher is better", "down": ", lower is better", None: ""}[row["better"]]
    title = row["name"] if row["acronym"] is None else f"{row['name']} ({row['acronym']})"
    lines = [
        *textwrap.wrap(row["meaning"], 76),
        *textwrap.wrap(f"= {row['formula']}", 76, subsequent_indent="  "),
        *textwrap.wrap(f"{row['unit']}, {row['range']}{better}", 76),
        *textwrap.wrap(f"undefined: {row['undefined']}", 76),
        *textwrap.wrap(f"source: {row['source']}", 76),
    ]
    if row["needs"] != "events":
        lines.append(f"no value yet: needs {row['needs']} data")
    return "\n".join([title, *(f"    {line}" for line in lines)])


def _as_object(found: "Explanation", kpi: "Kpi", definition: str, steps: list["Step"], elements: dict[str, Any]) -> Row:
    window = ("equipment", "level", "window_start", "window_end", "shift", "order", "product", "status", "revision")
    return {
        **{name: found.row[name] for name in window if name in found.row},
        "kpi": kpi.name,
        "label": kpi.label,
        "unit": kpi.unit,
        "definition": definition,
        "value": steps[0].value,
        "formula": kpi.formula,
        "derivation": [asdict(step) for step in steps],
        "elements": elements,
        "contributors": found.contributors.to_dicts(),
        "intervals": found.intervals.to_dicts(),
        "pieces": found.pieces.to_dicts(),
        "events": found.events.to_dicts(),
        "changes": found.changes.to_dicts(),
    }


def _print(
    store: Opened,
    found: "Explanation",
    kpi: "Kpi",
    definition: str,
    steps: list["Step"],
    elements: dict[str, Any],
) -> None:
    from kpis.derivation import number

    row, zone = found.row, store.zone
    start, end = (local(name, zone)(row) for name in ("window_start", "window_end"))
    revision = f", revision {row['revision']}" if row["revision"] else ""
    lines = [
        f"{kpi.label} of {row['equipment']} ({row['level']}): {number(steps[0].value)} {kpi.unit}",
        f"{_named(row)}{start} to {end} {zone.key}, {row['status']}{revision}, OEE definition {definition}",
        "",
        *(_line(step, number(step.value)) for step in steps),
    ]
    write_text("\n".join(lines))
    used = [name for name in elements if any(name in _words(step.formula) for step in steps)]
    times = duration("us")
    _section(
        "elements",
        [{"name": name, "value": elements[name]} for name in used],
        [
            Column("element", plain("name")),
            Column("value", lambda row: number(row["value"]), right=True),
            Column(
                "h:mm:ss", lambda row: times({"us": row["value"]}) if row["name"].endswith("_us") else "", right=True
            ),
        ],
    )
    if found.contributors["contributor"].to_list() != [row["equipment"]]:
        gives = [Column("equipment", plain("contributor")), Column("gives", _gives)]
        _section("summed up from", found.contributors.to_dicts(), gives)
    _print_rows(store, found)


def _print_rows(store: Opened, found: "Explanation") -> None:
    zone, unit = store.zone, Column("equipment", plain("equipment"))
    _section(
        "time by account",
        found.time_by_account().to_dicts(),
        [
            Column("account", plain("account")),
            Column("intervals", plain("intervals"), right=True),
            Column("µs", plain("us"), right=True),
            Column("h:mm:ss", duration("us"), right=True),
        ],
    )
    _section(
        "intervals",
        found.intervals.to_dicts(),
        [
            unit,
            Column("start", local("start", zone)),
            Column("µs", plain("us"), right=True),
            *(Column(name, plain(name)) for name in ("account", "reason", "order")),
        ],
    )
    _section(
        "pieces",
        found.pieces.to_dicts(),
        [
            unit,
            *(Column(name, plain(name)) for name in ("quality", "reason", "product")),
            Column("pieces", plain("pieces"), right=True),
            Column("ideal cycle µs", plain("ideal_cycle_us"), right=True),
            Column("ideal µs", plain("ideal_us"), right=True),
        ],
    )
    _section(
        "events",
        found.events.to_dicts(),
        [
            unit,
            Column("ts", local("ts", zone)),
            Column("event", _event),
            Column("id", plain("id")),
            Column("role", lambda row: "retracted" if row["retracted"] else row["role"]),
        ],
    )
    if found.archived_before:
        write_text(f"\nmost events before {found.archived_before:%Y-%m-%d %H:%M} UTC are in the archive")
    changes = [unit, Column("changed at", local("committed_at", zone)), Column("by", plain("source"))]
    _section("changed by later events", found.changes.to_dicts(), changes)


def _section(title: str, rows: list[Row], columns: list[Column]) -> None:
    if not rows:
        return
    write_text(f"\n{title}")
    write_table(rows[:_ROWS_SHOWN], columns)
    if len(rows) > _ROWS_SHOWN:
        write_text(f"… {len(rows) - _ROWS_SHOWN:,} more; --format json has all")


def _named(row: dict[str, Any]) -> str:
    """What a window is called besides its bounds."""
    if row.get("order") is not None:
        return f"order {row['order']}{' of ' + row['product'] if row['product'] else ''}, "
    return f"{row['shift'] or 'outside shifts'} " if "shift" in row else ""


def _line(step: "Step", value: str) -> str:
    return f"{step.name} = {step.formula}\n    = {step.numbers}\n    = {value}"


def _words(formula: str) -> set[str]:
    import re

    return set(re.findall(r"[a-z_][a-z_0-9]*", formula))


def _gives(row: Row) -> str:
    if row["gives_time"] and row["gives_pieces"]:
        return "time and pieces"
    return "time and ideal time" if row["gives_time"] else "pieces"


def _event(row: Row) -> str:
    """What an event says, on one line."""
    shown = ("state", "action", "order", "product", "good", "scrap", "rework", "quality", "value", "online", "reason")
    said = [f"{name}={row[name]}" for name in shown if row[name] not in (None, 0)]
    return " ".join([row["type"], *said])
