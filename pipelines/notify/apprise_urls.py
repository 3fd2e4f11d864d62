"""Mail, Teams, Slack, SMS gateways, webhooks and the rest of what apprise knows: one URL, one attempt."""

import logging
import re
from contextvars import ContextVar
from typing import Any, ClassVar, Final
from urllib.parse import quote

from kpis.errors import ConfigError
from pipelines.notify.letters import Notifier, Text, Undelivered
from pipelines.secrets import read_secret
from storage.outbox import Letter

ADDRESS: Final = "{address}"
HEADED: Final = ("mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms")
"""Services that take headers of our own: the id of the message is one of them, and in the text for all."""


class AppriseNotifier(Notifier):
    """Hands letters to the service behind an apprise URL."""

    kind: ClassVar[str] = "apprise"

    def __init__(self, channel: Any) -> None:
        super().__init__(channel)
        self.timeout = channel.timeout / 1e6

    def send(self, letter: Letter, person: str, address: str, text: Text) -> None:
        """Hand it over. Raises Undelivered with what apprise says of it."""
        from apprise import Apprise, AppriseAsset, NotifyFormat

        try:
            url = read_secret(self.channel.url).get_secret_value()
        except ConfigError as error:
            raise Undelivered(str(error)) from error
        url = url.replace(ADDRESS, quote(address, safe=""))
        if url.partition(":")[0].lower() in HEADED:
            url += f"{'&' if '?' in url else '?'}+X-Oeeflow-Message={letter.message}"
        service = Apprise(asset=AppriseAsset(async_mode=False))
        with _Overheard() as said:
            if not service.add(url):
                reason = "the URL of the channel is none that apprise knows"
                raise Undelivered(reason)
            if self.channel.short:
                taken = service.notify(body=text.short, body_format=NotifyFormat.TEXT)
            else:
                taken = service.notify(body=text.body, title=text.subject, body_format=NotifyFormat.TEXT)
        if not taken:
            raise Undelivered(_without_secrets(said.last or "the service did not take it", url))


class _Overheard(logging.Handler):
    """What apprise says on our behalf, in whatever thread; it answers with yes or no only."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if _listening.get() is self:
            self.last = record.getMessage().splitlines()[0]

    def __enter__(self) -> "_Overheard":
        _listening.set(self)
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *fault: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


_listening: ContextVar[_Overheard | None] = ContextVar("listening", default=None)


def _without_secrets(said: str, url: str) -> str:
    """A text without what could be a secret of a URL: all its longer parts.

    >>> _without_secrets("failed: token s3cr3tt0k3n refused", "slack://s3cr3tt0k3n/x")
    'failed: token … refused'
    """
    for part in sorted(re.split(r"[/:@?&=+]+", url), key=len, reverse=True):
        if len(part) >= 6 and part not in ("localhost", "mailto", "mailtos"):
            said = said.replace(part, "…")
    return said
