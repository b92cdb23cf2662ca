"""The tree of a reduce: which neighbouring results are combined, and when.

A node covers a range of the source and has the parcel of what its items come to. The shape of the
tree depends on which chunks are ready; the order of the items is kept, and a reduce must not mind
the rest.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agentflow.errors import Json


@dataclass(slots=True)
class Node:
    """The combined result of the items from `start` to `stop`; none, where all of them failed."""

    start: int
    stop: int
    parcel: Json | None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbours to be combined."""

    nodes: tuple[Node, ...]

    @property
    def start(self) -> int:
        """Where the first begins."""
        return self.nodes[0].start

    @property
    def stop(self) -> int:
        """Where the last ends."""
        return self.nodes[-1].stop

    @property
    def parcels(self) -> list[Json]:
        """What there is to combine."""
        return [node.parcel for node in self.nodes if node.parcel is not None]

    def node(self, parcel: Json | None) -> Node:
        """What it became."""
        return Node(self.start, self.stop, parcel, self.nodes[-1].level + 1)


class Tree:
    """The results that are not combined yet, in the order of the source.

    `nodes` are those that an earlier run has left, in order; they are combined with what comes.
    """

    def __init__(self, arity: int, nodes: Iterable[Node] = ()) -> None:
        self._arity = arity
        self._nodes = list(nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def add(self, node: Node) -> Group | None:
        """Take a result; gives what can be combined now: `arity` neighbours of one level."""
        at = bisect.bisect_left(self._nodes, node.start, key=lambda n: n.start)
        self._nodes.insert(at, node)
        first = at
        while first > 0 and self._joins(first - 1) and at - first < self._arity - 1:
            first -= 1
        last = at + 1
        while last < len(self._nodes) and self._joins(last - 1) and last - first < self._arity:
            last += 1
        return self._take(first, last) if last - first == self._arity else None

    def last_groups(self) -> Sequence[Group]:
        """What is left, in groups to be combined; to be asked when everything has been added."""
        groups = [
            Group(tuple(self._nodes[at : at + self._arity]))
            for at in range(0, len(self._nodes), self._arity)
        ]
        self._nodes = []
        return groups

    def _joins(self, at: int) -> bool:
        """Whether the node there and the next are neighbours of one level."""
        one, other = self._nodes[at], self._nodes[at + 1]
        return one.stop == other.start and one.level == other.level

    def _take(self, first: int, last: int) -> Group:
        group = Group(tuple(self._nodes[first:last]))
        del self._nodes[first:last]
        return group
