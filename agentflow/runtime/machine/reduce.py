"""The tree of a reduce: which results are combined in which call.

Level 0 holds the items' results; `arity` neighbours of one level become one value of the next,
until one is left. The shape depends on the number of items alone, so every engine makes the same
calls. A group is combined as soon as it is complete, while other items are still under way; how
many items there are in all need only be known in the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Json
from agentflow.runtime.machine.calls import CallNode, start_call
from agentflow.runtime.machine.frames import Done, Failed, Frame, Outcome, Parent
from agentflow.runtime.machine.parallel import Parallel
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine

REDUCE = -1
"""The place of a reduce call among the active ones: it is no item."""


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
"""Stands for an item that is left out."""
_AWAITED = object()
"""Stands for a value that is not there yet."""


class Tree:
    """The groups of one reduce; takes values, gives complete groups.

    Without a `count` it takes values until `close` says how many there are. Groups that are full
    are complete either way: a full group is combined however many values follow.
    """

    __slots__ = ("_arity", "_open", "_sizes", "result")

    def __init__(self, arity: int, count: int | None) -> None:
        self._arity = arity
        self._sizes: list[int] | None = None if count is None else _sizes(arity, count)
        self._open: dict[tuple[int, int], tuple[list[object], list[int]]] = {}
        self.result: Json = None
        """The last value, once there is one."""

    def empty(self) -> Group:
        """The one group where there are no items."""
        return Group(0, 0, [])

    def close(self, count: int) -> list[Group]:
        """No more than `count` values come: the groups that are complete with that."""
        self._sizes = _sizes(self._arity, count)
        if count == 0:
            return [self.empty()]
        waiting, self._open = self._open, {}
        groups = []
        for (level, group), (values, _) in sorted(waiting.items()):
            for place, value in enumerate(values, group * self._arity):
                made = None if value is _AWAITED else self.offer(level, place, value)
                if made is not None:
                    groups.append(made)
        return groups

    def leave_out(self, place: int) -> Group | None:
        """An item failed and is tolerated."""
        return self.offer(0, place, _MISSING)

    def offer(self, level: int, place: int, value: Json) -> Group | None:
        """Put a value in its place; gives the group it completes, if it does."""
        top = None if self._sizes is None else len(self._sizes) - 1
        while level != top:
            group = place // self._arity
            values = self._put(level, group, place % self._arity, value)
            if values is None:
                return None
            present = [v for v in values if v is not _MISSING]
            if present or (top is not None and level == top - 1):
                return Group(level, group, present)
            level, place, value = level + 1, group, _MISSING
        self.result = value
        return None

    def _put(self, level: int, group: int, slot: int, value: Json) -> list[object] | None:
        """Fill a slot; all of the group's values when it was the last."""
        entry = self._open.get((level, group))
        if entry is None:
            size = self._arity
            if self._sizes is not None:
                size = min(size, self._sizes[level] - group * self._arity)
            entry = self._open[level, group] = ([_AWAITED] * size, [size])
        values, left = entry
        values[slot] = value
        left[0] -= 1
        if left[0]:
            return None
        del self._open[level, group]
        return values


def _sizes(arity: int, count: int) -> list[int]:
    """How many values each level has, down to the one that is the result."""
    sizes = [count]
    while len(sizes) == 1 or sizes[-1] > 1:
        sizes.append(max(1, -(-sizes[-1] // arity)))
    return sizes


class Reducing(Parallel):
    """Items side by side whose results may be combined: what map and pipeline share."""

    __slots__ = ("_groups", "_reduce", "_scope", "_tree")

    def __init__(
        self, parent: Parent, key: str, scope: Scope, reduce: ReduceNode | None, count: int | None
    ) -> None:
        super().__init__(parent, key)
        self._scope = scope
        self._reduce = reduce
        self._tree = None if reduce is None else Tree(reduce.arity, count)
        self._groups: dict[Frame, Group] = {}

    def _combine(self, machine: Machine, group: Group | None) -> Outcome | None:
        """Call `reduce` on a complete group; gives an outcome only with a verdict."""
        if group is None:
            return None
        assert self._reduce is not None
        scope = Scope({"items": group.values}, self._scope)
        key = self.key + group.suffix
        started = start_call(machine, self._reduce.call, self, key, scope)
        if isinstance(started, Failed):
            return self.decide(machine, started)
        self.active[started] = REDUCE
        self._groups[started] = group
        return None

    def _combined(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        """A call of `reduce` is over."""
        group = self._groups.pop(child)
        if not isinstance(outcome, Done):
            return self.decide(machine, outcome)
        assert self._tree is not None
        return self._combine(machine, self._tree.offer(group.level + 1, group.place, outcome.value))
