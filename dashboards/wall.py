"""What a wall shows at a moment: the lines of a place, in turns when they are more than fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from dashboards.tiles import Tile

LINES: Final = 8
EVERY_S: Final = 20


@dataclass(frozen=True)
class Wall:
    """What an address asks for: the `place` (None: the whole plant), so many `lines` at a time, each `every` seconds,
    and whether it is `night`."""

    place: str | None = None
    lines: int = LINES
    every: int = EVERY_S
    night: bool = False

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """By the parts of an address. What is no number above 0 is as if it were not there."""
        return cls(
            query.get("equipment") or None,
            _number(query.get("lines"), LINES),
            _number(query.get("every"), EVERY_S),
            query.get("theme") == "night",
        )

    def turn(self, tiles: Sequence[Tile], now_s: float) -> tuple[list[Tile], int, int]:
        """The tiles to show at a time, which turn that is (from 1), and of how many.

        Those that fit at once keep their order; in turns they come by name, so that none is missed when others change.
        """
        inside = [tile for tile in tiles if self.place is None or f"{tile.path}/".startswith(f"{self.place}/")]
        turns = max(-(-len(inside) // self.lines), 1)
        if turns == 1:
            return inside, 1, 1
        number = int(now_s // self.every) % turns
        ordered = sorted(inside, key=lambda tile: tile.path)
        return ordered[number * self.lines : (number + 1) * self.lines], number + 1, turns


def _number(text: str | None, usual: int) -> int:
    return int(text) if text is not None and text.isdecimal() and int(text) > 0 else usual
