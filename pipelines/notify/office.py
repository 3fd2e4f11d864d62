"""All that tells people of alerts, around the outbox of a store."""

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import structlog

from kpis.errors import ConfigError
from kpis.plant import Plant
from kpis.plant_people import AndonChannel
from kpis.routing import Case
from pipelines.notify import NOTIFIERS
from pipelines.notify.andon import Andon, lights
from pipelines.notify.letters import Wording, named
from pipelines.notify.links import Link, Links
from pipelines.notify.sender import ChannelStatus, Sender
from pipelines.secrets import read_secret
from storage.outbox import Letter, Line, Outbox
from storage.places import Places

LINKS_FOR_US: Final = 2 * 86_400_000_000
"""So long after a message its links are good."""
LOOK_EVERY: Final = 5.0
"""seconds until the lights are looked at again although no alert changed: shelves end."""
HEARTBEAT_EVERY: Final = 60.0
LOOK_AT_HEALTH: Final = 1.0
"""seconds until an engine that is not well is looked at again."""

log = structlog.get_logger("notify")


class Office:
    """Tells people of the alerts of a plant. Raises ConfigError when a secret or the key of links is unusable.

    `address` is that of the engine's own HTTP door: links lead there unless the plant file names another.
    """

    def __init__(self, plant: Plant, places: Places, address: Callable[[], str]) -> None:
        self._plant = plant
        calling = plant.calling
        named_base = calling.settings.engine
        self.links = Links(places.links_key, address if named_base is None else lambda: named_base)
        made = {channel.name: named(channel, NOTIFIERS) for channel in calling.channels}
        self._notifiers = {name: notifier for name, notifier in made.items() if notifier is not None}
        self._wording = Wording(calling.settings.dashboard, self._acknowledge)
        self._outbox: Outbox | None = None
        self._sender: Sender | None = None
        self._andons: list[Andon] = []
        self._seen: tuple[int, float] = (-1, 0.0)

    @contextmanager
    def serving(self, outbox: Outbox) -> Iterator[None]:
        """Send the letters of an outbox, for the time of the block."""
        calling = self._plant.calling
        lines = [path for path, item in self._plant.equipment.items() if item.level == "line"]
        with ExitStack() as stack:
            self._sender = stack.enter_context(Sender(calling, self._notifiers, self._wording, outbox.report))
            self._andons = [Andon(each, lines) for each in calling.channels if isinstance(each, AndonChannel)]
            for andon in self._andons:
                andon.start()
                stack.callback(andon.stop)
            self._outbox, self._seen = outbox, (-1, 0.0)
            try:
                yield
            finally:
                self._outbox = None

    def attend(self) -> None:
        """Take up what was committed: call it when the last commit is durable."""
        if self._outbox is None or self._sender is None:
            return
        self._sender.post(self._outbox.ready())
        version, looked = self._seen
        now = time.monotonic()
        if self._andons and (version != self._outbox.version or now > looked + LOOK_EVERY):
            self._seen = (self._outbox.version, now)
            wanted = lights(self._outbox.cases(), time.time_ns() // 1_000)
            for andon in self._andons:
                andon.show(wanted)

    def case(self, alert: str) -> tuple[Case, str] | None:
        """An open alert and its text, by its id or the beginning of it."""
        return None if self._outbox is None else self._outbox.case(alert)

    def status(self) -> dict[str, ChannelStatus]:
        """How each channel is doing; of an andon only whether its broker is connected."""
        found = {} if self._sender is None else self._sender.status()
        for andon in self._andons:
            error = None if andon.connected else "no connection to its broker"
            found[andon.name] = ChannelStatus(0, 0.0, 0 if andon.connected else 1, 0, 0, error)
        return found

    def _acknowledge(self, letter: Letter, line: Line) -> str:
        return self.links.url(Link(line.alert, letter.recipient, letter.message, letter.due_at + LINKS_FOR_US))


class Heartbeat:
    """Asks for a page as long as all is well, so that somebody outside notices when it is not: a dead man's switch.

    Use it as a context manager. `well` tells whether all is.
    """

    def __init__(self, url: str, well: Callable[[], bool], every: float = HEARTBEAT_EVERY) -> None:
        self._url, self._well, self._every = url, well, every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stopping.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            if self._well():
                try:
                    urllib.request.urlopen(self._url, timeout=10).close()
                    failing = False
                except (OSError, ValueError) as error:
                    if not failing:
                        log.warning("the heartbeat is not heard", found=type(error).__name__)
                    failing = True
                self._stopping.wait(self._every)
            else:
                self._stopping.wait(min(self._every, LOOK_AT_HEALTH))


def heartbeat(plant: Plant, well: Callable[[], bool]) -> ExitStack | Heartbeat:
    """The heartbeat that a plant file asks for; nothing if it asks for none. Raises ConfigError for a wrong address."""
    reference = plant.calling.settings.heartbeat
    if reference is None:
        return ExitStack()
    url = read_secret(reference).get_secret_value()
    if not url.startswith(("http://", "https://")):
        msg = "the heartbeat is not the address of a site"
        raise ConfigError(msg, hint="it begins with https:// or http://")
    return Heartbeat(url, well)
