"""One shift of a bottling line, its numbers worked out by hand, and what people correct later.

Early shift of Monday 2 March 2026 in Berlin, 06:00 to 14:00 with a break from 08:00 to 08:30. The filler makes the time
of the line (ideal cycle a second), the packer its pieces. Planned 7.5 h, of it 20 minutes down with a jam at 07:00.
"""

from datetime import timedelta
from pathlib import Path

from tests.browser.stores import FILLER, LINE, PACKER, PLANT, START
from tests.engine import fill
from tests.random_logs import Event

SHIFT = "2026-03-02/early"
PLANNED_S = 27_000
RUN_S = 25_800
AVAILABILITY = 25_800 / 27_000
PERFORMANCE = 13_500 / 25_800  # 13500 pieces of a second each at the filler
QUALITY = 12_400 / 13_000  # at the packer
WANTED = 20_250  # 27000 s at a piece a second, times the target of 0.75
OVER = int(START.timestamp() * 1e6) + 9 * 3_600_000_000  # 15:00


def event(equipment: str, minutes: float, kind: str, **fields: object) -> Event:
    """An event so many minutes after the shift began."""
    at = START + timedelta(minutes=minutes)
    name = f"{kind}-{minutes}-{fields.get('reason', '')}{fields.get('scrap', '')}"
    return {"id": name, "ts": at.isoformat(), "equipment": equipment, "type": kind, **fields}


def events() -> list[Event]:
    """The shift as it happened."""
    return [
        event(LINE, 0, "order", action="start", order="4711", product="P-1", quantity=20_000),
        event(FILLER, 0, "state", state="RUN"),
        event(PACKER, 0, "state", state="RUN"),
        event(FILLER, 30, "count", good=1_500),
        event(PACKER, 30, "count", good=1_400),
        event(PACKER, 31, "count", scrap=60, reason="dent"),
        event(PACKER, 32, "count", rework=40),
        event(FILLER, 60, "state", state="STOP", reason="jam"),
        event(FILLER, 80, "state", state="RUN"),
        event(FILLER, 120, "state", state="WAIT"),
        event(FILLER, 150, "state", state="RUN"),
        event(FILLER, 200, "count", good=12_000),
        event(PACKER, 200, "count", good=11_000, scrap=500),
        event(FILLER, 480, "state", state="STOP"),
        event(PACKER, 480, "state", state="STOP"),
    ]


def filled(db: Path, until: int = OVER) -> None:
    """A store of the shift, accounted up to an instant; without telling more, to 15:00."""
    fill(db, PLANT, [events()], until=until)


def corrected(db: Path) -> None:
    """Later somebody rules that the jam was a planned stop: planned 25800 s, all of it run."""
    start, end = event(FILLER, 60, "state")["ts"], event(FILLER, 80, "state")["ts"]
    ruling = event(FILLER, 600, "reclassify", start=start, end=end, state="planned", by="Anna")
    fill(db, PLANT, [[ruling]])
