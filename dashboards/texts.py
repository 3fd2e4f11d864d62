"""Every word on a page, in one place, so that it can be translated; with storage/reports/words.py, for paper."""

from typing import Final

from storage.reports import words

STATES: Final = words.STATES
FACTORS: Final = words.FACTORS
STEPS: Final = words.STEPS
BELONGS_TO: Final = words.BELONGS_TO
SIX: Final = {
    "breakdown": "Breakdowns",
    "setup": "Setup and adjustment",
    "minor_stop": "Idling and minor stops",
    "reduced_speed": "Reduced speed",
    "process_defect": "Process defects",
    "startup_reject": "Start-up rejects",
}
FLAGS: Final = words.FLAGS
NO_REASON: Final = words.NO_REASON
OUTSIDE: Final = words.OUTSIDE

OVERVIEW: Final = "Plant overview"
LINE: Final = "Line"
LOSSES: Final = "Losses"
QUALITY: Final = "Quality & throughput"
COMPARE: Final = "Compare"
REPORT: Final = "Shift report"
RECLASSIFY: Final = "Reclassify"
ALERTS: Final = "Alerts"
ALERT_LOAD: Final = "Alert load"
QUALITY_OF_DATA: Final = "Data quality"
DEFINITIONS: Final = "Definitions"
TV: Final = "On the wall"
WHY: Final = "Why this number"

ATTENTION: Final = "Needs somebody now"
ATTENTION_NONE: Final = "Nothing needs anybody: no long stop, no silent machine, every long failure has a reason."
ATTENTION_ALERTS: Final = "No long stop, no silent machine, and every long failure has a reason; but open:"
HEAT: Final = "OEE of the last 24 hours"
HEAT_NOTE: Final = (
    "Each hour against the line's own target. Striped: nothing was planned, or nothing is known. "
    "With !: more than the ideal cycle allows."
)
STOPPED_LONGER: Final = "Stopped longer than"
MINUTES: Final = "{n} min"
LAST_MINUTES: Final = "Last {n} min"
NOW: Final = "now"
SHIFT: Final = "Shift"
THIS_SHIFT: Final = "Shift {shift}"
TODAY: Final = "Today"
TARGET: Final = "target {value}"
NO_TARGET: Final = "no target set"
GOOD_PIECES: Final = "Good pieces"
OF_TARGET: Final = "{made} of {wanted}"
COVERAGE: Final = "known {value}"
TOO_FAST: Final = "performance {value}"
MACHINES: Final = "{n} of {all} machines"
SINCE: Final = "since {clock}"
FOR: Final = "for {age}"
LONG_AGO: Final = "for more than 8 days"
MORE_LINES: Final = "More lines"

AS_OF: Final = "As of"
LIVE: Final = "live"
NO_DATA: Final = "NO DATA"
PIECES_AHEAD: Final = "good pieces against target"
OLD: Final = "no news for {age}"
RECORDED: Final = "recorded data"

EMPTY_STORE: Final = "Nothing to show yet"
EMPTY_STORE_HINT: Final = "The store has no events so far. Pages fill by themselves as soon as the first ones arrive."
UNREADABLE: Final = "The store cannot be read"

OEE_TARGET: Final = "OEE target"
COVERAGE_LOW: Final = 0.95
COVERAGE_HELP: Final = "how much of the time to be judged is known at all"
ATTENTION_HEAD: Final = ("", "Equipment", "Where", "What", "Since")
MORE_LINES_HEAD: Final = ("Line", "State", "OEE now", "Gap", "Shift", "Good")
KINDS: Final = {
    "stopped": "Stopped",
    "silent": "Silent",
    "unclassified": "No reason",
    "too_fast": "Above 100 %",
}
MATTERS: Final = {
    "stopped": "{age}, {reason}",
    "silent": "no sign of life for {age}",
    "unclassified": "{stops} without a reason, {age} in all",
    "too_fast": "performance {value}: check the ideal cycle",
}


def alerts(number: int) -> str:
    """How many alerts are open."""
    return "1 alert" if number == 1 else f"{number} alerts"


HOURS: Final = "hours"
STOPS: Final = "stops"
TIMELINE_TIP: Final = (
    ("lane", "Machine"),
    ("state", "State"),
    ("reason", "Reason"),
    ("time", "Time"),
    ("work", "Work"),
)
RATE_TIP: Final = (("time", "Time"), ("told", "Pieces per minute"))
PARETO_TIP: Final = (
    ("label", "Loss"),
    ("hours_told", "Time"),
    ("stops_told", "Stops"),
    ("share_told", "Running share"),
)
SIX_TIP: Final = (("day", "Day"), ("loss", "Loss"), ("told", "Time"))
TREND_TIP: Final = (("day", "Day"), ("told", "OEE"), ("wanted", "Target"))

