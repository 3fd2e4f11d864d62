"""Formulas as small trees: written once with Python operators, evaluated on numbers, polars columns and SQL.

>>> rate = ratio(name("good"), name("good") + name("scrap"))
>>> evaluate(rate, {"good": 3, "scrap": 1})
0.75
>>> evaluate(rate, {"good": 0, "scrap": 0}) is None
True
>>> text(rate)
'good / (good + scrap)'

Null is contagious: what has a null input is null, and a condition on a null does not hold. The three evaluations give
the same doubles bit for bit, because each does the same operations in the same order: integers stay integers until the
one division, which is a division of two doubles. Measured inputs must be finite numbers.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

Scalar = int | float | bool | None


@dataclass(frozen=True, slots=True)
class Term:
    """A node: an input by its name, a constant, or an operator over other nodes."""

    operator: str
    operands: tuple["Term", ...] = ()
    name: str = ""
    constant: Scalar = None

    def __add__(self, other: "Operand") -> "Term":
        return _apply("add", self, other)

    def __sub__(self, other: "Operand") -> "Term":
        return _apply("subtract", self, other)

    def __mul__(self, other: "Operand") -> "Term":
        return _apply("multiply", self, other)

    def __rmul__(self, other: "Operand") -> "Term":
        return _apply("multiply", other, self)

    def __gt__(self, other: "Operand") -> "Term":
        return _apply("above", self, other)

    def __le__(self, other: "Operand") -> "Term":
        return _apply("at_most", self, other)

    def __and__(self, other: "Term") -> "Term":
        return _apply("and", self, other)

    def __or__(self, other: "Term") -> "Term":
        return _apply("or", self, other)

    def eq(self, other: "Operand") -> "Term":
        """The condition that both are equal (`==` compares the trees themselves)."""
        return _apply("equal", self, other)


Operand = Term | int | float | None


def name(input_name: str) -> Term:
    """The input of that name."""
    return Term("name", name=input_name)


def ratio(numerator: Operand, denominator: Operand) -> Term:
    """The quotient as a double; null unless the denominator is above 0."""
    return _apply("ratio", numerator, denominator)


def when(condition: Term, then: Operand, otherwise: Operand = None) -> Term:
    """`then` where the condition holds, else `otherwise`; a condition on a null does not hold."""
    return _apply("when", condition, then, otherwise)


def minimum(first: Term, second: Term) -> Term:
    """The smaller of two; null if either is."""
    return _apply("minimum", first, second)


def _apply(operator_name: str, *operands: Operand) -> Term:
    terms = (part if isinstance(part, Term) else Term("constant", constant=part) for part in operands)
    return Term(operator_name, tuple(terms))


def _strict(function: Callable[..., Scalar]) -> Callable[..., Scalar]:
    return lambda *operands: None if None in operands else function(*operands)


def _ratio(numerator: float, denominator: float) -> Scalar:
    return float(numerator) / float(denominator) if denominator > 0 else None


def _ratio_expr(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    quotient = numerator.cast(pl.Float64) / denominator.cast(pl.Float64)
    return pl.when(denominator > 0).then(quotient)


def _when_expr(condition: pl.Expr, then: pl.Expr, otherwise: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(then).otherwise(otherwise)


class _Operator(NamedTuple):
    scalar: Callable[..., Scalar]
    expr: Callable[..., pl.Expr]
    sql: str
    text: str


_OPERATORS: Mapping[str, _Operator] = {
    "add": _Operator(_strict(operator.add), operator.add, "({} + {})", "{} + {}"),
    "subtract": _Operator(_strict(operator.sub), operator.sub, "({} - {})", "{} - {}"),
    "multiply": _Operator(_strict(operator.mul), operator.mul, "({} * {})", "{} * {}"),
    "ratio": _Operator(
        _strict(_ratio),
        _ratio_expr,
        "CASE WHEN {1} > 0 THEN CAST({0} AS DOUBLE) / CAST({1} AS DOUBLE) END",
        "{} / {}",
    ),
    # Spelled out, because LEAST and min_horizontal skip nulls.
    "minimum": _Operator(
        _strict(min),
        lambda a, b: pl.when(a <= b).then(a).when(a > b).then(b),
        "CASE WHEN {0} <= {1} THEN {0} WHEN {0} > {1} THEN {1} END",
        "min({}, {})",
    ),
    "above": _Operator(_strict(operator.gt), operator.gt, "({} > {})", "{} > {}"),
    "at_most": _Operator(_strict(operator.le), operator.le, "({} <= {})", "{} ≤ {}"),
    "equal": _Operator(_strict(operator.eq), pl.Expr.eq, "({} = {})", "{} = {}"),
    "and": _Operator(lambda a, b: bool(a and b), operator.and_, "({} AND {})", "{} and {}"),
    "or": _Operator(lambda a, b: bool(a or b), operator.or_, "({} OR {})", "{} or {}"),
    "when": _Operator(
        lambda condition, then, otherwise: then if condition else otherwise,
        _when_expr,
        "CASE WHEN {} THEN {} ELSE {} END",
        "{1} if {0}, else {2}",
    ),
}

_LOOSEST, _TIGHTEST = 0, 6
_BINDING = {
    "when": _LOOSEST,
    "or": 1,
    "and": 2,
    "above": 3,
    "at_most": 3,
    "equal": 3,
    "add": 4,
    "subtract": 4,
    "multiply": 5,
    "ratio": 5,
}


def evaluate(term: Term, values: Mapping[str, Scalar]) -> Scalar:
    """The value of a formula on numbers; a name without a value is null."""
    match term.operator:
        case "name":
            return values.get(term.name)
        case "constant":
            return term.constant
        case _:
            return _OPERATORS[term.operator].scalar(*(evaluate(part, values) for part in term.operands))


def expression(term: Term) -> pl.Expr:
    """The formula as a polars expression over columns named like its inputs."""
    match term.operator:
        case "name":
            return pl.col(term.name)
        case "constant":
            return pl.lit(term.constant)
        case _:
            return _OPERATORS[term.operator].expr(*map(expression, term.operands))


def sql(term: Term) -> str:
    """The formula as DuckDB SQL over columns named like its inputs."""
    match term.operator:
        case "name":
            return f'"{term.name}"'
        case "constant":
            return _sql_constant(term.constant)
        case _:
            return _OPERATORS[term.operator].sql.format(*map(sql, term.operands))


def _sql_constant(value: Scalar) -> str:
    if value is None:
        return "NULL"
    # Without the cast DuckDB reads a literal with a decimal point as a DECIMAL, which rounds differently.
    return f"CAST({value} AS DOUBLE)" if isinstance(value, float) else str(value)


def text(term: Term) -> str:
    """The formula for people."""
    match term.operator:
        case "name":
            return term.name
        case "constant":
            return "undefined" if term.constant is None else f"{term.constant:,}".replace(",", " ").removesuffix(".0")
        case _:
            parts = (_bracketed(part, term, number) for number, part in enumerate(term.operands))
            return _OPERATORS[term.operator].text.format(*parts)


def _bracketed(part: Term, parent: Term, number: int) -> str:
    inner, outer = _BINDING.get(part.operator, _TIGHTEST), _BINDING.get(parent.operator, _LOOSEST)
    left_associative = inner == outer and number == 0
    return text(part) if inner > outer or left_associative else f"({text(part)})"


def substitute(term: Term, definitions: Mapping[str, Term]) -> Term:
    """The formula with every name that has a definition replaced by it."""
    if term.operator == "name":
        return definitions.get(term.name, term)
    operands = tuple(substitute(part, definitions) for part in term.operands)
    return Term(term.operator, operands, constant=term.constant)


def names(term: Term) -> tuple[str, ...]:
    """The inputs of a formula, each once, in order of appearance."""
    if term.operator == "name":
        return (term.name,)
    return tuple(dict.fromkeys(found for part in term.operands for found in names(part)))
