"""The demo: a plant, a broker, the engine and the dashboard, all on this machine, each a process of its own.

simulated plant ──MQTT──► broker ──MQTT──► engine ──► store ──► dashboard, commands
(this process)           (iotcore)    (oeeflow run)          (oeeflow dashboard)
"""

import fcntl
import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from kpis.errors import ConfigError, Interrupted
from pipelines.children import Child, answers
from pipelines.demo_plant import DemoPlant
from pipelines.operators import Halt
from pipelines.publish import Publisher
from storage.places import Places
from storage.running import Running

BROKER: Final = "mqtt://127.0.0.1:"
DASHBOARD: Final = "http://127.0.0.1:"
MAIL: Final = "mail"
"""The folder of the mailbox, in that of the demo."""
PATIENCE: Final = 90.0
"""seconds for a process to get ready; a machine may be slow."""
STEP: Final = 0.25
"""seconds from one look at the clock to the next."""
CLIENT: Final = "simulated-plant"
# A broker that holds back at most some ten megabytes of each topic, in memory.
_BROKER: Final = """\
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 10
[v5.1]
name = "v5"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = 1048576
max_inflight_count = 200
dynamic_filters = true
"""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have a folder to oneself. Raises ConfigError when another demo runs in it, or nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as error:
        msg = f"cannot write into {folder}: {(error.strerror or str(error)).lower()}"
        raise ConfigError(msg, hint="name another folder with --dir") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"a demo is running in {folder} already"
            raise ConfigError(msg, hint="end it with Ctrl-C, or name another folder with --dir") from error
        yield


def write_plant(example: Path, path: Path, broker_port: int, dashboard_port: int) -> None:
    """The plant file of the demo, with the ports of its broker and dashboard and the folder of its mailbox.

    What somebody changed in it stays.
    """
    text = (path if path.exists() else example).read_text(encoding="utf-8")
    text = re.sub(rf"{BROKER}\d+", f"{BROKER}{broker_port}", text)
    text = re.sub(rf"{DASHBOARD}\d+", f"{DASHBOARD}{dashboard_port}", text)
    text = text.replace('folder = "mail"', f"folder = {json.dumps(str(path.resolve().parent / MAIL))}")
    path.write_text(text, encoding="utf-8")


def start_broker(folder: Path, port: int) -> Child:
    """The embedded broker, on a port of the loopback interface, with its configuration and its log in a folder."""
    config = folder / "broker.toml"
    config.write_text(_BROKER.format(port=port), encoding="utf-8")
    command = [sys.executable, "-m", "iotcore", "--config", str(config), "--log-level", "CRITICAL"]
    return Child("broker", command, folder / "broker.log")


class Demo:
    """The processes of the demo in a folder, from `start` on. Use it as a context manager: leaving it ends them all.

    `start` raises ChildError when one does not start, and Interrupted when `halt` is asked.
    """

    def __init__(self, folder: Path, plant_file: Path, db: Path, plant: DemoPlant, halt: Halt) -> None:
        self._folder, self._plant_file, self._db = folder, plant_file, db
        self._plant, self._halt = plant, halt
        self._children: list[Child] = []
        self._ending = ExitStack()

    def __enter__(self) -> "Demo":
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def start(self, broker_port: int, dashboard_port: int) -> str:
        """Start everything, in the order in which messages go; the address of the engine's HTTP door."""
        self._add(start_broker(self._folder, broker_port))
        self._wait(lambda: answers(broker_port), "broker")
        engine = self._start_engine()
        self._start_dashboard(dashboard_port)
        self._publisher = self._ending.enter_context(Publisher(broker_port, CLIENT))
        return engine

    def keep_telling(self, tick: Callable[[], None]) -> None:
        """Tell what happens in the plant, until it is asked to end; `tick` is called every moment.

        Raises ChildError when a process ends that is needed.
        """
        while not self._halt.asked:
            self._check()
            self._plant.tell(self._publisher)
            tick()
            time.sleep(STEP)

    def _start_engine(self) -> str:
        engine = self._start("engine", "run", str(self._plant_file))
        places, found = Places(self._db.resolve()), [""]

        def ready() -> bool:
            running = Running.read(places)
            if running is None or running.pid != engine.pid or running.http is None:
                return False
            found[0] = running.http
            return _ok(f"{running.http}/readyz")

        self._wait(ready, "engine")
        return found[0]

    def _start_dashboard(self, port: int) -> None:
        self._start("dashboard", "dashboard", "--port", str(port), "--no-browser", "--role", "lead")
        self._wait(lambda: _ok(f"http://127.0.0.1:{port}/"), "dashboard")

    def _start(self, name: str, *arguments: str) -> Child:
        command = [sys.executable, "-m", "pipelines.cli", *arguments, "--db", str(self._db)]
        return self._add(Child(name, command, self._folder / f"{name}.log"))

    def _add(self, child: Child) -> Child:
        self._ending.enter_context(child)
        self._children.append(child)
        return child

    def _wait(self, ready: Callable[[], bool], name: str) -> None:
        end = time.monotonic() + PATIENCE
        while not ready():
            if self._halt.asked:
                msg = f"ended before the {name} was ready"
                raise Interrupted(msg, hint="the same command goes on from here")
            self._check()
            if time.monotonic() > end:
                msg = f"the {name} is not ready after {PATIENCE:.0f} seconds"
                raise ConfigError(msg, hint=f"see {self._folder / name}.log")
            time.sleep(0.05)

    def _check(self) -> None:
        for child in self._children:
            child.check()


def _ok(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
