"""What a wall shows in turns, and that both themes can be read."""

import pytest

from dashboards import theme
from dashboards.tiles import Tile
from dashboards.wall import EVERY_S, LINES, Wall


def tile(path: str) -> Tile:
    return Tile(path, None, None, None, None, False, None, None, None, (), 0, None, None)


TILES = [tile(path) for path in ("a/two/line-4", "a/one/line-1", "a/one/line-3", "a/one/line-2", "a/one-b/line-5")]


def names(wall: Wall, at: float) -> list[str]:
    return [tile.path.rpartition("/")[2] for tile in wall.turn(TILES, at)[0]]


def test_what_fits_is_shown_as_it_comes() -> None:
    assert names(Wall(), 0) == ["line-4", "line-1", "line-3", "line-2", "line-5"]
    assert names(Wall("a/one"), 0) == ["line-1", "line-3", "line-2"]
    assert names(Wall("a/one/line-3"), 0) == ["line-3"]
    assert names(Wall("b"), 0) == []


def test_more_than_fit_come_in_turns_by_name() -> None:
    wall = Wall("a/one", lines=2, every=10)
    assert wall.turn(TILES, 0)[1:] == (1, 2)
    assert [names(wall, at) for at in (0, 9.9, 10, 20)] == [
        ["line-1", "line-2"], ["line-1", "line-2"], ["line-3"], ["line-1", "line-2"]
    ]  # fmt: skip


def test_an_address_says_what_a_wall_shows() -> None:
    assert Wall.read({}) == Wall(None, LINES, EVERY_S, night=False)
    assert Wall.read({"equipment": "a", "lines": "1", "every": "30", "theme": "night"}) == Wall("a", 1, 30, night=True)
    assert Wall.read({"lines": "0", "every": "soon"}) == Wall()


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "bad", "good"])
@pytest.mark.parametrize("ground", ["page", "card", "level", "now"])
def test_every_text_can_be_read_on_what_it_stands_on(palette: theme.Palette, text: str, ground: str) -> None:
    assert contrast(getattr(palette, text), getattr(palette, ground)) >= 4.5


@pytest.mark.parametrize("account", theme.LOOKS)
def test_the_word_of_a_state_can_be_read_on_its_colour(account: str) -> None:
    look = theme.LOOKS[account]
    assert contrast(look.fill, look.on) >= 4.5


def contrast(one: str, other: str) -> float:
    """The contrast of two colours by WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