EQUIPMENT: Final = "Equipment"
LOOK_BACK: Final = "Look back"
HOURS_BACK: Final = "{n} h"
NO_STATE: Final = "No machine of this equipment has told its state yet"
NO_STATE_HINT: Final = "Its first state, count or counter event starts its account."
FIGURES: Final = "Last {n} minutes"
WHY_NOW: Final = "Why? The last {n} minutes, unfolded"
WHY_SHIFT: Final = "Why? The shift, unfolded"
ORDER: Final = "Order"
NO_ORDER: Final = "No order in force"
PRODUCT: Final = "Product"
STARTED: Final = "Started"
EXPECTED_END: Final = "Done by, at the pace of the last {n} min"
NOT_MOVING: Final = "not moving"
DONE: Final = "done"
TIMELINE: Final = "What every machine did"
TIMELINE_ALT: Final = "States of every machine over the last hours; the totals are in the legend below"
HOUR_BOARD: Final = "Hour by hour"
HOUR_BOARD_NOTE: Final = (
    "Target: planned time without breaks and planned stops, at the ideal cycle of the product, times the OEE target."
)
HOUR_BOARD_HEAD: Final = ("Hour", "Target", "Good", "Difference", "Ahead", "OEE", "Main loss", "Said, signed off")
NOTES_HEAD: Final = ("Hour", "What", "Who", "When")
NOTE_KINDS: Final = {"comment": "comment taken back", "sign": "signed off"}
NOTE_CHANGED: Final = "changed {n}\u00d7"
HOUR_SIGNED: Final = "signed off by {by}"
ALL_NOTES: Final = "All that was said about these hours ({n})"
NOTES_NEED_ENGINE: Final = "To comment on hours and to sign them off takes a running engine: start `oeeflow run`."
HOUR: Final = "Hour"
NOTE: Final = "Comment and countermeasure"
NOTE_HINT: Final = "what happened, what is done about it"
KEEP_NOTE: Final = "Keep comment"
SIGN_HOUR: Final = "Sign off"
NO_HOURS: Final = "No hour of this shift has any time yet"
RATE: Final = "Pieces per minute"
RATE_NOTE: Final = "Bars: what was counted, in steps of five minutes. Line: the ideal rate of the product in force."
NO_PIECES: Final = "Nothing was counted in these hours"

PERIOD: Final = "Period"
PERIODS: Final = {"shift": "This shift", "today": "Today", "week": "7 days", "month": "30 days", "dates": "Dates"}
PERIOD_DAYS: Final = {"today": 1, "week": 7, "month": 30}
FROM: Final = "First production day"
UNTIL: Final = "Last production day"
SHIFTS: Final = "Shifts"
PRODUCTS: Final = "Products"
ORDERS: Final = "Orders"
ALL: Final = "all"
DEFINITION: Final = "OEE definition"
NO_TIME: Final = "No time is accounted in this selection"
NO_TIME_HINT: Final = "Take a longer period, or fewer filters."
SCRAP: Final = "Scrap and rework"
COVERAGE_NAME: Final = "Coverage"
TOTAL: Final = "Together"
CASCADE: Final = "Where the time went"
CASCADE_NOTE: Final = "Each level is the one above less the losses between them, exactly. Shares are of scheduled time."
CASCADE_HEAD: Final = ("Time", "", "h:mm:ss", "Share", "≈ pieces")
SIX_TITLE: Final = "Six big losses"
SIX_NOTE: Final = (
    "By the reasons that were given; together they are planned production less the ideal time of good pieces."
)
SIX_HEAD: Final = ("Loss", "", "h:mm:ss", "Share")
PARETO: Final = "Which losses"
PARETO_NOTE: Final = (
    "Pick a bar to see its reasons, a reason to see its stops. "
    "Time counts where it falls; a stop counts once, where it began."
)
ALL_MACHINES: Final = "All machines"
ALL_MACHINES_HELP: Final = (
    "On: every machine of it. Off: those whose time makes its figures, so that the rows add up to them."
)
WITH_PLANNED: Final = "With planned stops and unknown time"
LOSS_KIND: Final = "Kind of loss"
REASON: Final = "Reason"
BY_TIME: Final = "By time, in hours"
BY_STOPS: Final = "By number of stops"
NO_LOSSES: Final = "No time was lost in this selection"
STOPS_TITLE: Final = "{n}, {us} counted"
STOPS_HEAD: Final = ("Began", "Machine", "Reason", "Lasted", "Counted", "Shift", "Product", "Order")
STOPS_MORE: Final = "The longest {n}; `oeeflow stops` has all."
TREND: Final = "OEE by production day"


def shift_name(shift: str | None) -> str:
    """A shift for people: its name without the date; today where there are no shifts."""
    return TODAY if shift is None else THIS_SHIFT.format(shift=shift.partition("/")[2])


