"""Reports that were signed off are kept as they were, beside the store; later corrections make the next revision."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from kpis.errors import StorageError
from storage.places import Places, sync
from storage.reports.content import Content, Difference, Report, Signed
from storage.reports.sections import Section, compared, shown

_JSON = TypeAdapter(Report)
_FILE = re.compile(r"revision-([1-9][0-9]*)\.json")


def current(places: Places, content: Content) -> Report:
    """The revision of a report as it is now: the one last signed off if nothing in it has changed, else the next."""
    last = next(iter(kept(places, content.equipment, content.shift)), None)
    if last is None:
        return Report(content)
    found = differences(last.content, content)
    return Report(content, last.revision + 1, None, found) if found else last


def kept(places: Places, equipment: str, shift: str) -> list[Report]:
    """The revisions signed off, the last one first. Raises StorageError for a file that is none."""
    folder = _folder(places, equipment, shift)
    with suppress(FileNotFoundError):
        named = ((found, path) for path in folder.iterdir() if (found := _FILE.fullmatch(path.name)))
        return [_load(path) for _, path in sorted(((int(name[1]), path) for name, path in named), reverse=True)]
    return []


def sign_off(places: Places, report: Report, by: str, at: int) -> Report:
    """Keep a report for good, signed by somebody at an instant (µs since 1970).

    Raises StorageError when its shift is not over, when it is signed off already, or when it cannot be kept.
    """
    content = report.content
    if report.signed is not None:
        msg = f"revision {report.revision} is signed off, and nothing in it has changed since"
        raise StorageError(msg, hint="there will be a next revision when late events or corrections change it")
    if not content.over:
        end = shown(content.end, "moment", ZoneInfo(content.timezone))
        msg = f"the shift lasts until {end}, and that is not accounted yet"
        raise StorageError(msg, hint="sign it off when the shift is over")
    if not by.strip():
        msg = "nobody signs the report off"
        raise StorageError(msg, hint="give the name of who does")
    signed = replace(report, signed=Signed(by.strip(), at))
    path = _folder(places, content.equipment, content.shift) / f"revision-{report.revision}.json"
    try:
        _keep(places, path, _JSON.dump_json(signed, indent=1))
    except FileExistsError as error:
        msg = f"revision {report.revision} was signed off by somebody else just now"
        raise StorageError(msg, hint="look at the report again") from error
    except OSError as error:
        msg = f"the report cannot be kept in {path.parent}: {(error.strerror or str(error)).lower()}"
        raise StorageError(msg, hint="whoever signs off has to be able to write beside the store") from error
    return signed


def as_json(report: Report) -> bytes:
    """A report as JSON, as it is kept: times in RFC 3339, lengths of time in µs, ratios as fractions."""
    return _JSON.dump_json(report, indent=1)


def differences(before: Content, after: Content) -> tuple[Difference, ...]:
    """What is shown differently; a row that only one of them has counts with each of its values."""
    found = []
    for old, new in zip(compared(before), compared(after), strict=True):
        was, now = (dict(_cells(section, ZoneInfo(after.timezone))) for section in (old, new))
        for place in [*now, *(place for place in was if place not in now)]:
            one, other = was.get(place, ""), now.get(place, "")
            if one != other:
                found.append(Difference(new.name, *place, one, other))
    return tuple(found)


def _cells(section: Section, zone: ZoneInfo) -> Iterator[tuple[tuple[str, str], str]]:
    """Values as shown, by row and column; texts name rows and shares follow from times, so both are left out."""
    for row in section.rows:
        for at, column in enumerate(section.columns):
            kind = section.kind(at, row)
            if kind not in ("text", "clock", "gap") and column.name != "share":
                yield (row.key, column.name), section.text(at, row, zone)


def _folder(places: Places, equipment: str, shift: str) -> Path:
    """Where the revisions of a report are: names of equipment may have any characters, dots too."""
    parts = [quote(part, safe=" ").replace(".", "%2E") for part in (*equipment.split("/"), shift.replace("/", "_", 1))]
    return places.reports.joinpath(*parts)


def _keep(places: Places, path: Path, data: bytes) -> None:
    """Write a file that must not be there yet, whole and durable. Raises OSError."""
    places.make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial") as partial:
        partial.write(data)
        partial.flush()
        os.fsync(partial.fileno())
        os.link(partial.name, path)
    for folder in (path.parent, *path.parent.parents):
        sync(folder)
        if folder == places.folder:
            break


def _load(path: Path) -> Report:
    try:
        return _JSON.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{path} is no report that can be read"
        raise StorageError(msg, hint="take it from a backup of the folder, or move it away") from error
