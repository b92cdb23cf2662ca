"""Mistakes in expressions that are found before anything runs, and their codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from agentflow.errors import Diagnostic, Span

Place: TypeAlias = Callable[[int, int], Span]
"""Where the characters `start` to `end` of a text stand in its file."""

CODES: dict[str, str] = {
    "AF200": "the expression is not well formed",
    "AF201": "Python has this, the expression language does not",
    "AF202": "no such function",
    "AF203": "no such method",
    "AF204": "the expression is too long, too deep or has too many parts",
    "AF205": "a `${` without its `}`, or without an expression between them",
    "AF206": "a condition is exactly one `${…}`",
    "AF207": "a number no engine keeps exactly",
    "AF208": "a function or method with too few or too many arguments",
    "AF220": "an object that has no such field",
    "AF221": "an operator on types it is not for",
    "AF222": "a condition, or an operand of `and`, `or`, `not`, that is not a boolean",
    "AF223": "a function or method on a type it is not for",
    "AF224": "an index, key or slice of a type it cannot have",
    "AF225": "division by zero",
    "AF226": "something to go through that is not a list",
}
"""What each code means, in one line."""


class Mistake(Exception):
    """The first mistake in an expression; offsets are into its source."""

    def __init__(self, code: str, message: str, start: int, end: int, *, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
        self.remedy = remedy

    def shifted(self, by: int) -> Mistake:
        """The same mistake in a text that begins `by` characters earlier."""
        start, end = self.start + by, self.end + by
        return Mistake(self.code, self.message, start, end, remedy=self.remedy)

    def diagnostic(self, place: Place) -> Diagnostic:
        """The mistake with its place in the file."""
        span = place(self.start, max(self.end, self.start + 1))
        return Diagnostic(self.code, self.message, span, help=self.remedy)
