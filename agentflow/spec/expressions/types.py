"""Types of JSON values: what the library asks of its arguments and what inference knows.

`integer` is a kind of `number`. `list` and `object` without more are lists and objects of anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from agentflow.errors import Json


@dataclass(frozen=True, slots=True)
class Scalar:
    """`any`, `null`, `boolean`, `integer`, `number` or `string`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items have one type."""

    item: Type

    def __str__(self) -> str:
        return "list" if self.item == ANY else f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object: the type of each known field, which fields are always there, and the others.

    `rest` is the type of fields that are not named; `None` means there are none.
    """

    fields: tuple[tuple[str, Type], ...] = ()
    required: frozenset[str] = frozenset()
    rest: Type | None = None

    def __str__(self) -> str:
        if not self.fields:
            return "object" if self.rest in (ANY, None) else f"object[{self.rest}]"
        return "{" + ", ".join(f"{name}: {kind}" for name, kind in self.fields) + "}"

    def field(self, name: str) -> Type | None:
        """The type of a named field, if it is named."""
        return dict(self.fields).get(name)

    def value(self) -> Type:
        """The type of the values under any key."""
        if self.rest is None:
            return ANY
        return union([*(kind for _, kind in self.fields), self.rest])


@dataclass(frozen=True, slots=True)
class Union:
    """One of several types; made by `union`, which keeps it flat and without repetitions."""

    members: tuple[Type, ...]

    def __str__(self) -> str:
        return " | ".join(map(str, self.members))


Type: TypeAlias = Scalar | ListOf | ObjectOf | Union

ANY = Scalar("any")
NULL = Scalar("null")
BOOLEAN = Scalar("boolean")
INTEGER = Scalar("integer")
NUMBER = Scalar("number")
STRING = Scalar("string")
LIST = ListOf(ANY)
OBJECT = ObjectOf(rest=ANY)


def union(types: Iterable[Type]) -> Type:
    """The type of a value that has one of these types; of none at all, `any`."""
    members: list[Type] = []
    for kind in types:
        for member in kind.members if isinstance(kind, Union) else (kind,):
            if member == ANY:
                return ANY
            if member not in members:
                members.append(member)
    if NUMBER in members and INTEGER in members:
        members.remove(INTEGER)
    if not members:
        return ANY
    return members[0] if len(members) == 1 else Union(tuple(members))


def members(kind: Type) -> tuple[Type, ...]:
    """The alternatives of a type; of anything but a union, itself."""
    return kind.members if isinstance(kind, Union) else (kind,)


def kind_of(value: Json) -> str:
    """The name of a value's type as `type(x)` gives it; integers and floats are both numbers."""
    return _KINDS[type(value)]


_KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "list",
    dict: "object",
}

_SCALARS: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
}


def accepts(kind: Type, value: Json) -> bool:
    """Whether a value has a type; fields of objects are not looked into."""
    match kind:
        case Scalar("any"):
            return True
        case Scalar(name):
            return type(value) in _SCALARS[name]
        case ListOf(item):
            return type(value) is list and (item == ANY or all(accepts(item, v) for v in value))
        case ObjectOf():
            return type(value) is dict
        case Union(alternatives):
            return any(accepts(alternative, value) for alternative in alternatives)


def describe(value: Json) -> str:
    """A value in a few words for messages: `number 3`, `list of 2 items`."""
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean {str(value).lower()}"
        case int() | float():
            shown = repr(value) if abs(value) < 1e22 else f"{value:.3g}"
            return f"number {shown}"
        case str():
            return f'string "{shorten(value, 30)}"'
        case list():
            return "an empty list" if not value else f"list of {count(len(value), 'item')}"
        case _:
            return "an empty object" if not value else f"object with {count(len(value), 'key')}"


def phrase(kind: Type) -> str:
    """A type in words: `a list of numbers`, `a string or a list`."""
    match kind:
        case Scalar("any"):
            return "a value"
        case Scalar("null"):
            return "null"
        case Scalar("integer"):
            return "an integer"
        case Scalar(name):
            return f"a {name}"
        case ListOf(Scalar("any")):
            return "a list"
        case ListOf(item):
            return f"a list of {_plural(item)}"
        case ObjectOf():
            return "an object"
        case Union(alternatives):
            *first, last = map(phrase, alternatives)
            return f"{', '.join(first)} or {last}"


def _plural(kind: Type) -> str:
    match kind:
        case ListOf():
            return "lists"
        case ObjectOf():
            return "objects"
        case Union(alternatives):
            return " or ".join(map(_plural, alternatives))
        case _:
            return f"{kind}s"


def count(number: int, noun: str) -> str:
    """`1 item`, `2 items`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def shorten(text: str, length: int) -> str:
    """The text on one line without control characters, cut to `length` with an ellipsis."""
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return "".join(letter if letter.isprintable() else " " for letter in cut)


def overlap(a: Type, b: Type) -> bool:
    """Whether some value may have both types; lists overlap when their items may."""
    match a, b:
        case (Scalar("any"), _) | (_, Scalar("any")):
            return True
        case (Union(alternatives), other) | (other, Union(alternatives)):
            return any(overlap(alternative, other) for alternative in alternatives)
        case Scalar(), Scalar():
            return a == b or {a, b} == {INTEGER, NUMBER}
        case ListOf(x), ListOf(y):
            return overlap(x, y)
        case _:
            return isinstance(a, ObjectOf) and isinstance(b, ObjectOf)
