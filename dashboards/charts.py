"""Charts as constant Vega-Lite specifications, and the rows that go into them.

A specification never changes, only its rows do: so a browser keeps the chart and swaps the data. Times go in as
milliseconds, with ticks of their own, since a browser knows neither the plant's time zone nor its clock changes.
"""

from typing import Any, Final
from zoneinfo import ZoneInfo

from dashboards import texts
from dashboards import texts_alert_load as load_words
from dashboards.board import HOUR_US
from dashboards.theme import LOOKS, SHOWN
from kpis.formats import clock
from storage.alert_views import ACCEPTABLE, MANAGEABLE

Spec = dict[str, Any]

_STEPS_US: Final = (HOUR_US // 4, HOUR_US // 2, HOUR_US, 2 * HOUR_US, 4 * HOUR_US, 12 * HOUR_US, 24 * HOUR_US)
_TICKS: Final = 9
_FONT: Final = '"Source Sans", sans-serif'
_CONFIG: Final = {
    "mark": {"aria": False},  # the chart has a text of its own
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": SHOWN.muted,
        "titleColor": SHOWN.muted,
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
    },
    "legend": {"labelColor": SHOWN.ink, "labelFontSize": 13},
}
_TIME: Final = {"field": "x", "type": "quantitative", "scale": {"zero": False, "nice": False}, "axis": None}
_DAY: Final = {
    "field": "day",
    "type": "ordinal",
    "sort": None,
    "axis": {"title": None, "labelAngle": 0, "labelOverlap": True},
}
_POINTS: Final = {"type": "line", "color": SHOWN.accent, "point": {"size": 40, "color": SHOWN.accent, "filled": True}}
_HEIGHTS: Final = sorted({look.height for look in LOOKS.values()})


def _ticks(y: Any) -> list[Spec]:
    """Vertical rules and local times, from rows of kind `tick`."""
    only = [{"filter": "datum.kind === 'tick'"}]
    return [
        {"transform": only, "mark": {"type": "rule", "color": SHOWN.rule}, "encoding": {"x": _TIME}},
        {
            "transform": only,
            "mark": {"type": "text", "baseline": "top", "dy": 6, "color": SHOWN.muted, "fontSize": 13, "font": _FONT},
            "encoding": {"x": _TIME, "y": {"value": y}, "text": {"field": "label"}},
        },
    ]


def _lanes(height: float) -> Spec:
    """The intervals of the states that are drawn this high."""
    return {
        "transform": [{"filter": f"datum.kind === 'state' && datum.height === {height}"}],
        "mark": {
            "type": "bar",
            "height": {"band": height},
            "stroke": SHOWN.muted,
            "strokeWidth": 0.5 if height < 0.3 else 0,
        },
        "encoding": {
            "x": _TIME,
            "x2": {"field": "x2"},
            "y": {
                "field": "lane",
                "type": "nominal",
                "sort": {"field": "place", "op": "min"},
                "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 150, "labelColor": SHOWN.ink},
                "scale": {"paddingInner": 0.1, "paddingOuter": 0.05},
            },
            "color": {
                "field": "account",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": list(LOOKS), "range": [look.fill for look in LOOKS.values()]},
            },
            "tooltip": [{"field": name, "title": title} for name, title in texts.TIMELINE_TIP],
        },
    }


TIMELINE: Final[Spec] = {
    "height": {"step": 44},
    "padding": {"bottom": 24},
    "layer": [*_ticks({"expr": "height"}), *map(_lanes, _HEIGHTS)],
    "config": _CONFIG,
}
"""States of machines over time, a lane each; what needs somebody stands higher than what runs."""

RATE: Final[Spec] = {
    "height": 190,
    "padding": {"bottom": 24},
    "layer": [
        *_ticks({"expr": "height"}),
        {
            "transform": [{"filter": "datum.kind === 'rate'"}],
            "mark": {"type": "rect", "color": "#A9B9C5", "stroke": SHOWN.card, "strokeWidth": 1},
            "encoding": {
                "x": _TIME,
                "x2": {"field": "x2"},
                "y": {
                    "field": "rate",
                    "type": "quantitative",
                    "title": None,
                    "axis": {"tickCount": 4, "gridColor": SHOWN.rule},
                },
                "y2": {"datum": 0},
                "tooltip": [{"field": name, "title": title} for name, title in texts.RATE_TIP],
            },
        },
        {
            "transform": [{"filter": "datum.kind === 'ideal' && isValid(datum.rate)"}],
            "mark": {"type": "rule", "color": SHOWN.ink, "strokeWidth": 2},
            "encoding": {"x": _TIME, "x2": {"field": "x2"}, "y": {"field": "rate", "type": "quantitative"}},
        },
    ],
    "config": _CONFIG,
}
"""Pieces per minute as bars, the ideal rate of the product in force as a line."""


def _pareto(field: str, title: str) -> Spec:
    bars = {"field": field, "type": "quantitative", "title": title, "axis": {"tickCount": 4, "gridColor": SHOWN.rule}}
    lane = {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 170, "labelColor": SHOWN.ink},
    }
    tip = [{"field": name, "title": shown} for name, shown in texts.PARETO_TIP]
    return {
        "height": {"step": 30},
        "layer": [
            {
                "params": [{"name": "picked", "select": {"type": "point", "fields": ["key"]}}],
                "mark": {"type": "bar", "cursor": "pointer", "height": {"band": 0.66}, "cornerRadiusEnd": 2},
                "encoding": {
                    "y": lane,
                    "x": bars,
                    "color": {
                        "field": "account",
                        "type": "nominal",
                        "legend": None,
                        "scale": {"domain": list(LOOKS), "range": [look.fill for look in LOOKS.values()]},
                    },
                    "tooltip": tip,
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "color": SHOWN.ink, "fontSize": 13, "font": _FONT},
                "encoding": {
                    "y": lane,
                    "x": {"field": field, "type": "quantitative"},
                    "text": {"field": f"{field}_told"},
                },
            },
        ],
        "config": _CONFIG,
    }


