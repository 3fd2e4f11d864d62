"""Laws of the KPIs that hold for any window."""

from fractions import Fraction

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis.elements import ACCOUNTS, ELEMENTS, EXTERNAL
from kpis.formula import expression, sql
from kpis.losses import waterfall
from kpis.registry import DEFINITIONS, KPIS, evaluate, evaluate_quantities, frame_columns, sql_columns, terms

Window = dict[str, int]
Row = dict[str, int | None]

NAMES = [element.name for element in ELEMENTS]

amounts = st.one_of(
    st.integers(0, 10), st.integers(0, 10**6), st.integers(0, 2**53), st.sampled_from([2**53 + 1, 2**58])
)
signed = st.one_of(amounts, amounts.map(lambda amount: -amount))


def element_values(name: str) -> st.SearchStrategy[int | None]:
    if name == "capacity":
        return st.none() | amounts
    return amounts if name.endswith("_us") else signed


rows = st.fixed_dictionaries({name: element_values(name) for name in NAMES})

windows = st.builds(
    lambda times, good, scrap, rework, ideal: {
        **dict.fromkeys(NAMES, 0),
        **dict(zip((f"{account}_us" for account in ACCOUNTS), times, strict=True)),
        "good": good,
        "scrap": scrap,
        "rework": rework,
        "ideal_us": ideal * (good + scrap + rework),
        "good_ideal_us": ideal * good,
    },
    st.lists(st.integers(0, 10**12), min_size=9, max_size=9),
    *[st.integers(0, 10**5)] * 3,
    st.integers(1, 10**8),
)
"""Windows without corrections, every piece with an ideal cycle."""


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8), st.sampled_from(DEFINITIONS))
def test_numbers_frames_and_sql_give_the_same_doubles(batch: list[Row], definition: str) -> None:
    scalar = [evaluate(row, definition) for row in batch]
    frame = pl.DataFrame(batch, schema=dict.fromkeys(NAMES, pl.Int64))
    columns = sql_columns(definition)
    with duckdb.connect() as connection:
        connection.register("windows", frame.with_row_index().to_arrow())
        query = ", ".join(f'{text} AS "{name}"' for name, text in columns)
        from_sql = connection.sql(f"SELECT {query} FROM windows ORDER BY index").pl()
    expected = [{name: row[name] for name, _ in columns} for row in scalar]
    assert frame.select(frame_columns(definition)).to_dicts() == expected
    assert from_sql.to_dicts() == expected


external = st.dictionaries(st.sampled_from([element.name for element in EXTERNAL]), st.floats(-1e9, 1e9))


@settings(max_examples=40, deadline=None)
@given(rows, external)
def test_kpis_on_other_inputs_give_the_same_doubles_too(row: Row, others: dict[str, float]) -> None:
    values = row | {element.name: others.get(element.name) for element in EXTERNAL}
    formulas = {kpi.name: terms("standard")[kpi.name] for kpi in KPIS if kpi.basis != "events"}
    frame = pl.DataFrame([values], schema={name: pl.Int64 if name in row else pl.Float64 for name in values})
    columns = ", ".join(f'{sql(term)} AS "{name}"' for name, term in formulas.items())
    with duckdb.connect() as connection:
        connection.register("windows", frame.to_arrow())
        from_sql = connection.sql(f"SELECT {columns} FROM windows").pl()
    everything = evaluate(values)
    expected = {name: everything[name] for name in formulas}
    from_frame = frame.select(expression(term).alias(name) for name, term in formulas.items())
    assert from_frame.row(0, named=True) == expected
    assert from_sql.row(0, named=True) == expected


@settings(deadline=None)
@given(windows)
def test_headline_kpis_against_exact_arithmetic(window: Window) -> None:
    def share(part: int, whole: int) -> Fraction | None:
        return Fraction(part, whole) if whole > 0 else None

    def effective(base: int) -> Fraction | None:
        if base > 0 and (run == 0 or total == 0):
            return Fraction(0)
        return share(window["good_ideal_us"], base)

    total = window["good"] + window["scrap"] + window["rework"]
    run = window["producing_us"] + window["minor_stop_us"]
    planned = run + window["down_us"] + window["idle_us"] + window["setup_us"]
    scheduled = planned + window["planned_stop_us"] + window["break_us"] + window["unknown_us"]
    exact = {
        "availability": share(run, planned),
        "performance": share(window["ideal_us"], run),
        "quality": share(window["good"], total),
        "oee": effective(planned),
        "ooe": effective(scheduled),
        "teep": effective(scheduled + window["unscheduled_us"]),
        "scrap_ratio": share(window["scrap"], total),
        "throughput_per_hour": share(total * 3_600_000_000, planned),
        "coverage": share(planned, planned + window["unknown_us"]),
    }
    values = evaluate(window)
    for name, value in exact.items():
        assert values[name] == (None if value is None else pytest.approx(float(value), rel=1e-14, abs=0)), name


