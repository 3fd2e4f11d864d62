"""The command that shows what there is: a live plant, or recordings; from nothing to their figures."""

import os
import shlex
import shutil
import sys
import webbrowser
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from kpis.errors import ConfigError, Interrupted
from kpis.wording import counted
from pipelines.commands import filling, reading

if TYPE_CHECKING:
    from kpis.plant import Plant

EXAMPLES: Final = Path(str(files("pipelines"))) / "examples"
NAME: Final = "oeeflow"
LINE: Final = "acme/ulm/packing/line-1"
USUAL_PORT: Final = 8501
JAMS: Final = ("2026-03-24T14:00", "2026-03-24T22:00")  # the late shift in which they came back three times

console = Console(highlight=False)


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Folder for what is made.")] = Path(".demo"),
    port: Annotated[
        int | None,
        typer.Option(help="Port of the dashboard; default: 8501, or another that is free.", min=1, max=65_535),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the dashboard in a browser.")] = False,
    speed: Annotated[
        float, typer.Option(help="Above 1: the last two hours are told live, so many times as fast.", min=1, max=1000)
    ] = 1,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="No live plant: a simulated week and a day of a real machine, as files.")
    ] = False,
) -> None:
    """Show what oeeflow does, on this machine, with nothing prepared, until Ctrl-C.

    Simulates two bottling lines: three weeks of history up to now, then what happens, live over an MQTT broker of its
    own, with engine and dashboard. The same command goes on from there. All of it listens on this machine only.

    Examples:
      oeeflow demo
      oeeflow demo --speed 60 --port 8501
      oeeflow demo --recorded
    """
    if recorded:
        _recorded(folder)
    else:
        _live(folder, port, speed, browser=not no_browser)


def _live(folder: Path, port: int | None, speed: float, *, browser: bool) -> None:
    from pipelines.children import answers, free_port
    from pipelines.demo import Demo, alone, write_plant
    from pipelines.demo_plant import DemoPlant
    from pipelines.operators import Halt, interruptible
    from pipelines.replay import read_plant

    plant_file, db = folder / "live-plant.toml", folder / "kpi.duckdb"
    halt = Halt()
    with alone(folder), interruptible(halt):
        if port is not None and answers(port):
            msg = f"port {port} is in use"
            raise ConfigError(msg, hint="name another one with --port, or none")
        broker_port, dashboard_port = free_port(), port or (free_port() if answers(USUAL_PORT) else USUAL_PORT)
        write_plant(EXAMPLES / plant_file.name, plant_file, broker_port, dashboard_port)
        plant = read_plant(plant_file)
        with _status("simulating what happened in two bottling lines"):
            simulated = DemoPlant(folder, plant, speed, anew=not db.exists())
            history = simulated.history()
        if history is not None and not halt.asked:
            _title("What happened so far: two lines, 8 machines")
            _run("replay", plant_file, history, "--db", db)
            simulated.remember()
        if halt.asked:
            msg = "ended before everything had started"
            raise Interrupted(msg, hint="the same command goes on from here")
        _look_back(plant, db)
        with Demo(folder, plant_file, db, simulated, halt) as running:
            with _status("starting broker, engine and dashboard"):
                engine = running.start(broker_port, dashboard_port)
            address = f"http://127.0.0.1:{dashboard_port}"
            _guide(folder, db, address, engine, broker_port)
            if browser:
                _open(address)
            with _status("") as status:
                running.keep_telling(lambda: status.update(_progress(simulated.messages, simulated.behind)))
            console.print("\nending broker, engine and dashboard")
        console.print("all ended")


def _progress(messages: int, behind: timedelta) -> str:
    late = f", {behind} behind the clock" if (behind := timedelta(seconds=round(behind.total_seconds()))) else ""
    return f"the plant has sent {counted(messages, 'message')}{late}"


def _look_back(plant: "Plant", db: Path) -> None:
    """The last shifts, and where the time of the worst of them went."""
    shifts = _last_shifts(plant, db)
    if not shifts:
        return
    zone = ZoneInfo(plant.timezone)

    def at(instant: Any) -> str:
        return f"{instant.astimezone(zone):%Y-%m-%dT%H:%M}"

    _title("How were the last shifts on line 1?")
    recent = at(shifts[0]["window_start"])
    _run("kpi", "--by", "shift", "--equipment", LINE, "--from", recent, "--db", db)
    worst = min(shifts, key=lambda row: row["oee"])
    _title(f"Where did the time of the worst of them go, {worst['shift']}?")
    start, end = at(worst["window_start"]), at(worst["window_end"])
    _run("losses", "--by", "shift", "--equipment", LINE, "--from", start, "--to", end, "--db", db)


