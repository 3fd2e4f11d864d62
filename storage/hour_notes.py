"""What was said about hours, and who signed them off, as it stands and with all that was said before."""

from dataclasses import dataclass
from typing import Any

from storage.database import microseconds
from storage.reader import Reader
from storage.selection import instant, text

Row = dict[str, Any]


@dataclass(frozen=True)
class HourNotes:
    """All notes of an hour, the first one first; there is at least one."""

    hour: int
    rows: tuple[Row, ...]

    @property
    def said(self) -> Row | None:
        """The comment that holds; None: there is none, or it was taken back."""
        comments = self._comments
        return comments[-1] if comments and comments[-1]["comment"] else None

    @property
    def revision(self) -> int:
        """How often the comment was changed since it was first made."""
        return max(len(self._comments) - 1, 0)

    @property
    def signed(self) -> Row | None:
        """The sign-off that holds: nothing was said after it; None: there is none."""
        last = self.rows[-1]
        return last if last["kind"] == "sign" else None

    @property
    def _comments(self) -> list[Row]:
        return [row for row in self.rows if row["kind"] == "comment"]


def read(reader: Reader, equipment: str, start: int, end: int) -> dict[int, HourNotes]:
    """The notes of the hours of an equipment that begin in a time, by the start of the hour (µs since 1970)."""
    found: dict[int, list[Row]] = {}
    rows = reader.query(
        f"SELECT * FROM hour_notes WHERE equipment = {text(equipment)} AND hour >= {instant(start)} "
        f'AND hour < {instant(end)} ORDER BY hour, "at", note'
    )
    for row in microseconds(rows).iter_rows(named=True):
        found.setdefault(row["hour"], []).append(row)
    return {hour: HourNotes(hour, tuple(said)) for hour, said in found.items()}


def kept(reader: Reader, note: str) -> bool:
    """Whether a note is in the store."""
    return not reader.query(f"SELECT 1 AS there FROM hour_notes WHERE note = {text(note)}").is_empty()
