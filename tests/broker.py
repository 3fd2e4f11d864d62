"""A real MQTT broker (mosquitto) of a test's own: started, killed and started again as it likes."""

import socket
import subprocess
from getpass import getuser
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.parts import program
from tests.running import until

CONFIG = """\
user {user}
listener {port} 127.0.0.1
max_queued_messages 0
max_inflight_messages 1000
"""
LASTING = """\
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """Use it as a context manager: it listens inside, unless it was killed.

    `settings` are lines of its configuration; unless they say otherwise it lets everybody in. What is `lasting` is on
    disk at once.
    """

    def __init__(self, folder: Path, *settings: str, lasting: bool = True) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self._command = [program("mosquitto"), "-c", str(folder / "mosquitto.conf")]
        self._log = folder / "mosquitto.log"
        config = CONFIG + "\n".join([*(settings or ("allow_anonymous true",)), LASTING if lasting else ""])
        (folder / "mosquitto.conf").write_text(
            config.format(user=getuser(), port=self.port, folder=folder), encoding="utf-8"
        )
        self._process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address, as the plant file has it."""
        return f"mqtt://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, with what it kept."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(self._listens)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def _listens(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
