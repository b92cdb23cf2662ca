"""Which types the operators are for, and what comes out: the tables that inference reads."""

from __future__ import annotations

from agentflow.spec.expressions.tree import Binary, Literal, Tree
from agentflow.spec.expressions.types import (
    ANY,
    INTEGER,
    LIST,
    NUMBER,
    OBJECT,
    STRING,
    ListOf,
    ObjectOf,
    Scalar,
    Type,
    members,
    overlap,
    union,
)
from agentflow.spec.expressions.unparse import unparse

SLICEABLE = union((LIST, STRING))
SUMS = "two numbers, two strings or two lists"
DIVISIONS = frozenset({"/", "//", "%"})
ZEROS = (Literal(0), Literal(0.0))
_ORDERED = ("two numbers or two strings", ((NUMBER, NUMBER), (STRING, STRING)))
_MEMBERS = (
    "a string in a string, a value in a list or a key in an object",
    ((STRING, STRING), (ANY, LIST), (STRING, OBJECT)),
)
COMPARABLE: dict[str, tuple[str, tuple[tuple[Type, Type], ...]]] = {
    **dict.fromkeys(("<", "<=", ">", ">="), _ORDERED),
    **dict.fromkeys(("in", "not in"), _MEMBERS),
}


def binary(operator: str, a: Type, b: Type) -> Type | None:
    """The type of `a operator b` where neither is a union; `None` if it has no value."""
    if operator == "+":
        if a == b == ANY:
            return ANY
        if overlap(a, STRING) and overlap(b, STRING):
            return STRING
        if overlap(a, LIST) and overlap(b, LIST):
            return ListOf(union((item_of(a), item_of(b))))
    if overlap(a, NUMBER) and overlap(b, NUMBER):
        return INTEGER if a == b == INTEGER and operator != "/" else NUMBER
    return None


def item_of(kind: Type) -> Type:
    """What a list of this type holds."""
    lists = [each for each in members(kind) if overlap(each, LIST)]
    return union([each.item if isinstance(each, ListOf) else ANY for each in lists])


def item(kind: Type, index: Type) -> Type | None:
    """What a value of this type, no union, has under an index; `None` if nothing."""
    match kind:
        case Scalar("any"):
            return ANY
        case Scalar("string"):
            return STRING if overlap(index, INTEGER) else None
        case ListOf(item):
            return item if overlap(index, INTEGER) else None
        case ObjectOf():
            return kind.value() if overlap(index, STRING) else None
        case _:
            return None


def as_text(tree: Binary, left: Type, right: Type) -> str:
    """The remedy for a string plus something else."""
    if tree.operator == "+" and STRING in {left, right}:
        other = tree.left if right == STRING else tree.right
        return f"write str({unparse(other)})"
    return ""


def as_boolean(tree: Tree, kind: Type) -> str:
    """How to ask of a value what Python would take for its truth."""
    text = unparse(tree)
    match kind:
        case Scalar("string"):
            return f'write {text} != ""'
        case Scalar("integer" | "number"):
            return f"write {text} != 0"
        case ListOf() | ObjectOf():
            return f"write len({text}) > 0"
        case _:
            return "compare it with something"
