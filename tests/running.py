"""A running engine, as tests start, ask and kill it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.places import Places
from storage.running import Running

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0


def until(what: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Engine:
    """The command `oeeflow run` on a store; started, stopped and killed as often as a test likes."""

    def __init__(
        self,
        plant: Path,
        db: Path,
        *options: str,
        environment: dict[str, str] | None = None,
        program: str = "pipelines.cli",
    ) -> None:
        self.plant, self.db, self._program = plant, db, program
        self.places = Places(db)
        self._options = options
        self._environment = {**os.environ, **(environment or {})}
        self.log = db.with_suffix(".log")
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Begin; it may not be ready yet."""
        command = [sys.executable, "-m", self._program, "run", str(self.plant), "--db", str(self.db), *self._options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, env=self._environment)

    def ready(self) -> None:
        """Wait until it says that it is ready."""
        until(lambda: self.process.poll() is not None or self.asked("/readyz")[0] == 200)
        assert self.process.poll() is None, self.said()

    def answers(self) -> bool:
        """Whether it has come so far that it answers."""
        return self.asked("/livez")[0] == 200

    def seconds(self) -> float:
        """Processor time that it has used, which other processes do not lengthen."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to stop, and see that it does so in order."""
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == 0, self.said()

    def kill(self) -> None:
        """Kill it, wherever it is."""
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(encoding="utf-8")

    def asked(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and body of a request; 0 if nobody answers."""
        running = Running.read(self.places)
        if running is None or running.http is None or running.pid != self.process.pid:
            return 0, b""
        request = urllib.request.Request(running.http + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def problems(self) -> dict[str, str]:
        """Why it says that it is not ready, by subject."""
        status, answer = self.asked("/readyz")
        return json.loads(answer)["problems"] if status == 503 else {}

    def posted(self, *events: dict[str, Any]) -> tuple[int, Any]:
        """Events through the HTTP door: status and answer."""
        token = self.places.token.read_text(encoding="utf-8")
        status, answer = self.asked("/events", json.dumps(events).encode(), Authorization=f"Bearer {token}")
        return status, json.loads(answer) if answer else None

    def metric(self, name: str) -> float:
        """A metric by its name with labels."""
        for line in self.asked("/metrics")[1].decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[-1])
        return float("nan")


@contextmanager
def running(
    plant: Path,
    db: Path,
    *options: str,
    environment: dict[str, str] | None = None,
    program: str = "pipelines.cli",
) -> Iterator[Engine]:
    """An engine that is ready; killed in the end if it still runs."""
    engine = Engine(plant, db, *options, environment=environment, program=program)
    engine.start()
    try:
        engine.ready()
        yield engine
    finally:
        engine.kill()
