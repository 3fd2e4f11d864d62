"""Rows of alerts: what is told of each, and what became of those that are known when others are found."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl

from kpis.alert_scope import KEY, Scope, measure_of
from kpis.alert_texts import alert_id, line_of, text_of
from kpis.work import MINUTE_US

ROWS = pl.Schema(
    {
        "alert": pl.String(),
        "rule": pl.String(),
        "equipment": pl.String(),
        "line": pl.String(),
        "severity": pl.String(),
        "state": pl.String(),
        "since": pl.Int64(),
        "fired_at": pl.Int64(),
        "resolved_at": pl.Int64(),
        "suppressed_by": pl.String(),
        "reason": pl.String(),
        "value": pl.Float64(),
        "chattering": pl.Boolean(),
        "text": pl.String(),
        "corrects": pl.String(),
        "revision": pl.Int32(),
        "changed_at": pl.Datetime("us", "UTC"),
    }
)
CHATTER_TIMES: Final = 3
CHATTER_WITHIN_US: Final = 30 * MINUTE_US
"""So many alerts of a rule on an equipment within that time chatter."""

Row = dict[str, Any]
_TOLD = ("state", "since", "fired_at", "resolved_at", "suppressed_by", "reason", "value", "chattering", "text")


def told(
    scope: Scope,
    alerts: pl.DataFrame,
    intervals: pl.DataFrame,
    reasons: pl.DataFrame,
    held: pl.DataFrame,
    known: Mapping[str, Row],
    carried: Collection[tuple[int, str]],
) -> list[Row]:
    """Alerts (kpis.alerts.ALERTS) with all that is told of them.

    `reasons` are the last ones given before the intervals. `known` are the rows of alerts by their ids. Of `carried`
    keys an alert began longer ago than `held` goes back: a value that is not found there is taken from its row.
    """
    given = _given(scope, alerts, intervals, reasons)
    values, limits = _values(scope, alerts, held), _limits(scope, alerts)
    rows = []
    for number, row in enumerate(alerts.iter_rows(named=True)):
        rule = scope.plant.alerts[row["rule"]]
        path, since = row["equipment"], row["since"]
        name = alert_id(rule.name, path, since)
        long_ago = known.get(name, {}) if (row["rule"], path) in carried else {}
        reason = given.get(number)
        value = values[number] if values[number] is not None else long_ago.get("value")
        limit, target = limits.get((scope.first_alike[row["rule"]], path), (None, None))
        rows.append(
            {
                **row,
                "alert": name,
                "rule": rule.name,
                "line": line_of(scope.plant, path),
                "severity": rule.severity,
                "reason": reason,
                "value": value,
                "chattering": False,
                "text": text_of(scope.plant, rule, path, since, reason=reason, value=value, limit=limit, target=target),
                "corrects": None,
            }
        )
    return rows


def _given(scope: Scope, alerts: pl.DataFrame, intervals: pl.DataFrame, reasons: pl.DataFrame) -> dict[int, str]:
    """The last reason given while the condition of an alert about states held, by its place."""
    states = [number for number, rule in enumerate(scope.plant.alerts) if rule.when.kind == "state"]
    rows = alerts.with_row_index("place").filter(pl.col("rule").is_in(states))
    if rows.is_empty():
        return {}
    given = pl.concat([reasons, intervals.filter(pl.col("reason").is_not_null()).select(reasons.columns)])
    reach = scope.reach.of(given["contributor"].unique())
    found = rows.select("place", *KEY, "since", "resolved_at").join(reach, on=KEY).join(given, on="contributor")
    over = pl.col("start") < pl.col("resolved_at").fill_null(2**62)
    found = found.filter(pl.col("end") > pl.col("since"), over).sort("start", "contributor")
    last = found.unique("place", keep="last", maintain_order=True)
    return dict(last.select("place", "reason").iter_rows())


def _values(scope: Scope, alerts: pl.DataFrame, held: pl.DataFrame) -> list[float | None]:
    """What was measured at the last minute up to when an alert fired."""
    at = pl.coalesce("fired_at", "since").alias("at")
    alike = pl.Series("rule", scope.first_alike, dtype=pl.UInt32).gather(alerts["rule"])
    asked = alerts.select(*KEY, at).with_columns(alike).with_row_index("place").sort("at")
    found = asked.join_asof(held.sort("at"), on="at", by=list(KEY), strategy="backward", check_sortedness=False)
    return found.sort("place")["value"].to_list()


def _limits(scope: Scope, alerts: pl.DataFrame) -> dict[tuple[int, str], tuple[float, float | None]]:
    """The limit and the target of each alert on a measured value, by the first rule alike and the equipment."""
    asked = {measure_of(scope.plant.alerts[number]) for number in alerts["rule"].unique()}
    keys = scope.firsts(alerts)
    found: dict[tuple[int, str], tuple[float, float | None]] = {}
    for measure, frame in scope.limits.items():
        if measure in asked:
            rows = frame.join(keys, on=KEY, how="semi").select(*KEY, "on", "target").iter_rows()
            found |= {(rule, path): (on, target) for rule, path, on, target in rows}
    return found


def concerned(row: Row, cuts: Mapping[str, int]) -> bool:
    """Whether an alert was not over before the cut of its equipment."""
    cut = cuts.get(row["equipment"])
    return cut is not None and (row["resolved_at"] is None or row["resolved_at"] >= cut)


def chattering(rows: list[Row], known: Mapping[str, Row], cuts: Mapping[str, int]) -> None:
    """Mark the rows that are at least the third to fire of their rule and equipment within half an hour.

    `known` are the rows found before, by their ids. What fired before the cut of its equipment is marked as it was:
    those that fired just before it may be over for so long that they are not known any more.
    """
    keys = {(row["rule"], row["equipment"]) for row in rows}
    fired: dict[tuple[str, str], list[int]] = {key: [] for key in keys}
    for row in (*(row for row in known.values() if not concerned(row, cuts)), *rows):
        key = (row["rule"], row["equipment"])
        if key in keys and row["fired_at"] is not None:
            fired[key].append(row["fired_at"])
    for row in rows:
        at, before = row["fired_at"], known.get(row["alert"])
        if before is not None and at is not None and at < cuts.get(row["equipment"], at):
            row["chattering"] = before["chattering"]
        elif at is not None:
            others = fired[row["rule"], row["equipment"]]
            row["chattering"] = sum(at - CHATTER_WITHIN_US < other <= at for other in others) >= CHATTER_TIMES


def compared(
    before: list[Row], found: list[Row], horizon: int, now: datetime
) -> tuple[list[Row], list[tuple[str, str, int]]]:
    """Rows to write, and what became of which alert at which instant: first what is withdrawn, then by time.

    `before` are the known rows that `found` ones, of the same keys and time, take the place of. An alert that is no
    more is withdrawn; one that takes its place, because it overlaps with it, corrects it.
    """
    old = {row["alert"]: row for row in before}
    new = {row["alert"]: row for row in found}
    gone = [row for name, row in old.items() if name not in new]
    rows, became = [], []
    for name, row in new.items():
        known = old.get(name)
        if known is not None and all(known[column] == row[column] for column in _TOLD):
            continue
        row["revision"], row["corrects"] = (0, None) if known is None else (known["revision"] + 1, known["corrects"])
        row["changed_at"] = now
        replaced = None if known else next((other for other in gone if _overlap(other, row, horizon)), None)
        if replaced is not None:
            row["corrects"] = replaced["alert"]
        rows.append(row)
        became += [(name, *step) for step in _steps(known, row, replaced)]
    for row in gone:
        rows.append({**row, "state": "withdrawn", "revision": row["revision"] + 1, "changed_at": now})
        became.append((row["alert"], "withdrawn", horizon))
    return rows, sorted(became, key=lambda step: (step[1] != "withdrawn", step[2]))


def _overlap(one: Row, other: Row, horizon: int) -> bool:
    if (one["rule"], one["equipment"]) != (other["rule"], other["equipment"]):
        return False
    ends = [row["resolved_at"] if row["resolved_at"] is not None else horizon for row in (one, other)]
    return bool(one["since"] <= ends[1] and other["since"] <= ends[0])


def _steps(known: Row | None, row: Row, replaced: Row | None) -> list[tuple[str, int]]:
    """What an alert became, with when."""
    steps = []
    fired_before = known is not None and known["fired_at"] is not None
    if row["fired_at"] is not None and not fired_before:
        corrected = replaced is not None and replaced["fired_at"] is not None
        steps.append(("corrected" if corrected else "fired", row["fired_at"]))
    over_before = known is not None and known["resolved_at"] is not None
    if row["fired_at"] is None:
        if known is None or fired_before:
            steps.append(("suppressed", row["since"]))
    elif row["resolved_at"] is not None and not (over_before and fired_before):
        steps.append(("resolved", row["resolved_at"]))
    elif row["resolved_at"] is None and over_before and fired_before:
        steps.append(("reopened", known["resolved_at"] if known else row["since"]))
    return steps
