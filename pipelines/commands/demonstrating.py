"""The command that shows what there is: the example plant and a real machine day, from nothing to their figures."""

import shlex
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from kpis.errors import ConfigError
from pipelines.commands import filling, reading

EXAMPLES: Final = Path(str(files("pipelines"))) / "examples"
LINE: Final = "acme/ulm/packing/line-1"
JAMS: Final = ("2026-03-24T14:00", "2026-03-24T22:00")  # the late shift in which they came back three times

console = Console(highlight=False)


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Folder for what is made.")] = Path(".demo"),
    port: Annotated[int | None, typer.Option(help="For the dashboard to come; without effect so far.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="The same.")] = False,
) -> None:
    """Show what oeeflow does, on this machine, with nothing prepared.

    Simulates a week of two bottling lines, replays it and a recorded day of a real machine tool, and shows the shifts
    of a line and where the time of one shift went. May be repeated.

    Examples:
      oeeflow demo
      oeeflow demo --dir /tmp/look
    """
    from pipelines.replay import read_plant
    from pipelines.simulate import simulate

    plant, nist, week = folder / "plant.toml", folder / "nist", folder / "week"
    ulm, mazak = folder / "ulm.duckdb", folder / "nist.duckdb"
    _copy(EXAMPLES, folder)
    with Console(stderr=True).status("simulating a week of two bottling lines"):
        days = simulate(read_plant(plant)).write(week)

    _title("A simulated week: 8 machines, day by day as the events arrived")
    _run("replay", plant, *days, "--db", ulm, shown=f"oeeflow replay {plant} {week}/*.jsonl.gz --db {ulm}")
    _title("A real day: a turn-mill centre of the NIST test bed, as it was recorded")
    _run("replay", nist / "plant.toml", nist / "mazak01-2016-11-29.txt.gz", "--source", "mazak", "--db", mazak)

    _title("How was the week on line 1?")
    _run("kpi", "--db", ulm, "--by", "shift", "--equipment", LINE)
    _title("Where did the time of Tuesday's late shift go?")
    window: list[str | Path] = ["--by", "shift", "--equipment", LINE, "--from", JAMS[0], "--to", JAMS[1], "--db", ulm]
    _run("losses", *window)
    _title("And the turn-mill centre? Lost communication is unknown, not down")
    _run("kpi", "--db", mazak, "--by", "day", "--equipment", "nist/shop/mazak01")

    _title("Where to look next")
    for meaning, command in (
        ("one figure down to its events", ["explain", LINE, "--by", "shift", "--at", "2026-03-24T15:00", "--db", ulm]),
        (
            "what stopped the line",
            ["stops", "--equipment", f"{LINE}/*", "--from", JAMS[0], "--to", JAMS[1], "--db", ulm],
        ),
        ("what could not be used, and why", ["rejected", "--db", ulm]),
        ("ask anything", ["sql", "SELECT equipment, shift, oee FROM kpi_shift ORDER BY oee LIMIT 5", "--db", ulm]),
        ("what each figure means", ["catalogue"]),
    ):
        console.print(f"  [dim]# {meaning}[/dim]\n  {_line(*command)}", soft_wrap=True)


def _title(text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def _copy(examples: Path, folder: Path) -> None:
    """Give the folder what the examples need, to be read and changed."""
    try:
        (folder / "nist").mkdir(parents=True, exist_ok=True)
        for source in (examples / "plant.toml", *(examples / "nist").iterdir()):
            shutil.copyfile(source, folder / source.relative_to(examples))
    except OSError as error:
        msg = f"cannot write into {folder}: {(error.strerror or str(error)).lower()}"
        raise ConfigError(msg, hint="name another folder with --dir") from error


def _run(*words: str | Path, shown: str | None = None) -> None:
    """Run a command as if it were typed, and show it."""
    app = typer.Typer(pretty_exceptions_enable=False)
    for command in (filling.replay, reading.kpi, reading.losses):
        app.command()(command)
    console.print(f"[dim]$ {shown or _line(*words)}[/dim]", soft_wrap=True)
    status = app([str(word) for word in words], standalone_mode=False)
    if status:
        raise typer.Exit(status)


def _line(*words: str | Path) -> str:
    return shlex.join(["oeeflow", *(str(word) for word in words)])
