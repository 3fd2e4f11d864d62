"""What the reading commands have in common: their options, and what these mean for a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from pipelines.output import Format

if TYPE_CHECKING:
    from kpis.plant import Plant
    from storage.reader import Reader
    from storage.selection import Selection

Db = Annotated[Path, typer.Option("--db", envvar="OEEFLOW_DB", help="The store, a DuckDB file.")]
Equipment = Annotated[
    str | None, typer.Option("--equipment", help="A path, or a pattern such as 'acme/ulm/*'; default: all.")
]
Level = Annotated[str | None, typer.Option("--level", help="enterprise, site, area, line or unit; default: all.")]
From = Annotated[
    str | None, typer.Option("--from", help="First time: RFC 3339, or a date or local time of the plant.")
]
To = Annotated[str | None, typer.Option("--to", help="Time to stop before; the same forms.")]
Definition = Annotated[
    str | None, typer.Option("--definition", help="standard, iso22400 or smrp; default: the plant's own.")
]
By = Annotated[
    str, typer.Option("--by", help="minute, hour, shift, day, week, month, order (runs) or sliding.")
]
Length = Annotated[str | None, typer.Option("--length", help="Length of sliding windows; default: the plant's own.")]
Step = Annotated[str | None, typer.Option("--step", help="Step of sliding windows; default: the plant's own.")]
Output = Annotated[Format, typer.Option("--format", help="How results are written.")]

DEFAULT_DB = Path("kpi.duckdb")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

        return Selection(equipment, level, *(None if at is None else instant(at, self.zone) for at in (start, end)))


@contextmanager
def opened(db: Path) -> Iterator[Opened]:
    """Open a store for reading, for the time of the block."""
    from kpis.plant import load_plant
    from storage.reader import Reader

    with Reader(db) as reader:
        yield Opened(reader, load_plant(reader.plant_text()))


def instant(text: str, zone: ZoneInfo) -> int:
    """Microseconds since the Unix epoch of a time that a person wrote.

    A date is its local midnight. A time without offset is local; one that a clock change skips moves forward by the
    gap, a repeated one is its first occurrence. Raises ConfigError for anything else.

    >>> instant("2026-03-02", ZoneInfo("Europe/Berlin")) == instant("2026-03-01T23:00:00Z", ZoneInfo("UTC"))
    True
    """
    from kpis.errors import ConfigError

    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f'"{text}" is not a time'
        raise ConfigError(msg, hint="such as 2026-03-02, 2026-03-02T06:00 or 2026-03-02T06:00:00+01:00") from error
    aware = at if at.tzinfo else at.replace(tzinfo=zone)
    return (aware - _EPOCH) // timedelta(microseconds=1)
