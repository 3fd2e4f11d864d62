"""How much people are asked to do by alerts, as SQL views: who was called when, and the load of each hour.

Benchmarks are those of ISA-18.2 and IEC 62682 for one operator: about 6 alerts in an hour are acceptable, 12 the most
that can be managed; a flood begins with more than 10 in ten minutes and ends with fewer than 5.
"""

from typing import Final

from storage.grains import MINUTE_US

ACCEPTABLE: Final = 6
MANAGEABLE: Final = 12
FLOOD_FROM: Final = 10
FLOOD_UNDER: Final = 5
SLOT_US: Final = 10 * MINUTE_US
STALE_US: Final = 24 * 60 * MINUTE_US
_SLOTS_OF_HOUR: Final = 6

CALLS: Final = f"""
    SELECT t.recipient, t.told_at, a.alert, a.rule, a.equipment, a.line, a.severity, a.fired_at, a.resolved_at,
        k.acknowledged_at,
        CASE WHEN k.acknowledged_at >= t.told_at THEN epoch_us(k.acknowledged_at) - epoch_us(t.told_at) END
            AS acknowledge_us,
        a.chattering, epoch_us(coalesce(a.resolved_at, p.horizon)) - epoch_us(a.fired_at) AS open_us,
        epoch_us(coalesce(a.resolved_at, p.horizon)) - epoch_us(a.fired_at) > {STALE_US} AS stale
    FROM (
        SELECT alert, recipient, min(due_at) AS told_at FROM alert_deliveries
        WHERE kind NOT IN ('resolved', 'withdrawn') GROUP BY alert, recipient
        UNION ALL
        SELECT alert, NULL, fired_at FROM alerts
        WHERE fired_at IS NOT NULL AND state <> 'withdrawn' AND alert NOT IN (SELECT alert FROM alert_deliveries)
    ) t JOIN alerts a ON a.alert = t.alert CROSS JOIN horizons p
    LEFT JOIN (
        SELECT alert, min("at") AS acknowledged_at FROM alert_actions
        WHERE kind IN ('acknowledge', 'take') GROUP BY alert
    ) k ON k.alert = t.alert
    WHERE a.fired_at IS NOT NULL
"""
LOAD: Final = f"""
    WITH slots AS (
        SELECT recipient, epoch_us(told_at) // {SLOT_US} AS slot, count(*) AS alerts FROM alert_calls GROUP BY ALL
    ), told AS (
        SELECT *, CASE WHEN alerts > {FLOOD_FROM} THEN true
            WHEN alerts < {FLOOD_UNDER} OR lag(slot) OVER w IS DISTINCT FROM slot - 1 THEN false END AS said
        FROM slots WINDOW w AS (PARTITION BY recipient ORDER BY slot)
    ), floods AS (
        SELECT *, last_value(said IGNORE NULLS) OVER (
            PARTITION BY recipient ORDER BY slot ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS flood
        FROM told
    ), hours AS (
        SELECT recipient, slot // {_SLOTS_OF_HOUR} AS hour, max(alerts) AS most_in_10_min,
            count(*) FILTER (flood) * {SLOT_US} AS flood_us
        FROM floods GROUP BY ALL
    ), calls AS (
        SELECT recipient, epoch_us(told_at) // {_SLOTS_OF_HOUR * SLOT_US} AS hour, count(*) AS alerts,
            count(*) FILTER (chattering) AS chattering, mode(rule) FILTER (chattering) AS chattering_rule,
            count(*) FILTER (stale) AS stale, count(*) FILTER (acknowledged_at IS NULL) AS unacknowledged,
            quantile_cont(acknowledge_us, 0.5)::BIGINT AS acknowledge_median_us,
            quantile_cont(acknowledge_us, 0.9)::BIGINT AS acknowledge_p90_us
        FROM alert_calls GROUP BY ALL
    )
    SELECT c.recipient, make_timestamptz(c.hour * {_SLOTS_OF_HOUR * SLOT_US}) AS window_start,
        make_timestamptz((c.hour + 1) * {_SLOTS_OF_HOUR * SLOT_US}) AS window_end, c.alerts,
        CASE WHEN c.alerts <= {ACCEPTABLE} THEN 'acceptable' WHEN c.alerts <= {MANAGEABLE} THEN 'manageable'
            ELSE 'too many' END AS load,
        h.most_in_10_min, h.flood_us::BIGINT AS flood_us, c.chattering, c.chattering_rule, c.stale, c.unacknowledged,
        c.acknowledge_median_us, c.acknowledge_p90_us
    FROM calls c JOIN hours h ON h.hour = c.hour AND h.recipient IS NOT DISTINCT FROM c.recipient
"""
STATEMENTS: Final = (
    f"CREATE OR REPLACE VIEW alert_calls AS {CALLS}",
    f"CREATE OR REPLACE VIEW alert_load AS {LOAD}",
)
VIEWS: Final = {
    "alert_calls": "Who was called by which alert: a row for each alert and person told of it.",
    "alert_load": "How much each person was asked to do in each hour with an alert, by the benchmarks of ISA-18.2.",
}
COLUMNS: Final = {
    "recipient": "person who was told; null: nobody was",
    "told_at": "when he was first told; of what nobody was told, when it fired",
    "alert": "id of the alert",
    "rule": "rule of the plant file",
    "line": "line that its equipment is or belongs to, else the equipment",
    "severity": "info, warning or critical",
    "fired_at": "when it had held for as long as the rule asks",
    "resolved_at": "when it was over; null: it is not",
    "acknowledged_at": "when somebody first acknowledged or took it; null: nobody did",
    "acknowledge_us": "from the telling to that, in microseconds; null: nobody did, or before he was told",
    "open_us": "how long it fired, up to the horizon, in microseconds",
    "stale": "open for longer than 24 hours; in alert_load how many of the alerts",
    "chattering": "at least the third of its rule and equipment in half an hour; in alert_load how many of the alerts",
    "alerts": "alerts told to that person in the hour, each once",
    "load": "acceptable (up to 6), manageable (up to 12) or too many",
    "most_in_10_min": "most alerts in ten minutes, aligned to the hour",
    "flood_us": "time in a flood, by ten minutes, in microseconds: from more than 10 alerts on until fewer than 5",
    "chattering_rule": "rule of most of the chattering alerts; null: none chattered",
    "unacknowledged": "alerts that nobody acknowledged or took",
    "acknowledge_median_us": "median of acknowledge_us; null: nobody acknowledged any",
    "acknowledge_p90_us": "nine of ten of acknowledge_us are not longer; null: nobody acknowledged any",
}
