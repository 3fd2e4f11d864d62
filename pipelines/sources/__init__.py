"""Sources of events: bytes in, canonical events and rejected rows out. One file a kind."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from kpis.errors import SourceError
from pipelines.sources import csv_files, json_lines, mtconnect, parquet_files
from pipelines.sources.chunk import Chunk
from pipelines.sources.lines import COMPRESSIONS

__all__ = ["FILE_KINDS", "RECORDINGS", "ROWS", "Chunk", "FileKind", "Source", "open_events", "size_of"]

ROWS: Final = 245_760
"""about so many events make a chunk."""


class Source(Protocol):
    """A `[[sources]]` table of the plant file."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...


class FileKind(NamedTuple):
    """Files of canonical events: how their names end, whether they may be compressed, and what reads them."""

    suffixes: tuple[str, ...]
    compressible: bool
    read: Callable[[Path, int, int], Iterator[Chunk]]


FILE_KINDS: Final = (
    FileKind((".jsonl", ".ndjson"), True, json_lines.read),
    FileKind((".csv",), True, csv_files.read),
    FileKind((".parquet",), False, parquet_files.read),
)
RECORDINGS: Final[Mapping[str, Callable[..., Iterator[Chunk]]]] = {"mtconnect": mtconnect.read}
"""What reads the recorded lines of a kind of source."""


def open_events(path: Path, source: Source | None = None, start: int = 0, rows: int = ROWS) -> Iterator[Chunk]:
    """The events of a file after its first `start` lines or rows, in chunks of about `rows` lines.

    Without `source` the name of the file tells what is in it. Where chunks end never changes what is in them.
    Raises SourceError if the file is missing, of no known kind, not what its name says, or damaged; of a file that is
    cut off, or damaged where it is not compressed, all chunks before that come first.
    """
    if path.is_dir():
        message = f"{path} is a folder, not a file"
        raise SourceError(message, hint="name the files in it, for example with *.jsonl")
    if not path.exists():
        message = f"no such file: {path}"
        raise SourceError(message, hint="check the path")
    return _reader(path, source)(path, start, rows)


def size_of(path: Path) -> int:
    """The bytes of a file, against which `bytes_read` of its chunks tells the progress; 0 if it is missing."""
    return path.stat().st_size if path.exists() else 0


def _reader(path: Path, source: Source | None) -> Callable[[Path, int, int], Iterator[Chunk]]:
    if source is not None:
        if source.kind not in RECORDINGS:
            message = f"source {source.name} is of kind {source.kind}, which has no recordings"
            raise SourceError(message, hint=f"kinds that can be replayed: {', '.join(RECORDINGS)}")
        return partial(RECORDINGS[source.kind], source)
    name = path.name.lower()
    plain = next((name.removesuffix(end) for end in COMPRESSIONS if name.endswith(end)), name)
    for kind in FILE_KINDS:
        if (plain if kind.compressible else name).endswith(kind.suffixes):
            return kind.read
    suffixes = [f"*{end}" for kind in FILE_KINDS for end in kind.suffixes]
    message = f"{path}: the name does not tell what is in the file"
    hint = f"events come as {', '.join(suffixes)}, as lines also compressed (.gz, .zst); recordings need a source"
    raise SourceError(message, hint=hint)
