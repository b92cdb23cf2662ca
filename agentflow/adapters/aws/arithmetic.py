"""Arithmetic on what is known to be numbers: the native operator, and a check that fits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from agentflow.adapters.aws.checks import Code, fits
from agentflow.spec.expressions.types import INTEGER

ARITHMETIC: Final[Mapping[str, str]] = MappingProxyType(
    {
        "+": "add",
        "-": "minus",
        "*": "times",
        "/": "over",
        "//": "quotient",
        "%": "remainder",
    }
)
"""The functions of `meaning.jsonata` that check their arguments."""
_SMALL: Final = 2**31
"""Below it, what is added to a remainder leaves it exact."""


def arithmetic(operator: str, left: Code, right: Code) -> Code:
    """Two numbers with an operator between them."""
    whole = fits(left.type, INTEGER) and fits(right.type, INTEGER)
    real = operator == "/" or left.real or right.real
    plain = f"{left.operand} {operator} {right.operand}"
    if operator in ("+", "-", "*") and (whole or real):
        return Code(f"${'exact' if whole else 'finite'}({plain})", real=real)
    if operator == "/" and abs(_amount(right)) >= 1:
        return Code(plain, atomic=False, real=True)
    if operator == "//" and whole and _amount(right) > 0:
        # Exact: a quotient of integers within ±2^53 is never rounded to the next integer.
        return Code(f"$floor({left.operand} / {right.operand})")
    if operator == "%" and whole and 0 < _amount(right) < _SMALL:
        return Code(f"({plain} + {right.text}) % {right.text}", atomic=False)
    text = f"${ARITHMETIC[operator]}({left.text}, {right.text})"
    return Code(text, real=real)


def _amount(code: Code) -> float:
    """The number that is written, 0 for what is no literal."""
    try:
        return float(code.text)
    except ValueError:
        return 0.0
