"""Decide the rules of Choice states that are written with JSONPath.

A comparison with a value of another type is false, but for the values that the paths of orders
find (see `_bound`). A `Variable` that leads nowhere is an error, except for `IsPresent`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from agentflow.adapters.aws.asl import jsonpath, timestamps
from agentflow.adapters.aws.asl.errors import EvaluationError, MalformedError
from agentflow.adapters.aws.asl.jsonpath import Data
from agentflow.adapters.aws.asl.values import is_number
from agentflow.errors import Json

_INVALID = "The choice state's condition path references an invalid value."

_NUMERAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")

_COMPARISONS: Final[dict[str, Callable[[Json, Json], bool]]] = {
    "Equals": lambda a, b: bool(a == b),
    "LessThan": lambda a, b: bool(a < b),
    "LessThanEquals": lambda a, b: bool(a <= b),
    "GreaterThan": lambda a, b: bool(a > b),
    "GreaterThanEquals": lambda a, b: bool(a >= b),
}

_KINDS: Final[dict[str, Callable[[Json], Json]]] = {
    "Boolean": lambda value: value if isinstance(value, bool) else None,
    "Numeric": lambda value: value if is_number(value) else None,
    "String": lambda value: value if isinstance(value, str) else None,
    "Timestamp": timestamps.parse,
}
"""By the kind of a comparison: the value to compare, or None if the value is of another kind."""

_TESTS: Final[dict[str, Callable[[Json], bool]]] = {
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsNull": lambda value: value is None,
    "IsNumeric": is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsTimestamp": lambda value: timestamps.parse(value) is not None,
}

COMPARISONS: Final = {
    f"{kind}{name}": (kind, name)
    for kind in _KINDS
    for name in (_COMPARISONS if kind != "Boolean" else ("Equals",))
}
"""Operators that compare with a value: their kind and comparison."""

OPERATORS: Final = frozenset(
    {
        *COMPARISONS,
        *(f"{name}Path" for name in COMPARISONS),
        *_TESTS,
        "IsPresent",
        "StringMatches",
    }
)


def holds(rule: Mapping[str, Json], data: Data) -> bool:
    """Whether a rule of a Choice state, or a part of one, applies.

    Raises:
        EvaluationError: a path leads nowhere.
    """
    if "And" in rule:
        return all(holds(part, data) for part in rule["And"])
    if "Or" in rule:
        return any(holds(part, data) for part in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], data)
    operator = next(name for name in rule if name in OPERATORS)
    expected = rule[operator]
    if operator == "IsPresent":
        return _present(rule["Variable"], data) is expected
    value = _look(rule["Variable"], data)
    if operator in _TESTS:
        return _TESTS[operator](value) is expected
    if operator.endswith("Path"):
        operator = operator.removesuffix("Path")
        expected = _bound(operator, expected, data)
    if operator == "StringMatches":
        return isinstance(value, str) and isinstance(expected, str) and _matches(value, expected)
    kind, comparison = COMPARISONS[operator]
    left, right = _KINDS[kind](value), _KINDS[kind](expected)
    return left is not None and right is not None and _COMPARISONS[comparison](left, right)


def _present(path: str, data: Data) -> bool:
    try:
        jsonpath.find(path, data)
    except (jsonpath.InapplicableError, MalformedError):
        return False
    return True


def _look(path: str, data: Data) -> Json:
    try:
        return jsonpath.find(path, data)
    except (jsonpath.InapplicableError, MalformedError):
        raise EvaluationError(f"Invalid path '{path}': {_INVALID}") from None


def _bound(operator: str, path: str, data: Data) -> Json:
    """The value at a path that a variable is compared with.

    The service takes what numbers are ordered by for a number, whatever it is, and refuses to order
    texts by anything else.
    """
    found = _look(path, data)
    kind, comparison = COMPARISONS[operator]
    if comparison != "Equals" and kind == "Numeric":
        return _number(found)
    if comparison != "Equals" and kind == "String" and not isinstance(found, str):
        raise EvaluationError(f"Invalid value provided at path '{path}'")
    return found


def _number(value: Json) -> Json:
    if is_number(value):
        return value
    if isinstance(value, str):
        return float(value) if _NUMERAL.fullmatch(value.strip()) else 0
    return 1 if value is True else 0


def _matches(value: str, pattern: str) -> bool:
    return _wildcards(pattern).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _wildcards(pattern: str) -> re.Pattern[str]:
    r"""`*` stands for any characters; `\*` is an asterisk and `\\` a backslash."""
    parts = re.findall(r"\\[*\\]|.", pattern, re.DOTALL)
    return re.compile(
        "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts), re.DOTALL
    )
