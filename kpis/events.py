"""Events in canonical form: their schema, their types, why one can be rejected, and what makes two of them equal."""

from typing import Final, NamedTuple

import polars as pl

EVENTS: Final = pl.Schema(
    {
        "equipment": pl.String,
        "id": pl.String,
        "ts": pl.Int64,
        "type": pl.String,
        "state": pl.String,
        "reason": pl.String,
        "product": pl.String,
        "order": pl.String,
        "good": pl.Int64,
        "scrap": pl.Int64,
        "rework": pl.Int64,
        "quality": pl.String,
        "value": pl.Int64,
        "rollover": pl.Int64,
        "action": pl.String,
        "quantity": pl.Int64,
        "online": pl.Boolean,
        "start": pl.Int64,
        "end": pl.Int64,
        "details": pl.String,
        "line": pl.Int64,
    }
)
"""A frame of events. `ts`, `start` and `end` are microseconds since the Unix epoch; `line` is the position in the
source; `details` holds every other field as a JSON object with sorted keys. What is missing or not of the type is null;
a `count` has 0 for the pieces it does not give."""

REJECTED: Final = pl.Schema(
    {
        "line": pl.Int64,
        "equipment": pl.String,
        "id": pl.String,
        "reason": pl.String,
        "detail": pl.String,
        "raw": pl.Binary,
    }
)
"""A frame of what cannot be used: where it stood, the reason code, a sentence about it and the original bytes."""

REJECTION_REASONS: Final = (
    "not_json",
    "not_an_object",
    "not_a_row",
    "too_long",
    "no_event",
    "unknown_topic",
    "unknown_source",
    "missing_field",
    "wrong_type",
    "unknown_type",
    "unknown_quality",
    "unknown_action",
    "naive_time",
    "bad_time",
    "out_of_range",
    "empty_interval",
    "in_future",
    "unknown_equipment",
    "id_reused",
    "before_retention",
    "not_accounted",
)
"""The reason codes of rejected events. The last five are found on taking in, the others on reading."""

TEXTS: Final = ("equipment", "id", "type", "state", "reason", "product", "order", "quality", "action", "target")
INTEGERS: Final = ("good", "scrap", "rework", "value", "rollover", "quantity")
BOOLEANS: Final = ("online",)
INSTANTS: Final = ("ts", "start", "end")
FIELDS: Final = (*TEXTS, *INTEGERS, *BOOLEANS, *INSTANTS)
PIECES: Final = ("good", "scrap", "rework")
ACTIONS: Final = ("start", "end")
LARGEST_INTEGER: Final = 2**53
"""Whole numbers beyond this, in either direction, are not exact in JSON and are out of range."""


class Form(NamedTuple):
    """The fields of one type of event besides `equipment`, `id`, `ts` and `type`."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


FORMS: Final = {
    "state": Form(("state",), ("reason",)),
    "count": Form((), (*PIECES, "reason", "product", "order")),
    "counter": Form(("quality", "value"), ("rollover",)),
    "order": Form(("action",), ("order", "product", "quantity")),
    "status": Form(("online",)),
    "reclassify": Form(("start", "end"), ("state", "reason")),
    "retract": Form(("target",)),
}
"""The types of events. A field that a type does not have is kept among its details."""

FORMS_WITH: Final = {
    field: tuple(name for name, form in FORMS.items() if field in form.required + form.optional)
    for field in FIELDS
    if field not in ("equipment", "id", "ts", "type")
}
"""The types of events that have a field."""

_CONTENT: Final = tuple(name for name in EVENTS if name not in ("id", "line"))
_SEPARATOR: Final = "\x1f"
_ESCAPE: Final = "\x1e"
_BARE_SCALAR: Final = r'":(-?[0-9][^,}\]]*|true|false)([,}])'


def canonical_content(events: pl.DataFrame) -> pl.Series:
    """One text per event that is equal if and only if the content of two events is equal.

    Content is every field but `id`, spelled the same whatever format the event came in by: so a detail that is a number
    equals its text, for a CSV file cannot tell them apart. The spelling never changes, for ids of events that came
    without one are made from it.

    >>> event = {"equipment": "a/b", "ts": 0, "type": "state", "state": "down", "details": '{"lot":7}'}
    >>> canonical_content(pl.DataFrame([event], schema=EVENTS)).item().replace(chr(31), "|")
    'a/b|0|state|down|||||||||||||||{"lot":"7"}'
    """
    texts = [name for name in _CONTENT if EVENTS[name] == pl.String]
    marked = pl.any_horizontal(pl.col(texts).str.contains_any([_SEPARATOR, _ESCAPE]).any())
    if events.select(marked.fill_null(False)).item():
        events = events.with_columns(
            pl.col(texts).str.replace_many([_ESCAPE, _SEPARATOR], [_ESCAPE + "0", _ESCAPE + "1"])
        )
    details = pl.col("details").str.replace_all(_BARE_SCALAR, '":"$1"$2')
    columns = [details if name == "details" else pl.col(name).cast(pl.String) for name in _CONTENT]
    joined = pl.concat_str([column.fill_null("") for column in columns], separator=_SEPARATOR)
    return events.select(content=joined)["content"]
