"""Types of values in the plant file, and what is said when one is wrong."""

from typing import Annotated, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from kpis.duration import DURATION_PATTERN, parse_duration
from kpis.errors import ConfigError


def refuse(message: str, hint: str | None = None, *, key: str | None = None, secret: bool = False) -> NoReturn:
    """Say what is wrong with a value, from within a validator: with that of its `key` if it is a table.

    A `secret` value is not repeated.
    """
    context = {"message": message, "hint": hint, "key": key, "secret": secret}
    refusal = PydanticCustomError("plant_file", "{message}", context)
    raise refusal


def duration(value: object) -> int:
    """Microseconds of a duration text."""
    if not isinstance(value, str):
        refuse("a duration must be text with a unit", 'such as "500ms", "1.5s", "2m", "8h" or "1d"')
    try:
        return parse_duration(value)
    except ConfigError as error:
        refuse(str(error), error.hint)


def _positive(us: int) -> int:
    if us == 0:
        refuse("must be longer than 0s")
    return us


def _duration_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": ["500ms", "1.5s", "2m", "8h", "1d"]})


Duration = Annotated[int, BeforeValidator(duration), _duration_schema(DURATION_PATTERN)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive), _duration_schema(DURATION_PATTERN)]
Name = Annotated[str, Field(min_length=1)]
Category = Literal["producing", "setup", "down", "idle", "planned", "unknown"]
Level = Literal["enterprise", "site", "area", "line", "unit"]
Severity = Literal["info", "warning", "critical"]


class Table(BaseModel):
    """A TOML table: unknown keys are faults, and nothing is converted (TOML has types of its own)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
