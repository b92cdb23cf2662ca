"""Python's expressions to the language's: the same tree as between `${` and `}`, or a refusal.

The tree is printed and parsed again, so that an expression means exactly what its text in an
exported spec means, and what is wrong with it is found by the one parser there is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Protocol

from agentflow.errors import Span
from agentflow.spec.expressions import refusals
from agentflow.spec.expressions.mistakes import Mistake
from agentflow.spec.expressions.parse import parse
from agentflow.spec.expressions.template import Expression, Interpolation, Template
from agentflow.spec.expressions.tree import (
    ListDisplay,
    Literal,
    Negate,
    ObjectDisplay,
    Text,
    Tree,
    children,
)
from agentflow.spec.expressions.unparse import unparse
from agentflow.spec.python.conversions import CONVERSIONS
from agentflow.spec.python.modules import Module
from agentflow.spec.python.refusals import Refused


class Names(Protocol):
    """What the names and calls of an expression stand for where it stands."""

    def read(self, node: ast.Name) -> Tree:
        """What a name that is not the expression's own stands for."""
        ...

    def is_own(self, name: str) -> bool:
        """Whether a name is one of the function's, rather than of its module or of Python."""
        ...

    def special(self, node: ast.expr) -> Tree | None:
        """What means something by its surroundings, such as a caught exception's `name`."""
        ...

    def message(self, node: ast.expr) -> Tree | None:
        """The message of a caught exception, if that is what the node names."""
        ...

    def step(self, node: ast.expr) -> bool:
        """Whether a call or comprehension is a step, or steps, of the workflow."""
        ...

    def run(self, node: ast.expr) -> Tree:
        """Make the steps, before the expression, and give what reads their result."""
        ...


class Translation:
    """Translates expressions of one module."""

    def __init__(self, module: Module, names: Names) -> None:
        self.module = module
        self.names = names
        self.bound: tuple[str, ...] = ()
        """Names of comprehensions around."""
        self.sometimes = 0
        """How many parts around are evaluated only sometimes, or often."""
        self._places: list[Span] = []

    def expression(self, node: ast.expr) -> Expression:
        """A Python expression as one of the language.

        Raises:
            Refused: there is something in it that the language does not have.
        """
        return self.finish(self.tree(node), self.module.span(node))

    def template(self, node: ast.expr) -> Template:
        """The same, with literals, lists and objects as plain data around expressions.

        Raises:
            Refused: there is something in it that the language does not have.
        """
        return self.written(self.tree(node), self.module.span(node))

    def written(self, tree: Tree, span: Span) -> Template:
        """A tree as a template: plain data as far as it is known."""
        span = self._places[tree.start - 1] if tree.start else span
        match tree:
            case Literal(value):
                return value
            case Negate(Literal(int() | float() as value)) if not isinstance(value, bool):
                return -value
            case ListDisplay(items):
                return [self.written(item, span) for item in items]
            case ObjectDisplay(entries) if _are_plain(entries):
                return {str(key.value): self.written(each, span) for key, each in entries}  # type: ignore[union-attr]  # plain
            case Text(parts) if len(parts) > 1 and not _confusing(parts):
                pieces = (p if isinstance(p, str) else self.finish(p, span) for p in parts)
                return Interpolation(tuple(pieces), span)
            case _:
                return self.finish(tree, span)

    def finish(self, tree: Tree, span: Span) -> Expression:
        """A tree as an expression whose parts know where they came from."""
        span = self._places[tree.start - 1] if tree.start else span
        source = unparse(tree)
        try:
            again = parse(source)
        except Mistake as mistake:
            raise Refused(mistake.code, mistake.message, span, help=mistake.remedy) from None
        places: dict[tuple[int, int], Span] = {}
        self._pair(tree, again, places)
        return Expression(source, again, span, _Places(places, span))

    def _pair(self, tree: Tree, again: Tree, places: dict[tuple[int, int], Span]) -> None:
        if type(tree) is not type(again):
            return  # an f-string that is written as a `join`
        if tree.start:
            places[again.start, again.end] = self._places[tree.start - 1]
        for child, other in zip_longest(children(tree), children(again)):
            if child is not None and other is not None:
                self._pair(child, other, places)

    def tree(self, node: ast.expr) -> Tree:
        """The tree of one node; steps in it are made before it."""
        if self.names.step(node):
            if self.sometimes:
                raise Refused(
                    "AF503",
                    "a call here is made only sometimes, or many times",
                    self.module.span(node),
                    help="bind its result to a name first, under an `if` where it must not run",
                )
            return self.placed(self.names.run(node), node)
        special = self.names.special(node)
        if special is not None:
            return self.placed(special, node)
        conversion = CONVERSIONS.get(type(node))
        if conversion is None:
            raise self.refuse(node, refusals.node(node))
        return conversion(self, node)

    def at(self, node: Any) -> int:
        """Remember where a node stands; the number is the `start` of its tree."""
        self._places.append(self.module.span(node))
        return len(self._places)

    def placed(self, tree: Tree, node: ast.expr) -> Tree:
        """A tree that was made for a node, at its place."""
        return tree if tree.start else replace(tree, start=self.at(node))

    def refuse(self, node: Any, refusal: refusals.Refusal) -> Refused:
        what, remedy = refusal
        message = f"{what} is not part of expressions"
        return Refused("AF201", message, self.module.span(node), help=remedy)

    @contextmanager
    def within(self) -> Iterator[None]:
        """A part that is evaluated only sometimes, or often."""
        self.sometimes += 1
        try:
            yield
        finally:
            self.sometimes -= 1


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the parts of an expression's text came from."""

    known: dict[tuple[int, int], Span]
    whole: Span

    def __call__(self, start: int, end: int) -> Span:
        return self.known.get((start, end), self.whole)


def _are_plain(entries: Sequence[tuple[Tree, Tree]]) -> bool:
    """Whether the keys of an object are texts that a spec can have as keys."""
    keys = {key.value for key, _ in entries if isinstance(key, Literal)}
    return len(keys) == len(entries) and all(isinstance(k, str) and "${" not in k for k in keys)


def _confusing(parts: Sequence[str | Tree]) -> bool:
    """Whether a `$` before a value would be read as the escape `$${`."""
    return any(isinstance(part, str) and part.endswith("$") for part in parts[:-1])
