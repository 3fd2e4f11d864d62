"""Definitions: what every figure means, and the settings that are in force."""

from html import escape

import streamlit as st

from dashboards import cards, frame, texts
from dashboards.board import Board
from kpis.formats import duration, percent
from kpis.kpi import Kpi
from kpis.registry import DEFINITIONS, KPIS, elements_of, quantities


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.DEFINITIONS, board, board.plant.name)
    st.html(cards.title(texts.OEE_DEFINITIONS, texts.OEE_DEFINITIONS_NOTE.format(name=board.plant.oee_definition)))
    st.html(_oee_definitions())
    st.html(cards.title(texts.ALL_FIGURES, texts.ALL_FIGURES_NOTE))
    wanted = st.text_input(texts.FIND, key="q", bind="query-params", placeholder=texts.FIND_HINT) or ""
    found = [kpi for kpi in KPIS if wanted.lower() in f"{kpi.name} {kpi.label} {kpi.acronym} {kpi.meaning}".lower()]
    st.html("".join(map(_entry, found)) or cards.empty(texts.FOUND_NOTHING))
    st.html(cards.title(texts.SETTINGS, texts.SETTINGS_NOTE))
    st.html(_settings(board))


def _oee_definitions() -> str:
    rows = []
    for name in ("planned_production_us", "run_us"):
        formulas = [quantities(definition)[name].formula for definition in DEFINITIONS]
        rows.append(([cards.Cell(texts.QUANTITIES[name]), *map(cards.Cell, formulas)], ""))
    return cards.table(("", *DEFINITIONS), rows)


def _entry(kpi: Kpi) -> str:
    label = kpi.label if kpi.acronym in (None, kpi.label) else f"{kpi.label} ({kpi.acronym})"
    facts = [
        (texts.FORMULA, f"{kpi.name} = {kpi.formula}"),
        (texts.ELEMENTS, ", ".join(elements_of(kpi.name))),
        (texts.UNIT, f"{kpi.unit}, {kpi.span}; {texts.BETTER[kpi.better]}"),
        (texts.UNDEFINED, kpi.undefined),
        (texts.SOURCE, kpi.source),
    ]
    if kpi.basis != "events":
        facts.append((texts.NEEDS, kpi.basis))
    told = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts)
    return (
        f'<details class="of-entry" id="{escape(kpi.name)}"><summary><b>{escape(label)}</b> '
        f'<span class="of-fade">{escape(kpi.formula)}</span></summary><p>{escape(kpi.meaning)}</p>'
        f"<dl>{told}</dl></details>"
    )


def _settings(board: Board) -> str:
    rows = []
    for path, equipment in board.plant.equipment.items():
        targets = ", ".join(f"{name} {percent(value)}" for name, value in equipment.targets.items())
        rolled: str = equipment.rollup
        if equipment.constraint is not None:
            rolled = f"{rolled}: {cards.name(equipment.constraint)}"
        cells = [
            cards.Cell(path),
            cards.Cell(equipment.level),
            cards.Cell(equipment.calendar or texts.ALWAYS),
            cards.Cell("" if path in board.machines else rolled, classes="of-wide"),
            cards.number("" if equipment.ideal_cycle_us is None else f"{equipment.ideal_cycle_us / 1_000:g} ms"),
            cards.number(duration(equipment.minor_stop_under_us), title=texts.MINOR_HELP),
            cards.number(duration(equipment.stale_after_us) if equipment.stale_after_us else texts.NEVER),
            cards.Cell(targets),
        ]
        rows.append((cells, ""))
    return cards.table(texts.SETTINGS_HEAD, rows)


frame.still(screen)
