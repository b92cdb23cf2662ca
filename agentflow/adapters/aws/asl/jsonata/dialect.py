"""The evaluator of jsonata-python, with what differs from the service mended.

Source: https://docs.jsonata.org (2.0), and differences measured against the service.
"""

from __future__ import annotations

import copy
import math
import re
from functools import partial
from typing import Any

from agentflow.adapters.aws.asl.jsonata import library
from agentflow.adapters.aws.asl.jsonata.bounds import MAX_SEQUENCE
from agentflow.adapters.aws.asl.jsonata.upstream import (
    JException,
    Jsonata,
    Parser,
    RegexFlags,
    Utils,
)

_NEWER = ("??", "?:")
"""Operators of later versions than the service's."""
_REGEX_PART = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\(\?<(?![=!])|\$|.", re.DOTALL)
_CLASSES = {r"\d": "[0-9]", r"\D": "[^0-9]", r"\w": "[A-Za-z0-9_]", r"\W": "[^A-Za-z0-9_]"}


class Dialect(Jsonata):  # type: ignore[misc]  # the library has no types
    """An expression that is evaluated like on the service."""

    def __init__(self, expression: str) -> None:
        super().__init__(expression, compile_regex)
        self._signatures: dict[int, Any] = {}

    def validate_arguments(self, signature: Any, args: Any, context: Any) -> Any:
        """Arguments that fit a function; null is a value here and not missing."""
        described = getattr(signature, "signature", None)
        if described is None:
            return super().validate_arguments(signature, args, context)
        known = self._signatures.get(id(described))
        if known is None:
            known = self._signatures[id(described)] = copy.copy(described)
            known.get_symbol = partial(_symbol, described)
            known.throw_validation_error = partial(_misfit, known)
        return known.validate(args, context)

    def get_per_thread_instance(self) -> Dialect:
        """This one: expressions are shared by no threads."""
        return self

    def evaluate(self, input: Any, bindings: Any = None) -> Any:
        """The value of the expression; functions of the library find it as the current one."""
        Jsonata.CURRENT.jsonata = self
        return super().evaluate(input, bindings)

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: str | None) -> Any:
        """Arithmetic on doubles; what overflows is the text `Infinity`."""
        if lhs is not None and not _is_number(lhs):
            raise JException("T2001", -1, op, lhs)
        if rhs is not None and not _is_number(rhs):
            raise JException("T2002", -1, op, rhs)
        if lhs is None or rhs is None:
            return None
        result = _arithmetic(float(lhs), float(rhs), str(op))
        if math.isnan(result):
            return "NaN"
        if math.isinf(result):
            return "Infinity" if result > 0 else "-Infinity"
        return int(result) if result.is_integer() else result

    def evaluate_string_concat(self, lhs: Any, rhs: Any) -> str:
        """Undefined counts as empty text."""
        return (library.string(lhs) or "") + (library.string(rhs) or "")

    def evaluate_range_expression(self, lhs: Any, rhs: Any) -> Any:
        """Both ends are included."""
        for code, end in (("T2003", lhs), ("T2004", rhs)):
            if end is not None and not (_is_number(end) and float(end).is_integer()):
                raise JException(code, -1, end)
        if lhs is None or rhs is None or lhs > rhs:
            return None
        if rhs - lhs + 1 > MAX_SEQUENCE:
            raise JException("D2014", -1, rhs - lhs + 1)
        return Utils.create_sequence_from_iter(range(int(lhs), int(rhs) + 1))


def _symbol(described: Any, value: Any) -> str:
    """The letter of a value's kind in signatures."""
    return "l" if value is Utils.NULL_VALUE else str(described.get_symbol(value))


def _misfit(described: Any, _: Any, symbols: str, name: str) -> Any:
    """Refuse arguments with these letters; names the first one that does not fit."""
    pattern, fitting = "", 0
    for parameter in described._params:  # noqa: SLF001 -- there is no other way to them
        pattern += parameter.regex
        found = re.match(pattern, symbols)
        if found is None:
            break
        fitting = found.end()
    raise JException("T0410", -1, fitting + 1, name)


class _NewerError(Exception):
    """The operator of a later version that an expression has."""


def newer(expression: str) -> str | None:
    """The operator of a later version in an expression that is right otherwise."""
    if not any(mark in expression for mark in _NEWER):
        return None

    def refuse(mark: str, _: Any) -> Any:
        raise _NewerError(mark)

    parser = Parser()
    for mark in _NEWER:
        parser.symbol_table[mark].led = partial(refuse, mark)
    try:
        parser.parse(expression, compile_regex)
    except _NewerError as found:
        return str(found)
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arithmetic(left: float, right: float, operator: str) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "%":
            return math.fmod(left, right) if right else math.nan
        case _:
            if right:
                return left / right
            return math.copysign(math.inf, left) * math.copysign(1, right) if left else math.nan


def compile_regex(pattern: str, flags: RegexFlags) -> re.Pattern[str]:
    """A regular expression of JavaScript as one of Python."""

    def translate(found: re.Match[str]) -> str:
        part = found.group()
        if part == "(?<":
            return "(?P<"
        if part == "$":
            return "$" if flags.multiline else r"\Z"
        if part.startswith("["):
            return re.sub(r"\\[dw]", lambda inner: _CLASSES[inner.group()][1:-1], part)
        return _CLASSES.get(part, part)

    options = re.NOFLAG
    options |= re.IGNORECASE if flags.case_insensitive else re.NOFLAG
    options |= re.MULTILINE if flags.multiline else re.NOFLAG
    return re.compile(_REGEX_PART.sub(translate, pattern), options)
