"""Expressions and templates compiled to functions of a scope: walked once, evaluated often."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from agentflow.errors import Json
from agentflow.spec.expressions.compiler import Compiler, writer
from agentflow.spec.expressions.limits import Frame, measure
from agentflow.spec.expressions.scope import Scope
from agentflow.spec.expressions.template import Expression, Interpolation, Template
from agentflow.spec.expressions.tree import (
    Attribute,
    Compare,
    Index,
    Literal,
    Logic,
    Name,
    Negate,
    Not,
    Tree,
)

Evaluate: TypeAlias = Callable[[Scope], Json]


def compile_expression(expression: Expression) -> Evaluate:
    """A function that evaluates the expression in a scope.

    The function raises `Fault`, and nothing else, for what goes wrong with the values.
    """
    code = Compiler(expression.source).code(expression.tree)
    if _builds_nothing(expression.tree):
        return lambda scope: code(Frame(scope))

    def evaluate(scope: Scope) -> Json:
        value = code(Frame(scope))
        measure(value)
        return value

    return evaluate


def _builds_nothing(tree: Tree) -> bool:
    """Whether a value is a scalar or was in the scope before: then it needs no measuring."""
    match tree:
        case Attribute(value) | Index(value):
            return _builds_nothing(value)
        case _:
            return isinstance(tree, Literal | Name | Compare | Logic | Not | Negate)


def compile_template(template: Template) -> Evaluate:
    """A function that gives the template's value in a scope.

    Lists and objects are new at each evaluation, so that no caller changes another's; what
    expressions read from the scope is shared.
    """
    if isinstance(template, Expression):
        return compile_expression(template)
    constant = _is_constant(template)
    build = _build(template)
    if constant or isinstance(template, Interpolation):
        return build

    def evaluate(scope: Scope) -> Json:
        value = build(scope)
        measure(value)
        return value

    return evaluate


def _is_constant(template: Template) -> bool:
    match template:
        case Expression() | Interpolation():
            return False
        case dict():
            return all(map(_is_constant, template.values()))
        case list() | tuple():
            return all(map(_is_constant, template))
        case _:
            return True


def _build(template: Template) -> Evaluate:
    match template:
        case Expression():
            code = Compiler(template.source).code(template.tree)
            return lambda scope: code(Frame(scope))
        case Interpolation():
            return _interpolation(template)
        case dict():
            fields = [(key, _build(value)) for key, value in template.items()]
            if all(map(_is_scalar, template.values())):
                return lambda _: dict(template)
            return lambda scope: {key: build(scope) for key, build in fields}
        case list() | tuple():
            items = [_build(item) for item in template]
            if all(map(_is_scalar, template)):
                return lambda _: list(template)
            return lambda scope: [build(scope) for build in items]
        case _:
            return lambda _: template


def _is_scalar(template: Template) -> bool:
    return not isinstance(template, dict | list | tuple | Expression | Interpolation)


def _interpolation(template: Interpolation) -> Evaluate:
    pieces = [
        part if isinstance(part, str) else Compiler(part.source).code(part.tree)
        for part in template.parts
    ]
    write = writer(pieces)
    return lambda scope: write(Frame(scope))
