"""What an expression may cost: its size as text, its steps, the size of what it gives.

The numbers are generous for anything a person writes and small enough that the worst expression
ends within seconds and some hundred megabytes, with a named error.
"""

from __future__ import annotations

from agentflow.errors import Fault, Json
from agentflow.spec.expressions.scope import Scope

MAX_SOURCE = 2_000
"""Characters of one expression."""
MAX_NODES = 500
"""Nodes of one expression's tree."""
MAX_NESTING = 40
"""Levels of one expression's tree."""
MAX_STEPS = 2_000_000
"""Steps of one evaluation: rounds of comprehensions, calls, and what they copy or search."""
MAX_TEXT = 1_000_000
"""Characters of a text that an expression builds."""
MAX_ITEMS = 1_000_000
"""Items of a list, or keys of an object, that an expression builds."""
MAX_DEPTH = 100
"""Levels of lists and objects in a value that an expression builds."""
MAX_PARTS = 2_000_000
"""Lists, objects and scalars, all in all, in a value that an expression builds."""
MAX_CHARACTERS = 64_000_000
"""Characters, all in all, in a value that an expression builds."""

_CONTAINERS = (list, dict)


class Frame:
    """One evaluation under way: the names it reads and the steps it has left."""

    __slots__ = ("scope", "steps")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.steps = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            Fault: `LimitExceeded` when there are none left.
        """
        self.steps -= steps
        if self.steps < 0:
            raise Fault(
                "LimitExceeded",
                f"the expression takes more than {MAX_STEPS:,} steps; "
                "move the work into a function, or spread it with a map",
            )


def weight(value: Json) -> int:
    """How many items' worth of work a shallow pass over a value is; 16 characters are one."""
    kind = type(value)
    if kind is str:
        return len(value) >> 4
    return len(value) if kind is list or kind is dict else 0


def check_text(length: int) -> None:
    """Refuse to build a text of more than `MAX_TEXT` characters (`Fault` `LimitExceeded`)."""
    if length > MAX_TEXT:
        raise Fault("LimitExceeded", f"a text of {length:,} characters; the limit is {MAX_TEXT:,}")


def check_items(length: int) -> None:
    """Refuse to build a list or object of more than `MAX_ITEMS` items (`Fault` `LimitExceeded`)."""
    if length > MAX_ITEMS:
        raise Fault(
            "LimitExceeded", f"a list or object of {length:,} items; the limit is {MAX_ITEMS:,}"
        )


def measure(value: Json) -> int:
    """How many parts a value has when it is written out, every repetition counted.

    Values share parts (`[x, x]` holds `x` once), so twenty doublings in a loop make a value that
    fits in memory and never on a disk; this is where it is met.

    Raises:
        Fault: `LimitExceeded` when the value is too large or too deep.
    """
    if type(value) not in _CONTAINERS:
        return 1 + weight(value)
    parts = characters = depth = 0
    level = [value]
    while level:
        depth += 1
        below: list[Json] = []
        for container in level:
            items = container
            if type(container) is dict:
                characters += sum(map(len, container))
                items = container.values()
            parts += 1 + len(items)
            kinds = set(map(type, items))
            if str in kinds:
                characters += sum(len(item) for item in items if type(item) is str)
            if parts > MAX_PARTS or characters > MAX_CHARACTERS:
                raise Fault("LimitExceeded", "a value with more parts or text than can be kept")
            if list in kinds or dict in kinds:
                below.extend(item for item in items if type(item) in _CONTAINERS)
        if below and depth == MAX_DEPTH:
            raise Fault("LimitExceeded", f"a value nested deeper than {MAX_DEPTH} levels")
        level = below
    return parts + (characters >> 4)
