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
        nodes = list(_nodes(Dialect(expression).ast))
    bound = {each.value for node in nodes for each in _binds(node)}
    variables = [node for node in nodes if _is(node, "variable") and node.value]
    read = dict.fromkeys(each.value for each in variables if each.value not in bound)
    read.pop(STATES, None)
    places = sorted({each.position - len(STATES) - 1 for each in variables if each.value == STATES})
    return Named(tuple(read), tuple(places))


def _binds(node: Any) -> Iterator[Any]:
    if _is(node, "lambda"):
        yield from node.arguments
    elif _is(node, "bind"):
        yield node.lhs


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
