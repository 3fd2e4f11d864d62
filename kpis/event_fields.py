"""The fields of events out of loose columns: one column of a known type each, and the details."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from kpis.events import BOOLEANS, INSTANTS, LARGEST_INTEGER, TEXTS
from kpis.instants import instants

_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r",
}  # fmt: skip


class Typed(NamedTuple):
    """A field in its type, null where it is missing or wrong; `fault` is the rejection reason where it is wrong."""

    values: pl.Series
    fault: pl.Series | None


def typed(name: str, given: pl.Series) -> Typed:
    """Read a loose column as the field `name`: texts that spell a number or a truth value are taken for it.

    >>> typed("good", pl.Series(["5", "5.0", "5.5", None])).values.to_list()
    [5, 5, None, None]
    """
    if name in INSTANTS:
        read = instants(given)
        return Typed(read.us, read.fault if read.fault.null_count() < len(given) else None)
    values = _text(given) if name in TEXTS else _truth(given) if name in BOOLEANS else _integer(given)
    fault = None
    if values.null_count() > given.null_count():
        wrong = pl.select(wrong=values.is_null() & given.is_not_null())
        fault = wrong.select(fault=pl.when("wrong").then(pl.lit("wrong_type")))["fault"]
    return Typed(values, fault)


def _text(given: pl.Series) -> pl.Series:
    if given.dtype == pl.String:
        return given
    if given.dtype in (pl.Categorical, pl.Enum):
        return given.cast(pl.String)
    return pl.Series([None], dtype=pl.String).new_from_index(0, len(given))


def _truth(given: pl.Series) -> pl.Series:
    if given.dtype == pl.Boolean:
        return given
    lower = _text(given).str.to_lowercase()
    return lower.replace_strict(["true", "false"], [True, False], default=None, return_dtype=pl.Boolean)


def _integer(given: pl.Series) -> pl.Series:
    """Whole numbers. Too large ones come out as just too large, so that their range can be judged."""
    too_large = LARGEST_INTEGER + 2
    dtype = given.dtype
    if dtype == pl.Int64:
        return given
    if dtype.is_integer():
        return given.cast(pl.Int128).clip(-too_large, too_large).cast(pl.Int64)
    if dtype.is_float() or dtype.is_decimal():
        number = given.cast(pl.Float64)
        whole = pl.select(x=number).select(
            x=pl.when(pl.col("x").is_finite() & (pl.col("x") == pl.col("x").floor())).then("x")
        )["x"]
        return whole.clip(-too_large, too_large).cast(pl.Int64)
    text = _text(given)
    whole = text.cast(pl.Int64, strict=False)
    if whole.null_count() == text.null_count():
        return whole
    return whole.zip_with(whole.is_not_null(), _integer(text.cast(pl.Float64, strict=False)))


def details_of(columns: Sequence[pl.Series], height: int) -> pl.Series:
    """One JSON object per row out of columns, with sorted keys and without what is missing; null if nothing is left.

    >>> details_of([pl.Series("lot", ["L1", None]), pl.Series("by", ['"kim"', ""])], 2).to_list()
    ['{"by":"\\\\"kim\\\\"","lot":"L1"}', None]
    """
    named = sorted((column for column in columns if column.null_count() < height), key=lambda column: column.name)
    if not named:
        return pl.Series([None], dtype=pl.String).new_from_index(0, height)
    members = [pl.lit(f"{_quoted(column.name)}:") + _json(column) for column in named]
    joined = pl.select(joined=pl.concat_str(members, separator=",", ignore_nulls=True))
    return joined.select(details=pl.when(pl.col("joined") != "").then("{" + pl.col("joined") + "}"))["details"]


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'


def _json(column: pl.Series) -> pl.Expr:
    values = pl.lit(column)
    dtype = column.dtype
    if dtype == pl.Boolean or dtype.is_integer():
        return values.cast(pl.String)
    if dtype.is_float() or dtype.is_decimal():
        number = values.cast(pl.Float64)
        whole = (number == number.floor()) & (number.abs() <= LARGEST_INTEGER)
        text = (
            pl.when(whole).then(number.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(number.cast(pl.String))
        )
        return pl.when(number.is_finite()).then(text)
    if dtype.is_nested():
        return pl.struct(values.alias("")).struct.json_encode().str.slice(4).str.strip_suffix("}")
    text = values.cast(pl.String)
    escaped = text.str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
    return pl.when(text != "").then('"' + escaped + '"')
