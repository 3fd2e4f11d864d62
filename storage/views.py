"""Views for readers, generated: the elements of every window, and the KPIs over them from their one definition."""

from hashlib import sha256
from typing import Final

import duckdb

from kpis.elements import ACCOUNTS, ELEMENTS
from kpis.plant import Plant
from kpis.registry import DEFINITIONS, KPIS, sql_columns
from storage import alert_views, day_sums
from storage.grains import GRAINS, IS_OPEN, RUN_BOUNDS, RUNS, Grain
from storage.losses import six_big_losses_sql
from storage.schema import VERSION
from storage.tables import comment

PIECES: Final = ("good", "scrap", "rework")
_STOPPED: Final = "('minor_stop', 'down', 'idle')"
_HOUR_US: Final = 3_600_000_000
_TIMES: Final = tuple(
    element.name for element in ELEMENTS if element.name not in (*PIECES, "capacity", "idle_without_order_us")
)

_INTERVALS_NOW: Final = """
    CREATE OR REPLACE VIEW intervals_now AS
    SELECT i.* EXCLUDE ("end"), coalesce(i."end", p.horizon) AS "end", epoch_us(i."start") AS s,
        epoch_us(coalesce(i."end", p.horizon)) AS e, i."end" IS NULL AS open
    FROM intervals i CROSS JOIN horizons p
"""
_STOPS_NOW: Final = f"""
    CREATE OR REPLACE VIEW stops_now AS
    SELECT t.* EXCLUDE ("end", us), coalesce(t."end", p.horizon) AS "end",
        t.us + CASE WHEN t."end" IS NULL AND o.account IN {_STOPPED} THEN epoch_us(p.horizon) - epoch_us(o."start")
            ELSE 0 END AS us,
        t."end" IS NULL AS open
    FROM stops t CROSS JOIN horizons p
    LEFT JOIN (SELECT equipment, account, "start" FROM intervals WHERE {IS_OPEN}) o ON o.equipment = t.equipment
"""


def _rows(grain: Grain) -> str:
    """Elements of intervals, counts and stops, summed by what tells them apart, each with the parts of its window."""
    parts = ", ".join(f'i."{part}"' for part in grain.summed_by or grain.parts)
    accounts = ", ".join(f"CASE WHEN i.account = '{name}' THEN i.us ELSE 0 END AS {name}_us" for name in ACCOUNTS)
    pieces = ", ".join(f"CASE WHEN i.quality = '{name}' THEN i.pieces ELSE 0 END AS {name}" for name in PIECES)
    failure = "i.category = 'down' AND NOT i.minor"

    def when(condition: str, name: str) -> str:
        return f"CASE WHEN {condition} THEN i.us ELSE 0 END AS {name}"

    stopped = "i.account IN ('setup', 'planned_stop', 'minor_stop', 'down', 'idle')"
    # The many rows are summed with few columns, then the few rows are spread over many columns.
    return f"""
        SELECT i.equipment, {parts}, {accounts},
            {when("i.account = 'producing' AND i.outside", "overtime_us")},
            {when("i.account = 'idle' AND NOT i.ordered", "idle_without_order_us")},
            {when("i.ordered", "order_us")},
            {when(f"r.maintenance = 'corrective' AND {stopped}", "corrective_us")},
            {when(f"r.maintenance = 'preventive' AND {stopped}", "preventive_us")},
            {when("i.account <> 'unscheduled'", "scheduled_us")}, true AS timed
        FROM (
            SELECT i.equipment, {parts}, i.account, i.reason, i.schedule <> 'scheduled' AS outside,
                i."order" IS NOT NULL AS ordered, sum({grain.us})::BIGINT AS us
            FROM {grain.time} i GROUP BY ALL
        ) i LEFT JOIN reasons r ON r.reason = i.reason
        UNION ALL BY NAME
        SELECT i.equipment, {parts}, {pieces}, i.ideal_us, i.no_ideal, true AS counted,
            CASE WHEN i.quality = 'good' THEN i.ideal_us ELSE 0 END AS good_ideal_us
        FROM (
            SELECT i.equipment, {parts}, i.quality, sum(i.pieces)::BIGINT AS pieces,
                sum(i.ideal_us)::BIGINT AS ideal_us, sum(i.no_ideal)::BIGINT AS no_ideal
            FROM {grain.pieces} i GROUP BY ALL
        ) i
        UNION ALL BY NAME
        SELECT i.equipment, {parts}, count(*) AS stops, count(*) FILTER ({failure}) AS failures,
            coalesce(sum(i.us) FILTER ({failure}), 0)::BIGINT AS failure_us
        FROM {grain.stops} i GROUP BY i.equipment, {parts}
    """


