"""Canonical events as lines of JSON again."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANTS = ("ts", "start", "end")


def as_lines(events: pl.DataFrame) -> pl.Series:
    """Each event of a canonical frame as one line of JSON that reads back as the same event.

    >>> from kpis.events import EVENTS
    >>> event = {"equipment": "a/b", "ts": 1, "type": "state", "state": "down", "details": '{"lot":7}'}
    >>> as_lines(pl.DataFrame([event], schema=EVENTS)).item().decode()
    '{"equipment": "a/b", "ts": "1970-01-01T00:00:00.000001Z", "type": "state", "state": "down", "lot": 7}'
    """
    return pl.Series("raw", [_line(event) for event in events.drop("line").iter_rows(named=True)], dtype=pl.Binary)


def _line(event: dict[str, object]) -> bytes:
    details = event.pop("details")
    fields = {name: value for name, value in event.items() if value is not None}
    for name in _INSTANTS:
        if isinstance(instant := fields.get(name), int):
            fields[name] = (_BEGIN + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")
    if isinstance(details, str):
        fields |= json.loads(details)
    return json.dumps(fields, ensure_ascii=False).encode()
