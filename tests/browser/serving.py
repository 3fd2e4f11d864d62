"""The dashboard as a user starts it, and a browser that looks at it and at nothing else."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.broker import free_port

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_SLOW_S = 90


@contextmanager
def served(
    db: Path, *options: str, port: int | None = None, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """The dashboard of a store, for the time of the block; its address."""
    port = port or free_port()
    command = [sys.executable, "-m", "pipelines.cli", "dashboard", "--db", str(db), "--port", str(port), *options]
    given = os.environ | {"OEEFLOW_DB": ""} | (environment or {})
    started = subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True)
    try:
        _await(f"http://127.0.0.1:{port}/_stcore/health", started)
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.communicate(timeout=_SLOW_S)


@contextmanager
def browsing(program: str) -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def looked_at(browser: Browser, address: str, width: int = 1440, height: int = 1000) -> Page:
    """A page that is there: its head or what stands instead, and its charts."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(_SLOW_S * 1_000)
    page.goto(address)
    shown(page)
    return page


def shown(page: Page) -> None:
    """Wait until a page has come to rest."""
    page.locator(".of-head, .of-empty, .of-wall").first.wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def _await(address: str, started: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + _SLOW_S
    while time.monotonic() < until:
        assert started.poll() is None, started.communicate()[1]
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    message = f"nobody answers at {address}"
    raise TimeoutError(message)
