"""Alerts as people who have to do something about them see them: what is open, who was told, what was done."""

from dataclasses import dataclass
from typing import Any, Final

from kpis.routing import Case, Told
from storage.database import microseconds
from storage.reader import Reader
from storage.selection import instant, text

_OPEN: Final = "(state = 'firing' OR (state = 'suppressed' AND resolved_at IS NULL))"

Row = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """An alert with all that was told of it and done about it, oldest first; instants are µs since 1970 UTC.

    `alert` is its row of the table `alerts`, `told` has rows of `alert_deliveries`, `actions` of `alert_actions`.
    """

    alert: Row
    told: tuple[Row, ...]
    actions: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Its id."""
        return str(self.alert["alert"])

    def standing(self, now: int) -> str:
        """What stands: resolved, withdrawn or suppressed as the alert is; else shelved, acknowledged or firing."""
        if self.alert["state"] != "firing":
            return str(self.alert["state"])
        if self.shelf(now) is not None:
            return "shelved"
        return "firing" if self.holder is None else "acknowledged"

    def shelf(self, now: int) -> Row | None:
        """What put it aside, with who, `until` when and why (`comment`); None: nothing holds."""
        last = next((row for row in reversed(self.actions) if row["kind"] in ("shelve", "unshelve")), None)
        return last if last is not None and last["kind"] == "shelve" and last["until"] > now else None

    @property
    def holder(self) -> Row | None:
        """Who has it: the last who took it, else the first who acknowledged it; None: nobody."""
        taken = [row for row in self.actions if row["kind"] == "take"]
        return taken[-1] if taken else next((row for row in self.actions if row["kind"] == "acknowledge"), None)

    @property
    def case(self) -> Case:
        """What routing knows of it."""
        names = ("alert", "rule", "equipment", "line", "severity", "state", "fired_at")
        shelves = [row for row in self.actions if row["kind"] in ("shelve", "unshelve")]
        until = 0
        for row in shelves:
            until = row["until"] if row["kind"] == "shelve" else min(until, row["at"])
        steps = dict.fromkeys(Told(row["kind"], row["level"], row["recipient"], row["due_at"]) for row in self.told)
        return Case(
            **{name: self.alert[name] for name in names},
            told=tuple(steps),
            acknowledged_by=self.holder["by"] if self.holder else None,
            shelved_until=until,
        )


def items(reader: Reader, since: int, alert: str | None = None) -> list[Item]:
    """The alerts that are open, those resolved at or after an instant, and one by its id, if there is one."""
    wanted = f"{_OPEN} OR (state = 'resolved' AND resolved_at >= {instant(since)} AND fired_at IS NOT NULL)"
    if alert is not None:
        wanted += f" OR alert = {text(alert)}"
    rows = _rows(reader, f"SELECT * FROM alerts WHERE {wanted} ORDER BY since, alert")
    chosen = f"SEMI JOIN (SELECT alert FROM alerts WHERE {wanted}) USING (alert)"
    told = _by_alert(reader, f"SELECT * FROM alert_deliveries {chosen} ORDER BY due_at, recipient, channel")
    done = _by_alert(reader, f'SELECT * FROM alert_actions {chosen} ORDER BY "at", action')
    return [Item(row, tuple(told.get(row["alert"], ())), tuple(done.get(row["alert"], ()))) for row in rows]


def transitions(reader: Reader, alert: str) -> list[Row]:
    """What became of an alert, in the order in which it was found out."""
    return _rows(reader, f"SELECT * FROM alert_transitions WHERE alert = {text(alert)} ORDER BY transition")


def acted(reader: Reader, action: str) -> bool:
    """Whether an action is in the store."""
    return not reader.query(f"SELECT 1 AS there FROM alert_actions WHERE action = {text(action)}").is_empty()


def _rows(reader: Reader, statement: str) -> list[Row]:
    return list(microseconds(reader.query(statement)).iter_rows(named=True))


def _by_alert(reader: Reader, statement: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in _rows(reader, statement):
        found.setdefault(row["alert"], []).append(row)
    return found
