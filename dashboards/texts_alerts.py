"""The words of the pages about alerts: the inbox, and how much people are asked to do."""

from typing import Final

SEVERITIES: Final = {"critical": "Critical", "warning": "Warning", "info": "Info"}
SEVERITY_SYMBOLS: Final = {"critical": "error", "warning": "warning", "info": "info"}
STANDINGS: Final = {
    "firing": "Open",
    "acknowledged": "Acknowledged",
    "shelved": "Shelved",
    "suppressed": "Suppressed",
    "resolved": "Resolved",
    "withdrawn": "Withdrawn: its cause was taken away",
}
GROUPS: Final = {"firing": "Nobody has it yet", "acknowledged": "In somebody's hands", "aside": "Put aside"}
GROUP_NOTES: Final = {
    "firing": "The worst first, of these the oldest.",
    "acknowledged": "Acknowledged or taken: they go no further, and stay here until they are over.",
    "aside": "Shelved by somebody for a while, or suppressed because something else explains them. Nobody is told.",
}
CALM: Final = "No alert is open. What the rules of the plant file watch is as it should be."
CALM_HERE: Final = "No alert is open in this selection."
CALM_GROUP: Final = "None."
NO_RULES: Final = "No rule says what is worth an alert"
NO_RULES_HINT: Final = "Rules stand in the plant file as [[alerts]]; docs/alerts.md has examples to begin with."
PLACE: Final = "Area or line"
EVERYWHERE: Final = "everywhere"
MINE: Final = "Only mine"
MINE_HELP: Final = "What you have, and what you were told of"
MORE: Final = "{n} more; choose an area or a line to see them."

NOBODY: Final = "nobody has it"
TAKEN: Final = "{by} is at it, since {at}"
ACKNOWLEDGED: Final = "acknowledged by {by}, {at}"
SHELVED: Final = "shelved by {by} until {until}: {why}"
SUPPRESSED: Final = "suppressed: {by}"
SUPPRESSED_BY: Final = {
    "break": "break",
    "planned_stop": "planned stop",
    "unscheduled": "no shift",
    "after shift start": "just after the start of the shift",
    "after break": "just after a break",
    "after setup": "just after a changeover",
    "no data": "no data",
}
NEXT: Final = "next: {who} at {at}"
NEXT_NOBODY: Final = "nobody is there"
CHATTERING: Final = "chattering"
CHATTERING_HELP: Final = "At least the third of its rule on this equipment within half an hour"
TOLD: Final = "told"
NOBODY_THERE: Final = "nobody was there"
OUTCOMES: Final = {"delivered": "delivered", "waiting": "on its way", "dead": "not delivered"}
OUTCOME_SYMBOLS: Final = {"delivered": "\u2713", "waiting": "\u2026", "dead": "\u2717"}

SHOW: Final = "Show"
ACKNOWLEDGE: Final = "Acknowledge"
TAKE: Final = "Take it"
COMMENT: Final = "Comment"
SHELVE: Final = "Shelve"
UNSHELVE: Final = "Back from the shelf"
SAY: Final = "Comment, or the reason to shelve it"
SHELVE_FOR: Final = "Shelve for"
LENGTHS: Final = {30: "30 min", 60: "1 h", 120: "2 h", 480: "8 h", 1_440: "1 day", 10_080: "7 days"}
LOOKS_ON: Final = "You look on as {name}, with the role {role}. To acknowledge, comment or shelve takes the role lead."
ONLY_LOOK: Final = "Nothing can be done about alerts here at the moment"
NO_WORDS: Final = "there are no words to it"
NO_WORDS_HINT: Final = "write the comment, or why it may be put aside, into the field above"

PICKED: Final = "Alert"
PICK_ONE: Final = "Pick an alert to see who was told of it and what was done."
GONE: Final = "There is no alert {alert}"
GONE_HINT: Final = "A late event may have taken it away before anybody was told."
RULE: Final = "Rule"
WHERE: Final = "Where"
SINCE: Final = "Since"
FIRED: Final = "Told from"
LASTED: Final = "Lasted"
OVER: Final = "Over"
REASON: Final = "Reason"
STANDS: Final = "State"
NEXT_CALL: Final = "Next"
TO_LINE: Final = "The line, live"
WHO_WAS_TOLD: Final = "Who was told"
TOLD_HEAD: Final = ("Who", "Way", "What", "When", "Outcome")
NOBODY_TOLD: Final = "Nobody was told so far."
HISTORY: Final = "What became of it"
HISTORY_HEAD: Final = ("When", "What", "Who")
BECAME: Final = {
    "fired": "fired",
    "corrected": "fires again, in the place of one withdrawn",
    "resolved": "over",
    "reopened": "open again",
    "suppressed": "suppressed",
    "withdrawn": "withdrawn: a late event took its cause away",
}
DID: Final = {
    "acknowledge": "acknowledged",
    "take": "taken",
    "comment": "comment",
    "shelve": "shelved until {until}",
    "unshelve": "taken from the shelf",
}
WAYS: Final = {"command": "by command", "page": "on this page", "link": "by the link in a message"}
KINDS: Final = {
    "fired": "first told",
    "escalated": "escalated",
    "repeated": "repeated",
    "handed_over": "handed over",
    "corrected": "corrected",
    "reopened": "open again",
    "resolved": "over",
    "withdrawn": "withdrawn",
}

RESOLVED: Final = "Resolved in this shift"
RESOLVED_NOTE: Final = "The last one first; outside shifts those of the last 8 hours."
RESOLVED_HEAD: Final = ("", "What", "Where", "From", "Lasted", "Who had it")
NO_RESOLVED: Final = "No alert was resolved in this shift."
