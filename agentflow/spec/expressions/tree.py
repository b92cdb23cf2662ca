"""The tree of an expression: our own, small and frozen, the same for every engine and compiler.

    Literal  Name  Attribute  Index  Slice  Negate  Not  Binary  Logic  Compare
    Conditional  Text  ListDisplay  ObjectDisplay  Comprehension  Call  MethodCall

`start` and `end` are offsets into the source the tree was parsed from. They are no part of a
tree's identity: two trees are equal when they mean the same text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal as OneOf
from typing import TypeAlias

ArithmeticOperator: TypeAlias = OneOf["+", "-", "*", "/", "//", "%"]
ComparisonOperator: TypeAlias = OneOf["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every node has: where it stands in the source."""

    start: int = field(default=0, compare=False, repr=False)
    end: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """`null`, a boolean, a number (never negative) or a text."""

    value: bool | int | float | str | None

    def __eq__(self, other: object) -> bool:
        """Equal only with the same type: `1`, `1.0` and `true` are three literals."""
        return (
            type(other) is Literal
            and type(other.value) is type(self.value)
            and other.value == self.value
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name: a step's result, a variable, `input`, or a comprehension's own."""

    name: str


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`value.key`: the value under a key of an object."""

    value: Tree
    key: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`value[index]`: an item of a list, a key of an object, a character of a text."""

    value: Tree
    index: Tree


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """`value[lower:upper]` of a list or a text."""

    value: Tree
    lower: Tree | None
    upper: Tree | None


@dataclass(frozen=True, slots=True)
class Negate(Node):
    """`-operand`."""

    operand: Tree


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`not operand`."""

    operand: Tree


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Arithmetic, and `+` on texts and lists."""

    operator: ArithmeticOperator
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`and` or `or` of two or more operands, from left to right, no further than needed."""

    operator: OneOf["and", "or"]
    operands: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`first op a op b …`: every neighbouring pair must hold; each operand is evaluated once."""

    first: Tree
    rest: tuple[tuple[ComparisonOperator, Tree], ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`then if test else otherwise`."""

    test: Tree
    then: Tree
    otherwise: Tree


@dataclass(frozen=True, slots=True)
class Text(Node):
    """An f-string: literal pieces and expressions whose text is put in."""

    parts: tuple[str | Tree, ...]


@dataclass(frozen=True, slots=True)
class ListDisplay(Node):
    """`[a, b]`."""

    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class ObjectDisplay(Node):
    """`{k: v}`; keys are expressions that give texts."""

    entries: tuple[tuple[Tree, Tree], ...]


@dataclass(frozen=True, slots=True)
class Generator(Node):
    """`for names in iterable if condition …`; several names take apart lists of that length."""

    names: tuple[str, ...]
    iterable: Tree
    conditions: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """`[element for …]`, or with a key `{key: element for …}`."""

    element: Tree
    generators: tuple[Generator, ...]
    key: Tree | None = None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`function(arguments)` of a function of the library."""

    function: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class MethodCall(Node):
    """`receiver.method(arguments)` of a method of the library."""

    receiver: Tree
    method: str
    arguments: tuple[Tree, ...]


Tree: TypeAlias = (
    Literal
    | Name
    | Attribute
    | Index
    | Slice
    | Negate
    | Not
    | Binary
    | Logic
    | Compare
    | Conditional
    | Text
    | ListDisplay
    | ObjectDisplay
    | Comprehension
    | Call
    | MethodCall
)


def children(tree: Tree) -> tuple[Tree, ...]:
    """The operands of a node, in the order of the text (a comprehension's element comes last)."""
    match tree:
        case Literal() | Name():
            return ()
        case Attribute(value):
            return (value,)
        case Index(value, index):
            return (value, index)
        case Slice(value, lower, upper):
            return (value, *(bound for bound in (lower, upper) if bound is not None))
        case Negate(operand) | Not(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Logic(_, operands):
            return operands
        case Compare(first, rest):
            return (first, *(operand for _, operand in rest))
        case Conditional(test, then, otherwise):
            return (then, test, otherwise)
        case Text(parts):
            return tuple(part for part in parts if not isinstance(part, str))
        case ListDisplay(items):
            return items
        case ObjectDisplay(entries):
            return tuple(side for entry in entries for side in entry)
        case Comprehension(element, generators, key):
            loops = (
                operand for loop in generators for operand in (loop.iterable, *loop.conditions)
            )
            return (*loops, *(() if key is None else (key,)), element)
        case Call(_, arguments):
            return arguments
        case MethodCall(receiver, _, arguments):
            return (receiver, *arguments)


def free_names(tree: Tree, bound: frozenset[str] = frozenset()) -> Iterator[Name]:
    """The names a tree reads from outside; a comprehension's own names do not count."""
    match tree:
        case Name(name):
            if name not in bound:
                yield tree
        case Comprehension(element, generators, key):
            for loop in generators:
                yield from free_names(loop.iterable, bound)
                bound = bound.union(loop.names)
                for condition in loop.conditions:
                    yield from free_names(condition, bound)
            if key is not None:
                yield from free_names(key, bound)
            yield from free_names(element, bound)
        case _:
            for child in children(tree):
                yield from free_names(child, bound)
