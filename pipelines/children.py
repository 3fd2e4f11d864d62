"""Processes that belong to another one: they are started, watched and ended by it, and never outlive it."""

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kpis.errors import OeeflowError

GRACE: Final = 15.0
"""seconds to end in after being asked to."""
_PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of prctl(2)
_prctl = ctypes.CDLL(None).prctl


class ChildError(OeeflowError):
    """A process that is needed has ended."""


class Child:
    """A process in a group of its own, so that Ctrl-C in a terminal reaches only its parent, which ends it in order.

    What it says goes to a log file. If its parent is killed, the kernel asks it to end.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=os.environ | (environment or {}),
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ChildError if it has ended."""
        status = self._process.poll()
        if status is not None:
            msg = f"the {self.name} has ended with status {status}{self._last_words()}"
            raise ChildError(msg, hint=f"see {self.log}")

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1].strip()}" if lines else ""

    def end(self) -> None:
        """Ask it and what it started to end, and wait; kill what does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self.pid, number)
            try:
                self._process.wait(GRACE)
                return
            except subprocess.TimeoutExpired:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _end_with_parent() -> None:
    _prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens on a port of the loopback interface."""
    with socket.socket() as client:
        client.settimeout(0.2)
        return client.connect_ex(("127.0.0.1", port)) == 0
