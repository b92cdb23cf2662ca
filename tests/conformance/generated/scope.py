"""The names that a generated step can read, with what their values are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["number", "text", "flag", "numbers", "record", "any", "error"]
WORDS = ("a", "b", "c", "x", "y", "item", "error", "value", "count", "total", "input2", "states")
"""Few, so that the same name means different things in different places."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name and its value's kind."""

    name: str
    kind: Kind
    is_opaque: bool = False
    """Whether no check can know the kind, so that a wrong use of it is seen only when it runs."""
    is_variable: bool = False


@dataclass(slots=True)
class Scope:
    """The names of a block; those of blocks around it can be read, and set up to a parallel one."""

    parent: Scope | None = None
    is_parallel: bool = False
    names: dict[str, Name] = field(default_factory=dict)

    def visible(self) -> Iterator[Name]:
        """Every name that can be read."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names.values()
            scope = scope.parent

    def variables(self) -> Iterator[Name]:
        """Every name that can be set anew."""
        scope: Scope | None = self
        while scope is not None:
            yield from (each for each in scope.names.values() if each.is_variable)
            scope = None if scope.is_parallel else scope.parent

    def bind(self, name: Name) -> None:
        """Bind a name here."""
        self.names[name.name] = name

    def inner(self, *, parallel: bool = False) -> Scope:
        """The scope of a block inside."""
        return Scope(self, parallel)

    def fresh(self, rng: random.Random, taken: set[str]) -> str:
        """A name that is free here; the places where it is taken from now on are `taken`."""
        seen = {each.name for each in self.visible()} | taken
        free = [word for word in WORDS if word not in seen]
        name = rng.choice(free) if free else next(_numbered(rng, seen))
        taken.add(name)
        return name


def _numbered(rng: random.Random, seen: set[str]) -> Iterator[str]:
    word = rng.choice(WORDS)
    return (name for n in range(2, 10_000) if (name := f"{word}_{n}") not in seen)
