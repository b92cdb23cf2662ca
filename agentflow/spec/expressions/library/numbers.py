"""Functions on numbers. Integers stay integers; a result that is none is a float."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

from agentflow.errors import Fault, Json
from agentflow.spec.expressions.library.function import (
    Example,
    Function,
    Parameter,
    family,
    invalid,
)
from agentflow.spec.expressions.operators import number
from agentflow.spec.expressions.types import (
    ANY,
    INTEGER,
    NUMBER,
    STRING,
    ListOf,
    Type,
    accepts,
    describe,
    union,
)

_MOST_DIGITS = 15
_EXACT = Context(prec=1_000, rounding=ROUND_HALF_EVEN)
_COMPARABLE = (ListOf(NUMBER), ListOf(STRING))


def _integral(compute: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: number(compute(value))


def _round(value: float, digits: int | None = None) -> float:
    if digits is None:
        return number(round(value))
    if not 0 <= digits <= _MOST_DIGITS:
        raise invalid(f"`digits` is between 0 and {_MOST_DIGITS}, got {digits}")
    return number(round(value, digits))


def _fixed(value: float, digits: int) -> str:
    if not 0 <= digits <= _MOST_DIGITS:
        raise invalid(f"`digits` is between 0 and {_MOST_DIGITS}, got {digits}")
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-digits), context=_EXACT)
    return format(abs(rounded) if rounded == 0 else rounded, "f")


def _sum(numbers: list[float]) -> float:
    # From left to right, as every engine does; Python's own sum compensates since 3.12.
    total: float = 0
    for item in numbers:
        total = number(total + item)
    return total


def _pow(base: float, exponent: float) -> float:
    if type(base) is int and type(exponent) is int and exponent >= 0:
        # An integer power beyond the limit is refused before it is computed.
        if abs(base) > 1 and exponent * math.log2(abs(base)) > 53.5:
            raise Fault("NumberOutOfRange", "the result is beyond ±(2^53-1)")
        return number(base**exponent)
    if base < 0 and not float(exponent).is_integer():
        raise Fault("NumberOutOfRange", "a negative number has no such power")
    try:
        return number(float(base) ** float(exponent))
    except ZeroDivisionError:
        raise Fault("DivisionByZero", "zero to a negative power") from None
    except OverflowError:
        raise Fault("NumberOutOfRange", "the result is too large for a number") from None


def _sqrt(value: float) -> float:
    if value < 0:
        raise Fault("NumberOutOfRange", "a negative number has no square root")
    return math.sqrt(value)


def _extreme(name: str, pick: Callable[[Json], Json]) -> Callable[..., Json]:
    def apply(*values: Json) -> Json:
        items = values[0] if len(values) == 1 else list(values)
        if type(items) is not list or not any(accepts(kind, items) for kind in _COMPARABLE):
            message = f"`{name}` needs numbers or strings, not both, got {describe(items)}"
            raise Fault("TypeMismatch", message)
        if not items:
            raise invalid(f"`{name}` of an empty list")
        return pick(items)

    return apply


def _extreme_type(types: Sequence[Type]) -> Type:
    if len(types) > 1:
        return union(types)
    return types[0].item if isinstance(types[0], ListOf) else ANY


def _same(types: Sequence[Type]) -> Type:
    return types[0] if types[0] in {INTEGER, NUMBER} else NUMBER


def _sum_type(types: Sequence[Type]) -> Type:
    return INTEGER if types[0] == ListOf(INTEGER) else NUMBER


_define = family("Numbers")
_X = Parameter("x", NUMBER)
_RANGE = "`NumberOutOfRange` beyond ±(2^53-1)"

NUMBERS: tuple[Function, ...] = (
    _define(
        "abs",
        (_X,),
        NUMBER,
        abs,
        "The number without its sign.",
        Example("abs(-3)", "3"),
        infer=_same,
    ),
    _define(
        "min",
        (Parameter("x", ANY, variadic=True),),
        ANY,
        _extreme("min", min),
        "The smallest of the arguments, or of the items of one list: numbers or strings.",
        Example("[min(3, 1, 2), min([3, 1, 2])]", "[1,1]"),
        "`InvalidInput` for an empty list",
        infer=_extreme_type,
    ),
    _define(
        "max",
        (Parameter("x", ANY, variadic=True),),
        ANY,
        _extreme("max", max),
        "The largest of the arguments, or of the items of one list: numbers or strings.",
        Example('max(["b", "a"])', '"b"'),
        "`InvalidInput` for an empty list",
        infer=_extreme_type,
    ),
    _define(
        "sum",
        (Parameter("xs", ListOf(NUMBER)),),
        NUMBER,
        _sum,
        "The sum from left to right; 0 for an empty list.",
        Example("sum([1, 2, 3.5])", "6.5"),
        _RANGE,
        infer=_sum_type,
    ),
    _define(
        "round",
        (_X, Parameter("digits", INTEGER, optional=True)),
        NUMBER,
        _round,
        "The nearest integer, or the nearest number of so many digits (0 to 15); "
        "halves go to the even neighbour.",
        Example("[round(2.5), round(3.5), round(2.345, 1)]", "[2,4,2.3]"),
        f"{_RANGE}, `InvalidInput` for other digits",
        infer=lambda types: INTEGER if len(types) == 1 else NUMBER,
    ),
    _define(
        "floor",
        (_X,),
        INTEGER,
        _integral(math.floor),
        "The largest integer that is not larger.",
        Example("floor(-2.5)", "-3"),
        _RANGE,
    ),
    _define(
        "ceil",
        (_X,),
        INTEGER,
        _integral(math.ceil),
        "The smallest integer that is not smaller.",
        Example("ceil(-2.5)", "-2"),
        _RANGE,
    ),
    _define(
        "pow",
        (Parameter("base", NUMBER), Parameter("exponent", NUMBER)),
        NUMBER,
        _pow,
        "The power; an integer for integers, unless the exponent is negative.",
        Example("[pow(2, 10), pow(2, -1)]", "[1024,0.5]"),
        "`NumberOutOfRange` if too large or not real, `DivisionByZero` for 0 to a negative power",
    ),
    _define(
        "sqrt",
        (_X,),
        NUMBER,
        _sqrt,
        "The square root.",
        Example("sqrt(6.25)", "2.5"),
        "`NumberOutOfRange` for a negative number",
    ),
    _define(
        "fixed",
        (_X, Parameter("digits", INTEGER)),
        STRING,
        _fixed,
        "The number as text with exactly so many decimals (0 to 15); halves to the even neighbour.",
        Example("fixed(3.14159, 2)", '"3.14"'),
        "`InvalidInput` for other digits",
    ),
)
