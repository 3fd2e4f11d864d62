"""The alerts that somebody has to do something about: grouped, filtered, in order, each told in words."""

from collections.abc import Iterable, Iterator
from typing import Final

from dashboards import texts
from dashboards import texts_alerts as words
from dashboards.board import HOUR_US, Board, micros
from dashboards.roles import Visitor
from kpis.formats import since
from kpis.plant import Plant
from kpis.plant_alerts import SEVERITIES
from storage.inbox import Item, Row

GROUPS: Final = {"firing": ("firing",), "acknowledged": ("acknowledged",), "aside": ("shelved", "suppressed")}
"""The parts of the inbox, with what stands in each."""
_NO_SHIFT_US: Final = 8 * HOUR_US
"""So far back resolved alerts are shown where no shift is in force."""


def grouped(items: Iterable[Item], now: int) -> dict[str, list[Item]]:
    """Open alerts by the parts of the inbox, in each the worst first, of these the oldest."""
    found = sorted(items, key=lambda item: (-SEVERITIES.index(item.alert["severity"]), item.alert["since"], item.name))
    return {group: [item for item in found if item.standing(now) in stands] for group, stands in GROUPS.items()}


def waiting(items: Iterable[Item]) -> bool:
    """Whether any of them is open, or would be but for what suppresses it."""
    return any(item.alert["state"] == "firing" or item.alert["resolved_at"] is None for item in items)


def resolved(items: Iterable[Item], board: Board) -> list[Item]:
    """Those that were resolved in the shift that their line is in, the last one first."""
    begins = {row["equipment"]: micros(row["window_start"]) or 0 for row in board.shifts.iter_rows(named=True)
              if row["shift"] is not None and (micros(row["window_end"]) or 0) > board.horizon}  # fmt: skip
    usual = board.horizon - _NO_SHIFT_US
    over = [item for item in items if item.alert["state"] == "resolved"]
    inside = [item for item in over if item.alert["resolved_at"] >= begins.get(item.alert["line"], usual)]
    return sorted(inside, key=lambda item: (-item.alert["resolved_at"], item.name))


def earliest(board: Board) -> int:
    """The instant from which resolved alerts are needed for that."""
    begins = [micros(row["window_start"]) or 0 for row in board.shifts.iter_rows(named=True) if row["shift"]]
    return min([at for at in begins if at > board.horizon - 3 * _NO_SHIFT_US] + [board.horizon - _NO_SHIFT_US])


def below(items: Iterable[Item], place: str | None) -> list[Item]:
    """Those of an equipment and what is below it; None: all."""
    return [item for item in items if place is None or f"{item.alert['equipment']}/".startswith(f"{place}/")]


def names_of(plant: Plant, visitor: Visitor) -> frozenset[str]:
    """What a visitor may be called where alerts are told: his name here, and the person whose address that is."""
    me = visitor.name.casefold()
    known = {
        person.name
        for person in plant.calling.people.values()
        if me in (person.name.casefold(), *(address.casefold() for address in person.channels.values()))
    }
    return frozenset({visitor.name, *known})


def concerns(item: Item, names: frozenset[str]) -> bool:
    """Whether somebody has an alert, or was told of it."""
    holder = item.holder
    return (holder is not None and holder["by"] in names) or any(row["recipient"] in names for row in item.told)


def places(board: Board) -> list[str]:
    """What the inbox can be cut to: the lines, and the areas and sites that hold more than one."""
    lines = [path for path in board.plant.equipment if board.plant.equipment[path].level == "line"] or board.lines
    above: dict[str, int] = {}
    for line in lines:
        for path in board.plant.ancestors(line):
            above[path] = above.get(path, 0) + 1
    return sorted({*lines, *(path for path, number in above.items() if number > 1)})


def stands(item: Item, board: Board) -> str:
    """Who has an alert, or why nobody needs to."""
    now, zone = board.horizon, board.zone
    standing, shelf, holder = item.standing(now), item.shelf(now), item.holder
    if standing == "suppressed":
        return words.SUPPRESSED.format(by=reason_of(item.alert["suppressed_by"]))
    if shelf is not None:
        return words.SHELVED.format(by=shelf["by"], until=since(shelf["until"], now, zone), why=shelf["comment"])
    if holder is not None:
        told = words.TAKEN if holder["kind"] == "take" else words.ACKNOWLEDGED
        return told.format(by=holder["by"], at=since(holder["at"], now, zone))
    return words.NOBODY


def reason_of(suppressed_by: str | None) -> str:
    """Why an alert did not fire, in words."""
    return words.SUPPRESSED_BY.get(suppressed_by or "", texts.STATES.get(suppressed_by or "", suppressed_by or ""))


def told(item: Item) -> Iterator[Row]:
    """The last message to each person on each of his ways, the first told first."""
    last: dict[tuple[str | None, str | None], Row] = {}
    for row in item.told:
        last[row["recipient"], row["channel"]] = row
    yield from last.values()


def heard(item: Item) -> str:
    """Who was told, with what became of it."""
    people: dict[str, list[str]] = {}
    for row in told(item):
        people.setdefault(row["recipient"] or words.NOBODY_THERE, []).append(row["outcome"])
    return ", ".join(f"{name} {words.OUTCOME_SYMBOLS[best(outcomes)]}" for name, outcomes in people.items())


def best(outcomes: Iterable[str]) -> str:
    """What became of messages to one person: one that arrived is enough."""
    return min(outcomes, key=("delivered", "waiting", "dead").index)