_GIVEN_RUNS: Final = """, told AS (
            SELECT s.* EXCLUDE (window_start, window_end), k.equipment AS receiver, k.gives_time, k.gives_pieces,
                s.window_start AS run_from, s.window_end AS run_to,
                max(s.window_end) OVER (PARTITION BY k.equipment, s."order", s.product
                    ORDER BY s.window_start, s.window_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
            FROM dated s JOIN contributors k ON k.contributor = s.equipment WHERE k.gives_time OR s.counted
        ), parted AS (
            SELECT *, count(*) FILTER (WHERE reached IS NULL OR run_from > reached) OVER (
                PARTITION BY receiver, "order", product ORDER BY run_from, run_to ROWS UNBOUNDED PRECEDING) AS part
            FROM told
        ), given AS (
            SELECT *, min(run_from) OVER run AS window_start, max(run_to) OVER run AS window_end
            FROM parted WINDOW run AS (PARTITION BY receiver, "order", product, part)
        )"""
"""Runs of an order that overlap, on several machines of a line, are one run on the line."""


def elements_sql(grain: Grain, *, history: bool = True) -> str:
    """The elements of every window of every equipment, rolled up over the tree.

    `history`: with status, revision and the time of the last change, which cost about as much as the elements.
    """
    parts = ", ".join(f's."{part}"' for part in grain.parts)
    same = " AND ".join(f'c."{part}" IS NOT DISTINCT FROM s."{part}"' for part in grain.parts)
    leaf = ", ".join(
        f"coalesce(sum(s.{name}), 0)::BIGINT AS {name}"
        for name in (*_TIMES, *PIECES, "scheduled_us", "idle_without_order_us")
    )
    time = ", ".join(f"sum(CASE WHEN gives_time THEN s.{name} ELSE 0 END)::BIGINT AS {name}" for name in _TIMES)
    made = ", ".join(f"sum(CASE WHEN gives_pieces THEN s.{name} ELSE 0 END)::BIGINT AS {name}" for name in PIECES)
    given, window, told, again = "", parts, "", same
    source, receiver = "dated s JOIN contributors k ON k.contributor = s.equipment", "k.equipment"
    bounds = "min(s.window_start) AS window_start, max(s.window_end) AS window_end, "
    if grain.name == "order":
        given, source, receiver = _GIVEN_RUNS, "given s", "s.receiver"
        window, told = 's."order", s.product, s.window_start, s.window_end', 's."order", s.product'
        same = 'c."start" < s.window_end AND c."end" > s.window_start'
        again = (
            'c."order" = s."order" AND c.product IS NOT DISTINCT FROM s.product '
            "AND c.window_start = s.window_start AND c.window_end = s.window_end"
        )
        bounds = ""
    elements = ", ".join(f's."{element.name}"' for element in ELEMENTS)
    named = f"{grain.label} AS shift, {grain.date} AS production_date, {told + ',' if told else ''}"
    summed = f"""
        WITH leaf AS (
            SELECT s.equipment, {parts}, {leaf}, coalesce(bool_or(s.timed), false) AS timed,
                coalesce(bool_or(s.counted), false) AS counted
            FROM (SELECT {grain.spread} FROM ({_rows(grain)})) s GROUP BY s.equipment, {parts}
        ), dated AS (
            SELECT s.*, q.has_orders, q.capacity_per_hour, {grain.start} AS window_start, {grain.end} AS window_end,
                {grain.never_closes} AS never_closes
            FROM leaf s JOIN equipment q ON q.equipment = s.equipment {grain.joins}
        ){given}, summed AS (
            SELECT {receiver} AS equipment, {window}, {bounds}bool_or(s.never_closes) AS never_closes, {time}, {made},
                sum(CASE WHEN gives_time AND s.has_orders THEN s.idle_without_order_us ELSE 0 END)::BIGINT
                    AS idle_without_order_us,
                (sum(s.scheduled_us::HUGEINT * s.capacity_per_hour) FILTER (WHERE gives_time) // {_HOUR_US})::BIGINT
                    AS capacity
            FROM {source} GROUP BY {receiver}, {window}
            HAVING bool_or((gives_time AND s.timed) OR (gives_pieces AND s.counted))
        )"""
    if not history:
        return f"""{summed}
        SELECT s.equipment, q.level, s.window_start, s.window_end, {named} {elements}
        FROM summed s JOIN equipment q ON q.equipment = s.equipment
        """
    return f"""{summed}, closing AS (
            SELECT s.*, q.level, CASE WHEN s.never_closes THEN 'infinity'::TIMESTAMPTZ
                ELSE make_timestamptz(epoch_us(s.window_end) + q.grace_us) END AS closes_at
            FROM summed s JOIN equipment q ON q.equipment = s.equipment
        ), revisions AS (
            SELECT s.equipment, {window}, count(DISTINCT c.flush) AS revision, max(f.committed_at) AS changed_at
            FROM closing s JOIN contributors k ON k.equipment = s.equipment
            JOIN {grain.changes} c ON c.equipment = k.contributor AND {same}
            JOIN flushes f ON f.flush = c.flush AND f.horizon_before >= s.closes_at
            GROUP BY s.equipment, {window}
        )
        SELECT s.equipment, s.level, s.window_start, s.window_end, {named}
            CASE WHEN c.revision IS NOT NULL THEN 'revised' WHEN p.horizon >= s.closes_at THEN 'closed'
                ELSE 'open' END AS status,
            coalesce(c.revision, 0)::INTEGER AS revision,
            coalesce(c.changed_at, f.committed_at, l.committed_at) AS changed_at, {elements}
        FROM closing s CROSS JOIN horizons p
        CROSS JOIN (SELECT max(committed_at) AS committed_at FROM flushes) l
        LEFT JOIN revisions c ON c.equipment = s.equipment AND {again}
        ASOF LEFT JOIN (SELECT horizon, min(committed_at) AS committed_at FROM flushes GROUP BY horizon) f
          ON s.closes_at <= f.horizon
    """


