"""Instants: texts, numbers and timestamps as microseconds since the Unix epoch in UTC."""

from typing import Final, NamedTuple

import polars as pl

FIRST_INSTANT: Final = 0
"""1970-01-01T00:00:00Z, the first instant an event may carry."""
END_OF_TIME: Final = 7_258_118_400_000_000
"""2200-01-01T00:00:00Z, the first instant an event may no longer carry."""

_RFC3339: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
_NAIVE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?$"
_EPOCH_MS: Final = r"^-?[0-9]+$"
_US_PER_MINUTE: Final = 60_000_000
_NO_FAULT: Final = pl.lit(None, pl.String)


class Instants(NamedTuple):
    """Instants of one column and, where there is none, why.

    `us` is null where the value is missing or wrong; `fault` is null where it is missing or right, else one of
    `naive_time`, `bad_time`, `out_of_range`, `wrong_type`.
    """

    us: pl.Series
    fault: pl.Series


def instants(column: pl.Series) -> Instants:
    """Read a column of times, whatever its type.

    Texts are RFC 3339 with an offset or digits (epoch milliseconds); whole numbers are epoch milliseconds; timestamps
    need a time zone. Digits beyond microseconds are cut, not rounded.

    >>> instants(pl.Series(["1970-01-01T01:00:00.1234567+01:00", "1970-01-01 00:00", "2500"])).us.to_list()
    [123456, None, 2500000]
    """
    dtype = column.dtype
    if dtype == pl.String:
        frame = _from_text(column)
    elif dtype.is_numeric():
        frame = _from_milliseconds(column)
    elif isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        frame = pl.select(us=column.dt.cast_time_unit("us").to_physical(), fault=_NO_FAULT)
    else:
        fault = "naive_time" if dtype in (pl.Datetime, pl.Date) else "wrong_type"
        frame = pl.select(found=column.is_not_null()).select(
            us=pl.lit(None, pl.Int64), fault=pl.when("found").then(pl.lit(fault))
        )
    inside = pl.col("us").is_between(FIRST_INSTANT, END_OF_TIME, closed="left")
    frame = frame.select(
        us=pl.when(inside).then("us"), fault=pl.when(~inside).then(pl.lit("out_of_range")).otherwise("fault")
    )
    return Instants(frame["us"], frame["fault"])


def _from_milliseconds(column: pl.Series) -> pl.DataFrame:
    ms = pl.col("ms")
    return pl.select(ms=column.cast(pl.Float64)).select(
        us=pl.when(ms.is_finite() & (ms == ms.floor())).then(_clipped(ms).cast(pl.Int64, strict=False) * 1000),
        fault=pl.when(ms.is_nan() | ms.is_infinite() | (ms != ms.floor())).then(pl.lit("wrong_type")),
    )


def _clipped(ms: pl.Expr) -> pl.Expr:
    """Milliseconds just outside the range of instants for those farther outside, which could not be multiplied."""
    return ms.clip(FIRST_INSTANT - 1, END_OF_TIME // 1000)


def _from_text(column: pl.Series) -> pl.DataFrame:
    us = _rfc3339(column)
    if us.null_count() == column.null_count():
        return pl.select(us=us, fault=_NO_FAULT)
    text, unread = pl.col("text"), pl.col("us").is_null() & pl.col("text").is_not_null()
    digits = pl.when(unread & text.str.contains(_EPOCH_MS)).then(text.str.slice(0, 17))
    frame = pl.select(text=column, us=us, ms=None).with_columns(ms=digits.cast(pl.Int64, strict=False))
    naive = pl.when(text.str.contains(_NAIVE)).then(pl.lit("naive_time")).otherwise(pl.lit("bad_time"))
    return frame.select(
        us=pl.coalesce("us", _clipped(pl.col("ms")) * 1000), fault=pl.when(unread & pl.col("ms").is_null()).then(naive)
    )


def _rfc3339(text: pl.Series) -> pl.Series:
    """Microseconds of RFC 3339 texts with an offset; null for any other text."""
    text = text.zip_with(text.str.contains(_RFC3339), pl.Series([None], dtype=pl.String))
    utc, strict = text.str.ends_with("Z").all(), (text.str.slice(10, 1) == "T").all()
    clock = pl.col("text").str.slice(0, 19)
    if not strict:
        clock = clock.str.slice(0, 10) + "T" + clock.str.slice(11)
    seconds = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False).to_physical()
    if utc:
        digits, offset = pl.col("text").str.slice(20, 6).str.strip_suffix("Z"), pl.lit(0)
    else:
        zulu = pl.col("text").str.ends_with("Z") | pl.col("text").str.ends_with("z")
        local = pl.when(zulu).then(pl.col("text").str.head(-1)).otherwise(pl.col("text").str.head(-6))
        digits = local.str.slice(20, 6)
        offset = pl.when(zulu).then(0).otherwise(_offset_minutes(pl.col("text").str.tail(6))) * _US_PER_MINUTE
    fraction = digits.str.pad_end(6, "0").cast(pl.Int64, strict=False)
    return pl.select(text=text).select(us=seconds + fraction - offset)["us"]


def _offset_minutes(offset: pl.Expr) -> pl.Expr:
    """Minutes east of Greenwich of `+01:00` and the like."""
    hours, minutes = offset.str.slice(1, 2), offset.str.slice(4, 2)
    east = hours.cast(pl.Int64, strict=False) * 60 + minutes.cast(pl.Int64, strict=False)
    return pl.when(offset.str.starts_with("-")).then(-east).otherwise(east)
