"""Commands about alerts: those that were raised, and rules tried out before they are trusted."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kpis.errors import ConfigError
from kpis.plant_types import Severity
from pipelines.options import Db, Equipment, From, Level, Output, To, opened
from pipelines.output import Column, Format, emit, local, plain

if TYPE_CHECKING:
    from storage.reader import Reader

SHOWN_OF_ID = 8
"""Characters of an alert's id that tell it from all others, nearly always."""

State = Annotated[
    Literal["firing", "resolved", "suppressed", "withdrawn"] | None,
    typer.Option("--state", help="Default: all but withdrawn."),
]
Rule = Annotated[str | None, typer.Option("--rule", help="Name of a rule; default: all.")]
SeverityOption = Annotated[Severity | None, typer.Option("--severity", help="Default: all.")]


def alerts(
    context: typer.Context,
    db: Annotated[
        Path | None,
        typer.Option("--db", envvar="OEEFLOW_DB", help="DuckDB file of the store.", show_default=False),
    ] = None,
    equipment: Equipment = None,
    level: Level = None,
    start: From = None,
    end: To = None,
    state: State = None,
    rule: Rule = None,
    severity: SeverityOption = None,
    form: Output = Format.TABLE,
) -> None:
    """Alerts whose condition began to hold from --from on and before --to.

    Examples:
      oeeflow alerts --db kpi.duckdb --from 2026-03-02
      oeeflow alerts --db kpi.duckdb --state firing --severity critical
    """
    if context.invoked_subcommand is not None:
        return
    if db is None:
        message = "name the store"
        raise typer.BadParameter(message, param_hint="--db")
    with opened(db) as store:
        rows = store.reader.alerts(
            store.selection(equipment, level, start, end), state=state, rule=rule, severity=severity
        )
        if rule is not None and rows.is_empty():
            _must_be_known(rule, store.reader)
        columns = [
            Column("alert", lambda row: str(row["alert"])[:SHOWN_OF_ID]),
            Column("equipment", plain("equipment")),
            Column("since", local("since", store.zone)),
            Column("fired", local("fired_at", store.zone)),
            Column("resolved", local("resolved_at", store.zone)),
            *(Column(name, plain(name)) for name in ("severity", "state", "rule", "text")),
        ]
        emit(rows, form, columns)


def _must_be_known(rule: str, reader: "Reader") -> None:
    """Raises ConfigError for a rule that the store never had."""
    known = reader.query("SELECT rule FROM alert_rules UNION SELECT rule FROM alerts ORDER BY 1")["rule"].to_list()
    if rule not in known:
        message = f'no rule "{rule}" in the store'
        raise ConfigError(message, hint=f"its rules are {', '.join(known)}" if known else "it has none")


def test(
    plant: Annotated[Path, typer.Argument(help="Plant file with the rules.", show_default=False)],
    cases: Annotated[Path, typer.Argument(help="TOML file of cases, see docs/alerts.md.", show_default=False)],
) -> None:
    """Run cases: events, and the alerts that are to be open at given times. Ends with 1 if any goes otherwise.

    Examples:
      oeeflow alerts test plant.toml alert-cases.toml
    """
    from pipelines.alert_cases import differences, read_cases

    asked = read_cases(cases)
    found = list(differences(plant, asked, cases.parent))
    failed = {difference.case for difference in found}
    for case in asked.cases:
        print(f"{'failed' if case.name in failed else 'ok':7}{case.name}")
        for difference in found:
            if difference.case == case.name:
                what = "is not open" if difference.missing else "is open, and should not be"
                print(f"       {difference.at.isoformat()}  {difference.rule} on {difference.equipment} {what}")
    if found:
        raise typer.Exit(1)


def replay(
    db: Db,
    plant: Annotated[
        Path | None, typer.Argument(help="Plant file with the rules; default: the one last used.", show_default=False)
    ] = None,
    start: From = None,
    end: To = None,
    rule: Rule = None,
    form: Output = Format.TABLE,
) -> None:
    """When rules would have fired on what is in a store, and how often; nothing is changed.

    Examples:
      oeeflow alerts replay --db kpi.duckdb plant.toml --from 2026-03-02 --to 2026-03-09
    """
    import polars as pl

    from pipelines.replay import read_plant
    from storage.alert_past import tried

    with opened(db) as store:
        known = store.plant if plant is None else read_plant(plant)
        bounds = store.selection(None, None, start, end)
        rows = tried(store.reader.query, known, bounds.start, bounds.end)
        if rule is not None:
            rows = rows.filter(pl.col("rule") == rule)
        columns = [
            Column("rule", plain("rule")),
            Column("equipment", plain("equipment")),
            Column("fired", local("fired_at", store.zone)),
            Column("resolved", local("resolved_at", store.zone)),
            *(Column(name, plain(name)) for name in ("state", "suppressed_by", "text")),
        ]
        emit(rows, form, columns)
    fired = rows.filter(pl.col("fired_at").is_not_null())
    for item in known.alerts:
        if rule in (None, item.name):
            times = fired.filter(pl.col("rule") == item.name).height
            quiet = rows.filter(pl.col("rule") == item.name).height - times
            print(f"{item.name}: would have fired {_times(times)}, suppressed {_times(quiet)}", file=sys.stderr)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
