"""Map: the same for each item, several at a time, singly or in batches.

Items are begun in order, as room allows; `fill` is the only place that begins any. What is in
flight is bounded, so a map of a million items costs a million small steps and little memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentflow.errors import Fault, Json, fault_value
from agentflow.runtime.machine.block import BlockNode
from agentflow.runtime.machine.calls import BatchFrame, CallFrame, CallNode, start_call
from agentflow.runtime.machine.control import as_list
from agentflow.runtime.machine.frames import Done, Failed, Frame, Outcome, Parent, Returned, Started
from agentflow.runtime.machine.parallel import BranchFrame
from agentflow.runtime.machine.protocol import BatchCompleted, Opened
from agentflow.runtime.machine.reduce import REDUCE, ReduceNode, Reducing
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine

IN_FLIGHT = 1024
"""Items under way at once when the spec does not bound them."""
BATCH_SECONDS = 0.1
"""How long a batch should take: long against a round trip, short against a wait."""
MAX_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class MapNode:
    """A map over a list."""

    items: Callable[[Scope], Json]
    body: CallNode | BlockNode
    bind: str
    index: str | None
    concurrency: int | None
    batch: int | Literal["auto"] | None
    tolerate: int | float
    reduce: ReduceNode | None

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        items = as_list(self.items(scope), "`map`")
        machine.issue(Opened(key, len(items)))
        frame = MapFrame(self, parent, key, scope, items)
        outcome = frame.run(machine)
        return frame if outcome is None else outcome


class MapFrame(Reducing):
    """The items of a map under way."""

    __slots__ = (
        "_again",
        "_failed",
        "_first",
        "_items",
        "_next",
        "_node",
        "_pace",
        "_results",
    )

    def __init__(
        self, node: MapNode, parent: Parent, key: str, scope: Scope, items: list[Json]
    ) -> None:
        super().__init__(parent, key, scope, node.reduce, len(items))
        self._node = node
        self._items = items
        self._next = 0
        self._again: deque[tuple[int, Json, int]] = deque()
        """Items to be called alone: place, the error they had in a batch, tries so far."""
        self._failed = 0
        self._first: Failed | None = None
        self._pace: float | None = None
        """Seconds an item took, in the batches so far."""
        keeps_list = node.reduce is None
        self._results: list[Json] = [None] * len(items) if keeps_list else []

    def run(self, machine: Machine) -> Outcome | None:
        """Begin as many items as there is room for."""
        if self._tree is not None and not self._items:
            return self._combine(machine, self._tree.empty())
        return self._proceed(machine)

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        place = self.active.pop(child)
        if self._verdict is not None:
            return self.conclude()
        if isinstance(child, BatchFrame):
            decided = self._batch_ended(machine, child, outcome)
        elif place == REDUCE:
            decided = self._combined(machine, child, outcome)
        else:
            decided = self._ended(machine, place, outcome)
        return self._proceed(machine) if self._verdict is None else decided

    # --- beginning items ----------------------------------------------------------------------

    def _proceed(self, machine: Machine) -> Outcome | None:
        outcome = self._fill(machine)
        if self._verdict is not None:
            return outcome
        if self.active or self._again or self._next < len(self._items):
            return None
        if self._tree is None:
            return self.decide(machine, Done(self._results))
        return self.decide(machine, Done(self._tree.result))

    def _fill(self, machine: Machine) -> Outcome | None:
        """Begin items while there is room. An item that ends at once makes room again."""
        while self._verdict is None:
            if self._again and self._room(machine) > 0:
                outcome = self._call_alone(machine, *self._again.popleft())
            elif self._next < len(self._items) and self._room(machine) > 0:
                outcome = self._begin_next(machine)
            else:
                return None
            if self._verdict is not None:
                return outcome
        return None

    def _room(self, machine: Machine) -> int:
        node = self._node
        if node.batch is None:
            return (node.concurrency or IN_FLIGHT) - len(self.active)
        if node.concurrency is None:
            return 2 * machine.parallel - len(self.active)
        carried = sum(c.size if isinstance(c, BatchFrame) else 1 for c in self.active)
        return node.concurrency - carried

    def _begin_next(self, machine: Machine) -> Outcome | None:
        node = self._node
        if isinstance(node.body, BlockNode):
            return self._begin_block(machine, node.body)
        if node.batch is None:
            place = self._next
            self._next += 1
            return self._begin_call(machine, node.body, place)
        return self._begin_batch(machine, node.body)

    def _begin_block(self, machine: Machine, body: BlockNode) -> Outcome | None:
        place = self._next
        self._next += 1
        branch = BranchFrame(self, f"{self.key}[{place}]")
        self.active[branch] = place
        outcome = branch.run(machine, body, self._inner(place))
        if outcome is None:
            return None
        del self.active[branch]
        return self._ended(machine, place, outcome)

    def _begin_call(self, machine: Machine, body: CallNode, place: int) -> Outcome | None:
        started = start_call(machine, body, self, f"{self.key}[{place}]", self._inner(place))
        if isinstance(started, CallFrame):
            self.active[started] = place
            return None
        return self._ended(machine, place, started)

    def _call_alone(self, machine: Machine, place: int, error: Json, tries: int) -> Outcome | None:
        """Call an item that failed in a batch, or whose batch was lost, by itself."""
        body = self._node.body
        assert isinstance(body, CallNode)
        if tries == 0:
            return self._begin_call(machine, body, place)
        key, scope = f"{self.key}[{place}]", self._inner(place)
        frame = CallFrame(body, self, key, scope, body.arguments(scope))
        if frame.retry(machine, error, tries):
            self.active[frame] = place
            return None
        return self._ended(machine, place, Failed(error, key))

    def _begin_batch(self, machine: Machine, body: CallNode) -> Outcome | None:
        start = self._next
        stop = start + self._size(machine)
        calls: list[Json] = []
        for place in range(start, stop):
            try:
                calls.append(body.arguments(self._inner(place)))
            except Fault as fault:
                if not calls:
                    self._next = place + 1
                    return self._ended(
                        machine, place, Failed(fault.value(), f"{self.key}[{place}]")
                    )
                stop = place
                break
        self._next = stop
        key = f"{self.key}[{start}:{stop}]"
        frame = BatchFrame(body, self, key, start=start, calls=calls, scope=self._scope)
        self.active[frame] = start
        frame.invoke(machine)
        return None

    def _size(self, machine: Machine) -> int:
        """Items of the next batch: `batch` itself, or what should take about `BATCH_SECONDS`.

        At the end the batches shrink, so that all workers end at about the same time.
        """
        node, left = self._node, len(self._items) - self._next
        if node.batch == "auto":
            if self._pace is None:
                size = max(1, min(16, left // (8 * machine.parallel)))
            else:
                size = int(BATCH_SECONDS / max(self._pace, 1e-7))
            size = min(size, -(-left // (4 * machine.parallel)), MAX_BATCH)
        else:
            assert node.batch is not None
            size = node.batch
        if node.concurrency is not None:
            size = min(size, self._room(machine))
        return max(1, min(size, left))

    def _inner(self, place: int) -> Scope:
        names = {self._node.bind: self._items[place]}
        if self._node.index is not None:
            names[self._node.index] = place
        return Scope(names, self._scope, parallel=True)

    # --- ending items -------------------------------------------------------------------------

    def _batch_ended(self, machine: Machine, batch: BatchFrame, outcome: Outcome) -> Outcome | None:
        if isinstance(outcome, Failed):
            return self._batch_lost(machine, batch, outcome)
        assert isinstance(outcome, Done)
        event = outcome.value
        assert isinstance(event, BatchCompleted)
        pace = event.elapsed / batch.size
        self._pace = pace if self._pace is None else (self._pace + pace) / 2
        body = self._node.body
        assert isinstance(body, CallNode)
        for place, result in enumerate(event.outcomes, batch.start):
            if "value" in result:
                if body.compensate is not None:
                    self.active[batch] = place
                    body.completed(
                        batch, f"{self.key}[{place}]", result["value"], self._inner(place)
                    )
                    del self.active[batch]
                decided = self._ended(machine, place, Done(result["value"]))
            elif machine.forgiving or (
                body.policy is not None and body.policy.allows(result["error"], 1)
            ):
                tries = 0 if machine.forgiving else 1
                self._again.append((place, result["error"], tries))
                continue
            else:
                failed = Failed(result["error"], f"{self.key}[{place}]")
                decided = self._ended(machine, place, failed)
            if self._verdict is not None:
                return decided
        return None

    def _batch_lost(self, machine: Machine, batch: BatchFrame, outcome: Failed) -> Outcome | None:
        """Nothing came back. If the worker died, one item did it: try each alone."""
        for place in range(batch.start, batch.start + batch.size):
            if outcome.error["name"] == "WorkerLost":
                self._again.append((place, outcome.error, 0))
                continue
            decided = self._ended(machine, place, outcome)
            if self._verdict is not None:
                return decided
        return None

    def _ended(self, machine: Machine, place: int, outcome: Outcome) -> Outcome | None:
        """Take an item's outcome; gives an outcome only with a verdict."""
        if isinstance(outcome, Done | Returned):
            if self._tree is None:
                self._results[place] = outcome.value
                return None
            return self._combine(machine, self._tree.offer(0, place, outcome.value))
        assert isinstance(outcome, Failed)
        self._failed += 1
        self._first = self._first or outcome
        if self._failed > self._tolerated():
            return self.decide(machine, self._too_many())
        if self._tree is None:
            return None
        return self._combine(machine, self._tree.leave_out(place))

    def _tolerated(self) -> int:
        tolerate = self._node.tolerate
        return int(tolerate * len(self._items)) if isinstance(tolerate, float) else tolerate

    def _too_many(self) -> Failed:
        assert self._first is not None
        if not self._node.tolerate:
            return self._first
        error = fault_value(
            "TooManyFailures",
            f"{self._failed} of {len(self._items)} items failed; {self._tolerated()} are tolerated",
            {"failed": self._failed, "tolerated": self._tolerated(), "items": len(self._items)},
            self._first.error,
        )
        return Failed(error, self._first.origin)
