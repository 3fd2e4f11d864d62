"""Single JSON texts, the exact way: one by one, each with what is wrong with it."""

import json
from typing import Any, Final

import orjson
import polars as pl

from kpis.event_checks import RIGHT_TYPE, Validated, validate
from kpis.events import BOOLEANS, EVENTS, FIELDS, FORMS, INSTANTS, INTEGERS, LARGEST_INTEGER, REJECTED, TEXTS
from pipelines.sources.lines import with_raw

_COMMON: Final = frozenset(("equipment", "id", "ts", "type"))
_PLAIN_TEXTS: Final = frozenset(TEXTS)
_OWN: Final = {name: _COMMON.union(form.required, form.optional) for name, form in FORMS.items()}
_LOOSE: Final = {
    **dict.fromkeys(FIELDS, pl.String()),
    **dict.fromkeys(INTEGERS, pl.Int64()),
    **dict.fromkeys(BOOLEANS, pl.Boolean()),
    "details": pl.String(),
}
_SHOWN: Final = 80


class _FaultError(Exception):
    """What keeps one JSON text from being an event: a sentence and the reason code."""

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode_exactly(lines: pl.DataFrame) -> Validated:
    """Events out of JSON texts (`line`, `text`); blank ones are neither events nor rejected.

    >>> lines = pl.DataFrame({"line": [7], "text": ['{"equipment": "a/b", "ts": 0, "type": "count", "good": "5"}']})
    >>> decode_exactly(lines).rejected["detail"].item()
    '`good` "5" is not a whole number'
    """
    lines = lines.filter(pl.col("text").str.strip_chars() != "")
    if lines.is_empty():
        return Validated(EVENTS.to_frame(), REJECTED.to_frame())
    rows: list[dict[str, Any]] = []
    faults: list[tuple[str | None, str | None]] = []
    for text in lines["text"]:
        row: dict[str, Any] = {}
        fault: tuple[str | None, str | None] = (None, None)
        try:
            _fill(row, _object(text))
        except _FaultError as error:
            fault = (error.reason, str(error))
        rows.append(row)
        faults.append(fault)
    given = pl.DataFrame(rows, schema=_LOOSE)
    known = pl.DataFrame(faults, {"reason": pl.String, "detail": pl.String}, orient="row")
    valid = validate(given.drop("details"), lines["line"], details=given["details"], faults=known)
    return Validated(valid.events, with_raw(valid.rejected, lines))


def _object(text: str) -> dict[str, Any]:
    """The JSON object that a text is. Of a key given twice, the first counts."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        detail = f"the line is not JSON: {error}"
        raise _FaultError(detail, reason="not_json") from None
    if not isinstance(value, dict):
        kind = "an array" if isinstance(value, list) else f"only {_show(value)}"
        detail = f"a line holds one JSON object, this is {kind}"
        raise _FaultError(detail, reason="not_an_object")
    try:
        once = text.count('"') == orjson.dumps(value).count(b'"')
    except TypeError:
        raise _too_deep() from None
    return value if once else _first_of_each(text)


def _first_of_each(text: str) -> dict[str, Any]:
    try:
        first: dict[str, Any] = json.loads(
            text,
            object_pairs_hook=lambda pairs: dict(reversed(pairs)),
            parse_int=orjson.loads,
            parse_float=orjson.loads,
        )
    except (ValueError, RecursionError):
        raise _too_deep() from None
    return first


def _too_deep() -> _FaultError:
    return _FaultError("the line is nested too deeply", reason="not_json")


def _fill(row: dict[str, Any], event: dict[str, Any]) -> None:
    """The fields that the type of the event has, and the rest among its details; all that is known of a faulty one."""
    kind = event.get("type")
    own = _OWN.get(kind, _COMMON) if isinstance(kind, str) else _COMMON
    fault: _FaultError | None = None
    extras: dict[str, Any] = {}
    for name, value in event.items():
        if value is None or value == "":
            continue
        if name not in own or name == "target":
            extras[name] = _whole(value)
        if name in own:
            try:
                row[name] = value if type(value) is str and name in _PLAIN_TEXTS else _value(name, value)
            except _FaultError as error:
                fault = fault or error
    if fault is not None:
        raise fault
    if extras:
        row["details"] = orjson.dumps(extras, option=orjson.OPT_SORT_KEYS).decode()


def _value(name: str, value: Any) -> Any:
    value = _whole(value)
    if name in INTEGERS:
        right = type(value) is int
        # JSON has no limit for whole numbers: huge ones are read as floats.
        if (right or (type(value) is float and value.is_integer())) and abs(value) > LARGEST_INTEGER:
            detail = f"`{name}` {value} is outside -{LARGEST_INTEGER} to {LARGEST_INTEGER}"
            raise _FaultError(detail, reason="out_of_range")
    elif name in BOOLEANS:
        right = type(value) is bool
    elif name in INSTANTS and type(value) is int:
        return str(value)
    elif name in INSTANTS and type(value) is float and value.is_integer():
        detail = f"`{name}` {value} is outside the years 1970 to 2199"
        raise _FaultError(detail, reason="out_of_range")
    else:
        right = type(value) is str
    if not right:
        detail = f"`{name}` {_show(value)} is not {RIGHT_TYPE[name]}"
        raise _FaultError(detail, reason="wrong_type")
    if name in INSTANTS and value.lstrip("-").isdecimal():
        detail = f"`{name}` {_show(value)} is a text; milliseconds since 1970 are a number"
        raise _FaultError(detail, reason="bad_time")
    return value


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() and abs(value) <= LARGEST_INTEGER else value


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, dict | list) else "[…]"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
