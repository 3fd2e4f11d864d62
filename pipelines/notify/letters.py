"""What a letter says, and what takes letters to people."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple

from kpis.plant_alerts import SEVERITIES
from kpis.plant_people import Channel
from storage.outbox import Letter, Line

MOST_LINES: Final = 20
"""Alerts that are told one by one in a letter; the rest is counted."""
LONGEST_SHORT: Final = 160

_HEADS: Final = {
    "escalated": "ESCALATED",
    "repeated": "STILL OPEN",
    "handed_over": "HANDED OVER",
    "corrected": "CORRECTED",
    "reopened": "OPEN AGAIN",
    "resolved": "RESOLVED",
    "withdrawn": "WITHDRAWN",
}


class Undelivered(Exception):  # noqa: N818 (an outcome)
    """A letter was not handed over; the text says why, without secrets."""


class Text(NamedTuple):
    """A letter in words: a subject, the whole, and one line for what is short."""

    subject: str
    body: str
    short: str


class Notifier(ABC):
    """A channel of the plant file. `kind` is its kind there."""

    kind: ClassVar[str]

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.timeout: float = 20.0

    @abstractmethod
    def send(self, letter: Letter, person: str, address: str, text: Text) -> None:
        """Hand a letter over, in one attempt. Raises Undelivered when it was not."""


class Wording:
    """Puts letters into words. `acknowledge` gives a link by which the recipient does, `dashboard` is its address."""

    def __init__(self, dashboard: str | None, acknowledge: Callable[[Letter, Line], str] | None) -> None:
        self._dashboard, self._acknowledge = dashboard, acknowledge

    def text(self, letter: Letter) -> Text:
        """A letter in words."""
        subject = _subject(letter)
        parts = [self._paragraph(letter, line) for line in letter.lines[:MOST_LINES]]
        if len(letter.lines) > MOST_LINES:
            parts.append(f"… and {len(letter.lines) - MOST_LINES:,} more")
        parts.append(f"message {letter.message}")
        return Text(subject, "\n\n".join(parts), f"{subject[: LONGEST_SHORT - 9]} {letter.message[:8]}")

    def _paragraph(self, letter: Letter, line: Line) -> str:
        rows = [f"{_head(line)}: {line.text}", f"alert {line.alert}"]
        if self._dashboard is not None:
            rows.append(f"{self._dashboard}/alerts?alert={line.alert}")
        if self._acknowledge is not None and line.kind not in ("resolved", "withdrawn"):
            rows.append(f"acknowledge: {self._acknowledge(letter, line)}")
        return "\n".join(rows)


def _subject(letter: Letter) -> str:
    worst = max(letter.lines, key=lambda line: SEVERITIES.index(line.severity))
    if len(letter.lines) == 1:
        return f"{_head(worst)}: {worst.text}"
    if letter.digest:
        return f"{worst.severity.upper()}: {len(letter.lines):,} alerts, told together because there were many"
    return f"{_head(worst)}: {len(letter.lines):,} alerts on {worst.line}"


def _head(line: Line) -> str:
    """What a line begins with.

    >>> _head(Line("a", "escalated", 1, "acme", "acme", "critical", 0, "it jams"))
    'CRITICAL, ESCALATED'
    """
    severity = line.severity.upper()
    return f"{severity}, {_HEADS[line.kind]}" if line.kind in _HEADS else severity


def named(channel: Channel, notifiers: tuple[type[Notifier], ...]) -> Notifier | None:
    """What takes letters to a channel of the plant file; None for one that is nobody's."""
    return next((notifier(channel) for notifier in notifiers if notifier.kind == channel.kind), None)
