"""The command line: which commands there are, and how errors come out."""

import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from types import FrameType
from typing import Annotated, Final

import typer

from kpis.errors import Interrupted, OeeflowError
from pipelines.commands import (
    acting,
    alerting,
    dashboarding,
    database,
    demonstrating,
    examining,
    explaining,
    filling,
    reading,
    reporting,
    running,
    sourcing,
)

INTERRUPTED: Final = 130

COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    demonstrating.demo,
    filling.init,
    filling.validate,
    running.run,
    filling.replay,
    filling.recompute,
    reading.kpi,
    reading.losses,
    reading.stops,
    reading.timeline,
    reading.rejected,
    reporting.report,
    explaining.explain,
    explaining.sql,
    explaining.catalogue,
    dashboarding.dashboard,
    database.connect,
    examining.doctor,
    database.export,
)
DB_COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    database.migrate,
    database.backup,
    database.restore,
    database.retain,
    database.export,
)
ALERT_COMMANDS: Final[tuple[Callable[..., None], ...]] = (
    alerting.test,
    alerting.replay,
    acting.ack,
    acting.take,
    acting.comment,
    acting.shelve,
    acting.unshelve,
)
SOURCE_COMMANDS: Final[dict[str, Callable[..., None]]] = {"test": sourcing.try_out}


def _build() -> typer.Typer:
    app = typer.Typer(
        name="oeeflow",
        help="OEE and manufacturing KPIs from machine events. Ends with 0 done, 1 finding, 2 usage or configuration.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_version)
    db = typer.Typer(help="Look after the store: migrate, backup, restore, retain, export.", no_args_is_help=True)
    for command in COMMANDS:
        app.command()(command)
    for command in DB_COMMANDS:
        db.command()(command)
    app.add_typer(db, name="db")
    alerts = typer.Typer()
    alerts.callback(invoke_without_command=True)(alerting.alerts)
    for command in ALERT_COMMANDS:
        alerts.command()(command)
    app.add_typer(alerts, name="alerts")
    source = typer.Typer(help="Try sources out.", no_args_is_help=True)
    source.callback()(lambda: None)
    for name, command in SOURCE_COMMANDS.items():
        source.command(name)(command)
    app.add_typer(source, name="source")
    return app


def _say_version(asked: bool) -> None:
    if asked:
        print(f"oeeflow {version('oeeflow')}")
        raise typer.Exit


def _version(
    version_: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Run a command. Exit status: 0 done, 1 finding, 2 usage or configuration, 130 interrupted."""
    signal.signal(signal.SIGINT, _end)
    # DuckDB and Arrow import pandas wherever they find it. Nothing here uses it: that saves 0.4 s and 30 MB.
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]
    try:
        _build()()
    except OeeflowError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(INTERRUPTED if isinstance(error, Interrupted) else 2)
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        sys.exit(INTERRUPTED)


def _end(number: int, frame: FrameType | None) -> None:
    """Ctrl-C ends a command at once and without a word; commands that write put their own handler in its place."""
    raise SystemExit(INTERRUPTED)


if __name__ == "__main__":
    main()
