"""MQTT topics: filters as a broker takes them, and patterns that give names to levels."""

import re
from functools import cached_property
from typing import Final

from kpis.errors import ConfigError

TOPIC_LIMIT: Final = 1_024
"""A topic of more characters fits no pattern."""

_LEVEL: Final = re.compile(r"\{([a-z_][a-z0-9_]{0,39})\}")
# What a level may be to take part in a name: letters and digits of any script, _ . - and spaces inside.
_PLAIN: Final = re.compile(r"[\w.-](?:[\w .-]{0,126}[\w.-])?")


def check_filter(text: str) -> str:
    """The text if a broker would take it as a topic filter. Raises ConfigError."""
    *parents, last = text.split("/")
    wild = [level for level in (*parents, last) if ("#" in level or "+" in level) and level not in ("#", "+")]
    if not text or len(text) > TOPIC_LIMIT or "\x00" in text or wild or "#" in parents:
        message = "not a topic filter"
        raise ConfigError(message, hint='+ stands for one whole level, # at the end for the rest: "acme/+/line-1/#"')
    if text.startswith("$share/"):
        message = "a shared subscription scatters the messages of a machine"
        raise ConfigError(message, hint="subscribe without $share: one engine takes in a topic")
    return text


class TopicPattern:
    """A topic with named levels: `{site}/{line}/{machine}/state`; also `+` for any level and `#` at the end.

    Raises ConfigError if the text is none.

    >>> pattern = TopicPattern("{line}/{machine}/state")
    >>> pattern.filter, pattern.match("line-1/filler/state")
    ('+/+/state', {'line': 'line-1', 'machine': 'filler'})
    """

    def __init__(self, text: str) -> None:
        named = [_LEVEL.fullmatch(level) for level in text.split("/")]
        self.text = text
        self.names = tuple(level[1] for level in named if level)
        self.filter = "/".join("+" if name else level for name, level in zip(named, text.split("/"), strict=True))
        check_filter(self.filter)
        if "{" in self.filter or "}" in self.filter:
            message = "a level of the topic is only partly named"
            raise ConfigError(message, hint='a name stands for one whole level: "{line}/{machine}/state"')
        if len(set(self.names)) < len(self.names):
            message = "two levels of the topic have the same name"
            raise ConfigError(message, hint="give each its own, or write + for one that does not matter")

    @cached_property
    def _levels(self) -> tuple[list[str], bool]:
        levels = self.text.split("/")
        return (levels[:-1], True) if levels[-1] == "#" else (levels, False)

    def match(self, topic: str) -> dict[str, str] | None:
        """The named levels of a topic; None if it does not fit, or holds something odd in a named level."""
        levels, open_end = self._levels
        if len(topic) > TOPIC_LIMIT:
            return None
        parts = topic.split("/")
        if len(parts) < len(levels) or (len(parts) > len(levels) and not open_end):
            return None
        found: dict[str, str] = {}
        for expected, part in zip(levels, parts, strict=False):
            if name := _LEVEL.fullmatch(expected):
                if not _PLAIN.fullmatch(part):
                    return None
                found[name[1]] = part
            elif expected not in ("+", part):
                return None
        return found
