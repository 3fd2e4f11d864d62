"""Commands about sources: what their messages would become."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from kpis.errors import ConfigError
from pipelines.commands.filling import PlantFile
from pipelines.options import Output
from pipelines.output import Column, Format, Row, emit, local, plain

if TYPE_CHECKING:
    from kpis.plant import Plant
    from kpis.plant_sources import MqttSource

_MOST_TOPIC = 60
_MOST_CONTENT = 100


def try_out(
    plant: PlantFile,
    source: Annotated[str, typer.Option(help="Source of the plant file.", show_default=False)],
    sample: Annotated[
        Path | None,
        typer.Option(help='File of lines `topic payload`, or {"topic": …, "payload": …}; default: the broker itself.'),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to listen to the broker.", min=1, max=3600)] = 30,
    form: Output = Format.TABLE,
) -> None:
    """Show what the messages of a source become, without storing anything.

    Listening takes nothing away from a running engine. Ends with 1 if messages are rejected or speak of equipment that
    the plant file does not know.

    Examples:
      oeeflow source test plant.toml --source line-1 --sample messages.txt
      oeeflow source test plant.toml --source line-1 --seconds 30 --format json
    """
    from pipelines.replay import read_plant
    from pipelines.sources.probe import listened, outcome, sampled

    read = read_plant(plant)
    chosen = _mqtt_source(read, source)
    messages = listened(chosen, seconds) if sample is None else sampled(chosen, sample)
    found = outcome(read, messages)
    zone = ZoneInfo(read.timezone)
    columns = [
        Column("topic", lambda row: _cut(row["topic"], _MOST_TOPIC)),
        Column("equipment", plain("equipment")),
        Column("ts", local("ts", zone)),
        Column("type", plain("type")),
        Column("content", lambda row: _cut(_content(row), _MOST_CONTENT)),
    ]
    emit(found.rows, form, columns)
    for line in found.summary:
        print(line, file=sys.stderr)
    if found.findings:
        raise typer.Exit(1)


def _mqtt_source(plant: "Plant", name: str) -> "MqttSource":
    from kpis.plant_sources import MqttSource

    sources = {source.name: source for source in plant.sources if isinstance(source, MqttSource)}
    if name not in sources:
        msg = f'the plant file has no source "{name}" of kind mqtt'
        raise ConfigError(msg, hint=f"it has: {', '.join(sources)}" if sources else "see docs/sources.md")
    return sources[name]


def _content(row: Row) -> str:
    """The fields of an event, or why there is none."""
    return f"{row['rejected']}: {row['detail']}" if row["rejected"] else row["content"] or ""


def _cut(text: str, width: int) -> str:
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"
