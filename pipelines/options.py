"""What the reading commands have in common: their options, and what these mean for a store."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from kpis.errors import ConfigError
from pipelines.output import Format
from pipelines.times import parse_time

if TYPE_CHECKING:
    from kpis.plant import Plant
    from storage.reader import Reader
    from storage.selection import Selection

Db = Annotated[Path, typer.Option("--db", envvar="OEEFLOW_DB", help="DuckDB file of the store.", show_default=False)]
Equipment = Annotated[
    str | None, typer.Option("--equipment", help="A path, or a pattern such as 'acme/ulm/*'; default: all.")
]
Level = Annotated[str | None, typer.Option("--level", help="enterprise, site, area, line or unit; default: all.")]
From = Annotated[str | None, typer.Option("--from", help="First time: RFC 3339, or a date or local time of the plant.")]
To = Annotated[str | None, typer.Option("--to", help="Time to stop before; the same forms.")]
Definition = Annotated[
    str | None, typer.Option("--definition", help="standard, iso22400 or smrp; default: the plant's own.")
]
By = Annotated[str, typer.Option("--by", help="minute, hour, shift, day, week, month, order (runs) or sliding.")]
Length = Annotated[str | None, typer.Option("--length", help="Length of sliding windows; default: the plant's own.")]
Step = Annotated[str | None, typer.Option("--step", help="Step of sliding windows; default: the plant's own.")]
Output = Annotated[Format, typer.Option("--format", help="How results are written.")]


@dataclass(frozen=True)
class Opened:
    """A store open for reading, and the plant whose numbers are in it."""

    reader: "Reader"
    plant: "Plant"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the plant, in which tables show times."""
        return ZoneInfo(self.plant.timezone)

    def selection(
        self, equipment: str | None = None, level: str | None = None, start: str | None = None, end: str | None = None
    ) -> "Selection":
        """The options that select equipment and time."""
        from storage.selection import Selection

        first, last = (None if at is None else parse_time(at, self.plant.timezone) for at in (start, end))
        if first is not None and last is not None and last <= first:
            msg = f"--to {end} is not after --from {start}"
            raise ConfigError(msg, hint="--to is the first instant that is left out")
        return Selection(equipment, level, first, last)


@contextmanager
def opened(db: Path) -> Iterator[Opened]:
    """Open a store for reading, for the time of the block."""
    from kpis.plant import load_plant
    from storage.reader import Reader

    with Reader(db) as reader:
        if reader.note:
            print(reader.note, file=sys.stderr)
        yield Opened(reader, load_plant(reader.plant_text()))
