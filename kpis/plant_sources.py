"""The `[[sources]]` tables of the plant file, one class a kind."""

import re
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from kpis.errors import ConfigError
from kpis.plant_mappings import Mapping
from kpis.plant_types import Duration, Name, PositiveDuration, Table, refuse
from kpis.topics import TopicPattern, check_filter

HTTP: Final = "http"
"""The name under which messages of the engine's own HTTP door are journalled."""
PEOPLE: Final = "people"
"""The name under which it is journalled what people do about alerts."""
DAY: Final = 86_400_000_000

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLIENT_ID: Final = r"^[A-Za-z0-9_.:-]{1,128}$"


def _source_name(name: str) -> str:
    if name in (HTTP, PEOPLE):
        refuse("this name belongs to the engine's own HTTP door", "choose another")
    return name


def _broker(url: str) -> str:
    hint = 'such as "mqtts://broker.example:8883"; mqtt:// is without encryption'
    if "@" in url:
        refuse("holds a name or a password", "give them as username and password, by reference", secret=True)
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        whole = False
    if not whole or parts.scheme not in _PORTS or parts.query or parts.fragment:
        refuse("not the address of an MQTT broker", hint)
    return url


def _topic(text: str) -> str:
    try:
        return check_filter(text)
    except ConfigError as error:
        refuse(str(error), error.hint)


def _is_reference(value: Any) -> Any:
    if not isinstance(value, dict):
        refuse("must not be written here", 'say where it is: { env = "NAME" } or { file = "/path" }', secret=True)
    return value


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        refuse("not the name of an environment variable", 'such as "MQTT_PASSWORD"', secret=True)
    return name


SourceName = Annotated[Name, AfterValidator(_source_name)]


class MtconnectSource(Table):
    """Recorded lines `timestamp|item|value` of an MTConnect adapter, or a live agent."""

    name: SourceName
    kind: Literal["mtconnect"]
    equipment: str
    items: dict[str, Literal["state", "good", "scrap", "rework"]]


class SecretReference(Table):
    """Where a secret is: in an environment variable or in a file, never in the plant file itself."""

    env: Annotated[str, AfterValidator(_variable)] | None = None
    file: Name | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "SecretReference":
        if (self.env is None) == (self.file is None):
            refuse("needs either `env` or `file`", secret=True)
        return self


Secret = Annotated[SecretReference, BeforeValidator(_is_reference)]


class Broker(Table):
    """How an MQTT broker is reached. `keepalive` is microseconds."""

    broker: Annotated[str, AfterValidator(_broker)]
    username: Secret | None = None
    password: Secret | None = None
    ca: Name | None = None
    certificate: Name | None = None
    key: Name | None = None
    keepalive: Annotated[Duration, Field(ge=1_000_000, le=65_535_000_000)] = 30_000_000
    version: Literal["5", "3.1.1"] = "5"

    @property
    def host(self) -> str:
        """The broker's host name or address."""
        return urlsplit(self.broker).hostname or ""

    @property
    def port(self) -> int:
        """The broker's port: the usual one unless it is given."""
        parts = urlsplit(self.broker)
        return parts.port or _PORTS[parts.scheme]

    @property
    def encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return urlsplit(self.broker).scheme == "mqtts"

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if not self.encrypted and (self.ca or self.certificate):
            refuse("has a certificate, but no encryption", "write mqtts://…", key="broker")
        if (self.certificate is None) != (self.key is None):
            refuse("`certificate` and `key` belong together")
        if self.password is not None and self.username is None:
            refuse("has a password, but no username")
        return self


class MqttSource(Broker):
    """An MQTT broker: messages are canonical events, unless there are mappings.

    `session_expiry` is microseconds, `max_payload` bytes.
    """

    name: SourceName
    kind: Literal["mqtt"]
    topics: list[Annotated[str, AfterValidator(_topic)]] = []
    mappings: list[Mapping] = []
    client_id: Annotated[str, Field(pattern=_CLIENT_ID)] | None = None
    session_expiry: PositiveDuration = 7 * DAY
    max_payload: Annotated[int, Field(gt=0, le=16_777_216)] = 262_144

    @property
    def session(self) -> str:
        """The client id, by which the broker knows what this source has not taken in yet."""
        return self.client_id or "oeeflow-" + re.sub(r"[^A-Za-z0-9_.-]", "-", self.name)[:100]

    @property
    def filters(self) -> tuple[str, ...]:
        """The topic filters to subscribe to: as given, else those of the mappings."""
        given = self.topics or [TopicPattern(mapping.topic).filter for mapping in self.mappings]
        return tuple(dict.fromkeys(given))

    @model_validator(mode="after")
    def _takes_something(self) -> Self:
        if not self.filters:
            refuse("needs `topics` or mappings", 'such as topics = ["acme/ulm/#"]')
        return self


Source = Annotated[MtconnectSource | MqttSource, Field(discriminator="kind")]
