"""What people say about an hour of an equipment, and that they sign it off; journalled, but no events of the plant."""

from typing import Annotated, Final, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kpis.errors import ConfigError
from kpis.plant_types import refuse

NOTES: Final = pl.Schema(
    {
        "note": pl.String,
        "equipment": pl.String,
        "hour": pl.Int64,
        "kind": pl.String,
        "by": pl.String,
        "at": pl.Int64,
        "comment": pl.String,
    }
)
HOUR_US: Final = 3_600_000_000


class HourNote(BaseModel):
    """One thing that somebody said about an hour; `hour` is its start and `at` when it was said, µs since 1970 UTC.

    kind `comment`: the last one of an hour holds, an empty one takes it back. kind `sign`: signed off as it stands by
    then. The same `note` id again is the same thing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    note: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
    equipment: Annotated[str, Field(min_length=1, max_length=500)]
    hour: Annotated[int, Field(ge=0, multiple_of=HOUR_US)]
    kind: Literal["comment", "sign"]
    by: Annotated[str, Field(min_length=1, max_length=100)]
    at: int
    comment: Annotated[str, Field(max_length=500)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "comment") != (self.comment is not None):
            refuse("a comment, and nothing else, has words")
        if self.kind == "sign" and self.at < self.hour + HOUR_US:
            refuse("an hour that is not over cannot be signed off")
        return self


def read_note(payload: bytes) -> HourNote:
    """The note in a journalled message. Raises ConfigError when it is none, with what is wrong."""
    try:
        return HourNote.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        said = first["msg"][:1].lower() + first["msg"][1:]
        message = f"{place}: {said}" if place else said
        raise ConfigError(message, hint="kind is comment or sign, hour the start of an hour in µs") from error


def as_frame(notes: list[HourNote]) -> pl.DataFrame:
    """Notes as rows (NOTES)."""
    return pl.DataFrame([note.model_dump() for note in notes], schema=NOTES)
