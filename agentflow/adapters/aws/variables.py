"""Names of the workflow as variables of Step Functions.

A variable belongs to the scope (see `graph.Scope`) that assigns it. Scopes inside read it and may
not assign one of the same name, so two names that are the same in the workflow get different
variables unless their scopes are side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentflow.adapters.aws.checks import Reference, References
from agentflow.adapters.aws.jsonata import variable
from agentflow.spec.expressions.types import ANY, Type

NAME_LIMIT = 80


class Variables:
    """The variables of a definition; a scope is a path of numbers, outermost first."""

    def __init__(self) -> None:
        self._scopes: dict[str, list[tuple[int, ...]]] = {}

    def take(self, wish: str, scope: tuple[int, ...]) -> str:
        """A variable for a name bound in a scope: its own name, else with a number."""
        base = variable(wish)[: NAME_LIMIT - 4]
        name, number = base, 2
        while any(_related(scope, other) for other in self._scopes.get(name, ())):
            name, number = f"{base}_{number}", number + 1
        self._scopes.setdefault(name, []).append(scope)
        return name


def _related(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether one scope is inside the other, or they are the same."""
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


class Names(Mapping[str, Reference]):
    """The names that can be read in a block, and what they are in JSONata."""

    def __init__(self, parent: Names | None = None, *, parallel: bool = False) -> None:
        self.own: dict[str, Reference] = {}
        self.parent = parent
        self.parallel = parallel

    def inner(self, *, parallel: bool = False) -> Names:
        """The names of a block inside this one."""
        return Names(self, parallel=parallel)

    def bind(self, name: str, variable: str, type: Type = ANY) -> None:
        """Bind a name in this block."""
        self.own[name] = Reference(f"${variable}", type, variable=variable)

    def assigned(self, name: str) -> Names | None:
        """The block whose name a `set` changes; `None` if it binds a new one."""
        names: Names | None = self
        while names is not None:
            if name in names.own:
                return names
            if names.parallel:
                return None
            names = names.parent
        return None

    def __getitem__(self, name: str) -> Reference:
        names: Names | None = self
        while names is not None:
            if name in names.own:
                return names.own[name]
            names = names.parent
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({name: None for names in self._chain() for name in names.own})

    def __len__(self) -> int:
        return len({name for names in self._chain() for name in names.own})

    def _chain(self) -> Iterator[Names]:
        names: Names | None = self
        while names is not None:
            yield names
            names = names.parent


class Types(Mapping[str, Type]):
    """The types of names, without a copy of them all for each expression."""

    def __init__(self, names: References) -> None:
        self._names = names

    def __getitem__(self, name: str) -> Type:
        return self._names[name].type

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
