"""The shape of who hears of an alert: `[[channels]]`, `[[people]]`, `[[duty]]`, `[[routes]]` and `[notifications]`."""

from datetime import date, time
from itertools import pairwise
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from kpis.plant_sources import Broker, Secret
from kpis.plant_types import Duration, Level, Name, PositiveDuration, Table, refuse

HOUR_US = 3_600_000_000
LINE_FIELD = "{line}"


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _page(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        refuse("not the address of a site", 'such as "https://oee.plant.example"')
    return url.rstrip("/")


def _andon_topic(topic: str) -> str:
    if LINE_FIELD not in topic:
        refuse("names no line", 'such as "andon/{line}": the path of the line takes that place')
    if any(sign in topic.replace(LINE_FIELD, "") for sign in "#+{}\x00") or topic.startswith(("$", "/")):
        refuse("not a topic to publish to", 'such as "andon/{line}"')
    return topic


Names = Annotated[list[Name], BeforeValidator(_several)]
Page = Annotated[str, AfterValidator(_page)]


class AppriseChannel(Table):
    """A service by its apprise URL, which is a secret; `{address}` in it is that of the person. `short`: one line."""

    name: Name
    kind: Literal["apprise"]
    url: Secret
    short: bool = False
    timeout: PositiveDuration = 20_000_000


class MailboxChannel(Table):
    """A folder on this machine: every message is a file in it, as a mail program reads it."""

    name: Name
    kind: Literal["mailbox"]
    folder: Name


class AndonChannel(Broker):
    """Stack lights: a retained MQTT message for each line with its worst open alert. No route leads to it."""

    name: Name
    kind: Literal["andon"]
    topic: Annotated[str, AfterValidator(_andon_topic)] = "andon/{line}"


Channel = Annotated[AppriseChannel | MailboxChannel | AndonChannel, Field(discriminator="kind")]


class Away(Table):
    """Days, both included, on which somebody is not there."""

    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> "Away":
        if self.last < self.first:
            refuse("is before the first day", key="last")
        return self


class Person(Table):
    """Somebody, with an address on each of his channels (an empty one where the channel needs none)."""

    name: Name
    channels: Annotated[dict[str, str], Field(min_length=1)]
    away: list[Away] = []


class Duty(Table):
    """Who has a role: on which shifts (none: always), at which equipment. When all are away, deputies have it."""

    role: Name
    people: Annotated[Names, Field(min_length=1)]
    deputy: Names = []
    equipment: Names = ["*"]
    calendar: Name | None = None
    shifts: Names = []

    @model_validator(mode="after")
    def _shifts_of_it(self) -> "Duty":
        if self.calendar is not None and not self.shifts:
            refuse("without shifts it has no meaning", "name the shifts of that calendar", key="calendar")
        return self


class Step(Table):
    """A step of an escalation: whom to tell when nobody acknowledged for so long, counted from the first message."""

    after: Duration
    to: Annotated[Names, Field(min_length=1)]


class QuietHours(Table):
    """Local hours in which messages are held back; an end at or before the start is on the next day."""

    start: time
    end: time

    @model_validator(mode="after")
    def _some(self) -> "QuietHours":
        if self.start == self.end:
            refuse("quiet hours that never end")
        return self


class Route(Table):
    """Which alerts go to whom. The first route that an alert fits is its own."""

    severity: Annotated[list[Literal["info", "warning", "critical"]], BeforeValidator(_several)] = []
    rule: Names = ["*"]
    equipment: Names = ["*"]
    level: Level | None = None
    wait: Duration = 0
    repeat: Duration = 0
    quiet: QuietHours | None = None
    escalation: Annotated[list[Step], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> "Route":
        times = [step.after for step in self.escalation]
        if any(later <= earlier for earlier, later in pairwise(times)):
            refuse("the steps are not in the order of their times", "each later than the one before", key="escalation")
        return self


class Notifications(Table):
    """What holds for all messages. `per_hour` messages a person; what is more comes together as a digest."""

    dashboard: Page | None = None
    engine: Page | None = None
    fallback: Names = []
    per_hour: Annotated[int, Field(gt=0, le=1_000)] = 12
    expire: PositiveDuration = 4 * HOUR_US
    heartbeat: Secret | None = None
