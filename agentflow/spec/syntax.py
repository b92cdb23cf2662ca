"""Python source as syntax: nothing of it is run, and nobody is warned about it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence

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
        return ast.parse(source)


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module's top level, those under `if`, `try` and `with` included."""
    for statement in body:
        blocks = [getattr(statement, field, []) for field in ("body", "orelse", "finalbody")]
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for block in (*blocks, *(h.body for h in getattr(statement, "handlers", []))):
                yield from statements(block)
        else:
            yield statement
