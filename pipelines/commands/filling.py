"""Commands that fill a store, and those for the plant file."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from kpis.errors import ConfigError
from kpis.wording import counted
from pipelines.allocators import FAST, set_allocators
from pipelines.times import parse_time

if TYPE_CHECKING:
    from kpis.plant import Fault
    from pipelines.replay import Progress as Step
    from pipelines.replay import Summary

Db = Annotated[Path, typer.Option("--db", envvar="OEEFLOW_DB", help="DuckDB file of the store.", show_default=False)]
PlantFile = Annotated[Path, typer.Argument(help="The plant file, plant.toml.", show_default=False)]

console = Console(stderr=True, highlight=False, soft_wrap=True)


class ReportFormat(StrEnum):
    """How findings are printed."""

    table = "table"
    json = "json"


def replay(
    plant: PlantFile,
    events: Annotated[list[Path], typer.Argument(help="Files of events, or recordings of a --source.")],
    db: Db,
    until: Annotated[str | None, typer.Option(help="Leave out what happened from this time on.", metavar="T")] = None,
    source: Annotated[str | None, typer.Option(help="Source of the plant file that recorded the files.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that make the accounts.", min=1, max=64)] = 1,
) -> None:
    """Take files of events into a store, as fast as it goes.

    May be repeated and resumed: events that are there already are left out. Ends with 0 even if some events were
    rejected; `oeeflow rejected` shows them.

    Examples:
      oeeflow replay plant.toml monday.jsonl tuesday.jsonl.gz --db kpi.duckdb
      oeeflow replay plant.toml day.txt --source mazak --db kpi.duckdb --until 2026-03-02T06:00:00Z
    """
    set_allocators(FAST)
    from pipelines import replay as engine

    with _bar() as show:
        summary = engine.replay(
            plant,
            events,
            db,
            until=None if until is None else parse_time(until, engine.read_plant(plant).timezone),
            source=source,
            workers=workers,
            progress=show,
        )
    _tell(summary)
    if summary.interrupted:
        raise typer.Exit(130)
    if summary.faults:
        raise typer.Exit(1)


@contextmanager
def _bar() -> Iterator[Callable[["Step"], None]]:
    """A progress bar with events per second and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[events]:>10,} events  {task.fields[rate]:>9,}/s"),
        TimeRemainingColumn(),
    )
    # Where nobody sees a bar it would still leave an empty line.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task: list[TaskID] = []

        def show(state: "Step") -> None:
            if not task:
                task.append(progress.add_task("", events=0, rate=0))
            events = state.outcome.taken + state.outcome.duplicates + state.outcome.rejected
            elapsed = progress.tasks[0].elapsed or 0.0
            progress.update(
                task[0],
                description=f"summing days, {state.days_left} left" if state.days_left else state.file.name,
                total=max(state.bytes_all, 1),
                completed=state.bytes_read,
                events=events,
                rate=round(events / elapsed) if elapsed > 0 else 0,
            )

        yield show


def _tell(summary: "Summary") -> None:
    """What a replay did, in a few lines."""
    outcome = summary.outcome
    if summary.recovery:
        console.print(f"[red]the store was made again:[/red] {escape(str(summary.recovery))}")
    if summary.rebuilt:
        console.print("the plant file changed what numbers mean: all results were made anew")
    for path in summary.skipped:
        console.print(f"{escape(str(path))} was taken in before")
    for fault in summary.faults:
        console.print(f"[red]error:[/red] {escape(str(fault))}")
        if fault.hint:
            console.print(f"hint: {escape(fault.hint)}")
    parts = [f"{counted(outcome.taken, 'event')} taken in"]
    if outcome.duplicates:
        parts.append(counted(outcome.duplicates, "duplicate"))
    if outcome.rejected:
        parts.append(f"{outcome.rejected:,} rejected, see `oeeflow rejected`")
    if summary.interrupted:
        parts.append("interrupted: the same command goes on from here")
    console.print("; ".join(parts))
    for doubt in summary.doubts:
        console.print(f"[yellow]warning:[/yellow] {escape(doubt.text)}")
        console.print(f"hint: {escape(doubt.advice)}")


def recompute(
    db: Db,
    since: Annotated[str | None, typer.Option("--from", help="From this time on.", metavar="T")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Up to this time.", metavar="T")] = None,
) -> None:
    """Make the results of a time again from the events in the store.

    This changes nothing: 1 is returned, and the number of differences told, if it did.

    Examples:
      oeeflow recompute --db kpi.duckdb --from 2026-03-01 --to 2026-03-08
    """
    from pipelines import replay as engine

    with console.status("making the results again"):
        changed = engine.recompute(db, since, to)
    if changed:
        put_right = "was put right" if changed == 1 else "were put right"
        console.print(f"{counted(changed, 'time')} came out differently and {put_right}")
        raise typer.Exit(1)
    console.print("nothing changed")


def retry(db: Path, plant: Path | None) -> None:
    """Take in rejected events that the plant file, corrected since, now allows."""
    from pipelines import replay as engine

    with console.status("trying rejected events again"):
        outcome, rejected = engine.retry(db, plant)
    console.print(f"{counted(outcome.taken, 'event')} taken in; {rejected:,} still rejected")


def init(
    folder: Annotated[Path, typer.Argument(help="Folder for the new plant file.", metavar="DIR", show_default=False)],
) -> None:
    """Write a commented starter plant file.

    Examples:
      oeeflow init my-plant
    """
    from kpis.plant import STARTER

    target = folder / "plant.toml"
    if target.exists():
        msg = f"{target} is there already"
        raise ConfigError(msg, hint="name another folder, or move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(STARTER, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {target}: {(error.strerror or str(error)).lower()}"
        raise ConfigError(msg, hint="check the path and the permissions") from error
    console.print(f"wrote {escape(str(target))}")
    console.print(f"next: edit it, then `oeeflow validate {escape(str(target))}`")


def validate(
    plant: PlantFile,
    output: Annotated[
        ReportFormat, typer.Option("--format", help="How to print the findings.", case_sensitive=False)
    ] = ReportFormat.table,
) -> None:
    """Find all faults of a plant file, and what looks implausible in it.

    Ends with 1 if there are faults. Warnings do not stand in the way.

    Examples:
      oeeflow validate plant.toml
      oeeflow validate plant.toml --format json
    """
    from kpis.plant import check_plant

    try:
        text = plant.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read the plant file {plant}: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg, hint="`oeeflow init DIR` writes a starter plant file") from error
    report = check_plant(text)
    if output is ReportFormat.json:
        rows = [_row("fault", fault) for fault in report.faults] + [_row("warning", fault) for fault in report.warnings]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    else:
        for fault in report.faults:
            sys.stdout.write(f"fault: {fault}\n")
        for fault in report.warnings:
            sys.stdout.write(f"warning: {fault}\n")
        verdict = counted(len(report.faults), "fault") if report.faults else "no faults"
        console.print(f"{escape(str(plant))}: {verdict}, {counted(len(report.warnings), 'warning')}")
    if report.faults:
        raise typer.Exit(1)


def _row(severity: str, fault: "Fault") -> dict[str, object]:
    return {"severity": severity, **asdict(fault)}
