"""The names that an expression of JSONata reads and binds, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from agentflow.adapters.aws.asl.jsonata.dialect import Dialect
from agentflow.adapters.aws.asl.jsonata.upstream import deep

STATES: Final = "states"


@dataclass(frozen=True, slots=True)
class Named:
    """What an expression names; names are without their `$`."""

    read: tuple[str, ...]
    """Names that it does not bind itself, `states` left out."""
    states: tuple[int, ...]
    """Where each `$states` begins."""


def named(expression: str) -> Named:
    """The names in an expression that is known to be right."""
    with deep():
        root = Dialect(expression).ast
        variables = [node for node in _nodes(root) if _is(node, "variable") and node.value]
        read = dict.fromkeys(_free(root, frozenset(), set()))
    read.pop(STATES, None)
    places = sorted({each.position - len(STATES) - 1 for each in variables if each.value == STATES})
    return Named(tuple(read), tuple(places))


def members(expression: str) -> frozenset[str]:
    """The members of `$states` that an expression which is known to be right reads by name.

    None where it binds a `$states` of its own.
    """
    found = set[str]()
    with deep():
        nodes = list(_nodes(Dialect(expression).ast))
        if any(STATES in _bound_by(node) for node in nodes):
            return frozenset()
        for node in nodes:
            steps: Any = node.steps if _is(node, "path") else ()
            if len(steps) > 1 and _is(steps[0], "variable") and steps[0].value == STATES:
                found |= {str(steps[1].value)} if _is(steps[1], "name") else set()
    return frozenset(found)


def _free(node: Any, bound: frozenset[str], seen: set[int]) -> Iterator[str]:
    """The names that are read where nothing around them in the expression binds them."""
    if isinstance(node, list | tuple):
        for each in node:
            yield from _free(each, bound, seen)
            # Expressions of a block see what those before them have bound.
            bound = bound | (_bound_by(each) if _is(each, "bind") else set())
        return
    if not hasattr(node, "__dict__") or id(node) in seen:
        return
    seen.add(id(node))
    if _is(node, "variable") and node.value and node.value not in bound:
        yield node.value
    left = {"_outer_instance"}
    if _is(node, "lambda"):
        bound = bound | _bound_by(node)
        left.add("arguments")
    elif _is(node, "bind"):
        left.add("lhs")
        # A function may call itself; any other value sees what was bound before.
        bound = bound | ({node.lhs.value} if _is(node.rhs, "lambda") else set())
    for key, value in vars(node).items():
        if key not in left:
            yield from _free(value, bound, seen)


def _bound_by(node: Any) -> set[str]:
    """The names that a node itself binds."""
    if _is(node, "lambda"):
        return {each.value for each in node.arguments}
    return {node.lhs.value} if _is(node, "bind") else set()


def _is(node: Any, kind: str) -> bool:
    return getattr(node, "type", None) == kind


def _nodes(root: Any) -> Iterator[Any]:
    """The nodes of a tree of the library, which has no way of its own to walk it."""
    seen: set[int] = set()
    ahead = [root]
    while ahead:
        node = ahead.pop()
        if isinstance(node, list | tuple):
            ahead.extend(node)
        elif hasattr(node, "__dict__") and id(node) not in seen:
            seen.add(id(node))
            if hasattr(node, "type"):
                yield node
            ahead.extend(value for key, value in vars(node).items() if key != "_outer_instance")
