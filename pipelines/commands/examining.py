"""The command that looks whether everything is in order."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import Db, Output
from pipelines.output import Format, emit, write_text


def doctor(
    db: Db,
    plant: Annotated[
        Path | None, typer.Argument(help="Plant file whose brokers are tried; default: the one last used.")
    ] = None,
    form: Output = Format.TABLE,
) -> None:
    """Look whether everything is in order: versions, plant file, brokers, disk, permissions, store, engine.

    A running engine is asked, and not disturbed. Each line is ok, warning or error, with what to do. Ends with 1 if
    there is an error: something that somebody has to act on.

    Examples:
      oeeflow doctor --db kpi.duckdb
      oeeflow doctor plant.toml --db kpi.duckdb --format json
    """
    import polars as pl

    from kpis.errors import OeeflowError
    from pipelines import diagnosis
    from pipelines.replay import read_plant
    from storage.health import Finding, findings, plant_of
    from storage.places import Places

    found = [*diagnosis.installation(), diagnosis.clock(), *findings(db)]
    try:
        text = read_plant(plant).text if plant else plant_of(db)
        found += diagnosis.brokers(text)
    except OeeflowError as error:
        found.append(Finding("error", "plant file", str(error), error.hint or ""))
    found += diagnosis.engine(Places(db.resolve()))
    if form is Format.TABLE:
        for finding in found:
            advice = f"\n         {finding.advice}" if finding.advice else ""
            write_text(f"{finding.level:<7}  {finding.subject}: {finding.text}{advice}")
    else:
        emit(pl.DataFrame(found), form)
    if any(finding.level == "error" for finding in found):
        raise typer.Exit(1)
