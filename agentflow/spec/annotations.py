"""Types of Python annotations, read from their syntax; whatever is not simple is `any`."""

from __future__ import annotations

import ast
from collections.abc import Sequence

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
    union,
)
from agentflow.spec.syntax import expression_of

_SIMPLE: dict[str, Type] = {
    "str": STRING,
    "int": INTEGER,
    "float": NUMBER,
    "bool": BOOLEAN,
    "None": NULL,
    "list": LIST,
    "List": LIST,
    "tuple": LIST,
    "Sequence": LIST,
    "dict": OBJECT,
    "Dict": OBJECT,
    "Mapping": OBJECT,
    "Any": ANY,
    "object": ANY,
    "Json": ANY,
}
_LISTS = ("list", "List", "Sequence")
_OBJECTS = ("dict", "Dict", "Mapping")
_GENERIC = frozenset(
    {*_SIMPLE, *_LISTS, *_OBJECTS, "Optional", "Union", "Literal", "Annotated", "Iterable", "Set"}
    | {"set", "frozenset", "Iterator", "Generator", "AsyncIterator", "Callable", "Type", "type"}
)


def type_of(annotation: ast.expr | None) -> Type:
    """The type of the JSON value that an annotation describes."""
    match annotation:
        case ast.Constant(value=None):
            return NULL
        case ast.Constant(value=str(text)):
            return type_of(parsed(text))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union((type_of(left), type_of(right)))
        case ast.Subscript(value=generic, slice=argument):
            return _generic(last_name(generic), argument)
        case ast.Name() | ast.Attribute():
            return _SIMPLE.get(last_name(annotation), ANY)
        case _:
            return ANY


def is_class(annotation: ast.expr | None) -> bool:
    """Whether an annotation names a class of the user's or a library's."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = parsed(annotation.value)
    if not isinstance(annotation, ast.Name | ast.Attribute):
        return False
    return last_name(annotation) not in _GENERIC


def is_context(name: str, annotation: ast.expr | None) -> bool:
    """Whether a parameter is filled in by the engine, by the rules of `functions.binding`."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = parsed(annotation.value)
    if annotation is None:
        return name == "context"
    return any(
        isinstance(node, ast.expr) and last_name(node) == "Context" for node in ast.walk(annotation)
    )


def _generic(name: str, argument: ast.expr) -> Type:
    arguments: Sequence[ast.expr] = argument.elts if isinstance(argument, ast.Tuple) else [argument]
    if name in _LISTS and len(arguments) == 1:
        return ListOf(type_of(arguments[0]))
    if name in _OBJECTS and len(arguments) == 2:
        return ObjectOf(rest=type_of(arguments[1]))
    if name == "Optional":
        return union((type_of(argument), NULL))
    if name == "Union":
        return union(type_of(each) for each in arguments)
    if name == "Annotated":
        return type_of(arguments[0])
    return LIST if name == "tuple" else ANY


def last_name(node: ast.expr) -> str:
    """The name behind the last dot; empty where there is none."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def parsed(text: str) -> ast.expr | None:
    """An annotation that is written as a text, or None where it is no expression."""
    try:
        return expression_of(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
