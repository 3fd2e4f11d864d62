"""Who may read: the token of this machine, and named ones that can be taken away one by one."""

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import Final

from kpis.errors import ConfigError
from storage.places import Places

FILE_VARIABLE: Final = "OEEFLOW_TOKENS_FILE"
LOCAL: Final = "local"
READ: Final = "read"
SEND: Final = "send"
"""Rights: to ask for rows, and to post events."""


class Tokens:
    """Tokens by the name of their owner; kept are hashes.

    The local token is made anew and left in a file that only this user can read; it has all rights. The others are in
    the file that OEEFLOW_TOKENS_FILE names: a line for each, its name, the SHA-256 of the token in hexadecimal, and its
    rights, `read` where none is named. That file is read again when it changes, so a line taken out is a token taken
    away. Raises ConfigError when it cannot be used.
    """

    def __init__(self, places: Places) -> None:
        places.make()
        token = secrets.token_urlsafe(32)
        _write_private(places.token, token)
        self._local = hashed(token)
        name = os.environ.get(FILE_VARIABLE)
        self._file = Path(name) if name else None
        self._stamp: tuple[int, int] | None = None
        self._named: dict[str, tuple[str, frozenset[str]]] = {}
        self._reread()

    def owner(self, token: str, right: str = READ) -> str | None:
        """Whose token it is; None: nobody's who has that right."""
        try:
            self._reread()
        except ConfigError:
            self._named, self._stamp = {}, None  # what cannot be read lets nobody in
        given = hashed(token)
        found = None
        for name, (known, rights) in [(LOCAL, (self._local, _ALL)), *self._named.items()]:
            if hmac.compare_digest(given, known) and right in rights:
                found = name
        return found

    def _reread(self) -> None:
        if self._file is None:
            return
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._named, self._stamp = _parsed(self._file), stamp
        except OSError as error:
            msg = f"{FILE_VARIABLE} names {self._file}: {(error.strerror or str(error)).lower()}"
            raise ConfigError(msg, hint="name a file that the engine can read, or none") from error


def hashed(token: str) -> str:
    """What is kept of a token.

    >>> hashed("secret")[:16]
    '2bb80d537b1da3e3'
    """
    return hashlib.sha256(token.encode()).hexdigest()


_ALL: Final = frozenset((READ, SEND))
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def _parsed(file: Path) -> dict[str, tuple[str, frozenset[str]]]:
    named = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        name, hash_, rights = words[0], "".join(words[1:2]).lower(), frozenset(words[2:] or [READ])
        if not _HASH.fullmatch(hash_) or rights - _ALL:
            msg = f"{file} line {number} is not a name, the SHA-256 of a token and rights, read or send"
            raise ConfigError(msg, hint="make one as docs/connect.md shows")
        named[name] = (hash_, rights)
    return named


def _write_private(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(partial, path)
