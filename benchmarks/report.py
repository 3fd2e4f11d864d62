"""The page of results."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime

Row = tuple[str, float, str, float | None]


class Report:
    """Collects tables and single figures, and writes them as Markdown."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        self._lines = [
            "# Results",
            "",
            f"Written by `make bench` on {now:%Y-%m-%d}: {os.cpu_count()} cores, {platform.machine()}, "
            f"Python {platform.python_version()}. Everything was measured in one run on a shared, noisy machine: trust "
            "the ratios more than the figures.",
        ]

    def table(self, title: str, head: Sequence[str], rows: Sequence[Row]) -> None:
        """Figures with what they are to reach."""
        self._lines += ["", f"## {title}", "", f"| {' | '.join(head)} |", "|---|--:|---|--:|"]
        for name, value, goal, peak in rows:
            shown = f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
            self._lines.append(f"| {name} | {shown} | {goal} | {'' if peak is None else f'{peak:,.0f}'} |")
        self._lines.append("")

    def ratio(self, name: str, value: float, goal: str) -> None:
        """One ratio."""
        self._lines.append(f"- {name}: **{value:.2f}** ({goal})")

    def seconds(self, name: str, value: float, goal: str) -> None:
        """One duration."""
        self._lines.append(f"- {name}: **{value:.3f} s** ({goal})")

    def text(self) -> str:
        """All of it."""
        return "\n".join(self._lines) + "\n"
