"""The reduce of a batch run: combines results of chunks as they come, until one is left.

Each chunk was combined by its worker already. What is combined here is recorded too, so that a run
that goes on does not do it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentflow.errors import Json
from agentflow.runtime.batch.history import Done, History, final_key, node_key
from agentflow.runtime.batch.ledger import Ledger
from agentflow.runtime.batch.passing import Passing
from agentflow.runtime.batch.reducing import Group, Node, Tree
from agentflow.runtime.batch.work import Tasks
from agentflow.runtime.executors.protocol import Executor, Report

_LOST = 3
"""Workers that may be lost with the same results."""


class Combining:
    """What is combined and what is still to be combined. Used in one event loop."""

    def __init__(
        self,
        tasks: Tasks,
        executor: Executor,
        ledger: Ledger,
        passing: Passing,
        history: History,
        *,
        arity: int,
        initial: dict[str, Json] | None,
    ) -> None:
        self._tasks = tasks
        self._executor = executor
        self._ledger = ledger
        self._passing = passing
        self._round = history.round
        self._arity = arity
        self._initial = initial
        self._restored = _outermost(history.nodes)
        self._tree = Tree(arity, self._restored)
        self._groups: dict[str, tuple[Group, int]] = {}
        self._lost: list[tuple[str, Group, int]] = []
        """Groups whose results were lost in memory; the journal has them."""
        self._is_over = False
        self.done: list[tuple[str, Node]] = []
        """What is combined and not recorded."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self._groups or self.done or self._lost)

    def stop(self) -> None:
        """Give workers nothing more; what they have may still be taken."""
        self._is_over = True

    def withdraw(self) -> None:
        """Take back what workers have, for good."""
        self.stop()
        for key in self._groups:
            self._executor.withdraw(self._ledger.id, key)
        self._groups.clear()
        self._lost.clear()

    async def settle(self, done: Done) -> None:
        """Take what a chunk comes to, now that it is recorded."""
        first = done.first
        if any(node.start <= first.start < node.stop for node in self._restored):
            return
        chunks = [first, *done.again]
        found = [Node(first.start, first.stop, c.parcel) for c in chunks if c.parcel is not None]
        if len(found) > 1:
            group = Group(tuple(found))
            await self._give(node_key(group.start, group.stop, self._round), group)
        else:
            await self.add(found[0] if found else Node(first.start, first.stop, None))

    async def proceed(self, nodes: Sequence[Node]) -> None:
        """Take recorded results, and give what was lost in memory to workers once more."""
        lost, self._lost = self._lost, []
        for key, group, losses in lost:
            for node in group.nodes:
                if node.parcel is not None:
                    node.parcel = await self._ledger.by_value(node.parcel)
            self._submit(key, group, losses)
        for node in nodes:
            await self.add(node)

    async def add(self, node: Node) -> None:
        """Take a recorded result, and combine it with its neighbours if there are enough."""
        group = self._tree.add(node)
        if group is not None:
            await self._combine(group)

    async def finish(self) -> dict[str, Json] | None:
        """Combine what is left; gives the parcel of the result once that is all there is."""
        left = [node for node in self._tree if node.parcel is not None]
        if len(left) == (self._initial is None):
            parcel = left[0].parcel if left else self._initial
            return None if parcel is None else await self._ledger.resolved(parcel)
        if len(left) + (self._initial is not None) <= self._arity:
            # Of no items, what the reduce makes of an empty list is the result.
            nodes = [Node(0, 0, self._initial), *left]
            await self._give(final_key(self._round), Group(tuple(nodes)))
        else:
            for group in self._tree.last_groups():
                await self._combine(group)
        return None

    def take(self, report: Report) -> Json | None:
        """Take a result of a worker; gives the error if there is one to end the run with."""
        if report.key not in self._groups:
            return None
        group, losses = self._groups.pop(report.key)
        if report.kind == "completed":
            self._passing.forget(group.parcels)
            self.done.append((report.key, group.node(report.value)))
        elif report.error["name"] == "PartLost" and losses + 1 < _LOST:
            self._lost.append((report.key, group, losses + 1))
        elif report.error["name"] == "WorkerLost" and losses + 1 < _LOST:
            self._submit(report.key, group, losses + 1)
        else:
            return report.error
        return None

    def is_final(self, key: str) -> bool:
        """Whether this is the result of all."""
        return key == final_key(self._round)

    async def _combine(self, group: Group) -> None:
        """Combine neighbours; of a single one there is nothing to combine."""
        if len(group.parcels) > 1:
            await self._give(node_key(group.start, group.stop, self._round), group)
        else:
            parcel = group.parcels[0] if group.parcels else None
            await self.add(group.node(parcel))

    async def _give(self, key: str, group: Group) -> None:
        for node in group.nodes:
            if node.parcel is not None and not self._is_over:
                node.parcel = await self._passing.sendable(node.parcel)
        self._submit(key, group, 0)

    def _submit(self, key: str, group: Group, losses: int) -> None:
        if self._is_over:  # the next process combines it
            return
        self._groups[key] = (group, losses)
        self._executor.submit([self._tasks.combine(key, group.parcels)])


def _outermost(nodes: list[Node]) -> list[Node]:
    """Those that are in no other."""
    kept: list[Node] = []
    for node in sorted(nodes, key=lambda node: (node.start, -node.stop)):
        if not kept or node.start >= kept[-1].stop:
            kept.append(node)
    return kept
