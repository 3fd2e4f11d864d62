"""The command that shows the pages in a browser."""

import ipaddress
import os
import socket
import sys
import webbrowser
from enum import StrEnum
from typing import Annotated, Final

import typer

from pipelines.options import Db

_ROLE: Final = "OEEFLOW_ROLE"
_OIDC_FILE: Final = "OEEFLOW_OIDC_FILE"
_THEME: Final = "OEEFLOW_THEME"


class Theme(StrEnum):
    """How the pages look."""

    LIGHT = "light"
    DARK = "dark"


class Role(StrEnum):
    """What somebody is who looks at the pages; each may do what those before it may."""

    VIEWER = "viewer"
    LEAD = "lead"
    ADMIN = "admin"


def dashboard(
    db: Db,
    port: Annotated[int, typer.Option(help="Port that pages are served on.", min=1, max=65_535)] = 8501,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other than loopback: whoever reaches it can read.")
    ] = ("127.0.0.1"),
    role: Annotated[
        Role | None,
        typer.Option(help="Give everybody who opens the pages this role, for trying out; on this machine only."),
    ] = None,
    theme: Annotated[Theme, typer.Option(help="Light, or dark for rooms that are.")] = Theme.LIGHT,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the pages in a browser.")] = False,
) -> None:
    """Show the store in a browser, until Ctrl-C: plant, lines, losses, and why every number is what it is.

    It reads while `oeeflow run` writes, and renews itself. Who looks may not reclassify, unless a role says so: people
    log in by OpenID Connect or a proxy in front (docs/operations.md), or --role lead is for trying out.

    Examples:
      oeeflow dashboard --db kpi.duckdb
      oeeflow dashboard --db kpi.duckdb --port 8600 --browser
      oeeflow dashboard --db kpi.duckdb --role lead
    """
    from kpis.errors import ConfigError
    from storage.reader import Reader

    with Reader(db):
        pass  # a wrong path or an old store is told here, not on a page
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = f"cannot listen on {host} port {port}: {(error.strerror or str(error)).lower()}"
            raise ConfigError(message, hint="name another with --port or --host") from error
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    print(f"dashboard of {db} at {address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if role is not None:
        print(f"warning: for trying out, everybody has the role {role.value}", file=sys.stderr, flush=True)
    if not _loopback(host) and _OIDC_FILE not in os.environ:
        print("warning: without a log-in, anybody who reaches this address can read it", file=sys.stderr, flush=True)
    if browser:
        webbrowser.open(address)
    environment = os.environ | {"OEEFLOW_DB": str(db.resolve())}
    if theme is Theme.DARK:
        environment[_THEME] = theme.value
    if role is not None:
        environment[_ROLE] = role.value
    os.execve(sys.executable, [sys.executable, "-P", "-m", "dashboards", host, str(port)], environment)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