WINDOW: Final = "Window"
WINDOWS: Final = {"hour": "Hour", "shift": "Shift", "day": "Day", "week": "Week", "month": "Month"}
AT: Final = "A time in it"
AT_HINT: Final = "2026-03-24T15:00, empty: the last"
FIGURE: Final = "Figure"
FROM_TO: Final = "From, to"
STATUS: Final = "Status"
FORMULA: Final = "Formula"
FORMULA_NOTE: Final = "As written, with numbers, and the result; below it what it is made of, down to the elements."
ELEMENTS: Final = "Elements"
ELEMENTS_HEAD: Final = ("Element", "µs or pieces", "h:mm:ss")
SUMMED_FROM: Final = "Summed up from"
SUMMED_HEAD: Final = ("Machine", "Gives")
GIVES_BOTH: Final = "time and pieces"
GIVES_TIME: Final = "time and ideal time"
GIVES_PIECES: Final = "pieces"
BY_ACCOUNT: Final = "Time by account"
BY_ACCOUNT_HEAD: Final = ("Account", "Intervals", "µs", "h:mm:ss")
PIECES: Final = "Pieces"
PIECES_HEAD: Final = ("Machine", "Quality", "Reason", "Product", "Order", "Pieces", "Ideal cycle µs", "Ideal time")
INTERVALS: Final = "Intervals"
INTERVALS_HEAD: Final = ("Machine", "Start", "End", "Account", "Reason", "Product", "Order", "µs")
EVENTS: Final = "Events"
EVENTS_HEAD: Final = ("Time", "Machine", "Type", "Says", "Role", "id")
CHANGES: Final = "Changed by later events"
CHANGES_HEAD: Final = ("Changed at", "From", "To", "Machine", "By")
RETRACTED: Final = "retracted"
FIRST_ROWS: Final = "The first {n}; the file has all."
ALL_AS_CSV: Final = "All as CSV"

OEE_DEFINITIONS: Final = "OEE definitions"
OEE_DEFINITIONS_NOTE: Final = "The same elements, three ways to read them. This plant shows {name} first."
QUANTITIES: Final = {"planned_production_us": "Planned production", "run_us": "Run time"}
ALL_FIGURES: Final = "All figures"
ALL_FIGURES_NOTE: Final = "Each is computed from sums when somebody asks. Nothing is clipped, nothing is averaged."
FIND: Final = "Find"
FIND_HINT: Final = "availability, MTBF, scrap …"
FOUND_NOTHING: Final = "No figure has this in its name or meaning"
UNIT: Final = "Unit"
BETTER: Final = {"up": "higher is better", "down": "lower is better", None: "no direction"}
UNDEFINED: Final = "Undefined"
SOURCE: Final = "Source"
NEEDS: Final = "No value yet, needs"
SETTINGS: Final = "Settings in force"
SETTINGS_NOTE: Final = "From the plant file that the numbers were made with, every setting resolved."
SETTINGS_HEAD: Final = (
    "Equipment",
    "Level",
    "Calendar",
    "Roll-up",
    "Ideal cycle",
    "Minor stop under",
    "Silent after",
    "Targets",
)
ALWAYS: Final = "always scheduled"
NEVER: Final = "never"
MINOR_HELP: Final = "A shorter stop costs performance, not availability"

DAYS_BACK: Final = "{n} d"
MACHINES_TITLE: Final = "Machines"
MACHINES_NOTE: Final = "Coverage is how much of the time to be judged is known at all. Unknown is not down."
MACHINES_HEAD: Final = (
    "Machine", "State", "Last sign of life", "Coverage", "Unknown", "Without ideal cycle", "Overtime", "Changed later",
)  # fmt: skip
INTAKE: Final = "Taken in"
INTAKE_NOTE: Final = "Late events are older than what was accounted when they came; they change the past visibly."
INTAKE_HEAD: Final = ("Source", "Events", "Late", "Duplicates", "Rejected", "Last")
NO_INTAKE: Final = "Nothing was taken in during this time"
REJECTED: Final = "Rejected"
REJECTED_NOTE: Final = (
    "Kept with their original bytes; `oeeflow rejected --retry` takes in what a corrected plant file allows."
)
REJECTED_HEAD: Final = ("Reason", "Events", "The last of them", "At")
NO_REJECTED: Final = "No event was rejected"
UNDECLARED: Final = "Not in the plant file"
UNDECLARED_NOTE: Final = (
    "Taken as they are; a product without an ideal cycle has no performance, and the time of a state is unknown."
)
UNDECLARED_KINDS: Final = {"product": "Product", "reason": "Reason", "state": "State"}
UNDECLARED_HEAD: Final = ("Kind", "Name", "Seen at")
NO_UNDECLARED: Final = "The plant file knows every product, reason and state that was told"

