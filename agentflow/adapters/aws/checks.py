"""What is known of expressions before they run, and how the rest is checked in JSONata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from agentflow.errors import Fault, Json, Span
from agentflow.spec.expressions import FUNCTIONS, Scope, compile_expression
from agentflow.spec.expressions.template import Expression
from agentflow.spec.expressions.tree import Call, MethodCall, Negate, Tree, children, free_names
from agentflow.spec.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    LIST,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    ListOf,
    ObjectOf,
    Type,
    Union,
    members,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a name is in JSONata."""

    text: str
    """How it is read: `$doc`, `$states.input.doc`."""
    type: Type = ANY
    fields: Mapping[str, str] = field(default_factory=dict)
    """How fields of it are read, where there is a shorter way."""
    variable: str = ""
    """The variable that it is, if it is one."""
    flag: str = ""
    """The variable that says whether it has a value, if it may have none."""


References: TypeAlias = Mapping[str, Reference]


@dataclass(frozen=True, slots=True)
class Code:
    """A part of an expression: its JSONata and what is known of its value."""

    text: str
    type: Type = ANY
    atomic: bool = True
    """Whether it binds tighter than any operator."""
    real: bool = False
    """Whether it is sure to be no integer, although JSONata does not tell `1.0` from `1`."""

    @property
    def operand(self) -> str:
        """The text as it stands beside an operator."""
        return self.text if self.atomic else f"({self.text})"


GUARDS: Mapping[Type, tuple[str, str]] = MappingProxyType(
    {
        BOOLEAN: ("flag", ""),
        NUMBER: ("num", ""),
        INTEGER: ("int", ""),
        STRING: ("text", ""),
        LIST: ("list", ""),
        OBJECT: ("object", ""),
        ListOf(NUMBER): ("items", ", 'number'"),
        ListOf(STRING): ("items", ", 'string'"),
        ListOf(BOOLEAN): ("items", ", 'boolean'"),
        ListOf(OBJECT): ("items", ", 'object'"),
        ListOf(LIST): ("items", ", 'array'"),
        Union((STRING, LIST, OBJECT)): ("measurable", ""),
        Union((NUMBER, STRING)): ("integer", ""),
    }
)
"""The function that checks a type a parameter can have, and what else it is given."""

_SCALARS = frozenset({NULL, BOOLEAN, INTEGER, NUMBER, STRING})
_TEXT = re.compile(r"'[^'\\]*'")
_PURE = Scope({})
_NOWHERE = Span("", 1, 1, 1, 1)


def fits(kind: Type, wanted: Type) -> bool:
    """Whether every value of a type is sure to be one of the wanted type."""
    if wanted in (kind, ANY):
        return True
    if isinstance(kind, Union):
        return all(fits(member, wanted) for member in kind.members)
    if isinstance(wanted, Union):
        return any(fits(kind, member) for member in wanted.members)
    match kind, wanted:
        case ListOf(item), ListOf(other):
            return fits(item, other)
        case ObjectOf(), ObjectOf():
            return True
        case _:
            return (kind, wanted) == (INTEGER, NUMBER)


def is_scalar(kind: Type) -> bool:
    """Whether no value of a type is a list or an object."""
    return all(member in _SCALARS for member in members(kind))


def is_plain(kind: Type) -> bool:
    """Whether the service writes every value of a type as text as we do: no fractions."""
    return is_scalar(kind) and NUMBER not in members(kind)


def is_near(text: str) -> bool:
    """Whether a text is a literal without characters from U+D800 on: all engines order it alike."""
    return _TEXT.fullmatch(text) is not None and max(text) < "\ud800"


def always_there(kind: Type, key: str) -> bool:
    """Whether every value of a type is an object that has the key."""
    return isinstance(kind, ObjectOf) and kind.field(key) is not None and key in kind.required


def constant(tree: Tree) -> tuple[Json] | None:
    """The value of a part that reads nothing, if it is worth computing now."""
    if not isinstance(tree, Call | MethodCall | Negate) or next(free_names(tree), None):
        return None
    if not _is_pure(tree):
        return None
    try:
        return (compile_expression(Expression("", tree, _NOWHERE))(_PURE),)
    except Fault:
        return None


def _is_pure(tree: Tree) -> bool:
    if isinstance(tree, Call) and FUNCTIONS[tree.function].recorded:
        return False
    return all(map(_is_pure, children(tree)))
