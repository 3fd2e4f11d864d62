"""The command line: which commands there are, and how errors come out."""

import os
import sys

import typer

from pipelines.commands import reading

app = typer.Typer(
    name="oeeflow",
    help="OEE and manufacturing KPIs from machine events.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

COMMANDS = (
    reading.kpi,
    reading.timeline,
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run a command. Exit status: 0 done, 1 finding, 2 usage or configuration, 130 interrupted."""
    from kpis.errors import OeeflowError

    try:
        app()
    except OeeflowError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # Nobody reads on; the interpreter must not try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
