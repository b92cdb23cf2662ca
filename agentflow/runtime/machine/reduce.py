"""The tree of a map's reduce: which results are combined in which call.

Level 0 holds the items' results; `arity` neighbours of one level become one value of the next,
until one is left. The shape depends on the number of items alone, so every engine makes the same
calls. A group is combined as soon as it is complete, while other items are still under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Json

if TYPE_CHECKING:
    from agentflow.runtime.machine.calls import CallNode


@dataclass(frozen=True, slots=True)
class ReduceNode:
    """How results are combined."""

    call: CallNode
    arity: int


@dataclass(frozen=True, slots=True)
class Group:
    """Values that are complete and want to be combined."""

    level: int
    place: int
    values: list[Json]

    @property
    def suffix(self) -> str:
        """Its part of the call's key."""
        return f".reduce[{self.level}][{self.place}]"


_MISSING = object()


class Tree:
    """The groups of one map; takes values, gives complete groups."""

    __slots__ = ("_arity", "_open", "_sizes", "result")

    def __init__(self, arity: int, count: int) -> None:
        self._arity = arity
        self._sizes = [count]
        while len(self._sizes) == 1 or self._sizes[-1] > 1:
            self._sizes.append(max(1, -(-self._sizes[-1] // arity)))
        self._open: dict[tuple[int, int], tuple[list[object], list[int]]] = {}
        self.result: Json = None
        """The last value, once there is one."""

    def empty(self) -> Group:
        """The one group of a map without items."""
        return Group(0, 0, [])

    def leave_out(self, place: int) -> Group | None:
        """An item failed and is tolerated."""
        return self.offer(0, place, _MISSING)

    def offer(self, level: int, place: int, value: Json) -> Group | None:
        """Put a value in its place; gives the group it completes, if it does."""
        while level < len(self._sizes) - 1:
            group = place // self._arity
            values = self._put(level, group, place % self._arity, value)
            if values is None:
                return None
            present = [v for v in values if v is not _MISSING]
            if present or level == len(self._sizes) - 2:
                return Group(level, group, present)
            level, place, value = level + 1, group, _MISSING
        self.result = value
        return None

    def _put(self, level: int, group: int, slot: int, value: Json) -> list[object] | None:
        """Fill a slot; all of the group's values when it was the last."""
        entry = self._open.get((level, group))
        if entry is None:
            size = min(self._arity, self._sizes[level] - group * self._arity)
            entry = self._open[level, group] = ([_MISSING] * size, [size])
        values, left = entry
        values[slot] = value
        left[0] -= 1
        if left[0]:
            return None
        del self._open[level, group]
        return values
