"""What the operators mean, on values: strict, exact, and never surprised by a type.

Faults raised here say what is wrong; `evaluate` puts the sub-expression's text before it.
"""

from __future__ import annotations

import operator as python
from collections.abc import Callable
from math import isfinite
from typing import TypeAlias

from agentflow.errors import MAX_INTEGER, Fault, Json
from agentflow.functions.suggestions import closest
from agentflow.spec.expressions.limits import Frame, check_items, check_text
from agentflow.spec.expressions.types import count, describe

Operate: TypeAlias = Callable[[Json, Json, Frame], Json]

_NUMBERS = frozenset({int, float})
_CONTAINERS = frozenset({list, dict})


def number(value: float) -> float:
    """A number that may leave an operation: exact if an integer, finite if not.

    Raises:
        Fault: `NumberOutOfRange`.
    """
    if type(value) is int:
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
        raise Fault("NumberOutOfRange", "the result is beyond ±(2^53-1), where integers are exact")
    if isfinite(value):
        return value
    raise Fault("NumberOutOfRange", "the result is too large for a number")


def _mismatch(operator: str, needs: str, a: Json, b: Json) -> Fault:
    message = f"`{operator}` needs {needs}, got {describe(a)} and {describe(b)}"
    return Fault("TypeMismatch", message)


def _arithmetic(operator: str, compute: Callable[[Json, Json], Json]) -> Operate:
    def operate(a: Json, b: Json, _frame: Frame) -> Json:
        if type(a) not in _NUMBERS or type(b) not in _NUMBERS:
            raise _mismatch(operator, "two numbers", a, b)
        try:
            result = compute(a, b)
        except ZeroDivisionError:
            raise Fault("DivisionByZero", f"`{operator}` by zero") from None
        except OverflowError:
            raise Fault("NumberOutOfRange", "the result is too large for a number") from None
        return number(result)

    return operate


_sum = _arithmetic("+", python.add)


def add(a: Json, b: Json, frame: Frame) -> Json:
    """`a + b` of two numbers, two texts or two lists."""
    kind = type(a)
    if kind is str and type(b) is str:
        length = len(a) + len(b)
        check_text(length)
        frame.spend(length >> 4)
        return a + b
    if kind is list and type(b) is list:
        length = len(a) + len(b)
        check_items(length)
        frame.spend(length >> 2)
        return a + b
    if kind in _NUMBERS and type(b) in _NUMBERS:
        return _sum(a, b, frame)
    raise _mismatch("+", "two numbers, two strings or two lists", a, b)


ARITHMETIC: dict[str, Operate] = {
    "+": add,
    "-": _arithmetic("-", python.sub),
    "*": _arithmetic("*", python.mul),
    "/": _arithmetic("/", python.truediv),
    "//": _arithmetic("//", python.floordiv),
    "%": _arithmetic("%", python.mod),
}


def negate(value: Json) -> Json:
    """`-value` of a number."""
    if type(value) not in _NUMBERS:
        raise Fault("TypeMismatch", f"`-` needs a number, got {describe(value)}")
    return -value


def equal(a: Json, b: Json, frame: Frame) -> bool:
    """`a == b`: deep, never an error; a boolean is no number, `1` equals `1.0`."""
    kind, other = type(a), type(b)
    if kind is other:
        return _deep_equal(a, b, frame) if kind in _CONTAINERS else bool(a == b)
    return kind in _NUMBERS and other in _NUMBERS and bool(a == b)


def _deep_equal(a: Json, b: Json, frame: Frame) -> bool:
    pending = [(a, b)]
    while pending:
        left, right = pending.pop()
        if left is right:
            continue
        if len(left) != len(right):
            return False
        frame.spend(len(left) + 1)
        if type(left) is dict:
            if left.keys() != right.keys():
                return False
            pairs = [(value, right[key]) for key, value in left.items()]
        else:
            pairs = list(zip(left, right, strict=True))
        for x, y in pairs:
            kind = type(x)
            if kind in _CONTAINERS and kind is type(y):
                pending.append((x, y))
            elif not equal(x, y, frame):
                return False
    return True


def _not_equal(a: Json, b: Json, frame: Frame) -> bool:
    return not equal(a, b, frame)


def _ordering(operator: str, compare: Callable[[Json, Json], bool]) -> Operate:
    def operate(a: Json, b: Json, _frame: Frame) -> Json:
        kind, other = type(a), type(b)
        if (kind in _NUMBERS and other in _NUMBERS) or (kind is str and other is str):
            return compare(a, b)
        raise _mismatch(operator, "two numbers or two strings", a, b)

    return operate


def contains(a: Json, b: Json, frame: Frame) -> bool:
    """`a in b`: a text in a text, a value in a list, a key in an object."""
    kind = type(b)
    if kind is list:
        frame.spend(len(b) >> 2)
        if type(a) is str or a is None:
            return a in b
        return any(equal(a, item, frame) for item in b)
    if kind is dict and type(a) is str:
        return a in b
    if kind is str and type(a) is str:
        frame.spend(len(b) >> 6)
        return a in b
    needs = "a string in a string, a value in a list or a key in an object"
    raise _mismatch("in", needs, a, b)


def _not_contains(a: Json, b: Json, frame: Frame) -> bool:
    return not contains(a, b, frame)


COMPARISONS: dict[str, Operate] = {
    "==": equal,
    "!=": _not_equal,
    "<": _ordering("<", python.lt),
    "<=": _ordering("<=", python.le),
    ">": _ordering(">", python.gt),
    ">=": _ordering(">=", python.ge),
    "in": contains,
    "not in": _not_contains,
}


def missing_key(value: dict[str, Json], key: str) -> Fault:
    """The fault of reading a key that an object does not have."""
    guess = closest(key, value)
    if guess is not None:
        hint = f"did you mean `{guess}`?"
    elif not value:
        hint = "the object is empty"
    else:
        shown = ", ".join(f"`{known}`" for known in list(value)[:8])
        hint = f"the keys are {shown}" + (f" and {len(value) - 8} more" if len(value) > 8 else "")
    return Fault("MissingKey", f"there is no key `{key}`; {hint}")


def item(value: Json, index: Json) -> Json:
    """`value[index]`: an item of a list, a key of an object, a character of a text."""
    kind = type(value)
    if kind is dict:
        if type(index) is not str:
            needs = f"a key of an object is a string, got {describe(index)}"
            raise Fault("TypeMismatch", needs)
        if index not in value:
            raise missing_key(value, index)
        return value[index]
    if kind is not list and kind is not str:
        message = f"only lists, objects and strings have items, got {describe(value)}"
        raise Fault("TypeMismatch", message)
    if type(index) is not int:
        raise Fault("TypeMismatch", f"an index is an integer, got {describe(index)}")
    length = len(value)
    if not -length <= index < length:
        whole, noun = ("list", "item") if kind is list else ("string", "character")
        message = f"there is no index {index} in a {whole} of {count(length, noun)}"
        raise Fault("IndexOutOfRange", message)
    return value[index]


def part(value: Json, lower: int | None, upper: int | None, frame: Frame) -> Json:
    """`value[lower:upper]`: bounds beyond the ends are cut, as in Python; `None` is left out."""
    if type(value) is not list and type(value) is not str:
        message = f"only lists and strings have slices, got {describe(value)}"
        raise Fault("TypeMismatch", message)
    result = value[lower:upper]
    frame.spend(len(result) >> 4)
    return result
