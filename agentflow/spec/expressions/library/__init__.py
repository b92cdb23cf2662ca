"""The library: one table of all functions and methods that expressions can call.

Evaluation, inference, the reference and the compilers read the same entries.
"""

from __future__ import annotations

from types import MappingProxyType

from agentflow.spec.expressions.library.function import (
    Example,
    Function,
    Parameter,
    arguments,
    invoke,
    method,
)
from agentflow.spec.expressions.library.lists import LISTS
from agentflow.spec.expressions.library.numbers import NUMBERS
from agentflow.spec.expressions.library.objects import OBJECTS
from agentflow.spec.expressions.library.strings import STRINGS
from agentflow.spec.expressions.library.texts import TEXTS
from agentflow.spec.expressions.library.times import TIMES
from agentflow.spec.expressions.library.values import VALUES

__all__ = [
    "FUNCTIONS",
    "LIBRARY",
    "METHODS",
    "Example",
    "Function",
    "Parameter",
    "arguments",
    "invoke",
    "method",
]

LIBRARY: tuple[Function, ...] = (
    *VALUES,
    *NUMBERS,
    *STRINGS,
    *LISTS,
    *OBJECTS,
    *TIMES,
    *TEXTS,
)
"""Every function and method, in the order of the reference."""

FUNCTIONS = MappingProxyType({entry.name: entry for entry in LIBRARY if entry.kind == "function"})
"""Functions by name."""


def _by_name() -> MappingProxyType[str, MappingProxyType[str, Function]]:
    methods: dict[str, dict[str, Function]] = {}
    for entry in LIBRARY:
        if entry.receiver is not None:
            methods.setdefault(entry.name, {})[str(entry.receiver)] = entry
    return MappingProxyType({name: MappingProxyType(each) for name, each in methods.items()})


METHODS = _by_name()
"""Methods by name, then by what they are called on: `string`, `list` or `object`."""
