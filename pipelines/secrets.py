"""Secrets: read where the plant file says they are, never shown anywhere."""

import os
import stat
from pathlib import Path

from pydantic import SecretStr

from kpis.errors import ConfigError
from kpis.plant_sources import SecretReference


def read_secret(reference: SecretReference) -> SecretStr:
    """The secret itself, without a line break at its end.

    Raises ConfigError if it is not there, is empty, or is in a file that everybody may read.
    """
    if reference.env is not None:
        place = f"the environment variable {reference.env}"
        secret = os.environ.get(reference.env)
        if secret is None:
            message = f"{place} is not set"
            raise ConfigError(message, hint="the plant file says that a secret is there")
    else:
        path = Path(reference.file or "")
        place = str(path)
        check_private(path)
        try:
            secret = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            message = f"{place} is not text in UTF-8"
            raise ConfigError(message, hint="it should hold the secret and nothing else") from None
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret:
        message = f"{place} is empty"
        raise ConfigError(message, hint="it should hold the secret and nothing else")
    return SecretStr(secret)


def check_private(path: Path) -> None:
    """Raises ConfigError if a file is missing, cannot be read, or can be read by everybody."""
    try:
        mode = path.stat().st_mode
        path.open("rb").close()
    except OSError as error:
        message = f"cannot read {path}: {(error.strerror or str(error)).lower()}"
        raise ConfigError(message, hint="the plant file says that a secret is there") from error
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        message = f"everybody on this machine may read {path}"
        raise ConfigError(message, hint=f"chmod 600 {path}, and let it belong to the user that runs oeeflow")
