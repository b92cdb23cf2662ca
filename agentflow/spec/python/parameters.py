"""The parameters of functions, read from their definitions."""

from __future__ import annotations

import ast

from agentflow.spec.annotations import is_context
from agentflow.spec.python.modules import Function


def parameters_of(function: Function) -> list[ast.arg]:
    """The parameters that take a value of their own."""
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def positions_of(defined: Function | None) -> list[str] | None:
    """The parameters that a function takes by position, without the context."""
    if defined is None:
        return None
    given = [*defined.args.posonlyargs, *defined.args.args]
    return [each.arg for each in given if not is_context(each.arg, each.annotation)]


def defaults_of(function: Function) -> dict[str, ast.expr | None]:
    """The parameters with their defaults."""
    given = function.args
    ordered = [*given.posonlyargs, *given.args]
    without = len(ordered) - len(given.defaults)
    found: dict[str, ast.expr | None] = {each.arg: None for each in ordered[:without]}
    found |= {
        each.arg: value for each, value in zip(ordered[without:], given.defaults, strict=True)
    }
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return found | {each.arg: value for each, value in pairs}
