"""Commands by which people say what they do about an alert: the running engine writes it down."""

import json
import re
import time
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import quote

import typer

from kpis.duration import parse_duration
from kpis.errors import OeeflowError, SourceError
from pipelines.options import Db
from storage.places import Places
from storage.running import Running

_ID = re.compile("[0-9a-f]{4,16}")

ANSWER_WITHIN = 15.0

Alert = Annotated[str, typer.Argument(help="Id of an open alert, or its beginning.", metavar="ID", show_default=False)]
By = Annotated[str, typer.Option("--by", help="Who you are.", metavar="NAME", show_default=False)]
Comment = Annotated[str | None, typer.Option("--comment", help="What there is to say.", show_default=False)]


def ack(alert: Alert, db: Db, by: By, comment: Comment = None) -> None:
    """Acknowledge an alert: it is known to you, and goes no further.

    Examples:
      oeeflow alerts ack 9915288c --by Anna --db kpi.duckdb
    """
    _do(db, alert, kind="acknowledge", by=by, comment=comment)


def take(alert: Alert, db: Db, by: By, comment: Comment = None) -> None:
    """Take an alert over: you are at it, and it goes no further.

    Examples:
      oeeflow alerts take 9915288c --by Ben --comment "on my way" --db kpi.duckdb
    """
    _do(db, alert, kind="take", by=by, comment=comment)


def comment(
    alert: Alert, db: Db, by: By, text: Annotated[str, typer.Option("--comment", help="What there is to say.")]
) -> None:
    """Say something about an alert; it goes on as before.

    Examples:
      oeeflow alerts comment 9915288c --by Ben --comment "belt torn, spare part ordered" --db kpi.duckdb
    """
    _do(db, alert, kind="comment", by=by, comment=text)


def shelve(
    alert: Alert,
    db: Db,
    by: By,
    length: Annotated[str, typer.Option("--for", help="How long, up to 7d: 30m, 8h.", metavar="DURATION")],
    reason: Annotated[str, typer.Option("--reason", help="Why nobody has to hear of it.")],
) -> None:
    """Put an alert aside for a while: nobody is told of it until then.

    Examples:
      oeeflow alerts shelve 9915288c --by Anna --for 2h --reason "spare part at 14:00" --db kpi.duckdb
    """
    until = time.time_ns() // 1_000 + parse_duration(length)
    _do(db, alert, kind="shelve", by=by, comment=reason, until=until)


def unshelve(alert: Alert, db: Db, by: By, comment: Comment = None) -> None:
    """Take an alert from the shelf before its time: it goes on where it was.

    Examples:
      oeeflow alerts unshelve 9915288c --by Anna --db kpi.duckdb
    """
    _do(db, alert, kind="unshelve", by=by, comment=comment)


def _do(db: Db, alert: str, **action: Any) -> None:
    """Post an action to the engine of a store. Raises SourceError without one, OeeflowError with what it refuses."""
    if not _ID.fullmatch(alert):
        message = f'"{alert}" is no id of an alert'
        raise SourceError(message, hint="`oeeflow alerts` shows them: 4 to 16 of the characters 0-9 and a-f")
    places = Places(db.resolve())
    running = Running.read(places)
    if running is None or running.http is None:
        message = f"no engine is running for {db}"
        raise SourceError(message, hint="start it with `oeeflow run`: it writes down what people do")
    request = urllib.request.Request(
        f"{running.http}/alerts/{quote(alert, safe='')}/actions",
        json.dumps({name: value for name, value in action.items() if value is not None}).encode(),
        {"Authorization": f"Bearer {places.token.read_text(encoding='utf-8')}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        refused = json.load(error)
        raise OeeflowError(refused["error"], hint=refused["hint"]) from error
    except OSError as error:
        message = f"the engine at {running.http} does not answer"
        raise SourceError(message, hint="see whether it still runs: `oeeflow doctor`") from error
    print(f"{action['kind']}: {told['text']} ({told['alert']})")
