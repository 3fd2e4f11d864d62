"""The reference of the plant file says everything, and its examples work."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kpis.plant import check_plant, json_schema

PAGE = (Path(__file__).parents[2] / "docs" / "plant-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from keys(part)


def test_every_key_is_documented() -> None:
    missing = {key for key in keys(json_schema()) if not re.search(rf"`[^`\n]*\b{key}\b[^`\n]*`", PAGE)}
    assert missing == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.split("\n")[0] for example in EXAMPLES])
def test_every_example_is_valid(example: str) -> None:
    assert check_plant(example).faults == ()
