"""The names that statements and comprehensions bind."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from agentflow.spec.python.modules import Module
from agentflow.spec.python.refusals import Refused

RESERVED = ("input", "execution", "true", "false", "null")
"""Names that mean something else in expressions; a workflow's function cannot bind them."""


def targets(target: ast.expr) -> Sequence[ast.expr]:
    """The names that `for` binds: one, or those of a tuple."""
    return target.elts if isinstance(target, ast.Tuple | ast.List) else (target,)


def target_name(module: Module, target: ast.expr) -> str:
    """The name that a target is.

    Raises:
        Refused: it is none, or none that an expression can read.
    """
    if not isinstance(target, ast.Name):
        message = "only names can be bound here"
        raise Refused("AF501", message, module.span(target), help="take it apart afterwards")
    name = target.id
    if name in RESERVED or not name.isascii():
        why = "is a word of expressions" if name.isascii() else "has letters that names cannot have"
        raise Refused("AF127", f"`{name}` {why}", module.span(target), help="choose another name")
    return name
