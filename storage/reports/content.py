"""What a shift report is: the figures of one equipment in one shift, who signed them off, and what changed since."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(us: int) -> str:
    """An instant in µs since 1970 as text.

    >>> rfc3339(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def _microseconds(told: object) -> object:
    """An instant as it stands in JSON in µs; anything else is left to be refused."""
    return (datetime.fromisoformat(told) - _EPOCH) // timedelta(microseconds=1) if isinstance(told, str) else told


Instant = Annotated[int, BeforeValidator(_microseconds), PlainSerializer(rfc3339, when_used="json")]
"""Microseconds since 1970; in JSON RFC 3339 in UTC."""

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
    """An hour, cut to the shift: pieces, and its largest loss."""

    start: Instant
    end: Instant
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

    start: Instant
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
    """A time of the shift that changed after the shift was closed, or that somebody ruled on.

    `at` is when it was taken in, `what` the state and reason ruled (None: events that came late), `by` who or which
    source.
    """

    at: Instant
    machine: str
    start: Instant
    end: Instant
    what: str | None
    by: str | None


@dataclass(frozen=True)
class HourNote:
    """What is said about an hour, by whom, and who signed the hour off; None: nothing is, or nobody did."""

    hour: Instant
    comment: str | None
    by: str | None
    signed_by: str | None
    signed_at: Instant | None


@dataclass(frozen=True)
class Content:
    """The report of one shift. Ratios are fractions; `horizon` is as of when it was read."""

    plant: str
    timezone: str
    equipment: str
    shift: str
    start: Instant
    end: Instant
    horizon: Instant
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
    notes: tuple[HourNote, ...] = ()

    @property
    def over(self) -> bool:
        """Whether all time of the shift is accounted."""
        return self.horizon >= self.end


@dataclass(frozen=True)
class Signed:
    """Who signed a report off, and when."""

    by: str
    at: Instant


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