PARETO_TIME: Final[Spec] = _pareto("hours", texts.HOURS)
PARETO_STOPS: Final[Spec] = _pareto("stops", texts.STOPS)
"""Downtime by time and by count: two charts of the same rows, each with what it says and its running share."""

SIX: Final[Spec] = {
    "height": 240,
    "mark": {"type": "bar"},
    "encoding": {
        "x": _DAY,
        "y": {
            "field": "hours",
            "type": "quantitative",
            "title": texts.HOURS,
            "axis": {"tickCount": 4, "gridColor": SHOWN.rule},
        },
        "color": {
            "field": "loss",
            "type": "nominal",
            "sort": None,
            "scale": {
                "domain": list(texts.SIX.values()),
                "range": [LOOKS["down"].fill, "#1F6FB5", "#F2B441", "#8FA5B4", "#3B1F5B", "#A9C4B8"],
            },
            "legend": {"title": None, "orient": "bottom", "columns": 2},
        },
        "order": {"field": "rank"},
        "tooltip": [{"field": name, "title": title} for name, title in texts.SIX_TIP],
    },
    "config": _CONFIG,
}
"""The six big losses of each day, stacked."""

TREND: Final[Spec] = {
    "height": 200,
    "layer": [
        {
            "mark": _POINTS,
            "encoding": {
                "x": _DAY,
                "y": {
                    "field": "oee",
                    "type": "quantitative",
                    "title": None,
                    "axis": {"format": ".0%", "tickCount": 4, "gridColor": SHOWN.rule},
                },
                "tooltip": [{"field": name, "title": title} for name, title in texts.TREND_TIP],
            },
        },
        {
            "mark": {"type": "rule", "color": SHOWN.ink, "strokeDash": [4, 3]},
            "encoding": {"y": {"field": "target", "type": "quantitative", "aggregate": "max"}},
        },
    ],
    "config": _CONFIG,
}
"""OEE of each day, with its target."""


YIELD: Final[Spec] = {
    "height": 200,
    "mark": _POINTS,
    "encoding": {
        "x": _DAY,
        "y": {
            "field": "yield",
            "type": "quantitative",
            "title": None,
            "scale": {"zero": False},
            "axis": {"format": ".2%", "tickCount": 4, "gridColor": SHOWN.rule},
        },
        "tooltip": [{"field": name, "title": title} for name, title in texts.YIELD_TIP],
    },
    "config": _CONFIG,
}
"""First pass yield of each day. It moves by parts of a per cent, so the axis does not begin at 0."""

_LINES: Final = {"domain": list(texts.WORM_LINES.values()), "range": [SHOWN.accent, SHOWN.ink]}
WORM: Final[Spec] = {
    "height": 260,
    "padding": {"bottom": 24},
    "layer": [
        *_ticks({"expr": "height"}),
        {
            "transform": [{"filter": "datum.kind === 'point'"}],
            "mark": {"type": "line", "strokeWidth": 2.5, "tooltip": True},
            "encoding": {
                "x": _TIME,
                "y": {
                    "field": "pieces",
                    "type": "quantitative",
                    "title": None,
                    "axis": {"tickCount": 5, "gridColor": SHOWN.rule},
                },
                "color": {
                    "field": "line",
                    "type": "nominal",
                    "scale": _LINES,
                    "legend": {"title": None, "orient": "top"},
                },
                "strokeDash": {
                    "field": "line",
                    "type": "nominal",
                    "scale": {"domain": _LINES["domain"], "range": [[1, 0], [6, 4]]},
                    "legend": None,
                },
                "tooltip": [{"field": name, "title": title} for name, title in texts.WORM_TIP],
            },
        },
    ],
    "config": _CONFIG,
}
"""Good pieces of a shift summed up, against those that its target asks for."""


LOAD: Final[Spec] = {
    "height": 200,
    "padding": {"bottom": 24},
    "layer": [
        *_ticks({"expr": "height"}),
        {
            "transform": [{"filter": "datum.kind === 'bar'"}],
            "mark": {"type": "rect"},
            "encoding": {
                "x": _TIME,
                "x2": {"field": "x2"},
                "y": {
                    "field": "alerts",
                    "type": "quantitative",
                    "title": None,
                    "axis": {"tickCount": 4, "format": "d", "gridColor": SHOWN.rule},
                    "scale": {"domainMin": 0},
                },
                "y2": {"datum": 0},
                "color": {
                    "field": "load",
                    "type": "nominal",
                    "scale": {
                        "domain": list(load_words.VERDICTS.values()),
                        "range": ["#8FA5B4", LOOKS["idle"].fill, LOOKS["down"].fill],
                    },
                    "legend": {"title": None, "orient": "top"},
                },
                "tooltip": [{"field": name, "title": title} for name, title in load_words.HOUR_TIP],
            },
        },
        *(
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": SHOWN.ink, "strokeDash": [4, 3]},
                "encoding": {"y": {"datum": limit}},
            }
            for limit in (ACCEPTABLE, MANAGEABLE)
        ),
    ],
    "config": _CONFIG,
}
"""Alerts in each hour, and what is acceptable and manageable."""


def ticks(start: int, end: int, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Rows for the time axis: whole local hours, or parts of one, about as many as fit."""
    step = next((step for step in _STEPS_US if (end - start) / step <= _TICKS), _STEPS_US[-1])
    first = -(-start // step) * step
    return [{"kind": "tick", "x": at // 1_000, "label": clock(at, zone)} for at in range(first, end + 1, step)]
