"""Conditions of alerts that are questions to the store, asked while the engine runs: those in SQL, overdue orders.

All are asked by the rules that hold for all readers.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import duckdb
import polars as pl

from kpis.alert_scope import in_scope
from kpis.alert_watch import Held
from kpis.errors import StorageError
from kpis.plant import Plant
from kpis.plant_alerts import AlertRule
from storage.alert_overdue import overdue, question
from storage.gate import check, restrict

SECONDS: Final = 5.0
"""A question that takes longer is stopped."""
ASKED: Final = ("sql", "overdue")
MOST_ROWS: Final = 1_000
_LOOK_EVERY: Final = 0.2


class Questions:
    """Asks the questions of the alert rules in a thread of its own, one at a time. Use it as a context manager.

    `con` is a connection of the database that is being written; it stays the caller's. Every question has a read-only
    transaction of its own. What is wrong with one, by the name of its rule, goes to `failed`; the last answer stays.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, plant: Plant, failed: Callable[[str, str], None]) -> None:
        self._con = con.cursor()
        self._plant, self._failed = plant, failed
        self._rules = [(number, rule) for number, rule in enumerate(plant.alerts) if rule.when.kind in ASKED]
        self._scopes = {number: frozenset(in_scope(rule, plant)) for number, rule in self._rules}
        self._answers: dict[int, list[Held]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-questions", daemon=True)

    def __enter__(self) -> Self:
        if self._rules:
            restrict(self._con)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._con.interrupt()
            self._thread.join()
        self._con.close()

    @property
    def answered(self) -> bool:
        """Whether every question was answered at least once."""
        return self._answers.keys() == self._scopes.keys()

    def holding(self) -> list[Held]:
        """What holds by the last answers."""
        return [held for answer in list(self._answers.values()) for held in answer]

    def _run(self) -> None:
        due = dict.fromkeys(self._scopes, 0.0)
        while not self._stopping.is_set():
            for number, rule in self._rules:
                if due[number] <= time.monotonic() and not self._stopping.is_set():
                    due[number] = time.monotonic() + rule.when.every / 1e6
                    self._ask(number, rule)
            self._stopping.wait(_LOOK_EVERY)

    def _ask(self, number: int, rule: AlertRule) -> None:
        name, limit, strange = rule.name, rule.when.overdue, []
        try:
            if limit is None:
                strange = self._take(number, self._selected(rule.when.sql or ""))
            else:
                held = overdue(self._rows(question(self._plant)), self._plant, number, limit)
                self._answers[number] = [each for each in held if each.equipment in self._scopes[number]]
        except (StorageError, duckdb.Error, pl.exceptions.PolarsError) as error:
            if not self._stopping.is_set():
                self._failed(name, str(error).splitlines()[0])
            return
        if strange:
            self._failed(name, f"rows of equipment that the plant file does not have, such as {strange[0]!r}")

    def _selected(self, statement: str) -> pl.DataFrame:
        """The rows of a question that stands in the plant file."""
        bounded = f"FROM (\n{statement.rstrip().removesuffix(';')}\n) LIMIT {MOST_ROWS + 1}"
        check(self._con, bounded)
        return self._rows(bounded)

    def _rows(self, statement: str) -> pl.DataFrame:
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._con.interrupt()

        timer = threading.Timer(SECONDS, stop)
        timer.start()
        try:
            self._con.execute("BEGIN TRANSACTION READ ONLY")
            try:
                return pl.DataFrame(self._con.execute(statement).to_arrow_table())
            finally:
                self._con.execute("ROLLBACK")
        except duckdb.Error as error:
            if late.is_set():
                msg = f"stopped after {SECONDS:g} s"
                raise StorageError(msg, hint="ask for less") from error
            raise
        finally:
            timer.cancel()

    def _take(self, number: int, rows: pl.DataFrame) -> list[str]:
        """Take an answer; equipment in it that the plant does not have."""
        if "equipment" not in rows.columns:
            msg = "the answer has no column equipment"
            raise StorageError(msg, hint='such as "SELECT equipment FROM …"')
        if rows.height > MOST_ROWS:
            msg = f"the answer has more than {MOST_ROWS:,} rows"
            raise StorageError(msg, hint="ask for less")
        value = pl.col("value").cast(pl.Float64) if "value" in rows.columns else pl.lit(None, pl.Float64)
        found = rows.select(pl.col("equipment").cast(pl.String), value=value).unique("equipment", maintain_order=True)
        paths = dict(found.drop_nulls("equipment").iter_rows())
        self._answers[number] = [
            Held(number, path, value=value) for path, value in paths.items() if path in self._scopes[number]
        ]
        return [path for path in paths if path not in self._plant.equipment]
