"""Validation: loose columns in, events and rejected rows out, whole frames at a time."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import polars as pl

from kpis.event_fields import details_of, typed
from kpis.events import (
    ACTIONS,
    EVENTS,
    FIELDS,
    FORMS,
    FORMS_WITH,
    INSTANTS,
    INTEGERS,
    LARGEST_INTEGER,
    PIECES,
    REJECTED,
)

RIGHT_TYPE: Final = {
    **dict.fromkeys(FIELDS, "a text"),
    **dict.fromkeys(INTEGERS, "a whole number"),
    **dict.fromkeys(INSTANTS, "a time with an offset or whole milliseconds since 1970"),
    "online": "true or false",
}
"""What each field holds, in words."""

_NEEDED: Final = ("equipment", "type", "ts")
_COMMON: Final = (*_NEEDED, "id")
_TIME_FAULTS: Final = {
    "naive_time": "is a time without an offset; write it like 2026-03-02T06:00:00Z or 2026-03-02T07:00:00+01:00",
    "bad_time": "is not a time; write it like 2026-03-02T06:00:00.250Z, or as whole milliseconds since 1970",
    "out_of_range": "is outside the years 1970 to 2199",
    "wrong_type": f"is not {RIGHT_TYPE['ts']}",
}
_SHOWN: Final = 80


class Validated(NamedTuple):
    """The events of a frame, and the rows that are none, as REJECTED with empty `raw`."""

    events: pl.DataFrame
    rejected: pl.DataFrame


class _Check(NamedTuple):
    """Something that can be wrong: where it is, its reason code, and a sentence in which {field} is what was found."""

    broken: pl.Expr
    reason: str
    detail: str


def validate(
    given: pl.DataFrame, line: pl.Series, *, details: pl.Series | None = None, faults: pl.DataFrame | None = None
) -> Validated:
    """Make events out of loose columns: of any type, any of the fields, any further ones, which become details.

    A value is missing if it is null or an empty text. Where `details` is not null it is all the details of the row.
    `faults` (`reason`, `detail`) tells of rows that the decoder could not read; null: nothing wrong so far.

    >>> given = pl.DataFrame({"ts": [0, 1], "equipment": "a/b", "type": ["status", "state"], "online": [True, None]})
    >>> validate(given, pl.Series([1, 2])).events.select("equipment", "ts", "online").rows()
    [('a/b', 0, True)]
    >>> validate(given, pl.Series([1, 2])).rejected["detail"].item()
    'a state event needs the field `state`'
    """
    if line.is_empty():
        return Validated(EVENTS.to_frame(), REJECTED.to_frame())
    given = _without_missing(given)
    work = _typed(given, line, faults)
    strays = _strays(given, work)
    checks = list(_checks(work))
    broken = pl.any_horizontal(pl.col("fault").is_not_null(), *(check.broken for check in checks))
    work = work.with_columns(_details(strays, details, len(line)), broken=broken)
    if not work["broken"].any():
        return Validated(work.select(_canonical(work)), REJECTED.to_frame())
    events = work.filter(~pl.col("broken").fill_null(False)).select(_canonical(work))
    return Validated(events, _rejected(work, given, checks))


def _without_missing(given: pl.DataFrame) -> pl.DataFrame:
    """Only columns that hold something, with null where a text is empty."""
    texts = [name for name, dtype in given.schema.items() if dtype == pl.String]
    empty = given.select((pl.col(texts) == "").any()).row(0) if texts else ()
    blanked = [name for name, any_empty in zip(texts, empty, strict=True) if any_empty]
    if blanked:
        given = given.with_columns(pl.when(pl.col(name) != "").then(name).alias(name) for name in blanked)
    return given.select(column.name for column in given if column.null_count() < given.height)


def _typed(given: pl.DataFrame, line: pl.Series, faults: pl.DataFrame | None) -> pl.DataFrame:
    """The fields in their types, `fault.<field>` why a value is not of it, `is.<type>` for each type that occurs."""
    columns: list[pl.Series] = [line.cast(pl.Int64).alias("line")]
    for name in FIELDS:
        if name in given.columns:
            read = typed(name, given[name])
            columns.append(read.values.alias(name))
            if read.fault is not None:
                columns.append(read.fault.alias(f"fault.{name}"))
    work = pl.DataFrame(columns)
    absent = {
        name: pl.lit(None, pl.Int64 if name == "ts" else pl.String) for name in _COMMON if name not in given.columns
    }
    present = set(work["type"].unique()) if "type" in work.columns else set()
    forms = [(pl.col("type") == form).fill_null(False).alias(f"is.{form}") for form in FORMS if form in present]
    no_fault = pl.lit(None, pl.String)
    told = [no_fault, no_fault] if faults is None else [faults["reason"], faults["detail"]]
    return work.with_columns(*forms, told[0].alias("fault"), told[1].alias("fault.detail"), **absent)


def _has(work: pl.DataFrame, field: str) -> pl.Expr:
    """Whether the type of the event has the field."""
    forms = [f"is.{form}" for form in FORMS_WITH[field] if f"is.{form}" in work.columns]
    return pl.any_horizontal(forms) if forms else pl.lit(False)


def _strays(given: pl.DataFrame, work: pl.DataFrame) -> list[pl.Series]:
    """What belongs among the details: further columns, and fields where the type of the event does not have them."""
    fields = [name for name in given.columns if name in FORMS_WITH]
    astray = {name: ~_has(work, name) for name in fields}
    found = work.select((given[name].is_not_null() & where).any().alias(name) for name, where in astray.items())
    stray = [name for name in fields if found[name].any()]
    masked = work.select(pl.when(astray[name]).then(given[name]).alias(name) for name in stray if name != "target")
    further = [column for column in given if column.name not in FIELDS or column.name == "target"]
    return [*further, *masked.get_columns()]


def _details(strays: list[pl.Series], details: pl.Series | None, height: int) -> pl.Expr:
    built = pl.lit(details_of(strays, height)) if strays else pl.lit(None, pl.String)
    return (built if details is None else pl.coalesce(details, built)).alias("details")


def _canonical(work: pl.DataFrame) -> list[pl.Expr]:
    """The columns of EVENTS: each field only where the type of the event has it, and 0 for pieces not counted."""
    columns = []
    for name, dtype in EVENTS.items():
        if name not in work.columns:
            column = pl.lit(None, dtype)
        else:
            column = pl.when(_has(work, name)).then(name) if name in FORMS_WITH else pl.col(name)
        if name in PIECES and "is.count" in work.columns:
            column = pl.when("is.count").then(column.fill_null(0))
        columns.append(column.alias(name))
    return columns


def _checks(work: pl.DataFrame) -> Iterator[_Check]:
    """Everything that can be wrong with these rows; the first that is wrong comes to light."""
    for name in (name for name in FIELDS if f"fault.{name}" in work.columns):
        fault = pl.col(f"fault.{name}")
        applies = _has(work, name) if name in FORMS_WITH else pl.lit(True)
        faults = _TIME_FAULTS if name in INSTANTS else {"wrong_type": f"is not {RIGHT_TYPE[name]}"}
        for reason, why in faults.items():
            yield _Check(applies & (fault == reason).fill_null(False), reason, f"`{name}` {{{name}}} {why}")
    for name in _NEEDED:
        yield _Check(pl.col(name).is_null(), "missing_field", f"an event needs the field `{name}`")
    known = pl.col("type").is_in(list(FORMS))
    yield _Check(~known, "unknown_type", f"`type` {{type}} is unknown; the types are {', '.join(FORMS)}")
    for form in (form for form in FORMS if f"is.{form}" in work.columns):
        article = "an" if form == "order" else "a"
        for name in FORMS[form].required:
            missing = pl.col(name).is_null() if name in work.columns else pl.lit(True)
            yield _Check(
                pl.col(f"is.{form}") & missing, "missing_field", f"{article} {form} event needs the field `{name}`"
            )
    yield from _value_checks(work)


def _value_checks(work: pl.DataFrame) -> Iterator[_Check]:
    columns = {name: pl.col(name) if name in work.columns else pl.lit(None) for name in FIELDS}
    for name, values in (("quality", PIECES), ("action", ACTIONS)):
        if name in work.columns:
            detail = f"`{name}` {{{name}}} is unknown; it is {' or '.join(values)}"
            yield _Check(_has(work, name) & ~pl.col(name).is_in(values), f"unknown_{name}", detail)
    if "is.order" in work.columns:
        unnamed = pl.col("is.order") & (columns["action"] == "start") & columns["order"].is_null()
        yield _Check(unnamed, "missing_field", "the start of an order needs the field `order`")
    if "is.reclassify" in work.columns:
        neither = pl.col("is.reclassify") & columns["state"].is_null() & columns["reason"].is_null()
        yield _Check(neither, "missing_field", "a reclassify event needs the field `state` or `reason`")
        backwards = pl.col("is.reclassify") & (columns["start"] >= columns["end"])
        yield _Check(backwards, "empty_interval", "`end` {end} is not after `start` {start}")
    for name in (name for name in INTEGERS if name in work.columns):
        least = {"value": 0, "rollover": 1}.get(name, -LARGEST_INTEGER)
        outside = _has(work, name) & ~pl.col(name).is_between(least, LARGEST_INTEGER)
        yield _Check(outside, "out_of_range", f"`{name}` {{{name}}} is outside {least} to {LARGEST_INTEGER}")


def _rejected(work: pl.DataFrame, given: pl.DataFrame, checks: list[_Check]) -> pl.DataFrame:
    absent = [pl.lit("null").alias(f"found.{name}") for name in FIELDS if name not in given.columns]
    found = [_shown(column).alias(f"found.{column.name}") for column in given if column.name in FIELDS]
    first = pl.coalesce(pl.when(check.broken).then(index) for index, check in enumerate(checks)).alias("first")
    # In one chunk: polars panics when it formats texts of several (found with 2.1).
    rows = work.with_columns(first, *absent, *found).filter("broken").rechunk()
    cases = [(pl.col("first") == index, check) for index, check in enumerate(checks)]
    reason = pl.coalesce("fault", *(pl.when(case).then(pl.lit(check.reason)) for case, check in cases))
    detail = pl.coalesce("fault.detail", *(pl.when(case).then(_filled(check.detail)) for case, check in cases))
    return rows.select("line", "equipment", "id", reason=reason, detail=detail, raw=pl.lit(None, pl.Binary))


def _filled(detail: str) -> pl.Expr:
    """The sentence of a check with what was found in place of each {field}."""
    found = (pl.col(f"found.{name}") for name in re.findall(r"{(\w+)}", detail))
    return pl.format(re.sub(r"{\w+}", "{}", detail), *found)


def _shown(column: pl.Series) -> pl.Series:
    """Values as a person may read them in a message, cut to a bearable length."""
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        return pl.Series([f"({column.dtype})"]).new_from_index(0, len(column))
    text = column.cast(pl.String)
    shown = "'" + text.str.slice(0, _SHOWN) + "'" if column.dtype == pl.String else text
    return shown.fill_null("null")
