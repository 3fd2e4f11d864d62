"""An alert as HTML: its line in the inbox, all that is known of it, who was told, and what became of it."""

from html import escape

import streamlit as st

from dashboards import cards, frame, inbox, routes
from dashboards import texts_alerts as words
from dashboards.board import Board
from kpis.formats import NONE, duration, since
from kpis.routing import Dispatcher
from storage.inbox import Item, Row


def severity(name: str) -> str:
    """How bad an alert is: symbol, word and colour."""
    symbol, word = cards.icon(words.SEVERITY_SYMBOLS[name]), escape(words.SEVERITIES[name])
    return f'<span class="of-state of-{name}">{symbol}{word}</span>'


def link(item: Item) -> str:
    """The text of an alert, leading to what is known of it."""
    return cards.link(routes.ALERTS.address, item.alert["text"], alert=item.name)


def row(board: Board, dispatcher: Dispatcher, item: Item, *, picked: bool) -> str:
    """What, where, since when, how long, why; who has it, who comes next, who was told."""
    alert, now = item.alert, board.horizon
    age = duration((alert["resolved_at"] or now) - alert["since"])
    began = since(alert["since"], now, board.zone)
    badges = []
    if alert["chattering"]:
        badges.append(cards.badge(words.CHATTERING, "vibration", act=True, title=words.CHATTERING_HELP))
    badges.append(cards.badge(inbox.stands(item, board), "person"))
    if (coming := next_call(board, dispatcher, item)) is not None:
        badges.append(cards.badge(words.NEXT.format(who=coming[0], at=coming[1]), "trending_up"))
    if heard := inbox.heard(item):
        badges.append(cards.badge(f"{words.TOLD} {heard}", "campaign"))
    return (
        f'<div class="of-alert of-line-{alert["severity"]}{" of-picked" if picked else ""}"><div class="of-row">'
        f'<span class="of-what">{severity(alert["severity"])} <b>{escape(alert["text"])}</b></span>'
        f'<span class="of-fade of-keep">{began} · {age}</span></div>'
        f'<div class="of-fade">{escape(" · ".join(_facts(board, item)))}</div>'
        f'<div class="of-badges">{"".join(badges)}</div></div>'
    )


def next_call(board: Board, dispatcher: Dispatcher, item: Item) -> tuple[str, str] | None:
    """Who is told next if nobody acknowledges, and when; None: nobody."""
    found = dispatcher.next_call(item.case, board.horizon) if item.alert["state"] == "firing" else None
    if found is None:
        return None
    at, who = found
    return ", ".join(who) or words.NEXT_NOBODY, since(max(at, board.horizon), board.horizon, board.zone)


def told(board: Board, item: Item) -> None:
    """What is known of an alert."""
    alert, now, zone = item.alert, board.horizon, board.zone
    facts = [
        (words.STANDS, words.STANDINGS[item.standing(now)]),
        (words.WHERE, alert["equipment"]),
        (words.RULE, alert["rule"]),
        (words.REASON, _reason(board, alert["reason"]) or NONE),
        (words.SINCE, since(alert["since"], now, zone)),
        (words.LASTED, duration((alert["resolved_at"] or now) - alert["since"])),
    ]
    if alert["fired_at"] is not None:
        facts.append((words.FIRED, since(alert["fired_at"], now, zone)))
    if alert["resolved_at"] is not None:
        facts.append((words.OVER, since(alert["resolved_at"], now, zone)))
    coming = next_call(board, Dispatcher(board.plant), item)
    if coming is not None:
        facts.append((words.NEXT_CALL, f"{coming[0]}, {coming[1]}"))
    stands = f'<p class="of-note">{escape(inbox.stands(item, board))}</p>' if alert["state"] != "resolved" else ""
    st.html(
        f'<h2 class="of-title">{severity(alert["severity"])} {escape(alert["text"])}</h2>{stands}{cards.facts(facts)}'
    )
    frame.link(routes.LINE, words.TO_LINE, "precision_manufacturing", equipment=alert["line"])


def recipients(board: Board, item: Item) -> str:
    """The last message to everybody, on which way, and whether it arrived."""
    rows = [
        (
            [
                cards.Cell(row["recipient"] or words.NOBODY_THERE),
                cards.Cell(row["channel"] or NONE),
                cards.Cell(words.KINDS[row["kind"]]),
                cards.Cell(since(row["sent_at"] or row["due_at"], board.horizon, board.zone), classes="of-keep"),
                cards.Cell(
                    f"{words.OUTCOME_SYMBOLS[row['outcome']]} {words.OUTCOMES[row['outcome']]}",
                    classes="of-below" if row["outcome"] == "dead" else "",
                    title=row["error"] or "",
                ),
            ],
            "",
        )
        for row in inbox.told(item)
    ]
    content = cards.table(words.TOLD_HEAD, rows) if rows else f'<p class="of-note">{words.NOBODY_TOLD}</p>'
    return cards.title(words.WHO_WAS_TOLD) + content


def history(board: Board, item: Item, transitions: list[Row]) -> str:
    """What became of an alert and what people did, by time."""
    steps = [(row["at"], words.BECAME[row["became"]], "") for row in transitions]
    for action in item.actions:
        until = NONE if action["until"] is None else since(action["until"], board.horizon, board.zone)
        did = words.DID[action["kind"]].format(until=until)
        said = f"{did}: {action['comment']}" if action["comment"] else did
        steps.append((action["at"], said, f"{action['by']}, {words.WAYS[action['way']]}"))
    rows = [
        (
            [
                cards.Cell(since(at, board.horizon, board.zone), classes="of-keep"),
                cards.Cell(what),
                cards.Cell(who, classes="of-fade"),
            ],
            "",
        )
        for at, what, who in sorted(steps, key=lambda step: step[0])
    ]
    return cards.title(words.HISTORY) + cards.table(words.HISTORY_HEAD, rows) if rows else ""


def _facts(board: Board, item: Item) -> list[str]:
    alert = item.alert
    return [part for part in (alert["equipment"], alert["rule"], _reason(board, alert["reason"])) if part]


def _reason(board: Board, reason: str | None) -> str | None:
    known = board.plant.reasons.get(reason or "")
    return known.label if known else reason
