"""Which pages there are. A page is one file in dashboards/views and one line here."""

from dataclasses import dataclass
from typing import Final

from dashboards import texts


@dataclass(frozen=True)
class Route:
    """A page: its file in dashboards/views, its title, its symbol, and its address. `listed` pages are in the menu."""

    view: str
    title: str
    symbol: str
    address: str
    listed: bool = True

    @property
    def file(self) -> str:
        """The file as Streamlit wants it, relative to dashboards/app.py."""
        return f"views/{self.view}.py"


OVERVIEW: Final = Route("overview", texts.OVERVIEW, "dashboard", "overview")
LINE: Final = Route("line", texts.LINE, "precision_manufacturing", "line")
ALERTS: Final = Route("alerts", texts.ALERTS, "notifications", "alerts")
ALERT_LOAD: Final = Route("alert_load", texts.ALERT_LOAD, "monitoring", "alert-load")
LOSSES: Final = Route("losses", texts.LOSSES, "waterfall_chart", "losses")
QUALITY: Final = Route("quality", texts.QUALITY, "fact_check", "quality")
COMPARE: Final = Route("compare", texts.COMPARE, "compare_arrows", "compare")
RECLASSIFY: Final = Route("reclassify", texts.RECLASSIFY, "edit_note", "reclassify")
REPORT: Final = Route("report", texts.REPORT, "assignment", "report")
DATA_QUALITY: Final = Route("data_quality", texts.QUALITY_OF_DATA, "verified", "data-quality")
DEFINITIONS: Final = Route("definitions", texts.DEFINITIONS, "menu_book", "definitions")
TV: Final = Route("tv", texts.TV, "tv", "tv")
WHY: Final = Route("why", texts.WHY, "account_tree", "why", listed=False)

PAGES: Final = (
    OVERVIEW, LINE, ALERTS, LOSSES, QUALITY, COMPARE, REPORT, RECLASSIFY, ALERT_LOAD, DATA_QUALITY, DEFINITIONS, TV,
    WHY,
)  # fmt: skip
"""All pages in the order of the menu; the first is the one to begin with."""
