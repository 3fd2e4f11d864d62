"""What people do about alerts, through the HTTP door: by a token, or by the link in a message."""

import json
import threading
import time
from collections.abc import Sequence
from html import escape
from typing import Any, Final
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kpis.alert_actions import Action, read_action
from kpis.errors import ConfigError
from kpis.plant_sources import PEOPLE
from kpis.routing import Case
from pipelines.http_door import STORED_WITHIN, Refused, authorise, body_of, busy
from pipelines.notify.links import PATH, Link
from pipelines.notify.office import Office
from pipelines.reception import Reception
from storage.journal import Entry
from storage.tokens import Tokens

_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<style>body{{font:1.1rem system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}}
button{{font:inherit;padding:.8rem 1.6rem}}</style></head><body><h1>{title}</h1>{content}</body></html>"""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Frame-Options": "DENY",
}


class PeopleDoor:
    """Takes actions and journals them; an answer that all is well is given when that is durable."""

    def __init__(self, reception: Reception, tokens: Tokens, office: Office) -> None:
        self._reception, self._tokens, self._office = reception, tokens, office

    @property
    def routes(self) -> Sequence[Route]:
        """What the HTTP door answers by this."""
        return (
            Route("/alerts/{alert}/actions", self._act, methods=["POST"]),
            Route(f"{PATH}{{token}}", self._ask, methods=["GET"]),
            Route(f"{PATH}{{token}}", self._confirm, methods=["POST"]),
        )

    async def _act(self, request: Request) -> Response:
        """An action as a JSON object: `kind`, `by`, and as it needs them `comment` and `until` (µs since 1970 UTC)."""
        authorise(request, self._tokens)
        body = await body_of(request)
        found = self._office.case(request.path_params["alert"])
        if found is None:
            raise Refused(404, "there is no open alert of this id", "`oeeflow alerts --state firing` lists them")
        try:
            told = json.loads(body)
        except ValueError as error:
            raise Refused(400, "the body is not JSON", "send one object with kind and by") from error
        if not isinstance(told, dict):
            raise Refused(400, "the body is no action", "send one object with kind and by")
        given: dict[str, Any] = {"action": uuid4().hex, "way": "command", **told}
        given |= {"alert": found[0].alert, "at": time.time_ns() // 1_000}
        try:
            action = read_action(json.dumps(given).encode())
        except ConfigError as error:
            raise Refused(400, str(error), error.hint or "") from error
        await run_in_threadpool(self._store, action)
        return JSONResponse({"status": "stored", "action": action.action, "alert": action.alert, "text": found[1]})

    async def _ask(self, request: Request) -> Response:
        """A page with a button: what only reads mail and follows its links changes nothing."""
        link, found = self._linked(request)
        if found is None or found[0].acknowledged_by is not None:
            return _told(found)
        content = (
            f"<p>{escape(found[1])}</p><form method='post'><button>Acknowledge as {escape(link.person)}</button></form>"
        )
        return _page("An alert is open", content)

    async def _confirm(self, request: Request) -> Response:
        link, found = self._linked(request)
        if found is None or found[0].acknowledged_by is not None:
            return _told(found)
        now = time.time_ns() // 1_000
        action = Action(action=link.action, alert=link.alert, kind="acknowledge", by=link.person, way="link", at=now)
        await run_in_threadpool(self._store, action)
        return _page("Acknowledged", f"<p>{escape(found[1])}</p><p>by {escape(link.person)}</p>")

    def _linked(self, request: Request) -> tuple[Link, tuple[Case, str] | None]:
        try:
            link = self._office.links.read(request.path_params["token"], time.time_ns() // 1_000)
        except ConfigError as error:
            raise Refused(403, str(error), error.hint or "") from error
        return link, self._office.case(link.alert)

    def _store(self, action: Action) -> None:
        journalled(self._reception, action.model_dump_json(exclude_none=True).encode(), action.at)


def journalled(reception: Reception, payload: bytes, at: int) -> None:
    """Journal what somebody said or did, and wait until it is durable. Raises Refused when that is not soon."""
    if reception.full or reception.failure is not None:
        raise busy(seconds=30)
    offset: list[int | None] = []
    stored = threading.Event()

    def done(reached: int | None) -> None:
        offset.append(reached)
        stored.set()

    reception.offer(Entry(PEOPLE, "", payload, at), done, patience=2.0)
    if not stored.wait(STORED_WITHIN) or offset[0] is None:
        raise busy(seconds=5)


def _told(found: tuple[Case, str] | None) -> Response:
    if found is None:
        return _page("Nothing to do", "<p>This alert is over.</p>")
    by = escape(found[0].acknowledged_by or "")
    return _page("Nothing to do", f"<p>{escape(found[1])}</p><p>Acknowledged by {by} already.</p>")


def _page(title: str, content: str) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, content=content), headers=_HEADERS)
