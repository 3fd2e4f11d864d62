"""Alert load: how many alerts people are told of, against what can be managed, and which rule to mend."""

from typing import Final

import polars as pl
import streamlit as st

from dashboards import alert_load, cards, charts, filters, frame, reading, routes, texts
from dashboards import texts_alert_load as words
from dashboards.alert_load import Load, Rule
from dashboards.board import Board
from kpis.formats import NONE, count, duration, percent
from storage import alert_load as stored
from storage.boards import DAY_US

_RULES: Final = 20
_PEOPLE: Final = 30


def screen(board: Board) -> None:
    """The page from top to bottom."""
    frame.head(texts.ALERT_LOAD, board, board.plant.name)
    start, who, calls, hours = _chosen(board)
    frame.link(routes.ALERTS, words.TO_INBOX, "notifications")
    if calls.is_empty():
        st.html(cards.empty(words.NO_CALLS, words.NO_CALLS_HINT))
        return
    length = board.horizon - start
    people, rules = alert_load.loads(calls, hours, length), alert_load.rules(calls)
    st.html(_headline(board, calls, people, who))
    _first(rules)
    with frame.card("hours"):
        st.html(cards.title(words.BY_HOUR, f"{words.BY_HOUR_NOTE} {words.BENCHMARKS}"))
        rows = pl.DataFrame(alert_load.hour_rows(hours, start, board.horizon, board.zone), infer_schema_length=None)
        st.vega_lite_chart(rows, charts.LOAD, width="stretch", theme=None, alt=words.BY_HOUR, key="load")
    st.html(cards.title(words.BY_PERSON))
    st.html(cards.table(words.PERSON_HEAD, [(_person(load), "") for load in people[:_PEOPLE]]))
    st.html(cards.title(words.BY_RULE, words.BY_RULE_NOTE))
    most = max(rule.alerts for rule in rules)
    told = texts.MORE.format(n=len(rules) - _RULES) if rules[_RULES:] else ""
    st.html(cards.table(words.RULE_HEAD, [(_rule(rule, most), "") for rule in rules[:_RULES]], told))


def _chosen(board: Board) -> tuple[int, str | None, pl.DataFrame, pl.DataFrame]:
    """From when on, of whom (None: everybody), their calls and the load of their hours."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    period = left.segmented_control(
        texts.PERIOD, list(words.PERIODS), default="week", required=True, key="back", bind="query-params",
        format_func=words.PERIODS.__getitem__,
    )  # fmt: skip
    start = max(board.horizon - words.PERIOD_DAYS[period or "week"] * DAY_US, board.first)
    asked = start // DAY_US if period == "month" else start // 60_000_000
    calls, hours = (
        reading.past(("calls", asked), lambda reader: stored.calls(reader, start)),
        reading.past(("load", asked), lambda reader: stored.load(reader, start)),
    )
    people = calls["recipient"].drop_nulls().unique().sort().to_list()
    with right:
        who = filters.or_all(words.WHO, people, "who", words.EVERYBODY)
    if who is not None:
        calls, hours = (rows.filter(pl.col("recipient") == who) for rows in (calls, hours))
    return start, who, calls, hours


def _headline(board: Board, calls: pl.DataFrame, people: list[Load], who: str | None) -> str:
    once = calls.unique("alert")
    busiest = max(people, key=lambda load: load.busiest)
    acknowledged = calls["acknowledge_us"].drop_nulls()
    told = NONE
    if not acknowledged.is_empty():
        median, p90 = (round(acknowledged.quantile(share, "linear") or 0) for share in (0.5, 0.9))
        told = words.MEDIAN_P90.format(median=duration(median), p90=duration(p90))
    values = [
        (words.ALERTS, count(once.height)),
        (words.BUSIEST, f"{count(busiest.busiest)}, {words.VERDICTS[busiest.verdict]}"),
        (words.FLOOD, percent(max(load.flooded for load in people), 2)),
        (words.ACKNOWLEDGED_IN, told),
        (words.UNACKNOWLEDGED, percent(once["acknowledged_at"].null_count() / once.height, 0)),
        (words.STALE, count(int(once["stale"].sum()))),
    ]
    return cards.strip(who or board.plant.name, values)


def _first(rules: list[Rule]) -> None:
    worst = alert_load.worst(rules)
    if worst is None:
        st.html(cards.calm(words.FINE))
        return
    told = words.FIRST_SHARE.format(share=percent(worst.share, 0), advice=" ".join(worst.advice))
    st.html(cards.notice(f"{words.FIRST.format(rule=worst.name)}. {told}", "build"))


def _person(load: Load) -> list[cards.Cell]:
    bad = load.verdict == "too many"
    return [
        cards.Cell(load.recipient or words.NOBODY),
        cards.Cell(html=cards.badge(words.VERDICTS[load.verdict], words.VERDICT_SYMBOLS[load.verdict], act=bad)),
        cards.number(count(load.alerts)),
        cards.number(f"{load.per_day:.1f}"),
        cards.number(count(load.busiest)),
        cards.number(count(load.over)),
        cards.number(count(load.most_in_10_min)),
        cards.number(percent(load.flooded, 2)),
        cards.number(duration(load.median_us)),
        cards.number(duration(load.p90_us)),
        cards.number(percent(load.unacknowledged, 0)),
    ]


def _rule(rule: Rule, most: int) -> list[cards.Cell]:
    return [
        cards.Cell(rule.name),
        cards.Cell(html=cards.step(0, rule.alerts / most), classes="of-wide"),
        cards.number(count(rule.alerts)),
        cards.number(percent(rule.share, 0)),
        cards.number(percent(rule.chattering, 0)),
        cards.number(duration(rule.open_median_us)),
        cards.number(percent(rule.unacknowledged, 0)),
        cards.Cell(" ".join(rule.advice)),
    ]


frame.live(screen)
