"""Python source as syntax: nothing of it is run, and nobody is warned about it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

LARGEST_SOURCE = 2_000_000
"""Bytes of a module beyond which it is not read."""

_DISTURBED = 9
"""Attempts that other threads may disturb."""


def tree_of(source: str | bytes, version: tuple[int, int] | None = None) -> ast.Module:
    """The syntax of a module, in the language of a version of Python; by default of this one.

    Raises:
        SyntaxError: it is not Python.
        ValueError: it is not text.
        RecursionError: it is nested too deep.
        MemoryError: the same, found by Python's own parser.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's warnings are shown when it runs
        return _again(lambda: ast.parse(source, feature_version=version))


def expression_of(source: str) -> ast.Expression:
    """The syntax of one expression.

    Raises:
        SyntaxError: as for `tree_of`, like the others.
    """
    return _again(lambda: ast.parse(source, mode="eval"))


def _again(parse: Callable[[], T]) -> T:
    """What parsing gives, tried as often as other threads disturb it, within reason.

    Python 3.11 counts the depth for all that is parsed together, and takes what another thread
    parses meanwhile for a mistake of its own (python/cpython#106905). Whatever is left of its
    count does not outlive the attempt.
    """
    for _ in range(_DISTURBED):
        try:
            return parse()
        except SystemError:
            continue
    return parse()


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module's top level, those under `if`, `try` and `with` included."""
    for statement in body:
        blocks = [getattr(statement, field, []) for field in ("body", "orelse", "finalbody")]
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for block in (*blocks, *(h.body for h in getattr(statement, "handlers", []))):
                yield from statements(block)
        else:
            yield statement
