"""Starts the pages: `python -m dashboards HOST PORT`. `oeeflow dashboard` does that; OEEFLOW_DB names the store.

Everything is set here, on Streamlit's command line, so that no file of settings anywhere changes it.
"""

import os
import sys
import threading
from contextlib import suppress
from importlib.resources import files
from importlib.util import find_spec
from typing import Final

from dashboards.roles import OIDC_FILE, Ways
from dashboards.theme import CONFIG
from kpis.errors import ConfigError, OeeflowError

_INTERRUPTED: Final = 130
_MISSET: Final = 2
_SETTINGS: Final = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.enableStaticServing": "false",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "runner.magicEnabled": "false",
    "runner.postScriptGC": "false",  # a whole collection after every refresh costs a fifth of it
    "logger.level": "warning",
    "logger.hideWelcomeMessage": "true",
}


def arguments(host: str, port: int) -> list[str]:
    """What Streamlit is called with."""
    settings = _SETTINGS | CONFIG | {"server.address": host, "server.port": str(port), "browser.serverPort": str(port)}
    if named := os.environ.get(OIDC_FILE):
        settings["secrets.files"] = named
    flags = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return ["run", str(files("dashboards").joinpath("app.py")), *flags]


def check(host: str) -> None:
    """Raise ConfigError when people could not be known as the environment says."""
    known = Ways.read(os.environ, host)
    if known.oidc is None:
        return
    if not os.access(known.oidc, os.R_OK):
        msg = f"{OIDC_FILE} names {known.oidc}, which cannot be read"
        raise ConfigError(msg, hint="name a file with the settings of the log-in; see docs/operations.md")
    if find_spec("authlib") is None:
        msg = "a log-in needs the package Authlib"
        raise ConfigError(msg, hint="pip install 'oeeflow[login]'")


def _look_ahead() -> None:
    """Load what pages need and read the board, so that who looks first need not wait for that."""
    from dashboards import reading

    with suppress(OeeflowError):
        reading.board()


def main() -> None:
    """Serve the pages until somebody ends it."""
    try:
        check(sys.argv[1])
    except ConfigError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(_MISSET)
    try:
        from streamlit.web.cli import main as streamlit

        threading.Thread(target=_look_ahead, name="first", daemon=True).start()
        streamlit(arguments(sys.argv[1], int(sys.argv[2])), prog_name="streamlit")
    except KeyboardInterrupt:  # before the server has a handler of its own
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
