"""What a shift report is: the figures of one equipment in one shift, who signed them off, and what changed since."""

from dataclasses import dataclass
from typing import Final

RATIOS: Final = ("oee", "availability", "performance", "quality", "coverage", "first_pass_yield")
"""Figures that are fractions; the others are pieces."""


@dataclass(frozen=True)
class Figure:
    """A ratio or a number of pieces, and its target; None: undefined, or no target."""

    name: str
    value: float | None
    target: float | None


@dataclass(frozen=True)
class Step:
    """A level of the waterfall, or with a `factor` a loss; µs. `flag` says why it is not to be trusted."""

    name: str
    factor: str | None
    us: int
    flag: str | None


@dataclass(frozen=True)
class Hour:
    """An hour, cut to the shift (µs since 1970): pieces, and its largest loss."""

    start: int
    end: int
    wanted: float | None
    good: int
    rejected: int
    ahead: float | None
    oee: float | None
    loss: str | None
    lost_us: int | None


@dataclass(frozen=True)
class Stop:
    """A stop that counts in the shift: how long it was, and what of that counts (µs)."""

    start: int
    machine: str
    account: str
    reason: str | None
    lasted_us: int
    counted_us: int


@dataclass(frozen=True)
class Lost:
    """Time lost for a reason (µs), and how often that began."""

    account: str
    reason: str | None
    us: int
    stops: int


@dataclass(frozen=True)
class Rejected:
    """Scrap or rework for a reason."""

    quality: str
    reason: str | None
    pieces: int


@dataclass(frozen=True)
class Made:
    """Pieces of an order and product."""

    order: str | None
    product: str | None
    label: str | None
    good: int
    scrap: int
    rework: int


@dataclass(frozen=True)
class Correction:
    """A time of the shift that changed after the shift was closed, or that somebody ruled on; µs since 1970.

    `at` is when it was taken in, `what` the state and reason ruled (None: events that came late), `by` who or which
    source.
    """

    at: int
    machine: str
    start: int
    end: int
    what: str | None
    by: str | None


@dataclass(frozen=True)
class Content:
    """The report of one shift. Times are µs since 1970, ratios fractions; `horizon` is as of when it was read."""

    plant: str
    timezone: str
    equipment: str
    shift: str
    start: int
    end: int
    horizon: int
    status: str
    definition: str
    figures: tuple[Figure, ...]
    steps: tuple[Step, ...]
    hours: tuple[Hour, ...]
    stops: tuple[Stop, ...]
    losses: tuple[Lost, ...]
    rejects: tuple[Rejected, ...]
    made: tuple[Made, ...]
    corrections: tuple[Correction, ...]

    @property
    def over(self) -> bool:
        """Whether all time of the shift is accounted."""
        return self.horizon >= self.end


@dataclass(frozen=True)
class Signed:
    """Who signed a report off, and when (µs since 1970)."""

    by: str
    at: int


@dataclass(frozen=True)
class Difference:
    """A value that is shown differently than in the revision before; empty where the row was not or is no more."""

    section: str
    row: str
    column: str
    before: str
    after: str


@dataclass(frozen=True)
class Report:
    """A revision of a report, the first is 1. Not signed: it is what the store knows now, and may still change.

    `differences` are those to the revision before, which was signed off.
    """

    content: Content
    revision: int = 1
    signed: Signed | None = None
    differences: tuple[Difference, ...] = ()
