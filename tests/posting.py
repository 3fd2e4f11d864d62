"""A store with an outbox, on a clock that is set by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from kpis.accounting import account
from kpis.plant import load_plant
from storage.store import Store
from tests.engine import batch, prepared, queried
from tests.on_duty import LINE, PLANT, ROUTE, STAFF
from tests.random_logs import Event

TEXT = PLANT.replace('when = { state = "down" }', 'when = { state = "down" }\nlevel = "unit"') + STAFF + ROUTE
MACHINE = f"{LINE}/filler"
MONDAY = datetime(2026, 3, 9, 8, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> datetime:
        return self.now

    @property
    def us(self) -> int:
        return (self.now - EPOCH) // timedelta(microseconds=1)


class Engine:
    """A store that follows a clock."""

    def __init__(self, db: Path) -> None:
        self.db, self.clock, self.plant = db, Clock(), load_plant(TEXT)

    def open(self) -> "Store":
        return Store(prepared(self.db), self.plant, plant_path="plant.toml", clock=self.clock)

    def commit(self, store: Store, events: Sequence[Event] = (), *, tell: bool = True, **more: pl.DataFrame) -> None:
        taken = replace(batch(events, horizon=self.clock.us), tell=tell, **more)  # type: ignore[arg-type]
        pending = store.take(taken)
        store.commit(pending, account(pending.work, self.plant) if pending.work else None)
        store.settle()

    def state(self, name: str, *, minute: float) -> Event:
        at = MONDAY + timedelta(minutes=minute)
        return {"id": f"{minute}", "equipment": MACHINE, "ts": at.isoformat(), "type": "state", "state": name}

    def deliveries(self) -> list[tuple[str, str, str, str]]:
        rows = queried(self.db, "SELECT * FROM alert_deliveries ORDER BY due_at, recipient")
        return [(row["recipient"], row["kind"], row["outcome"], row["message"]) for row in rows]
