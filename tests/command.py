"""What a test sees of a command."""

from collections.abc import Callable
from typing import NamedTuple


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    out: str
    told: str


Command = Callable[..., Ended]
