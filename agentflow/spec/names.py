"""The names a step can read, block by block, while a workflow is checked.

The static counterpart of `expressions.scope.Scope`: the same rules, with types for values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from agentflow.errors import Span
from agentflow.spec.expressions.types import Type
from agentflow.spec.model import Block

Kind: TypeAlias = Literal["result", "variable", "item", "index", "error", "given"]

KINDS: dict[Kind, str] = {
    "result": "the result of a step",
    "variable": "a name that `set` binds",
    "item": "the item of a map, loop or pipeline",
    "index": "the index of a map or loop",
    "error": "the error of a handler",
    "given": "given by the engine",
}


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name stands for."""

    kind: Kind
    type: Type
    span: Span | None = None
    """Where it is bound; `None` for what the engine gives."""

    def __str__(self) -> str:
        where = f" (line {self.span.line})" if self.span else ""
        return f"{KINDS[self.kind]}{where}"


class Names(Mapping[str, Type]):
    """The names of one block and of those around it; as a mapping, their types."""

    def __init__(self, parent: Names | None = None, *, parallel: bool = False) -> None:
        self.own: dict[str, Binding] = {}
        self.block: Block | None = None
        self.parent = parent
        self.parallel = parallel

    def inner(self, *, parallel: bool = False) -> Names:
        """The names of a block inside this one; writing stops at a parallel one."""
        return Names(self, parallel=parallel)

    def find(self, name: str) -> tuple[Binding, bool] | None:
        """What a name stands for, and whether a parallel boundary lies between."""
        names: Names | None = self
        crossed = False
        while names is not None:
            if name in names.own:
                return names.own[name], crossed
            crossed = crossed or names.parallel
            names = names.parent
        return None

    def within(self, block: Block | None) -> bool:
        """Whether these are the names of a block or of one inside it."""
        names: Names | None = self
        while names is not None:
            if block is not None and names.block is block:
                return True
            names = names.parent
        return False

    def __getitem__(self, name: str) -> Type:
        names: Names | None = self
        while names is not None:
            if name in names.own:
                return names.own[name].type
            names = names.parent
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        names: Names | None = self
        while names is not None:
            yield from names.own
            names = names.parent

    def __len__(self) -> int:
        return sum(1 for _ in self)
