"""Files of lines, plain or compressed: whole lines in large blocks, with their numbers, from any line on."""

import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol

import polars as pl
import zstandard

from kpis.errors import SourceError
from kpis.events import REJECTED
from pipelines.sources.chunk import Chunk

LINE_LIMIT: Final = 1 << 20
"""Lines longer than this many bytes are rejected."""
KEPT_OF_LONG_LINE: Final = 64 << 10
"""So many bytes of a line that is too long are kept."""

_PARTS: Final = 12  # blocks of a chunk: what is decoded at a time takes several times its bytes
_PIECE: Final = 1 << 16
_USUAL_LINE: Final = 128
_LARGEST_BLOCK: Final = 64 << 20
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_THREADS: Final = 1
_WHOLE: Final = "whole"
_DAMAGED: Final = "damaged"
_CUT_OFF: Final = "cut off"


class Block(NamedTuple):
    """Whole lines of a file: `first` is the number of the first, `end` of the last; the first of a file is 1.

    `bytes_read` is how far the file itself, compressed or not, has been read. Of a line that is too long, no more than
    what shows that it is too long.
    """

    data: bytes
    first: int
    end: int
    bytes_read: int


class _Decompressor(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


_DECOMPRESSORS: Final[dict[str, Callable[[], _Decompressor]]] = {
    ".gz": lambda: zlib.decompressobj(wbits=31),
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
COMPRESSIONS: Final = tuple(_DECOMPRESSORS)
_MAGIC: Final = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}


def read_blocks(path: Path, start: int, rows: int) -> Iterator[Block]:
    """Blocks of about a twelfth of `rows` lines, after the first `start` lines.

    Raises SourceError if the file cannot be opened, if it is not compressed as its name says or its compressed data is
    damaged, or, after every line before that point, if it is cut off.
    """
    try:
        with path.open("rb") as file:
            _refuse_damage(path, file)
            yield from _blocks(path, file, start, -(-rows // _PARTS))
    except OSError as error:
        message = f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        raise SourceError(message, hint="check the path and the permission to read it") from error


def _refuse_damage(path: Path, file: BinaryIO) -> None:
    """Go through compressed data once: what stands before a damage may be wrong too, and only its end tells."""
    kind = path.suffix.lower()
    if kind not in _DECOMPRESSORS:
        return
    if file.read(len(_MAGIC[kind])) not in (_MAGIC[kind], b""):
        message = f"{path}: this is not compressed as its name says"
        raise SourceError(message, hint=f"take {kind} off its name if it is a plain file, or copy it again")
    file.seek(0)
    if _state(_pieces(file, _DECOMPRESSORS[kind])) == _DAMAGED:
        message = f"{path}: the compressed data is damaged"
        raise SourceError(message, hint="nothing of it was read, for any of it may be wrong; copy it again")
    file.seek(0)


def _state(pieces: Generator[bytes, None, str]) -> str:
    """In what state the data ends."""
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        return str(end.value)


def _blocks(path: Path, file: BinaryIO, start: int, rows: int) -> Iterator[Block]:
    pieces = _pieces(file, _DECOMPRESSORS.get(path.suffix.lower()))
    size, line, tail = min(_LARGEST_BLOCK, rows * _USUAL_LINE), 0, b""
    end: str | None = None
    while end is None:
        data, end = _gather(pieces, tail, size)
        if line == 0 and not tail:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        cut = data.rfind(b"\n") + 1
        data, tail = data[:cut], data[cut : cut + LINE_LIMIT + 1]
        if end == _WHOLE and tail:
            data, tail = data + tail + b"\n", b""
        count = data.count(b"\n")
        first, line = line + 1, line + count
        if count:
            size = min(_LARGEST_BLOCK, rows * len(data) // count)
        if count and line > start:
            skipped = max(0, start + 1 - first)
            yield Block(_after_lines(data, skipped), first + skipped, line, file.tell())
    if end != _WHOLE:
        message = f"{path}: the compressed data is {end} after line {line}"
        raise SourceError(message, hint="every line up to there has been read; copy the file again to read the rest")


def _gather(pieces: Generator[bytes, None, str], tail: bytes, size: int) -> tuple[bytes, str | None]:
    """At least `size` bytes and null, or at the end of the data fewer and in what state it ended."""
    gathered, length = [tail], len(tail)
    try:
        while length < max(size, len(tail) + 1):
            piece = next(pieces)
            gathered.append(piece)
            length += len(piece)
    except StopIteration as end:
        return b"".join(gathered), end.value
    return b"".join(gathered), None


def _pieces(file: BinaryIO, decompressor: Callable[[], _Decompressor] | None) -> Generator[bytes, None, str]:
    """The bytes of a file, decompressed; returns in what state they ended."""
    if decompressor is None:
        while piece := file.read(_PIECE):
            yield piece
        return _WHOLE
    stream, fresh = decompressor(), True
    while compressed := file.read(_PIECE):
        while compressed:
            try:
                piece = stream.decompress(compressed)
            except (zlib.error, zstandard.ZstdError):
                return _DAMAGED
            yield piece
            fresh, compressed = stream.eof, stream.unused_data
            if fresh:
                stream = decompressor()
    return _WHOLE if fresh else _CUT_OFF


def _after_lines(data: bytes, count: int) -> bytes:
    position = 0
    for _ in range(count):
        position = data.index(b"\n", position) + 1
    return data[position:]


def decode_ahead(blocks: Iterator[Block], decode: Callable[[Block], Chunk]) -> Iterator[Chunk]:
    """Decode blocks in a thread of its own, ahead of the reader, in their order.

    What `blocks` or `decode` raises comes after everything before it.
    """
    fault: SourceError | None = None
    with ThreadPoolExecutor(_THREADS) as pool:
        pending: deque[Future[Chunk]] = deque()
        while True:
            try:
                block = next(blocks, None)
            except SourceError as error:
                block, fault = None, error
            if block is None:
                break
            pending.append(pool.submit(decode, block))
            if len(pending) > _THREADS:
                yield pending.popleft().result()
        for future in pending:
            yield future.result()
    if fault is not None:
        raise fault


def texts_of(data: bytes, first: int, reason: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines of a block as texts (`line`, `text`), and as REJECTED those too long, or for `reason` not UTF-8."""
    try:
        # Polars takes what begins like compressed data for such, be it text like `x^`: so it begins with an empty line.
        texts = pl.read_lines(b"\n" + data)["line"][1:]
    except pl.exceptions.ComputeError:  # some line is not UTF-8
        raw = [line.removesuffix(b"\r") for line in data.split(b"\n")[:-1]]
        texts = pl.Series([_text(line) for line in raw], dtype=pl.String)
    else:
        raw = []
    lines = pl.select(line=pl.int_range(first, first + len(texts)), text=texts)
    wrong = [(first + index, raw[index]) for index in texts.is_null().arg_true()]
    long = (texts.str.len_bytes() > LINE_LIMIT).fill_null(False)
    if not wrong and not long.any():
        return lines, REJECTED.to_frame()
    unread = pl.DataFrame(wrong, {"line": pl.Int64, "raw": pl.Binary}, orient="row")
    kept = lines.filter(long).select("line", raw=pl.col("text").cast(pl.Binary).bin.slice(0, KEPT_OF_LONG_LINE))
    too_long = f"the line is longer than {LINE_LIMIT} bytes; its first {KEPT_OF_LONG_LINE} bytes are kept"
    rejected = [
        _unreadable(unread, reason, "the line is not text in UTF-8"),
        _unreadable(kept, "too_long", too_long),
    ]
    return lines.filter(~long).drop_nulls(), pl.concat(rejected)


def _unreadable(lines: pl.DataFrame, reason: str, detail: str) -> pl.DataFrame:
    none = pl.lit(None, pl.String)
    columns = {"equipment": none, "id": none, "reason": pl.lit(reason), "detail": pl.lit(detail)}
    return lines.with_columns(**columns).select(REJECTED.names())


def _text(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def with_raw(rejected: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows with the bytes of the lines (`line`, `text`) they come from."""
    if rejected.is_empty():
        return rejected
    raw = lines.select("line", raw=pl.col("text").cast(pl.Binary))
    return rejected.drop("raw").join(raw, on="line", how="left", maintain_order="left")