def _last_shifts(plant: "Plant", db: Path) -> list[dict[str, Any]]:
    """The last six shifts of line 1 that are over, in order of time."""
    from storage.reader import Reader
    from storage.selection import Selection

    with Reader(db) as reader:
        rows = reader.kpi("shift", Selection(LINE), plant.oee_definition).to_dicts()
    rows = [row for row in rows if row["status"] != "open" and row["shift"] and row["oee"] is not None]
    return rows[-6:]


def _guide(folder: Path, db: Path, dashboard: str, engine: str, broker_port: int) -> None:
    """What runs where, and what to look at."""
    _title("The plant is live")
    for name, where, what in (
        ("dashboard", dashboard, "the board of the lines, losses, and why; renewed by itself"),
        ("engine", f"{engine}/readyz", f"also /metrics; its log: {folder}/engine.log"),
        ("mailbox", f"{folder}/mail", "what people are told of alerts, a file for each message"),
        ("andon", "andon/#", "on the broker: the worst open alert of each line, for stack lights"),
        ("broker", f"mqtt://127.0.0.1:{broker_port}", "topic = equipment: acme/ulm/packing/line-1/filler …"),
        ("store", str(db), "DuckDB; readers reach it through the engine"),
    ):
        console.print(f"  {name:<10} {where:<32} [dim]{what}[/dim]", soft_wrap=True)
    _title("What to look for")
    for what in (
        "jams that wander up line 1 once a shift: palletizer, labeller, filler; the line loses availability",
        "the gateway of line 2, silent once a shift: unknown, not down; then everything comes late and fills the gap",
        "a stop that gets another reason within the hour: closed windows become revised",
    ):
        console.print(f"  - {what}", soft_wrap=True)
    _title("Ask, in another terminal")
    _suggest(
        ("how the lines do, hour by hour", ["kpi", "--by", "hour", "--level", "line", "--from", _yesterday()]),
        ("what stopped line 1", ["stops", "--equipment", f"{LINE}/*", "--from", _yesterday()]),
        ("ask anything", ["sql", "SELECT equipment, shift, oee FROM kpi_shift ORDER BY oee LIMIT 5"]),
        ("attach from Python or a BI tool", ["connect"]),
        db=db,
    )
    console.print("\nCtrl-C ends all of it; the same command goes on from there.")


def _yesterday() -> str:
    return f"{datetime.now().astimezone() - timedelta(days=1):%Y-%m-%d}"


def _open(address: str) -> None:
    """Open a page in a browser, if there is a screen to show it on: not a text browser in this terminal."""
    if any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        webbrowser.open(address)


def _recorded(folder: Path) -> None:
    """The week that examples/README.md tells and a recorded day, replayed from files."""
    from pipelines.replay import read_plant
    from pipelines.simulate import simulate

    plant, nist, week = folder / "plant.toml", folder / "nist", folder / "week"
    ulm, mazak = folder / "ulm.duckdb", folder / "nist.duckdb"
    _copy(EXAMPLES, folder)
    with _status("simulating a week of two bottling lines"):
        days = simulate(read_plant(plant)).write(week)

    _title("A simulated week: 8 machines, day by day as the events arrived")
    _run("replay", plant, *days, "--db", ulm, shown=f"{_line('replay', plant)} {week}/*.jsonl.gz --db {ulm}")
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
    _suggest(
        ("one figure down to its events", ["explain", LINE, "--by", "shift", "--at", "2026-03-24T15:00"]),
        ("what stopped the line", ["stops", "--equipment", f"{LINE}/*", "--from", JAMS[0], "--to", JAMS[1]]),
        ("what could not be used, and why", ["rejected"]),
        ("ask anything", ["sql", "SELECT equipment, shift, oee FROM kpi_shift ORDER BY oee LIMIT 5"]),
        db=ulm,
    )


def _title(text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def _status(text: str) -> Any:
    return Console(stderr=True).status(text)


def _suggest(*suggestions: tuple[str, list[str]], db: Path) -> None:
    """Commands to type, with what they are good for."""
    for meaning, command in suggestions:
        console.print(f"  [dim]# {meaning}[/dim]\n  {_line(*command, '--db', db)}", soft_wrap=True)


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
    return shlex.join([_program(), *(str(word) for word in words)])


def _program() -> str:
    """How to call this command from here: by its name, or by its path where the shell would not find it."""
    called = Path(sys.argv[0]).absolute()
    if called.name != NAME or shutil.which(NAME):
        return NAME
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)
