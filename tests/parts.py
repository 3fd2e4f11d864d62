"""Programs that some tests need and that pip does not install."""

import os
import shutil

import pytest

HOW = {
    "chromium": "apt install chromium",
    "mosquitto": "apt install mosquitto",
    "mosquitto_passwd": "apt install mosquitto",
    "openssl": "apt install openssl",
}


def program(name: str) -> str:
    """The path of a program; the test is skipped if it is missing, and fails where all must be there."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        reason = f"{name} is missing: {HOW[name]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
