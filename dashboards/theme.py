"""How pages look: the colours of states, chosen so that colour-blind people tell them apart, and the style sheet.

No state is told by its colour alone: a word and a symbol go with it, and in charts its height. Grey is normal, strong
colour means that somebody has to act.
"""

import os
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Final

THEME: Final = "OEEFLOW_THEME"
"""The environment variable that says how pages look: light, or dark for rooms that are."""


@dataclass(frozen=True)
class Palette:
    """The colours of a theme, by what they are for; every text has at least 4.5:1 on what it stands on.

    `bad` is text, `bar` and `short` fill what is measured, `short` where it is below its target; `faint` are rules
    within a table, `level` and `now` backgrounds of rows, `track` what a bar fills, `stripe` what nothing is known of.
    """

    ink: str
    muted: str
    rule: str
    page: str
    card: str
    accent: str
    bad: str
    good: str
    bar: str
    short: str
    track: str
    faint: str
    level: str
    now: str
    stripe: str
    edge: str


LIGHT: Final = Palette(
    ink="#1B2733", muted="#52606D", rule="#DDE3E8", page="#F5F7F8", card="#FFFFFF", accent="#1D5C86", bad="#B3261E",
    good="#3F6B5A", bar="#7F97A8", short="#C4655C", track="#E9EDF0", faint="#EDF1F3", level="#FAFBFC", now="#F1F6FA",
    stripe="#E4E8EB", edge="rgba(27,39,51,.2)",
)  # fmt: skip
DARK: Final = Palette(
    ink="#E8EDF1", muted="#A3B1BD", rule="#33414D", page="#10171D", card="#1A232B", accent="#7DB8E0", bad="#FF9489",
    good="#8CC7AE", bar="#6F8899", short="#D9695E", track="#2B3741", faint="#26323B", level="#202B34", now="#1E2F3D",
    stripe="#26313A", edge="rgba(255,255,255,.28)",
)  # fmt: skip
SHOWN: Final = DARK if os.environ.get(THEME) == "dark" else LIGHT
"""The theme of this process."""
ON_LIGHT: Final = "#1B2733"
"""Text on fills that are light in every theme."""


@dataclass(frozen=True)
class Look:
    """How a time account looks: `fill` with the text colour on it, its symbol, and its height in a lane (of 1)."""

    fill: str
    on: str
    symbol: str
    height: float


LOOKS: Final = {
    "producing": Look("#A9C4B8", ON_LIGHT, "play_arrow", 0.5),
    "minor_stop": Look("#B3261E", "#FFFFFF", "pause", 0.5),
    "down": Look("#B3261E", "#FFFFFF", "report", 0.9),
    "idle": Look("#F2B441", ON_LIGHT, "hourglass_empty", 0.75),
    "setup": Look("#1F6FB5", "#FFFFFF", "build", 0.75),
    "planned_stop": Look("#6B7280", "#FFFFFF", "event", 0.35),
    "break": Look("#C3CAD1", ON_LIGHT, "coffee", 0.2),
    "unscheduled": Look("#ECEEF0", ON_LIGHT, "bedtime", 0.2),
    "unknown": Look("#3B1F5B", "#FFFFFF", "question_mark", 0.9),
}
"""By time account, in the order of a legend. They are the same in every theme, so that people know them again."""

URGENCY: Final = ("down", "unknown", "idle", "minor_stop", "setup", "planned_stop", "producing", "break", "unscheduled")
"""Time accounts, the one that needs somebody first at the front."""

GAPS: Final = ((-0.25, "#8C2D04"), (-0.15, "#D9683B"), (-0.05, "#F3B48B"), (0.0, "#FBE3D0"))
"""Fill of a figure below its target: up to which gap, and darker the worse, so that it also prints."""
ON_TARGET: Final = "#E3ECE8"

CONFIG: Final = {
    "theme.base": "dark" if SHOWN is DARK else "light",
    "theme.primaryColor": SHOWN.accent,
    "theme.backgroundColor": SHOWN.page,
    "theme.secondaryBackgroundColor": SHOWN.card,
    "theme.textColor": SHOWN.ink,
    "theme.linkColor": SHOWN.accent,
    "theme.borderColor": SHOWN.rule,
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
            return fill, "#FFFFFF" if limit <= -0.25 else ON_LIGHT
    return ON_TARGET, ON_LIGHT


def style_sheet() -> str:
    """The style sheet, with the colours of the theme and a class for each state; `of-night` is dark in every theme."""
    states = "\n".join(f".of-{account} {{ --fill: {look.fill}; --on: {look.on}; }}" for account, look in LOOKS.items())
    themes = f":root {{ {_variables(SHOWN)} }}\nbody:has(.of-night) {{ {_variables(DARK)} }}"
    sheet = files("dashboards").joinpath("style.css").read_text(encoding="utf-8")
    return f"<style>\n{themes}\n{states}\n{sheet}\n</style>"


def _variables(palette: Palette) -> str:
    return " ".join(f"--{field.name}: {getattr(palette, field.name)};" for field in fields(palette))
