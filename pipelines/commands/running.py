"""The command that runs the engine."""

from typing import Annotated

import typer

from pipelines.allocators import SMALL, set_allocators
from pipelines.commands.filling import Db, PlantFile
from pipelines.logs import LogFormat, LogLevel, configure


def run(
    plant: PlantFile,
    db: Db,
    http_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port of the HTTP door; default: free.")
    ] = None,
    readers_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port for readers; default: free.")
    ] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="Default: console on a terminal, else json.")] = None,
    log_level: Annotated[LogLevel, typer.Option(help="The least of what is said.")] = LogLevel.INFO,
) -> None:
    """Run live: take in what the sources of the plant file send, and keep all figures up to date.

    Readers work meanwhile. Ctrl-C or SIGTERM stops it in order; whatever stopped it, the same command goes on from
    there, and no message that was acknowledged is lost or counts twice.

    Examples:
      oeeflow run plant.toml --db kpi.duckdb
      oeeflow run plant.toml --db kpi.duckdb --http-port 8600 --log-format json
    """
    configure(log_format, log_level)
    set_allocators(SMALL)
    from pipelines.live import live

    live(plant, db, http_port=http_port, readers_port=readers_port)
