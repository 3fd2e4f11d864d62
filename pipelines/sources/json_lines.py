"""JSON lines: one event, a JSON object, per line.

Lines of the plain kind, which a pattern recognises, are parsed and checked whole blocks at a time. All others take the
exact way, one by one, that tells apart everything that JSON can hold. Both ways give the same event for the same line.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from kpis.errors import SourceError
from kpis.event_checks import validate
from kpis.events import EVENTS, FIELDS, INSTANTS, INTEGERS
from pipelines.sources.chunk import Chunk, RawPart
from pipelines.sources.json_objects import decode_exactly
from pipelines.sources.lines import Block, decode_ahead, read_blocks, texts_of, with_raw

_SAMPLE: Final = 1 << 16
_KEY: Final = re.compile(rb'"([A-Za-z0-9_.-]{1,40})":[ ]?(["0-9tfn-])')
_KINDS: Final = {b'"': "text", b"t": "truth", b"f": "truth", b"n": "null"}
_MOST_EXTRAS: Final = 32
_TEXT: Final = r'"[^"\\\x00-\x1f]*"'
_PATTERNS: Final = {
    "text": _TEXT,
    "instant": r'"[0-9]{4}-[0-9Tt:. Zz+-]*"',
    "integer": r"-?(?:0|[1-9][0-9]{0,14})",
    "number": r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?",
    "truth": "(?:true|false)",
}
_TYPES: Final[dict[str, pl.DataType]] = {
    "text": pl.String(),
    "instant": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "truth": pl.Boolean(),
}
_KNOWN: Final = {
    **dict.fromkeys(FIELDS, "text"),
    **dict.fromkeys(INTEGERS, "integer"),
    **dict.fromkeys(INSTANTS, "instant"),
    "online": "truth",
}
_PROBE: Final = 1000


class Decoded(NamedTuple):
    """The events of a block of lines and, as REJECTED, what is none."""

    events: pl.DataFrame
    rejected: pl.DataFrame


def read(path: Path, start: int, rows: int) -> Iterator[Chunk]:
    """The events of a file of JSON lines after its line `start`.

    Raises SourceError if the file cannot be read or holds no JSON lines at all.
    """

    def decode_block(block: Block) -> Chunk:
        decoded = decode(block.data, block.first)
        if block.first == 1:
            _refuse_other_files(path, block.data, decoded)
        raw = RawPart(block.end, partial(_raw, block))
        return Chunk(decoded.events, decoded.rejected, block.end, block.bytes_read, (raw,))

    return decode_ahead(read_blocks(path, start, rows), decode_block)


def _raw(block: Block, lines: pl.Series) -> pl.Series:
    """The bytes of lines of a block."""
    every = block.data.split(b"\n")
    return pl.Series("raw", [every[line - block.first].removesuffix(b"\r") for line in lines], dtype=pl.Binary)


def _refuse_other_files(path: Path, data: bytes, decoded: Decoded) -> None:
    lines = data.count(b"\n")
    unreadable = decoded.rejected.filter(pl.col("reason") == "not_json", pl.col("line") <= _PROBE).height
    if (lines >= _PROBE or b"\x00" in data[:_SAMPLE]) and unreadable >= min(lines, _PROBE):
        message = f"{path}: this is not a file of JSON lines, none of its first {unreadable} lines is JSON"
        raise SourceError(message, hint="events are one JSON object per line")


def decode(data: bytes, first: int) -> Decoded:
    """Events out of whole lines, each ended by a newline; `first` is the number of the first one.

    Every line ends among the events or among the rejected, except blank ones.

    >>> line = b'{"equipment": "a/b", "ts": 0, "type": "state", "state": "down"}'
    >>> decode(line + b"\\n" + line[:9] + b"\\n", 1).rejected.select("line", "reason").rows()
    [(2, 'not_json')]
    """
    lines, unreadable = texts_of(data, first, "not_json")
    total = lines.height + unreadable.height
    parts: list[Decoded] = []
    for kinds in (_sampled(data) or _KNOWN, _KNOWN):
        plain = lines["text"].str.contains(_pattern(tuple(kinds.items())))
        if plain.any():
            chosen = lines.filter(plain)
            parts.append(_decode_plain(chosen, kinds, data if chosen.height == total else None))
            lines = lines.filter(~plain)
    if lines.height:
        parts.append(Decoded(*decode_exactly(lines)))
    if len(parts) == 1 and unreadable.is_empty():
        return parts[0]
    events = pl.concat([EVENTS.to_frame(), *(part.events for part in parts)]).sort("line")
    return Decoded(events, pl.concat([unreadable, *(part.rejected for part in parts)]).sort("line"))


def _decode_plain(lines: pl.DataFrame, kinds: Mapping[str, str], data: bytes | None) -> Decoded:
    """Lines that are of the plain kind; `data`, if given, are just these lines."""
    source = data if data is not None else "\n".join(lines["text"]).encode()
    given = pl.read_ndjson(source, schema={name: _TYPES[kind] for name, kind in kinds.items()})
    valid = validate(given, lines["line"])
    return Decoded(valid.events, with_raw(valid.rejected, lines))


def _sampled(data: bytes) -> dict[str, str]:
    """The keys of the first lines and the kind of their values; further keys only if they are of one kind."""
    found: dict[str, set[str]] = {}
    for key, start in _KEY.findall(data, 0, _SAMPLE):
        found.setdefault(key.decode(), set()).add(_KINDS.get(start, "number"))
    known = {name: kind for name, kind in _KNOWN.items() if name in found}
    for name in INSTANTS:
        if found.get(name, set()) - {"null"} == {"number"}:
            known[name] = "integer"
    extras = {name: kinds - {"null"} or {"text"} for name, kinds in found.items() if name not in _KNOWN}
    alike = [(name, kinds.pop()) for name, kinds in extras.items() if len(kinds) == 1]
    return {**known, **dict(alike[:_MOST_EXTRAS])}


@lru_cache(maxsize=64)
def _pattern(kinds: tuple[tuple[str, str], ...]) -> str:
    """A pattern of JSON objects of these keys, at least one, with values that no parser could read in two ways."""
    values = {kind: "|".join(re.escape(name) for name, other in kinds if other == kind) for kind in _PATTERNS}
    pairs = "|".join(f'"(?:{names})":[ ]?(?:{_PATTERNS[kind]}|null)' for kind, names in values.items() if names)
    return rf"^\{{(?:{pairs})(?:,[ ]?(?:{pairs}))*\}}$"
