"""What people say about hours, through the HTTP door of a running engine: journalled, then in the store."""

import json
import time
from collections.abc import Collection, Sequence
from typing import Any
from uuid import uuid4

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kpis.errors import ConfigError
from kpis.hour_notes import read_note
from pipelines.http_door import Refused, authorise, body_of
from pipelines.people_door import journalled
from pipelines.reception import Reception
from storage.tokens import Tokens


class NotesDoor:
    """Takes notes about hours of the `known` equipment; an answer that all is well is given when they are durable."""

    def __init__(self, reception: Reception, tokens: Tokens, known: Collection[str]) -> None:
        self._reception, self._tokens, self._known = reception, tokens, known

    @property
    def routes(self) -> Sequence[Route]:
        """What the HTTP door answers by this."""
        return (Route("/hours/notes", self._take, methods=["POST"]),)

    async def _take(self, request: Request) -> Response:
        """A note as a JSON object: `equipment`, `hour` (µs since 1970 UTC), `kind`, `by`, for a comment `comment`."""
        authorise(request, self._tokens)
        body = await body_of(request)
        try:
            told = json.loads(body)
        except ValueError as error:
            raise Refused(400, "the body is not JSON", "send one object with equipment, hour, kind and by") from error
        if not isinstance(told, dict):
            raise Refused(400, "the body is no note", "send one object with equipment, hour, kind and by")
        given: dict[str, Any] = {"note": uuid4().hex, **told, "at": time.time_ns() // 1_000}
        payload = json.dumps(given).encode()
        try:
            note = read_note(payload)
        except ConfigError as error:
            raise Refused(400, str(error), error.hint or "") from error
        if note.equipment not in self._known:
            raise Refused(404, f'the plant has no equipment "{note.equipment}"', "name a path of the plant file")
        await run_in_threadpool(journalled, self._reception, payload, note.at)
        return JSONResponse({"status": "stored", "note": note.note})
