"""Formula trees: null rules, the text for people, and the traps of each back end."""

import duckdb
import polars as pl
import pytest

from kpis.formula import Scalar, Term, evaluate, expression, minimum, name, names, ratio, sql, substitute, text, when

A, B, C = name("a"), name("b"), name("c")

CASES: list[tuple[str, Term, tuple[Scalar, Scalar, Scalar], Scalar]] = [
    ("quotient of integers is a double", ratio(A, B), (1, 4, None), 0.25),
    ("quotient by zero", ratio(A, B), (1, 0, None), None),
    ("quotient by a negative", ratio(A, B), (1, -4, None), None),
    ("quotient by null", ratio(A, B), (1, None, None), None),
    ("quotient of null", ratio(A, B), (None, 4, None), None),
    ("negative numerator", ratio(A, B), (-1, 4, None), -0.25),
    ("above 2**53 both sides round once", ratio(A, B), (2**53 + 1, 2**62, None), 2.0**53 / 2.0**62),
    ("sum with null", A + B, (1, None, None), None),
    ("difference", A - B, (1, 4, None), -3),
    ("product with null", ratio(A, B) * C, (1, 4, None), None),
    ("decimal constant is a double", ratio(A * 3.6e9, B), (1, 3, None), 1.2e9),
    ("when it holds", when(A > B, A, B), (2, 1, None), 2),
    ("when it does not", when(A > B, A, B), (1, 1, None), 1),
    ("without otherwise", when(A > B, A), (1, 1, None), None),
    ("a condition on null does not hold", when(A > B, 1, 2), (1, None, None), 2),
    ("at most, on the edge", when(A <= B, 1, 2), (1, 1, None), 1),
    ("equal", when(A.eq(0), 1, 2), (0, None, None), 1),
    ("equal to null does not hold", when(A.eq(0), 1, 2), (None, None, None), 2),
    ("or with one null", when((A > 0) | (B > 0), 1, 2), (None, 1, None), 1),
    ("or with null and false", when((A > 0) | (B > 0), 1, 2), (None, 0, None), 2),
    ("and with one null", when((A > 0) & (B > 0), 1, 2), (None, 1, None), 2),
    ("minimum", minimum(A, B), (2, 1, None), 1),
    ("minimum the other way", minimum(A, B), (1, 2, None), 1),
    ("minimum of equals", minimum(A, B), (1, 1, None), 1),
    ("minimum with null is null", minimum(A, B), (1, None, None), None),
]


@pytest.mark.parametrize(("term", "values", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_three_evaluations_agree(term: Term, values: tuple[Scalar, ...], expected: Scalar) -> None:
    row = dict(zip("abc", values, strict=True))
    frame = pl.DataFrame([row], schema=dict.fromkeys("abc", pl.Int64))
    with duckdb.connect() as connection:
        columns = ", ".join(
            f'CAST({"NULL" if value is None else value} AS BIGINT) AS "{column}"' for column, value in row.items()
        )
        found = connection.sql(f"SELECT {sql(term)} FROM (SELECT {columns})").fetchall()
    assert evaluate(term, row) == expected
    assert frame.select(result=expression(term)).item() == expected
    assert found == [(expected,)]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (A + B + C, "a + b + c"),
        (A - (B + C), "a - (b + c)"),
        (A + B - C, "a + b - c"),
        (ratio(A, B + C), "a / (b + c)"),
        (ratio(A * 3.6e9, B), "a * 3 600 000 000 / b"),
        (ratio(A, 6 * B), "a / (6 * b)"),
        (ratio(A, B) * C, "a / b * c"),
        (ratio(minimum(A - B, C), C), "min(a - b, c) / c"),
        (when((A > 0) & ((B <= 0) | C.eq(0)), 0.5, A + B), "0.5 if a > 0 and (b ≤ 0 or c = 0), else a + b"),
        (when(A.eq(0), B), "b if a = 0, else undefined"),
    ],
)
def test_text(term: Term, expected: str) -> None:
    assert text(term) == expected


def test_names_are_given_once_in_order() -> None:
    assert names(ratio(B, A + B)) == ("b", "a")


def test_substitute_replaces_names_that_have_a_definition() -> None:
    assert text(substitute(ratio(A, B), {"b": A + C})) == "a / (a + c)"


def test_a_name_without_a_value_is_null() -> None:
    assert evaluate(A, {}) is None


def test_names_that_are_sql_words_are_quoted() -> None:
    assert duckdb.sql(
        f'SELECT {sql(name("order") + name("group"))} FROM (SELECT 1 AS "order", 2 AS "group")'
    ).fetchall() == [(3,)]
