"""What people do about alerts: acknowledge, take, comment, shelve, unshelve; journalled, but no events of the plant."""

from typing import Annotated, Final, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kpis.errors import ConfigError
from kpis.plant_types import refuse

ACTIONS: Final = pl.Schema(
    {
        "action": pl.String,
        "alert": pl.String,
        "kind": pl.String,
        "by": pl.String,
        "way": pl.String,
        "at": pl.Int64,
        "until": pl.Int64,
        "comment": pl.String,
    }
)
_KINDS: Final = "acknowledge, take, comment, shelve and unshelve"
LONGEST_SHELF_US: Final = 7 * 86_400_000_000

Text = Annotated[str, Field(min_length=1, max_length=500)]


class Action(BaseModel):
    """One thing that somebody did about an alert; `at` and `until` (of what is shelved) are µs since 1970 UTC.

    `way`: command, page or link. The same `action` id again is the same thing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    action: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
    alert: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    kind: Literal["acknowledge", "take", "comment", "shelve", "unshelve"]
    by: Annotated[str, Field(min_length=1, max_length=100)]
    way: Literal["command", "page", "link"]
    at: int
    until: int | None = None
    comment: Text | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind in ("comment", "shelve") and self.comment is None:
            refuse("a comment is missing" if self.kind == "comment" else "a reason is missing")
        if (self.kind == "shelve") != (self.until is not None):
            refuse("what is shelved, and nothing else, has an end")
        if self.until is not None and not self.at < self.until <= self.at + LONGEST_SHELF_US:
            refuse("shelved for no time, or for more than 7 days")
        return self


def read_action(payload: bytes) -> Action:
    """The action in a journalled message. Raises ConfigError when it is none, with what is wrong."""
    try:
        return Action.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = first["msg"][:1].lower() + first["msg"][1:]
        message = f"{place}: {said}" if place else said
        raise ConfigError(message, hint=f"kind is one of {_KINDS}; by says who") from error


def as_frame(actions: list[Action]) -> pl.DataFrame:
    """Actions as rows (ACTIONS)."""
    return pl.DataFrame([action.model_dump() for action in actions], schema=ACTIONS)
