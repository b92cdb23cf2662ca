"""What an expression reads: names, block by block, and the recorded sources of time and chance."""

from __future__ import annotations

from typing import Protocol

from agentflow.errors import Json


class Recorded(Protocol):
    """Time and chance as the journal has them: the same on every replay."""

    def now(self) -> str:
        """The time of the event in hand, RFC 3339 in UTC with milliseconds."""
        ...

    def uuid(self) -> str:
        """A new version-5 UUID, derived from the execution and a counter."""
        ...


class Scope:
    """The names of one block; reading goes outwards, `parallel` marks where writing stops.

    `lookup` is the hottest function of the engine, hence the plain loop.
    """

    __slots__ = ("names", "parallel", "parent", "recorded")

    def __init__(
        self,
        names: dict[str, Json],
        parent: Scope | None = None,
        recorded: Recorded | None = None,
        *,
        parallel: bool = False,
    ) -> None:
        self.names = names
        self.parent = parent
        self.recorded: Recorded | None = (
            recorded if recorded is not None or parent is None else parent.recorded
        )
        self.parallel = parallel

    def lookup(self, name: str) -> Json:
        """The value of `name` in the nearest block that binds it.

        Raises:
            KeyError: no enclosing block binds it.
        """
        scope: Scope | None = self
        while scope is not None:
            names = scope.names
            if name in names:
                return names[name]
            scope = scope.parent
        raise KeyError(name)

    def assign(self, name: str, value: Json) -> None:
        """Rebind `name` where an enclosing block of the same branch bound it, else here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                scope.names[name] = value
                return
            if scope.parallel:
                break
            scope = scope.parent
        self.names[name] = value

    def frozen(self) -> Scope:
        """The same names with the values that they have now."""
        names: dict[str, Json] = {}
        scope: Scope | None = self
        while scope is not None:
            names = {**scope.names, **names}
            scope = scope.parent
        return Scope(names, recorded=self.recorded)
