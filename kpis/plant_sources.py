"""The ``[[sources]]`` tables of the plant file, one class a kind."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class MtconnectSource(BaseModel):
    """Recorded lines ``timestamp|item|value`` of an MTConnect adapter, or a live agent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1)]
    kind: Literal["mtconnect"]
    equipment: str
    items: dict[str, Literal["state", "good", "scrap", "rework"]]


# A further kind joins as `Annotated[MtconnectSource | OtherSource, Field(discriminator="kind")]`.
Source = MtconnectSource
