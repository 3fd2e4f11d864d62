"""Pieces of a page as HTML: pure functions from values to text, every value escaped, every figure with its words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from dashboards import texts
from dashboards.theme import GAPS, LOOKS, ON_TARGET
from kpis.formats import NONE, percent


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, or ready markup, and its classes."""

    text: str = ""
    html: str = ""
    classes: str = ""
    title: str = ""


def number(text: str, *, below: bool = False, title: str = "", more: str = "") -> Cell:
    """A cell with a figure; `below` marks it as short of its target, `more` are further classes."""
    return Cell(text, classes=" ".join(filter(None, ("of-num", "of-below" if below else "", more))), title=title)


def icon(symbol: str) -> str:
    """A symbol; what it says has to be written beside it."""
    return f'<span class="of-icon" aria-hidden="true">{symbol}</span>'


def state(account: str, word: str | None = None) -> str:
    """The state of an equipment: symbol, word and colour."""
    symbol, told = icon(LOOKS[account].symbol), escape(word or texts.STATES[account])
    return f'<span class="of-state of-{account}">{symbol}{told}</span>'


def badge(text: str, symbol: str = "", *, act: bool = False, title: str = "", href: str = "") -> str:
    """A small note on a card; `act` when it asks somebody to do something, which is done at `href`."""
    content = f"{icon(symbol) if symbol else ''}{escape(text)}"
    told = f'class="of-badge{" of-act" if act else ""}"' + (f' title="{escape(title)}"' if title else "")
    if href:
        return f'<a {told} href="{escape(href)}" target="_self">{content}</a>'
    return f"<span {told}>{content}</span>"


def bar(value: float | None, target: float | None, label: str) -> str:
    """A bar from 0 to 100 % with a mark at the target. A value above 1 fills it; the figure beside it says how much."""
    filled = 0.0 if value is None else min(max(value, 0.0), 1.0)
    below = value is not None and target is not None and value < target
    mark = "" if target is None else f'<b style="left:{min(target, 1.0) * 100:.2f}%"></b>'
    return (
        f'<div class="of-bar" role="img" aria-label="{escape(label)}">'
        f'<i class="{"of-below" if below else ""}" style="width:{filled * 100:.2f}%"></i>{mark}</div>'
    )


def spark(values: Sequence[tuple[float | None, bool, str]], target: float | None, label: str) -> str:
    """Small bars side by side, each a ratio, whether it is short of its target, and what a pointer on it tells."""
    bars = "".join(_spark_bar(*value) for value in values)
    mark = "" if target is None else f'<b style="bottom:{min(target, 1.0) * 100:.1f}%"></b>'
    return f'<div class="of-spark" role="img" aria-label="{escape(label)}">{bars}{mark}</div>'


def _spark_bar(value: float | None, below: bool, title: str) -> str:
    if value is None:
        return f'<i class="of-none" title="{escape(title)}"></i>'
    height = min(max(value, 0.0), 1.0) * 100
    return f'<i class="{"of-below" if below else ""}" style="height:{height:.1f}%" title="{escape(title)}"></i>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values, line by line."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f'<dl class="of-facts">{rows}</dl>'


def strip(path: str, pairs: Iterable[tuple[str, str]], below: str = "") -> str:
    """An equipment and its figures side by side, with their names above them."""
    more = f"<span>{escape(below)}</span>" if below else ""
    place = f"<span>{escape(crumbs(path))}</span><b>{escape(name(path))}</b>{more}"
    parts = "".join(f"<div><span>{escape(told)}</span><b>{escape(value)}</b></div>" for told, value in pairs)
    return f'<div class="of-strip"><div>{place}</div>{parts}</div>'


