"""Signed links by which the recipient of a letter acknowledges an alert, once."""

import base64
import hmac
import json
import os
import secrets
from binascii import Error
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from kpis.errors import ConfigError

PATH: Final = "/alerts/link/"
_INVALID: Final = "this link is not valid"


class Link(NamedTuple):
    """Which alert, and whose link it is; `message` is the letter that it came in, `expires` in µs since 1970 UTC."""

    alert: str
    person: str
    message: str
    expires: int

    @property
    def action(self) -> str:
        """The id of what is done by it: however often that is, it is one."""
        return sha256("\n".join(map(str, self)).encode()).hexdigest()[:32]


class Links:
    """Signs links with the key in a file that only this user can read; the file is made when it is not there.

    `base` is what they begin with, as it is at the time.
    """

    def __init__(self, key_file: Path, base: Callable[[], str]) -> None:
        self._key, self._base = _key(key_file), base

    def url(self, link: Link) -> str:
        """The address of a link."""
        content = base64.urlsafe_b64encode(json.dumps(link, ensure_ascii=False).encode()).rstrip(b"=").decode()
        return f"{self._base()}{PATH}{content}.{self._signature(content)}"

    def read(self, token: str, now: int) -> Link:
        """The link with this token. Raises ConfigError if it is not one of ours, or is too old."""
        content, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            raise ConfigError(_INVALID, hint="open it as it is in the message")
        try:
            padded = content + "=" * (-len(content) % 4)
            link = Link(*json.loads(base64.urlsafe_b64decode(padded)))
        except (ValueError, TypeError, Error) as error:
            raise ConfigError(_INVALID) from error
        if link.expires <= now:
            msg = "this link is too old"
            raise ConfigError(msg, hint="acknowledge in the dashboard or on the command line")
        return link

    def _signature(self, content: str) -> str:
        signature = hmac.digest(self._key, content.encode(), "sha256")[:24]
        return base64.urlsafe_b64encode(signature).decode()


def _key(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) < 32:
            msg = f"{path} holds no key"
            raise ConfigError(msg, hint="remove it: a new one is made, and links in older messages end") from None
        return key
    key = secrets.token_bytes(32)
    with open(descriptor, "wb") as file:
        file.write(key)
    return key
