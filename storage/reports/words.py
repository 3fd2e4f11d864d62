"""Words of reports, and those that pages share with them, in one place, so that they can be translated."""

from typing import Final

STATES: Final = {
    "producing": "Running",
    "minor_stop": "Short stop",
    "down": "Down",
    "idle": "Waiting",
    "setup": "Changeover",
    "planned_stop": "Planned stop",
    "break": "Break",
    "unscheduled": "No shift",
    "unknown": "Unknown",
}
FACTORS: Final = {"availability": "Availability", "performance": "Performance", "quality": "Quality", "oee": "OEE"}
STEPS: Final = {
    "calendar": "Calendar time",
    "unscheduled": "No shift",
    "scheduled": "Scheduled time",
    "planned_stop": "Planned stops",
    "break": "Breaks",
    "unknown": "Unknown",
    "planned_production": "Planned production",
    "down": "Down",
    "idle": "Waiting",
    "setup": "Changeover",
    "run": "Run time",
    "minor_stop": "Short stops",
    "reduced_speed": "Reduced speed",
    "net_run": "Net run time",
    "quality_loss": "Scrap and rework",
    "fully_productive": "Fully productive",
}
BELONGS_TO: Final = {
    "schedule": "outside OEE",
    "availability": "availability",
    "performance": "performance",
    "quality": "quality",
}
FLAGS: Final = {
    "ideal_cycle_too_long": "faster than the ideal cycle: check it, and whether pieces were made in unknown time",
    "no_ideal_cycle": "pieces without an ideal cycle: speed and quality cannot be told apart",
}
NO_REASON: Final = "no reason given"
OUTSIDE: Final = {"shift": "outside shifts", "product": "no product", "order": "no order"}

REPORT: Final = "Shift report"
SECTIONS: Final = {
    "shift": "Shift",
    "figures": "Figures",
    "waterfall": "Where the time went",
    "hours": "Hour by hour",
    "stops": "Longest stops",
    "reasons": "Losses by reason",
    "rejects": "Scrap and rework",
    "made": "Orders and products",
    "notes": "What was said about the hours",
    "corrections": "Corrections",
    "differences": "Differences",
}
FACTS: Final = {
    "plant": "Plant",
    "equipment": "Equipment",
    "shift": "Shift",
    "from": "From",
    "to": "To",
    "status": "Status",
    "revision": "Revision",
    "signed": "Signed off",
    "as of": "As of",
    "definition": "OEE definition",
}
STATUS: Final = {"open": "open: figures may still change", "closed": "closed", "revised": "closed, corrected since"}
FIGURES: Final = FACTORS | {
    "coverage": "Coverage",
    "good": "Good pieces",
    "scrap": "Scrap",
    "rework": "Rework",
    "first_pass_yield": "First pass yield",
}
WANTED: Final = "Asked for by the target"
SIGNED: Final = "{at} by {by}"
NOT_SIGNED: Final = "not signed off"
COLUMNS: Final = {
    "figure": "Figure",
    "value": "Value",
    "target": "Target",
    "gap": "Gap",
    "step": "Time",
    "factor": "Belongs to",
    "us": "h:mm:ss",
    "share": "Share",
    "start": "From",
    "end": "To",
    "wanted": "Target",
    "good": "Good",
    "difference": "Diff.",
    "ahead": "Ahead",
    "rejected": "Scrap",
    "scrap": "Scrap",
    "rework": "Rework",
    "oee": "OEE",
    "loss": "Main loss",
    "lost_us": "Lost",
    "machine": "Machine",
    "state": "State",
    "reason": "Reason",
    "lasted_us": "Lasted",
    "counted_us": "Counted",
    "stops": "Stops",
    "pieces": "Pieces",
    "quality": "Quality",
    "order": "Order",
    "product": "Product",
    "at": "Changed at",
    "what": "What",
    "by": "By",
    "comment": "Comment",
    "signed_by": "Signed off by",
    "signed_at": "Signed off at",
    "section": "Section",
    "row": "Row",
    "column": "Column",
    "before": "Before",
    "after": "Now",
}
QUALITIES: Final = {"scrap": "Scrap", "rework": "Rework"}
LATE: Final = "later events"
RULED: Final = "corrected to {state}"
NOTHING: Final = {
    "hours": "No hour has any time yet.",
    "stops": "No stop.",
    "reasons": "No time was lost.",
    "rejects": "No scrap and no rework.",
    "made": "Nothing was made.",
    "notes": "Nothing.",
    "corrections": "None since the shift was closed.",
    "differences": "None.",
}
MORE: Final = "{n} more: the Excel and CSV files have all"
DIFFERENCES: Final = "Revision {now} against revision {before}"
SIGN_HERE: Final = ("Shift lead", "Handed over to", "Date, time")
TARGET: Final = "target {value}"
NO_TARGET: Final = "no target"
PAGE: Final = "Page {page} of {pages}"