def kpi_columns(definition: str) -> str:
    """The KPIs over columns of elements, for a SELECT."""
    return ", ".join(f'{sql} AS "{name}"' for name, sql in sql_columns(definition))


def _oee_by_definition() -> str:
    columns = []
    for definition in DEFINITIONS:
        oee = dict(sql_columns(definition))["oee"]
        columns.append(f'{oee} AS "oee_{definition}"')
    return ", ".join(columns)


def create_views(con: duckdb.DuckDBPyConnection, plant: Plant) -> None:
    """Make all views, with comments; the KPI views show the plant's own OEE definition first.

    To bind them takes most of the time of opening a new store: where the very same are there, they stay.
    """
    statements = _statements(plant)
    told = (VERSION, statements, GRAINS, _meanings(), _VIEWS, day_sums.MEANINGS, alert_views.VIEWS)
    made = f"'{sha256(repr(told).encode()).hexdigest()}'"
    query = "SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'views_made'"
    if con.execute(query).fetchall() == [(made,)]:
        return
    for statement in statements:
        con.execute(statement)
    _describe(con)
    con.execute(f"CREATE OR REPLACE MACRO views_made() AS {made}")


def _statements(plant: Plant) -> list[str]:
    made = [_INTERVALS_NOW, _STOPS_NOW, f"CREATE OR REPLACE VIEW count_runs AS {RUNS}", RUN_BOUNDS]
    made += [f"CREATE OR REPLACE VIEW {name} AS {rows}" for name, rows in day_sums.VIEWS.items()]
    columns, extra = kpi_columns(plant.oee_definition), _oee_by_definition()
    for grain in GRAINS:
        # The long text is a macro: a view is copied with each comment on one of its columns.
        rows = f"SELECT *, {columns}, {extra} FROM ({elements_sql(grain)})"
        made.append(f"CREATE OR REPLACE MACRO kpi_{grain.name}_rows() AS TABLE {rows}")
        made.append(f"CREATE OR REPLACE VIEW kpi_{grain.name} AS FROM kpi_{grain.name}_rows()")
    shift = next(grain for grain in GRAINS if grain.name == "shift")
    six = f"CREATE OR REPLACE VIEW six_big_losses AS {six_big_losses_sql(shift, 'kpi_shift')}"
    return [*made, _TIME_ELEMENTS, _LOSSES, _DATA_QUALITY, six, *alert_views.STATEMENTS]


