"""The way to the running engine: what is decided here goes in by its HTTP door, with the token of this user."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dashboards import texts_correcting as words
from dashboards.reading import DB
from dashboards.roles import Right, Visitor
from kpis.errors import OeeflowError
from storage.places import Places
from storage.running import Running

_ALIVE_WITHIN: Final = 2.0
_DECIDED_WITHIN: Final = 30.0
"""seconds; the engine answers within half of that, whatever happens."""
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class DoorClosed(OeeflowError):  # noqa: N818 (it is expected)
    """Nothing can be written: no engine runs, or it does not let us in, or does not take what it was sent."""


@dataclass(frozen=True)
class Door:
    """The door of a running engine: its address, and the token that is shown there."""

    address: str
    token: str

    def send(self, visitor: Visitor, right: Right, events: Sequence[dict[str, Any]]) -> None:
        """Have events taken in, and wait until they are on disk. A duplicate is as good as taken in.

        Raises NotAllowed unless the visitor has the right, DoorClosed when an event was not taken in.
        """
        visitor.need(right)
        told = self._post("/events", list(events))
        rejected = [event for event in told.get("events", ()) if event["outcome"] == "rejected"]
        if rejected:
            raise DoorClosed(words.REJECTED.format(detail=rejected[0]["detail"]), hint=words.REJECTED_HINT)

    def act(self, visitor: Visitor, alert: str, action: dict[str, Any]) -> None:
        """Have what a visitor does about an open alert written down, and wait until it is on disk.

        Raises NotAllowed unless the visitor may, DoorClosed when it was not taken in.
        """
        visitor.need(Right.ACT)
        self._post(f"/alerts/{alert}/actions", {**action, "by": visitor.name, "way": "page"})

    def note(self, visitor: Visitor, note: dict[str, Any]) -> None:
        """Have what a visitor says about an hour written down, and wait until it is on disk.

        Raises NotAllowed unless the visitor may, DoorClosed when it was not taken in.
        """
        visitor.need(Right.NOTE)
        self._post("/hours/notes", {**note, "by": visitor.name})

    def _post(self, path: str, content: object) -> dict[str, Any]:
        request = urllib.request.Request(
            self.address + path,
            json.dumps(content).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with _DIRECT.open(request, timeout=_DECIDED_WITHIN) as answer:
                told: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise _refused(error) from error
        except (OSError, ValueError) as error:
            raise DoorClosed(words.NO_ANSWER, hint=words.NO_ANSWER_HINT) from error
        return told


def find() -> Door:
    """The door of the engine that fills the store. Raises DoorClosed, saying why there is none."""
    places = Places(Path(os.environ[DB]))
    running = Running.read(places)
    if running is None or running.http is None:
        raise DoorClosed(words.NO_ENGINE, hint=words.NO_ENGINE_HINT)
    try:
        with _DIRECT.open(f"{running.http}/livez", timeout=_ALIVE_WITHIN):
            pass
    except OSError as error:
        raise DoorClosed(words.NO_ENGINE, hint=words.NO_ENGINE_HINT) from error
    try:
        token = places.token.read_text(encoding="utf-8").strip()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DoorClosed(words.NO_TOKEN.format(why=why), hint=words.NO_TOKEN_HINT.format(path=places.token)) from error
    return Door(running.http, token)


def _refused(error: urllib.error.HTTPError) -> DoorClosed:
    try:
        told = json.loads(error.read())
        return DoorClosed(told["error"], hint=told["hint"])
    except (OSError, ValueError, KeyError):
        return DoorClosed(words.REFUSED.format(status=error.code), hint=words.NO_ANSWER_HINT)