REJECTS: Final = "Scrap and rework by reason"
REJECTS_NOTE: Final = "Corrections that came later are in it; counts below 0 take pieces back."
REJECTS_HEAD: Final = ("Reason", "", "Scrap", "Rework", "Share")
NO_REJECTS: Final = "No scrap and no rework in this selection"
BY_PRODUCT: Final = "By product"
YIELD_HEAD: Final = ("Product", "Good", "Scrap", "Rework", "First pass")
NO_PIECES_MADE: Final = "No pieces were made in this selection"
FIRST_PASS: Final = "First pass yield"
FIRST_PASS_HELP: Final = "good of all pieces; one that comes back from rework counts again"
SCRAP_RATIO: Final = "Scrap ratio"
SCRAP_TARGET: Final = "Scrap target"
SCRAP_ONLY: Final = "Scrap"
REWORK: Final = "Rework"
SECONDS: Final = "{value} s"
PACE: Final = "Rate and seconds per piece"
PACE_NOTE: Final = (
    "Ideal: the ideal cycle of what was made. Running: run time per piece. Per good piece: planned production time "
    "for each, to be held against the takt that customers ask for."
)
PACE_HEAD: Final = ("Product", "Planned", "Pieces per hour", "Ideal", "Running", "Per good piece", "Performance")
WORM: Final = "Good pieces against target in the shift"
WORM_NOTE: Final = (
    "Dashed: what planned time asks for at the ideal cycle of the product in force, times the OEE target. "
    "It stands still in breaks and planned stops."
)
WORM_TIP: Final = (("time", "Time"), ("line", ""), ("told", "Pieces"))
YIELD_TIP: Final = (("day", "Day"), ("told", "First pass yield"), ("pieces", "Pieces"))
WORM_LINES: Final = {"good": "Good", "wanted": "Target"}
WORM_SHIFT: Final = "Shift shown"
AHEAD: Final = "{n} good pieces ahead of target"
BEHIND: Final = "{n} good pieces behind target"
SHIFT_RATE_NOTE: Final = "All pieces counted, in steps of five minutes. Line: the ideal rate of the product in force."
YIELD_TREND: Final = "First pass yield by production day"

COMPARE_BY: Final = "Compare"
COMPARED: Final = {
    "shift": "Shifts",
    "product": "Products",
    "line": "Lines",
    "production_date": "Days",
    "week": "Weeks",
}
COMPARE_NOTE: Final = (
    "All bars are from 0 to 100 %, the mark is the target. Planned hours are what stands behind a bar: "
    "few of them say little."
)
MIXED: Final = "They made different products in part: ideal cycles even that out only as far as they are right."
COMPARE_HEAD: Final = ("", "OEE", "", "A", "P", "Q", "Planned hours", "Good", "Known")
WEEK_OF: Final = "Week of {day}"
SIDE_BY_SIDE: Final = "The OEE definitions side by side"
SIDE_BY_SIDE_NOTE: Final = (
    "The whole selection, from the same elements: the definitions differ in what is planned and what is run time."
)
THIS_DEFINITION: Final = "{name} (shown)"

REVISION: Final = "Revision"
REVISION_NOW: Final = "{n}, as of now"
REVISION_KEPT: Final = "{n}, signed off {at} by {by}"
NO_SHIFTS: Final = "No shift of this equipment in the last {n} days has anything in it"
DOWNLOADS: Final = {"pdf": "PDF", "xlsx": "Excel", "csv": "CSV"}
SIGN_OFF: Final = "Sign off as {name}"
SIGN_OFF_HELP: Final = "Keeps revision {n} as it is. What is corrected later makes the next one, with the differences."
SIGN_OFF_LATER: Final = "It can be signed off when the shift is over."
SIGNED_OFF: Final = "Revision {n} is signed off"
CHANGED_SINCE: Final = "Changed since revision {n} was signed off: the differences are below."

TURN: Final = "{n} of {all}"
NO_LINES: Final = "No line is at this place"
WHERE_WENT: Final = "Where the time went"
HOUR_BOARD_HEAD_NO_TARGET: Final = ("Hour", "Good", "OEE", "Main loss", "Said, signed off")
MORE: Final = "{n} more"
GAP_NONE: Final = "on target"
GAP_UP_TO: Final = "up to {n} points below"
GAP_MORE: Final = "more than {n}"


def stops(number: int) -> str:
    """So many stops."""
    return "1 stop" if number == 1 else f"{number} stops"


def waiting(number: int) -> str:
    """So many other machines wait for this one."""
    return "1 more machine waits" if number == 1 else f"{number} more machines wait"


def from_to(first: str, last: str) -> str:
    """A range; the same twice is one."""
    return first if first == last else f"{first} \u2013 {last}"
