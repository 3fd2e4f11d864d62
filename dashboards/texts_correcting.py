"""The words of the page that corrects the past, and of who may do so."""

from typing import Final

QUEUE: Final = "Stops to look at"
QUEUES: Final = {
    "unclassified": "No reason",
    "long": "Long",
    "unknown": "Unknown",
    "all": "All",
}
SHOW: Final = "Show"
LONGER_THAN: Final = "Lasted at least"
QUEUE_CALM: Final = "Nothing is left to look at in this selection."
QUEUE_MORE: Final = "The longest {n} of {all}; more filters show the others."
STILL: Final = "still going on"
CATEGORIES: Final = {
    "down": "Down",
    "idle": "Waiting",
    "setup": "Changeover",
    "planned": "Planned stop",
    "producing": "Running",
    "unknown": "Unknown",
}
AS_TOLD: Final = "as the machine told it"
NO_REASON: Final = "no reason"
NOTE: Final = "Note"
NOTE_HINT: Final = "why, for those who read it later"

BEGAN: Final = "Began"
ENDED: Final = "Ended"
LASTED: Final = "Lasted"
COUNTED: Final = "Counted"
STATE: Final = "State"
CATEGORY: Final = "Category"
REASON: Final = "Reason"
OPEN_NOTE: Final = (
    "It is still going on: what you decide holds up to {clock}. What follows can be decided when it is over."
)
AROUND: Final = "What the machine did around it"

DEED: Final = "What to do"
DEEDS: Final = {"set": "Set reason", "split": "Split", "merge": "Merge"}
SET_NOTE: Final = (
    "Holds for the whole of it. Without a category it stays what the machine told, or what the reason says."
)
SET: Final = "Set"
SPLIT_NOTE: Final = "Two parts, each with its own category and reason. A part without either stays as it is."
SPLIT_AT: Final = "Split at"
SPLIT: Final = "Split"
NOTHING_CHOSEN: Final = "neither part has a category or a reason"
NOTHING_CHOSEN_HINT: Final = "choose one for at least one of them"
FIRST_PART: Final = "Before"
SECOND_PART: Final = "After"
MERGE_NOTE: Final = (
    "One stop from the start of the first to the end of the second: what lies between them becomes part of it."
)
MERGE_WITH: Final = "Merge with"
MERGE: Final = "Merge"
NO_NEIGHBOUR: Final = "There is no other stop of this machine in the days around"
BETWEEN: Final = "{time} between them"

PIECES: Final = "Move pieces from good to scrap"
PIECES_NOTE: Final = (
    "They are booked at the time at which they were made: its shift, product and order lose good pieces and gain scrap."
)
MACHINE: Final = "Machine"
MADE_AT: Final = "Made at"
NUMBER: Final = "Pieces"
MOVE: Final = "Move"
TOO_MANY: Final = "only {good} good pieces are booked in that shift"
TOO_MANY_HINT: Final = "move fewer, or take the time at which they were made"
LATER_THAN_NOW: Final = "that time is not accounted yet"
LATER_THAN_NOW_HINT: Final = "take a time up to {clock}"

DONE: Final = "Done"
NOT_DONE: Final = "Not done"
SEEN_LATER: Final = "It is stored. It shows here as soon as the store can be read."
TAKING: Final = "The engine takes it in"
PUT_AWAY: Final = "Close"
EFFECT_TIME: Final = "{before} became {after}"
EFFECT_WINDOWS: Final = "Changed by it"
EFFECT_OPEN: Final = "A window that is still open goes on meanwhile."
EFFECT_HEAD: Final = ("Equipment", "Window", "OEE", "Availability", "Performance", "Quality", "Good", "Scrap")
EFFECT_NONE: Final = "No figure of a shift or day changed: the losses by reason did."
EFFECT_UNSEEN: Final = "It is stored. The figures follow as soon as the store can be read."
OPEN: Final = "open"
MORE_WINDOWS: Final = "{n} more windows changed."

LATELY: Final = "Decided lately"
LATELY_NOTE: Final = "In the last {days} days. Nothing is overwritten: undoing puts back what the machine told."
NOTHING_LATELY: Final = "Nothing was decided in the last {days} days"
TO: Final = "{start} to {end} is {what}"
SCRAPPED: Final = "{n} pieces of {at} from good to scrap"
COUNTED_BY_HAND: Final = "pieces of {at}: good {good}, scrap {scrap}, rework {rework}"
UNDO: Final = "Undo"
UNDONE: Final = "undone by {by}, {at}"
SOMEBODY: Final = "somebody"
OTHERS: Final = "only the role admin undoes what others decided"

LOOKS_ON: Final = "You look on as {name}, with the role {role}. To reclassify takes the role lead."
ONLY_QUEUE: Final = "Nothing can be changed at the moment"
NO_ENGINE: Final = "no engine is running on this store"
NO_ENGINE_HINT: Final = "The engine takes in what is decided here: start `oeeflow run`."
NO_ANSWER: Final = "the engine does not answer"
NO_ANSWER_HINT: Final = "See below whether it was taken in, else do it again."
NO_TOKEN: Final = "the token of the engine cannot be read: {why}"
NO_TOKEN_HINT: Final = "Run the dashboard as the user who runs the engine, who owns {path}."
REFUSED: Final = "the engine answers with status {status}"
REJECTED: Final = "the engine rejected it: {detail}"
REJECTED_HINT: Final = "Choose again; nothing was changed."

ROLES: Final = {1: "viewer", 2: "lead", 3: "admin"}
TRIAL: Final = "Trial: everybody who opens this page has the role {role}, as {name}."
SIGN_IN: Final = "Sign in"
SIGN_IN_FIRST: Final = "Please sign in"
SIGN_IN_HINT: Final = "These pages are shown to people who are known."
NO_NAME: Final = "Nobody is named"
NO_NAME_HINT: Final = "The proxy in front of these pages did not say who you are. Open them by its address."
SIGN_OUT: Final = "Sign out"
SIGNED_IN: Final = "{name}, {role}"
MISSET: Final = "Who may do what is not set up right"
