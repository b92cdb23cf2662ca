"""Pipelines: items flow through stages, each stage at its own pace.

Each stage has slots (`concurrency`) and a bounded queue before it (`buffer`). An item that is done
with a stage keeps its slot until the next queue has room, so a slow stage holds back the ones
before it and, through `Demand`, the source. What is done leaves memory, but for the results.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Fault, Json
from agentflow.runtime.machine.calls import BatchFrame, CallFrame, CallNode, start_call
from agentflow.runtime.machine.control import as_list
from agentflow.runtime.machine.frames import (
    Awaiting,
    Done,
    Failed,
    Frame,
    Outcome,
    Parent,
    Returned,
    Started,
)
from agentflow.runtime.machine.lanes import Again, Item, Lane, StageNode, Trip
from agentflow.runtime.machine.protocol import (
    BatchCompleted,
    CallCompleted,
    CallFailed,
    Command,
    Event,
    Opened,
    StreamYielded,
)
from agentflow.runtime.machine.reduce import REDUCE, ReduceNode, Reducing
from agentflow.runtime.machine.sources import ListSource, StreamSource
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine

REDUCES = 2
"""Calls of `reduce` under way for each worker; more would pile up, so the source waits."""


@dataclass(frozen=True, slots=True)
class PipelineNode:
    """A source and its stages."""

    source: Callable[[Scope], Json] | CallNode
    stages: tuple[StageNode, ...]
    bind: str
    buffer: int
    reduce: ReduceNode | None = None

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        frame = PipelineFrame(self, parent, key, scope)
        outcome = frame.run(machine)
        return frame if outcome is None else outcome


class PipelineFrame(Reducing, Awaiting):
    """Items on their way."""

    __slots__ = ("_closed", "_entered", "_lanes", "_left", "_node", "_results", "_source", "_trips")

    def __init__(self, node: PipelineNode, parent: Parent, key: str, scope: Scope) -> None:
        super().__init__(parent, key, scope, node.reduce, None)
        self._node = node
        self._lanes = [Lane() for _ in node.stages]
        self._trips: dict[Frame, Trip] = {}
        self._entered = 0
        self._left = 0
        """Items that are through."""
        self._results: list[Json] = []
        """In source order; stays empty where they are reduced."""
        self._closed = False
        """The reduce knows how many items there are."""
        self._source: ListSource | StreamSource

    def run(self, machine: Machine) -> Outcome | None:
        """Open the source and let items in."""
        source = self._node.source
        if isinstance(source, CallNode):
            stream = StreamSource(source, self._source_key, self._scope, self._node.buffer)
            self._source = stream
            machine.issue(Opened(self.key, None))
            machine.invoke(self, stream.command())
        else:
            items = as_list(source(self._scope), "`from`")
            self._source = ListSource(items)
            machine.issue(Opened(self.key, len(items)))
        return self.flow(machine)

    def receive(self, machine: Machine, event: Event) -> Outcome | None:
        source = self._source
        assert isinstance(source, StreamSource)
        assert isinstance(event, StreamYielded | CallCompleted | CallFailed)
        if event.attempt != source.attempt:
            machine.ignored += 1
            return None
        match event:
            case StreamYielded():
                source.accept(event.values)
            case CallCompleted():
                machine.answered(self._source_key)
                source.ended = True
            case CallFailed():
                machine.answered(self._source_key)
                if not source.reopens(machine, event.error):
                    return self.decide(machine, Failed(event.error, self._source_key))
                machine.invoke(self, source.command())
        return self.flow(machine)

    def decide(self, machine: Machine, verdict: Outcome) -> Outcome | None:
        machine.withdraw(self._source_key)
        return super().decide(machine, verdict)

    def outstanding(self, machine: Machine, key: str) -> Iterator[Command]:
        assert isinstance(self._source, StreamSource)
        yield self._source.command()

    @property
    def _source_key(self) -> str:
        return self.key + ".from"

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        place = self.active.pop(child)
        if self._verdict is not None:
            return self.conclude()
        if place == REDUCE:
            decided = self._combined(machine, child, outcome)
        else:
            decided = self._arrived(machine, child, self._trips.pop(child), outcome)
        return self.flow(machine) if self._verdict is None else decided

    # --- moving -------------------------------------------------------------------------------

    def flow(self, machine: Machine) -> Outcome | None:
        """Move whatever can move, from the last stage to the first, until nothing can."""
        stages = range(len(self._lanes) - 1, -1, -1)
        moved = True
        while moved:
            forwarded = [self._forward(stage) for stage in stages]
            moved = any(forwarded)
            for stage in stages:
                while self._can_begin(stage):
                    outcome = self._begin(machine, stage)
                    if self._verdict is not None:
                        return outcome
                    moved = True
            moved |= self._let_in(machine)
        return self._conclude_if_through(machine)

    def _let_in(self, machine: Machine) -> bool:
        """Take items from the source while the first queue has room."""
        if len(self._groups) >= REDUCES * machine.parallel:
            return False
        lane, before = self._lanes[0], self._entered
        while lane.waiting < self._node.buffer and self._source.ready:
            lane.put((self._entered, self._source.take()))
            self._entered += 1
        taken = self._entered - before
        if taken:
            if self._tree is None:
                self._results.extend([None] * taken)
            self._source.refill(machine, taken)
        return taken > 0

    def _forward(self, stage: int) -> bool:
        """Move done items to the next queue, as it has room; frees their slots."""
        if stage == len(self._lanes) - 1:
            return False
        following = self._lanes[stage + 1]
        return self._lanes[stage].forward(following, self._node.buffer - following.waiting)

    def _can_begin(self, stage: int) -> bool:
        lane = self._lanes[stage]
        has_some = bool(lane.again) or lane.waiting > 0
        return has_some and lane.busy < self._node.stages[stage].concurrency

    def _conclude_if_through(self, machine: Machine) -> Outcome | None:
        if self._left < self._entered or not self._source.exhausted:
            return None
        if self._tree is None:
            return self.decide(machine, Done(self._results))
        if not self._closed:
            self._closed = True
            for group in self._tree.close(self._entered):
                outcome = self._combine(machine, group)
                if self._verdict is not None:
                    return outcome
        return None if self._groups else self.decide(machine, Done(self._tree.result))

    # --- into a stage -------------------------------------------------------------------------

    def _begin(self, machine: Machine, stage: int) -> Outcome | None:
        lane, node = self._lanes[stage], self._node.stages[stage]
        free = node.concurrency - lane.busy
        lane.busy += 1
        if lane.again:
            return self._begin_again(machine, stage, lane.again.popleft())
        batched = node.batched
        items = lane.take(1 if batched is None else lane.batch(free))
        if batched is not None and len(items) > 1:
            return self._begin_batch(machine, stage, batched, items)
        return self._begin_one(machine, stage, items[0])

    def _begin_one(self, machine: Machine, stage: int, item: Item) -> Outcome | None:
        place, value = item
        key = self._item_key(stage, place)
        try:
            started = self._node.stages[stage].body.begin(machine, self, key, self._inner(value))
        except Fault as fault:
            started = Failed(fault.value(), key)
        return self._begun(machine, stage, item, started)

    def _begin_again(self, machine: Machine, stage: int, again: Again) -> Outcome | None:
        """Call an item by itself that failed in a batch, or whose batch was lost."""
        body = self._node.stages[stage].body
        assert isinstance(body, CallNode)
        place, value = again.item
        key, scope = self._item_key(stage, place), self._inner(value)
        if again.tries == 0:
            started = start_call(machine, body, self, key, scope)
            return self._begun(machine, stage, again.item, started)
        frame = CallFrame(body, self, key, scope, body.arguments(scope))
        retried = frame.retry(machine, again.error, again.tries)
        return self._begun(
            machine, stage, again.item, frame if retried else Failed(again.error, key)
        )

    def _begin_batch(
        self, machine: Machine, stage: int, body: CallNode, items: list[Item]
    ) -> Outcome | None:
        """Send neighbours in one invocation; before an item whose arguments have a fault it ends.

        The fault is that item's failure, when its turn comes.
        """
        calls: list[Json] = []
        for _, value in items:
            try:
                calls.append(body.arguments(self._inner(value)))
            except Fault:
                break
        lane, size = self._lanes[stage], len(calls)
        for item in items[max(size, 1) :]:
            lane.put(item)
        if size < 2:
            return self._begin_one(machine, stage, items[0])
        start = items[0][0]
        key = f"{self.key}[{start}:{start + size}].{self._node.stages[stage].id}"
        try:
            frame = BatchFrame(
                body, self, key, start=start, calls=calls, scope=self._scope, in_turn=True
            )
        except Fault as fault:
            return self.decide(machine, Failed(fault.value(), key))
        self.active[frame] = start
        self._trips[frame] = Trip(stage, items[:size], machine.at)
        frame.invoke(machine)
        return None

    def _begun(self, machine: Machine, stage: int, item: Item, started: Started) -> Outcome | None:
        if not isinstance(started, Frame):
            return self._done_with(machine, stage, item, started)
        self.active[started] = item[0]
        self._trips[started] = Trip(stage, [item], machine.at)
        return None

    def _inner(self, value: Json) -> Scope:
        return Scope({self._node.bind: value}, self._scope, parallel=True)

    def _item_key(self, stage: int, place: int) -> str:
        return f"{self.key}[{place}].{self._node.stages[stage].id}"

    # --- out of a stage -----------------------------------------------------------------------

    def _arrived(
        self, machine: Machine, child: Frame, trip: Trip, outcome: Outcome
    ) -> Outcome | None:
        """Items are done with a stage; gives an outcome only with a verdict."""
        if isinstance(child, BatchFrame):
            return self._batch_ended(machine, child, trip, outcome)
        self._lanes[trip.stage].measure(machine.at - trip.begun)
        return self._done_with(machine, trip.stage, trip.items[0], outcome)

    def _done_with(
        self, machine: Machine, stage: int, item: Item, outcome: Outcome
    ) -> Outcome | None:
        """One item, in a slot of its own, is done with a stage."""
        if isinstance(outcome, Done):
            return self._pass_on(machine, stage, deque([(item[0], outcome.value)]))
        self._lanes[stage].busy -= 1
        if isinstance(outcome, Returned):
            return self._through(machine, item[0], outcome.value)
        return self.decide(machine, outcome)

    def _batch_ended(
        self, machine: Machine, batch: BatchFrame, trip: Trip, outcome: Outcome
    ) -> Outcome | None:
        lane = self._lanes[trip.stage]
        if isinstance(outcome, Failed):
            if outcome.error["name"] != "WorkerLost" and not machine.forgiving:
                return self.decide(machine, outcome)
            # Nothing came back. If the worker died, one item did it: try each alone.
            lane.again.extend(Again(item, outcome.error, 0) for item in trip.items)
            lane.busy -= 1
            return None
        assert isinstance(outcome, Done)
        event = outcome.value
        assert isinstance(event, BatchCompleted)
        lane.measure(event.elapsed / batch.size)
        body = self._node.stages[trip.stage].body
        assert isinstance(body, CallNode)
        passed: deque[Item] = deque()
        for item, result in zip(trip.items, event.outcomes, strict=True):
            if "value" in result:
                passed.append((item[0], result["value"]))
            elif machine.forgiving or (
                body.policy is not None and body.policy.allows(result["error"], 1)
            ):
                tries = 0 if machine.forgiving else 1
                lane.again.append(Again(item, result["error"], tries))
            else:
                key = self._item_key(trip.stage, item[0])
                return self.decide(machine, Failed(result["error"], key))
        return self._pass_on(machine, trip.stage, passed)

    def _pass_on(self, machine: Machine, stage: int, items: deque[Item]) -> Outcome | None:
        """What was in one slot goes to the next stage, as it has room, or is through."""
        lane = self._lanes[stage]
        if items and stage < len(self._lanes) - 1:
            lane.done.append(items)
            return None
        lane.busy -= 1
        for place, value in items:
            outcome = self._through(machine, place, value)
            if self._verdict is not None:
                return outcome
        return None

    def _through(self, machine: Machine, place: int, value: Json) -> Outcome | None:
        """An item has its result; gives an outcome only with a verdict."""
        self._left += 1
        machine.show(self.key, place, value)
        if self._tree is not None:
            return self._combine(machine, self._tree.offer(0, place, value))
        self._results[place] = value
        return None
