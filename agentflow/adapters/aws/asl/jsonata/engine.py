"""Compile and evaluate JSONata, with undefined, null and errors as the service reports them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from agentflow.adapters.aws.asl.errors import QUERY, EvaluationError, MalformedError
from agentflow.adapters.aws.asl.intrinsics import Chance
from agentflow.adapters.aws.asl.jsonata.bounds import Bounds
from agentflow.adapters.aws.asl.jsonata.dialect import Dialect, newer
from agentflow.adapters.aws.asl.jsonata.library import FUNCTIONS, MAX_WHOLE, functions
from agentflow.adapters.aws.asl.jsonata.messages import described, quoted, told
from agentflow.adapters.aws.asl.jsonata.upstream import (
    JException,
    Jsonata,
    Utils,
    deep,
)
from agentflow.adapters.aws.asl.values import ABSENT, Absent
from agentflow.errors import MAX_INTEGER, Json

_EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)
_FAILURES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the library raises; its own exception is a `RuntimeError`, like Python's recursion limit."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression can see: `$states`, variables, the time and a source of chance."""

    names: Mapping[str, Json]
    at: float
    chance: Chance


def expression_in(text: Json) -> str | None:
    """What stands between `{%` and `%}` if the whole of a string is an expression."""
    found = _EXPRESSION.fullmatch(text) if isinstance(text, str) else None
    return found[1].strip() if found else None


def check(expression: str) -> None:
    """Refuse what is not JSONata, or is of a later version than the service knows.

    Raises:
        MalformedError: with the offset of the mistake.
    """
    try:
        with deep():
            _compile(expression)
            later = newer(expression)
    except JException as error:
        raise MalformedError(described(error, _shown), max(0, error.location - 1)) from None
    except (*_FAILURES, re.error) as error:
        raise MalformedError(str(error)) from None
    if later is not None:
        message = f"`{later}` is newer than the JSONata of the service"
        raise MalformedError(message, expression.find(later))


def evaluate(expression: str, field: str, scope: Scope) -> Json | Absent:
    """The value of an expression, `ABSENT` if it is undefined.

    Raises:
        EvaluationError: the evaluation failed; the text names the expression and the field.
    """
    frame = Jsonata.Frame(None)
    Bounds(frame)
    for name, function in functions(scope.at, scope.chance).items():
        frame.bind(name, function)
    for name, value in scope.names.items():
        if name in expression:  # values may be large: those that cannot be meant are left out
            frame.bind(name, _inward(value))
    try:
        with deep():
            result = _compile(expression).evaluate(None, frame)
    except _FAILURES as error:
        failure = JException("D1011", -1) if isinstance(error, RecursionError) else error
        raise EvaluationError(
            f"The JSONata expression '{expression}' specified for the field '{field}' threw an "
            f"error during evaluation{told(failure, _shown)}",
            QUERY,
        ) from None
    if isinstance(result, FUNCTIONS):
        raise EvaluationError(
            f"The JSONata expression '{expression}' specified for the field '{field}' returned an "
            "unsupported result type.",
            QUERY,
        )
    return _outward(result)


@lru_cache(maxsize=2048)
def _compile(expression: str) -> Dialect:
    compiled = Dialect(expression)
    compiled.set_output_convert_nulls(False)
    compiled.set_validate_input(False)
    return compiled


def _inward(value: Json) -> Any:
    """A copy in which null is not undefined."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _inward(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_inward(item) for item in value]
    return _rounded(value) if type(value) is int and abs(value) > MAX_INTEGER else value


def _rounded(value: int) -> float:
    """Numbers are doubles: beyond 2**53 an integer is rounded when an expression reads it."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _outward(value: Any) -> Json | Absent:
    """The JSON value of a result; what is undefined or a function is absent."""
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        items = {str(key): _outward(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if not isinstance(item, Absent)}
    if isinstance(value, list):
        members = (_outward(value[index]) for index in range(len(value)))
        return [item for item in members if not isinstance(item, Absent)]
    if isinstance(value, float):
        return _number(value)
    return value if isinstance(value, str | bool | int) else ABSENT


def _number(value: float) -> Json:
    if math.isinf(value) or math.isnan(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    return int(value) if value.is_integer() and abs(value) < MAX_WHOLE else value


def _shown(value: Any) -> str:
    """A value that a message names."""
    found = _outward(value)
    return "undefined" if isinstance(found, Absent) else quoted(found)
