"""Python source as syntax: nothing of it is run, and nobody is warned about it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

LARGEST_SOURCE = 2_000_000
"""Bytes of a module beyond which it is not read."""


def tree_of(source: str | bytes) -> ast.Module:
    """The syntax of a module.

    Raises:
        SyntaxError: it is not Python.
        ValueError: it is not text.
        RecursionError: it is nested too deep.
        MemoryError: the same, found by Python's own parser.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's warnings are shown when it runs
        return _once_more(lambda: ast.parse(source))


def expression_of(source: str) -> ast.Expression:
    """The syntax of one expression.

    Raises:
        SyntaxError: as for `tree_of`, like the others.
    """
    return _once_more(lambda: ast.parse(source, mode="eval"))


def _once_more(parse: Callable[[], T]) -> T:
    """What parsing gives.

    Python 3.11 counts the depth for all that is parsed together, and takes what another thread
    parses meanwhile for a mistake of its own (python/cpython#106905): then once more is enough.
    """
    try:
        return parse()
    except SystemError:
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
