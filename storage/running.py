"""What a running engine tells other processes about itself: where it is reached."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Self

from storage.places import Places


@dataclass(frozen=True)
class Running:
    """The process that writes a store, and its addresses: `readers` for queries, `http` for events and health."""

    pid: int
    readers: str | None
    http: str | None
    started_at: str

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it belongs to somebody else
        return True

    @classmethod
    def read(cls, places: Places) -> Self | None:
        """What the engine of a store has written; None: none is running, or it did not get that far."""
        try:
            told = json.loads(places.live.read_bytes())
            return cls(int(told["pid"]), told.get("readers"), told.get("http"), str(told["started_at"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, places: Places) -> None:
        """Tell others, at once and whole."""
        partial = places.live.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(partial, places.live)

    @staticmethod
    def forget(places: Places) -> None:
        """The engine ends."""
        places.live.unlink(missing_ok=True)
