"""docs/kpis.md is what the definitions say."""

from pathlib import Path

from kpis.catalogue import markdown
from kpis.elements import ELEMENTS, EXTERNAL
from kpis.registry import KPIS, QUANTITIES

PAGE = Path(__file__).parents[2] / "docs" / "kpis.md"


def test_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "stale: run python -m kpis.catalogue > docs/kpis.md"


def test_page_names_everything() -> None:
    page = markdown()
    missing = [kpi.name for kpi in KPIS if f"### {kpi.name}\n" not in page]
    rows = [element.name for element in (*ELEMENTS, *EXTERNAL)] + [quantity.name for quantity in QUANTITIES]
    missing += [name for name in rows if f"| {name} |" not in page]
    assert missing == []
