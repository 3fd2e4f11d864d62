"""How pages look: the colours of states, chosen so that colour-blind people tell them apart, and the style sheet.

No state is told by its colour alone: a word and a symbol go with it, and in charts its height. Grey is normal, strong
colour means that somebody has to act.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final

INK: Final = "#1B2733"
MUTED: Final = "#52606D"
RULE: Final = "#DDE3E8"
PAGE: Final = "#F5F7F8"
ACCENT: Final = "#1D5C86"
GOOD: Final = "#5E8C7A"
BAD: Final = "#B3261E"


@dataclass(frozen=True)
class Look:
    """How a time account looks: `fill` with the text colour on it, its symbol, and its height in a lane (of 1)."""

    fill: str
    on: str
    symbol: str
    height: float


LOOKS: Final = {
    "producing": Look("#A9C4B8", INK, "play_arrow", 0.5),
    "minor_stop": Look("#B3261E", "#FFFFFF", "pause", 0.5),
    "down": Look("#B3261E", "#FFFFFF", "report", 0.9),
    "idle": Look("#F2B441", INK, "hourglass_empty", 0.75),
    "setup": Look("#1F6FB5", "#FFFFFF", "build", 0.75),
    "planned_stop": Look("#6B7280", "#FFFFFF", "event", 0.35),
    "break": Look("#C3CAD1", INK, "coffee", 0.2),
    "unscheduled": Look("#ECEEF0", INK, "bedtime", 0.2),
    "unknown": Look("#3B1F5B", "#FFFFFF", "question_mark", 0.9),
}
"""By time account, in the order of a legend."""

URGENCY: Final = ("down", "unknown", "idle", "minor_stop", "setup", "planned_stop", "producing", "break", "unscheduled")
"""Time accounts, the one that needs somebody first at the front."""

GAPS: Final = ((-0.25, "#8C2D04"), (-0.15, "#D9683B"), (-0.05, "#F3B48B"), (0.0, "#FBE3D0"))
"""Fill of a figure below its target: up to which gap, and darker the worse, so that it also prints."""
ON_TARGET: Final = "#E3ECE8"

CONFIG: Final = {
    "theme.base": "light",
    "theme.primaryColor": ACCENT,
    "theme.backgroundColor": PAGE,
    "theme.secondaryBackgroundColor": "#FFFFFF",
    "theme.textColor": INK,
    "theme.linkColor": ACCENT,
    "theme.borderColor": RULE,
    "theme.baseRadius": "8px",
    "theme.showWidgetBorder": "true",
}
"""Settings of Streamlit's theme."""


def gap_fill(gap: float) -> tuple[str, str]:
    """Fill and text colour of a figure by its gap to target (as a ratio, negative is below).

    >>> gap_fill(0.02)[0] == ON_TARGET, gap_fill(-0.4)
    (True, ('#8C2D04', '#FFFFFF'))
    """
    for limit, fill in GAPS:
        if gap < limit:
            return fill, "#FFFFFF" if limit <= -0.25 else INK
    return ON_TARGET, INK


def style_sheet() -> str:
    """The style sheet, with a class for each state."""
    states = "\n".join(f".of-{account} {{ --fill: {look.fill}; --on: {look.on}; }}" for account, look in LOOKS.items())
    sheet = files("dashboards").joinpath("style.css").read_text(encoding="utf-8")
    return f"<style>\n{states}\n{sheet}\n</style>"