def table(head: Sequence[str], rows: Iterable[tuple[Sequence[Cell], str]], caption: str = "") -> str:
    """A table of cells, each row with its class. A heading has the classes of the first cell below it. It scrolls on
    its own where it is too wide."""
    listed = list(rows)
    first = listed[0][0] if listed else [Cell()] * len(head)
    classes = [cell.classes.replace("of-below", "").replace("of-fade", "") for cell in first]
    names = "".join(
        f'<th scope="col" class="{style}">{escape(name)}</th>' if name else f'<td class="{style}"></td>'
        for name, style in zip(head, classes, strict=True)
    )
    body = "".join(f'<tr class="{style}">{"".join(map(_cell, cells))}</tr>' for cells, style in listed)
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="of-scroll" tabindex="0"><table class="of-table">{told}<thead><tr>{names}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    title = f' title="{escape(cell.title)}"' if cell.title else ""
    return f'<td class="{cell.classes}"{title}>{cell.html or escape(cell.text)}</td>'


def step(left: float, width: float, factor: str = "") -> str:
    """A bar that floats in its cell: where it begins and how wide it is, of 1."""
    kind = f"of-{factor}" if factor else ""
    if width == 0:
        return '<div class="of-step"></div>'
    return f'<div class="of-step"><i class="{kind}" style="left:{left * 100:.3f}%;width:{width * 100:.3f}%"></i></div>'


def legend(accounts: Iterable[str], told: dict[str, str] | None = None) -> str:
    """The states with their symbols, words, colours, and what is told of each."""
    parts = []
    for account in accounts:
        more = f" {escape(told[account])}" if told and account in told else ""
        key = f'<span class="of-key of-{account}"></span>'
        parts.append(f"<span>{key}{icon(LOOKS[account].symbol)}{escape(texts.STATES[account])}{more}</span>")
    return f'<div class="of-legend">{"".join(parts)}</div>'


def gap_legend() -> str:
    """What the fills of figures against their target mean."""
    limits = [f"{abs(limit) * 100:.0f}" for limit, _ in GAPS]
    words = [texts.GAP_MORE.format(n=limits[0]), *(texts.GAP_UP_TO.format(n=limit) for limit in limits[:-1])]
    keys = zip((ON_TARGET, *(fill for _, fill in reversed(GAPS))), (texts.GAP_NONE, *reversed(words)), strict=True)
    parts = (
        f'<span><span class="of-key" style="background:{fill}"></span>{escape(word)}</span>' for fill, word in keys
    )
    return f'<div class="of-legend" style="margin-top:.5rem">{"".join(parts)}</div>'


def link(address: str, text: str, **query: str) -> str:
    """A link to another page of ours, for use in a text; it loads that page anew."""
    return f'<a href="{escape(address)}?{escape(urlencode(query))}" target="_self">{escape(text)}</a>'


def title(text: str, note: str = "") -> str:
    """The title of a part of a page."""
    told = f'<p class="of-note">{escape(note)}</p>' if note else ""
    return f'<h2 class="of-title">{escape(text)}</h2>{told}'


def empty(text: str, hint: str = "") -> str:
    """What stands where there is nothing to show."""
    return f'<div class="of-empty"><b>{escape(text)}</b>{escape(hint)}</div>'


def calm(text: str) -> str:
    """What stands where nothing is wrong."""
    return f'<div class="of-calm">{icon("check_circle")}{escape(text)}</div>'


def notice(text: str, symbol: str, *, act: bool = False) -> str:
    """What people should know before they go on; `act` when something was not done."""
    return f'<div class="of-notice{" of-act" if act else ""}">{icon(symbol)}<span>{escape(text)}</span></div>'


def crumbs(path: str) -> str:
    """Where an equipment is: what is above it."""
    return " / ".join(path.split("/")[:-1])


def name(path: str) -> str:
    """What an equipment is called where it stands."""
    return path.rsplit("/", 1)[-1]


def against(value: float | None, target: float | None) -> str:
    """A ratio in per cent with its target in words, for those who do not see the bar."""
    wanted = texts.NO_TARGET if target is None else texts.TARGET.format(value=percent(target, 0))
    return f"{NONE if value is None else percent(value)}, {wanted}"
