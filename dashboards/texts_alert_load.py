"""The words of the page on how much people are asked to do by alerts."""

from typing import Final

NOBODY: Final = "told to nobody"
VERDICTS: Final = {"acceptable": "acceptable", "manageable": "manageable", "too many": "too many"}
VERDICT_SYMBOLS: Final = {"acceptable": "check_circle", "manageable": "info", "too many": "error"}
BENCHMARKS: Final = (
    "By ISA-18.2 for one person: up to about 6 alerts in an hour are acceptable, 12 are the most that can be managed; "
    "more than 10 in ten minutes are a flood, and less than 1 % of the time should be in one."
)
ADVICE: Final = {
    "chattering": 'It comes and goes: give it a longer "for", a "keep_for", or a "clear" further from its limit.',
    "short": 'It is mostly over before anybody could act: give it a longer "for".',
    "stale": "It was open for more than a day: mend the cause, or shelve it with a reason.",
    "ignored": "{share} % of them nobody acknowledges: is there something to do? Else lower its severity or its route.",
}
PERIODS: Final = {"day": "24 hours", "week": "7 days", "month": "30 days"}
PERIOD_DAYS: Final = {"day": 1, "week": 7, "month": 30}
WHO: Final = "Who"
EVERYBODY: Final = "everybody"
NO_CALLS: Final = "No alert was told in this time"
NO_CALLS_HINT: Final = "Nothing to do is the best there can be. Take a longer period to look further back."
ALERTS: Final = "Alerts"
PER_DAY: Final = "Per day"
BUSIEST: Final = "Busiest hour"
FLOOD: Final = "In floods"
ACKNOWLEDGED_IN: Final = "Acknowledged in"
MEDIAN_P90: Final = "{median}, 9 of 10 in {p90}"
UNACKNOWLEDGED: Final = "Nobody acknowledged"
STALE: Final = "Open over 24 h"
FIRST: Final = "Mend this rule first: {rule}"
FIRST_SHARE: Final = "{share} of all alerts. {advice}"
FINE: Final = "No rule stands out: none chatters, none is ignored, none is open for more than a day."
BY_PERSON: Final = "By person"
PERSON_HEAD: Final = (
    "Who", "", "Alerts", "Per day", "Busiest hour", "Hours over 12", "Most in 10 min", "In floods", "Median", "9 of 10",
    "Nobody acknowledged",
)  # fmt: skip
BY_HOUR: Final = "Alerts in an hour"
BY_HOUR_NOTE: Final = "Of the person who had most of them. Lines: 6, which is acceptable, and 12, the most that can be."
HOUR_TIP: Final = (("time", "Hour"), ("alerts", "Alerts"), ("load", ""), ("who", "Who"))
BY_RULE: Final = "By rule"
BY_RULE_NOTE: Final = "Each alert once, however many heard of it."
RULE_HEAD: Final = ("Rule", "", "Alerts", "Share", "Chattering", "Open, median", "Nobody acknowledged", "What to do")
TO_LOAD: Final = "How much that is to ask"
TO_INBOX: Final = "Open alerts"
