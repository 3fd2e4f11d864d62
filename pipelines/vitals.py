"""How the engine is: what keeps it from being ready, and how far the store is behind the journal."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from kpis.wording import counted
from pipelines.reception import Reception
from pipelines.sources.mqtt import MqttIngest
from storage.journal import Journal

MOST_LAG: Final = 30.0
"""seconds behind the journal from which on the engine is not ready."""
MOST_SILENT: Final = 15.0
"""seconds without a commit, tick or not, from which on the dataflow is taken for stuck."""


@dataclass
class Vitals:
    """What the parts of the engine know of each other. Written by the dataflow, read by the HTTP door.

    `trouble` says why the dataflow does not run at the moment. `horizon` is in µs, `position` an offset of the journal.
    """

    journal: Journal
    reception: Reception
    ingests: Sequence[MqttIngest] = ()
    trouble: str | None = "starting"
    position: int = 0
    horizon: int | None = None
    snapshot_at: datetime | None = None
    flushed: float = field(default_factory=time.monotonic)

    @property
    def behind(self) -> int:
        """Messages that the store does not hold yet."""
        return max(self.reception.last - self.position, 0)

    def lag(self) -> tuple[int, float]:
        """Messages that the store does not hold yet, and for how many seconds the oldest one waits."""
        behind = self.behind
        if not behind:
            return 0, 0.0
        oldest = self.journal.read(self.position, 1, 1)
        seconds = time.time() - oldest["received_at"][0] / 1e6 if oldest.height else 0.0
        return behind, max(seconds, 0.0)

    def problems(self) -> dict[str, str]:
        """Why the engine is not ready, by subject; empty when it is."""
        found = {}
        if self.reception.failure is not None:
            found["journal"] = str(self.reception.failure)
        elif self.reception.full:
            found["journal"] = "full: nothing is acknowledged until there is room on the disk"
        for ingest in self.ingests:
            if not ingest.status().connected:
                found[f"source {ingest.name}"] = "no connection to its broker"
        if self.trouble is not None:
            found["store"] = self.trouble
        elif (silent := time.monotonic() - self.flushed) > MOST_SILENT:
            found["store"] = f"no commit for {silent:.0f} s"
        behind, seconds = self.lag()
        if seconds > MOST_LAG:
            found["lag"] = f"{counted(behind, 'message')} and {seconds:.0f} s behind"
        return found