@settings(deadline=None)
@given(windows, st.sampled_from(DEFINITIONS))
def test_wider_base_never_raises_effectiveness(window: Window, definition: str) -> None:
    values = evaluate(window, definition)
    oee, ooe, teep = values["oee"], values["ooe"], values["teep"]
    rounding = 1 + 1e-14
    assert oee is None or (ooe is not None and ooe <= oee * rounding)
    assert ooe is None or (teep is not None and teep <= ooe * rounding)


@settings(deadline=None)
@given(windows)
def test_iso_index_is_oee_in_the_iso_definition(window: Window) -> None:
    in_standard = evaluate(window, "standard")
    assert in_standard["oee_index"] == evaluate(window, "iso22400")["oee"]
    assert in_standard["effectiveness"] == evaluate(window, "iso22400")["performance"]


@given(windows, st.integers(0, 10**12))
def test_planned_busy_time_is_made_of_the_iso_times(window: Window, without_order: int) -> None:
    window["idle_without_order_us"] = min(without_order, window["idle_us"])
    found = evaluate_quantities(window)
    delay = found["actual_unit_delay_time_us"] or 0
    assert found["planned_busy_time_us"] == (
        window["producing_us"] + window["setup_us"] + delay + window["idle_without_order_us"]
    )
    assert found["actual_unit_busy_time_us"] == (found["actual_unit_processing_time_us"] or 0) + delay


@given(windows, st.integers(1, 10**12))
def test_time_off_lowers_teep_and_leaves_oee(window: Window, more: int) -> None:
    before, after = evaluate(window), evaluate(window | {"unscheduled_us": window["unscheduled_us"] + more})
    assert {name: before[name] for name in before if name != "teep"} == {
        name: after[name] for name in after if name != "teep"
    }
    assert before["teep"] is None or (after["teep"] is not None and after["teep"] <= before["teep"])


@given(windows, st.sampled_from([2, 4, 1024]))
def test_a_window_repeated_has_the_same_ratios(window: Window, times: int) -> None:
    once, repeated = evaluate(window), evaluate({name: amount * times for name, amount in window.items()})
    ratios = [kpi.name for kpi in KPIS if kpi.unit in {"ratio", "per_hour"}]
    assert {name: repeated[name] for name in ratios} == {name: once[name] for name in ratios}


@given(rows, st.sampled_from(DEFINITIONS))
def test_waterfall_adds_up(row: Row, definition: str) -> None:
    window = {name: amount or 0 for name, amount in row.items()}
    steps = waterfall(window, definition)
    found = evaluate_quantities(window, definition)
    levels = {step.name: step.us for step in steps if step.factor is None}
    assert levels == {
        "calendar": found["calendar_us"],
        "scheduled": found["scheduled_us"],
        "planned_production": found["planned_production_us"],
        "run": found["run_us"],
        "net_run": window["ideal_us"],
        "fully_productive": window["good_ideal_us"],
    }
    assert levels["calendar"] - sum(step.us for step in steps if step.factor) == levels["fully_productive"]


@settings(max_examples=20, deadline=None)
@given(st.lists(windows, min_size=2, max_size=4))
def test_sql_over_sums_is_the_kpi_of_the_summed_window(parts: list[Window]) -> None:
    """SUM makes HUGEINT columns of BIGINT ones; the doubles must not change by it."""
    total = {name: sum(part[name] for part in parts) for name in NAMES}
    columns = sql_columns()
    with duckdb.connect() as connection:
        connection.register("windows", pl.DataFrame(parts, schema=dict.fromkeys(NAMES, pl.Int64)).to_arrow())
        sums = ", ".join(f'sum("{name}") AS "{name}"' for name in NAMES)
        query = ", ".join(text for _, text in columns)
        found = connection.sql(f"SELECT {query} FROM (SELECT {sums} FROM windows)").fetchone()
    assert found is not None
    everything = evaluate(total)
    assert dict(zip((name for name, _ in columns), found, strict=True)) == {
        name: everything[name] for name, _ in columns
    }
