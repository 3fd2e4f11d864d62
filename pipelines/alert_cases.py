"""Cases that a user writes for the rules of a plant: events, and what is to be open at which time."""

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kpis.errors import ConfigError
from pipelines.replay import read_plant, replay
from storage.alert_finding import SETTLE_US
from storage.alert_past import overdue
from storage.reader import Reader
from storage.selection import Selection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Table):
    """An alert that is to be open, by its rule and equipment; `since` only if it is given."""

    rule: str
    equipment: str
    since: datetime | None = None


class Expectation(_Table):
    """All alerts that are open at an instant, no more and no fewer."""

    at: datetime
    firing: list[Expected] = []


class Case(_Table):
    """What happens, in a file beside that of the cases or written out, and what is expected."""

    name: Annotated[str, Field(min_length=1)]
    file: Path | None = None
    events: list[dict[str, Any]] = []
    expect: Annotated[list[Expectation], Field(min_length=1)]


class CaseFile(_Table):
    """The whole file."""

    cases: Annotated[list[Case], Field(min_length=1)]


class Difference(NamedTuple):
    """Where a case went otherwise: what was expected and not there, or there and not expected."""

    case: str
    at: datetime
    missing: bool
    rule: str
    equipment: str


def read_cases(path: Path) -> CaseFile:
    """The cases in a file. Raises ConfigError for what cannot be read or is not as it should be."""
    try:
        return CaseFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read the cases {path}: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg, hint="check the path") from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not valid TOML: {error}"
        raise ConfigError(msg, hint="see docs/alerts.md for an example") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}" for fault in error.errors())
        msg = f"the cases in {path} are not as they should be: {faults}"
        raise ConfigError(msg, hint="see docs/alerts.md for an example") from error


def differences(plant: Path, cases: CaseFile, beside: Path) -> Iterator[Difference]:
    """Where the alerts of the cases are not as expected; every case runs through the engine in a store of its own."""
    for case in cases.cases:
        with TemporaryDirectory(prefix="oeeflow-alerts-") as folder:
            yield from _differences(plant, case, beside, Path(folder))


def _differences(plant: Path, case: Case, beside: Path, folder: Path) -> Iterator[Difference]:
    files = [] if case.file is None else [beside / case.file]
    if case.events:
        files.append(folder / "events.jsonl")
        files[-1].write_text("".join(json.dumps(event, default=_text) + "\n" for event in case.events))
    last = max(_us(expectation.at) for expectation in case.expect)
    replay(plant, files, folder / "case.duckdb", until=last + SETTLE_US + 1)
    with Reader(folder / "case.duckdb") as reader:
        rows = reader.alerts(Selection()).to_dicts()
        rows += overdue(reader.query, read_plant(plant), last + SETTLE_US + 1).to_dicts()
    for expectation in case.expect:
        at = expectation.at.astimezone(UTC)
        found = {
            (row["rule"], row["equipment"]): row["since"]
            for row in rows
            if row["fired_at"] is not None
            and row["state"] != "withdrawn"
            and row["fired_at"] <= at
            and (row["resolved_at"] is None or row["resolved_at"] > at)
        }
        wanted = {(alert.rule, alert.equipment): alert.since for alert in expectation.firing}
        for key, since in wanted.items():
            if key not in found or (since is not None and found[key] != since):
                yield Difference(case.name, expectation.at, True, *key)
        for key in found.keys() - wanted.keys():
            yield Difference(case.name, expectation.at, False, *key)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    msg = f"an event of a case has a value that is none in JSON: {value!r}"
    raise ConfigError(msg, hint="write it in quotes")


def _us(at: datetime) -> int:
    if at.tzinfo is None:
        msg = f"the time {at.isoformat()} of a case has no offset"
        raise ConfigError(msg, hint="such as 2026-03-24T08:00:00+01:00")
    whole = at - _EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
