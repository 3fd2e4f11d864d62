"""Durations as text."""

import pytest

from kpis.duration import parse_duration
from kpis.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("250us", 250),
        ("500ms", 500_000),
        ("1.5s", 1_500_000),
        ("0.000001s", 1),
        ("2m", 120_000_000),
        ("8h", 28_800_000_000),
        ("1d", 86_400_000_000),
        ("0s", 0),
        ("0.3333333333333335d", None),
        ("1.5us", None),
        ("1 s", None),
        ("1S", None),
        ("1m30s", None),
        ("+1s", None),
        (".5s", None),
        ("1s\n", None),
        ("", None),
        ("\u0661s", None),
    ],
)
def test_durations_are_exact_or_refused(text: str, us: int | None) -> None:
    if us is None:
        with pytest.raises(ConfigError):
            parse_duration(text)
    else:
        assert parse_duration(text) == us