_TIME_ELEMENTS: Final = """
    CREATE OR REPLACE VIEW time_elements AS
    SELECT i.equipment, make_timestamptz(i.w * 60000000) AS window_start, i.production_date || '/' || i.shift AS shift,
        i.production_date, i.product, i."order", i.account, i.category, i.reason,
        sum(least(i.e, (i.w + 1) * 60000000) - greatest(i.s, i.w * 60000000))::BIGINT AS us
    FROM (SELECT *, unnest(range(s // 60000000, (e - 1) // 60000000 + 1)) AS w FROM intervals_now WHERE e > s) i
    GROUP BY ALL
"""
_LOSSES: Final = """
    CREATE OR REPLACE VIEW losses AS
    SELECT s.equipment, s.level, s.window_start, s.window_end, s.shift, s.status, l.loss, l.factor, l.us
    FROM kpi_shift s, LATERAL (VALUES
        ('unscheduled', 'schedule', s.unscheduled_us), ('break', 'schedule', s.break_us),
        ('planned_stop', 'schedule', s.planned_stop_us), ('unknown', 'schedule', s.unknown_us),
        ('setup', 'availability', s.setup_us), ('down', 'availability', s.down_us),
        ('idle', 'availability', s.idle_us), ('minor_stop', 'performance', s.minor_stop_us),
        ('reduced_speed', 'performance', s.producing_us - s.ideal_us),
        ('quality_loss', 'quality', s.ideal_us - s.good_ideal_us),
        ('fully_productive', NULL, s.good_ideal_us)) l(loss, factor, us)
"""
_DATA_QUALITY: Final = """
    CREATE OR REPLACE VIEW data_quality AS
    SELECT s.equipment, s.level, s.window_start, s.window_end, s.shift, s.status, s.revision, s.unknown_us, s.coverage,
        s.no_ideal, s.overtime_us, s.performance > 1 AS performance_above_1,
        (SELECT count(*) FROM changes c JOIN contributors k ON k.contributor = c.equipment
         WHERE k.equipment = s.equipment AND c."start" < s.window_end AND c."end" > s.window_start) AS late_changes
    FROM kpi_shift s
"""


def _describe(con: duckdb.DuckDBPyConnection) -> None:
    """A comment for every view and every column of one."""
    known = _meanings()
    views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    comments = [comment("VIEW", view, _view_meaning(view)) for (view,) in views]
    columns = con.execute(
        "SELECT c.table_name, c.column_name FROM duckdb_columns() c "
        "JOIN duckdb_views() v ON v.view_name = c.table_name WHERE NOT v.internal"
    ).fetchall()
    for view, column in columns:
        comments.append(comment("COLUMN", f'{view}"."{column}', known.get(column) or column.replace("_", " ")))
    con.execute("; ".join(comments))


def _meanings() -> dict[str, str]:
    """What columns of views mean, by their names."""
    known = {element.name: f"{element.meaning} ({element.unit})" for element in ELEMENTS}
    known |= {kpi.name: f"{kpi.label}: {kpi.formula} ({kpi.unit})" for kpi in KPIS}
    return known | alert_views.COLUMNS | _COLUMNS


def _view_meaning(view: str) -> str:
    for grain in GRAINS:
        if view == f"kpi_{grain.name}":
            return f"Additive elements and KPIs of {grain.meaning}, for every equipment and level."
    return (_VIEWS | day_sums.MEANINGS | alert_views.VIEWS)[view]


_VIEWS: Final = {
    "intervals_now": "Intervals with open ones ended at the horizon; s and e are the bounds in microseconds.",
    "stops_now": "Stops with open ones measured up to the horizon.",
    "count_runs": "Pieces by the run of the order that they belong to.",
    "runs": "Runs of orders on equipment with own events.",
    "time_elements": "Microseconds per equipment, minute, shift, product, order, account and reason; additive.",
    "losses": "Where the time of each shift went; the rows of one shift add up to its accounted time exactly.",
    "six_big_losses": "The six big losses of each shift, by the reasons given; 0 where there was none.",
    "data_quality": "How far the figures of each shift can be trusted.",
}
_COLUMNS: Final = {
    "equipment": "ISA-95 path",
    "level": "enterprise, site, area, line or unit",
    "window_start": "start of the window",
    "window_end": "end of the window, exclusive",
    "shift": "production date and name of the shift; null: outside every shift",
    "production_date": "production day that the window belongs to",
    "status": "open, closed (horizon past end and grace) or revised (changed since)",
    "revision": "changes since the window was closed",
    "changed_at": "when the row last changed, by the engine's clock",
    "us": "microseconds",
    "loss": "step of the waterfall",
    "rank": "place among the six, from 1",
    "flag": "why the number is not to be trusted: no_ideal_cycle or ideal_cycle_too_long; null: it is",
    "factor": "part of OEE the loss belongs to; null: what is left",
    "account": "time account",
    "category": "category of the state in force",
    "reason": "reason in force",
    "start": "first instant",
    "end": "instant after the last",
    "s": "first instant in microseconds since 1970",
    "e": "instant after the last in microseconds since 1970",
    "open": "whether it is still going on",
    "begun": "how often the account began after another one",
} | {f"oee_{definition}": f"OEE by the {definition} definition" for definition in DEFINITIONS}
