"""States on their way into a definition: labels instead of names until all names are known.

A `Scope` is what the Amazon States Language calls a state machine: the top level, a branch of a
Parallel, the processor of a Map. Transitions stay within it. States are added in the order in which
a person reads them; a label that is placed takes the name of the next state added.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

State: TypeAlias = dict[str, Any]
"""A state as it will be printed, with labels in `Next`, `Default` and `StartAt`."""

NAME_LIMIT = 80
_FORBIDDEN = re.compile(r"""[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]""")


@dataclass(slots=True, eq=False)
class Label:
    """A place to go to."""

    name: str | None = None


@dataclass(slots=True)
class Scope:
    """The states of one level."""

    states: dict[str, State] = field(default_factory=dict)
    waiting: list[Label] = field(default_factory=list)
    """Labels for the state that is added next."""

    def place(self, label: Label) -> None:
        """Let a label mean the state that is added next."""
        self.waiting.append(label)

    def add(self, name: str, state: State) -> None:
        """Add a state."""
        for label in self.waiting:
            label.name = name
        self.waiting.clear()
        self.states[name] = state

    def definition(self) -> State:
        """`StartAt` and `States`, with names for labels, without states that nothing leads to."""
        states: dict[str, State] = _resolved(self.states)
        start = next(iter(states))
        reached: set[str] = set()
        ahead = [start]
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead.extend(_targets(states[name]))
        return {
            "StartAt": start,
            "States": {name: state for name, state in states.items() if name in reached},
        }


def _targets(state: State) -> Iterator[str]:
    """Where a state can go next, within its scope."""
    for part in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (part[key] for key in ("Next", "Default") if key in part)


def _resolved(value: Any) -> Any:
    match value:
        case Label():
            return value.name
        case dict():
            return {key: _resolved(each) for key, each in value.items()}
        case list():
            return [_resolved(each) for each in value]
        case _:
            return value


class StateNames:
    """Names of states: unique in a whole definition, from the ids of the steps."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *wishes: str) -> str:
        """The first wish that is free, else the last with a number."""
        for wish in wishes:
            name = _fitting(wish)
            if name not in self._taken:
                self._taken.add(name)
                return name
        number = 2
        while (name := _fitting(f"{wishes[-1]}.{number}")) in self._taken:
            number += 1
        self._taken.add(name)
        return name


def _fitting(wish: str) -> str:
    name = _FORBIDDEN.sub("-", wish)
    if len(name) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(wish.encode()).hexdigest()[:8]
    return f"{name[: NAME_LIMIT - 9]}-{digest}"
