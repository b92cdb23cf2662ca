"""Literals in Python source as positioned data, so that the readers of specs can read them."""

from __future__ import annotations

import ast
from typing import Any

from agentflow.errors import Json
from agentflow.spec.expressions.tree import ListDisplay, Literal, Negate, ObjectDisplay, Tree
from agentflow.spec.python.modules import Assigned, Module
from agentflow.spec.python.refusals import Refused
from agentflow.spec.source import Entry, Mapping, Node, Scalar, Sequence, plain


class Literals:
    """Reads the literals of one module."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def node(self, given: ast.expr, what: str = "this") -> Node:
        """A literal, or a name that the module binds to one, as a positioned tree.

        Raises:
            Refused: it is not JSON that is written out.
        """
        start, end = self.module.offsets(given)
        source = self.module.source
        match self._resolved(given):
            case ast.Constant(None | bool() | int() | float() | str() as value):
                raw = source.text[start:end]
                style = raw[0] if isinstance(value, str) and raw[:1] in ("'", '"') else ""
                shown = value if isinstance(value, str) else raw
                return Scalar(source, start, end, value, shown, style)
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
                return Scalar(source, start, end, -value, source.text[start:end], "")
            case ast.List(items) | ast.Tuple(items):
                return Sequence(source, start, end, [self.node(item, what) for item in items])
            case ast.Dict(keys, values):
                entries = {}
                for key, each in zip(keys, values, strict=True):
                    found = self.node(key, what) if key is not None else None
                    if not isinstance(found, Scalar) or not isinstance(found.value, str):
                        raise self._refused(given, what)
                    entries[found.value] = Entry(found, self.node(each, what))
                return Mapping(source, start, end, entries)
            case _:
                raise self._refused(given, what)

    def value(self, given: ast.expr, what: str = "this") -> Json:
        """The data of a literal.

        Raises:
            Refused: it is not JSON that is written out.
        """
        return plain(self.node(given, what))

    def made(self, value: Json, at: Any) -> Scalar:
        """A scalar that stands for a place in the source without being written there."""
        start, end = self.module.offsets(at)
        return Scalar(self.module.source, start, end, value, str(value), "")

    def mapping(self, entries: dict[str, Node], at: Any) -> Mapping:
        """An object of nodes by field."""
        start, end = self.module.offsets(at)
        return Mapping(
            self.module.source,
            start,
            end,
            {name: Entry(self.made(name, at), node) for name, node in entries.items()},
        )

    def _resolved(self, given: ast.expr) -> ast.expr:
        if isinstance(given, ast.Name):
            bound = self.module.names.get(given.id)
            if isinstance(bound, Assigned) and bound.value is not None:
                return bound.value
        return given

    def _refused(self, given: ast.expr, what: str) -> Refused:
        return Refused(
            "AF505",
            f"{what} is read from the source, so it is a literal",
            self.module.span(given),
            help="write the value out, or bind it to a name at the top of the module",
        )


def literal_tree(value: Json) -> Tree:
    """Data as the tree of an expression."""
    match value:
        case dict():
            return ObjectDisplay(
                tuple((Literal(key), literal_tree(each)) for key, each in value.items())
            )
        case list():
            return ListDisplay(tuple(map(literal_tree, value)))
        case int() | float() if not isinstance(value, bool) and value < 0:
            return Negate(Literal(-value))
        case _:
            return Literal(value)
