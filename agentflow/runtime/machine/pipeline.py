"""Pipelines: items flow through stages, each stage at its own pace.

Each stage has slots (`concurrency`) and a bounded queue before it (`buffer`). An item that is done
with a stage keeps its slot until the next queue has room, so a slow stage holds back the ones
before it and, through `Demand`, the source.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Fault, Json
from agentflow.runtime.machine.calls import CRASH_BUDGET, CallNode
from agentflow.runtime.machine.control import as_list
from agentflow.runtime.machine.frames import (
    Done,
    Failed,
    Frame,
    Node,
    Outcome,
    Returned,
    Started,
)
from agentflow.runtime.machine.parallel import Parallel
from agentflow.runtime.machine.protocol import (
    CallCompleted,
    CallFailed,
    Command,
    Demand,
    Event,
    Opened,
    OpenStream,
    StreamYielded,
)
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine


@dataclass(frozen=True, slots=True)
class StageNode:
    """One stage; `body` is what it does with an item."""

    id: str
    body: Node
    concurrency: int


@dataclass(frozen=True, slots=True)
class PipelineNode:
    """A source and its stages."""

    source: Callable[[Scope], Json] | CallNode
    stages: tuple[StageNode, ...]
    bind: str
    buffer: int

    def begin(self, machine: Machine, parent: Frame, key: str, scope: Scope) -> Started:
        frame = PipelineFrame(self, parent, key, scope)
        outcome = frame.run(machine)
        return frame if outcome is None else outcome


class Lane:
    """One stage under way: who waits before it, how many are in it, who is done but stuck."""

    __slots__ = ("busy", "done", "queue")

    def __init__(self) -> None:
        self.queue: deque[tuple[int, Json]] = deque()
        self.busy = 0
        self.done: deque[tuple[int, Json]] = deque()


class PipelineFrame(Parallel):
    """Items on their way."""

    __slots__ = ("_entered", "_lanes", "_node", "_results", "_scope", "_source", "_stage_of")

    def __init__(self, node: PipelineNode, parent: Frame, key: str, scope: Scope) -> None:
        super().__init__(parent, key)
        self._node = node
        self._scope = scope
        self._lanes = [Lane() for _ in node.stages]
        self._stage_of: dict[Frame, int] = {}
        self._entered = 0
        self._results: dict[int, Json] = {}
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
                if not source.reopens(event.error):
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
        decided = self._left(machine, place, self._stage_of.pop(child), outcome)
        return self.flow(machine) if self._verdict is None else decided

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
        if not self.active and self._source.exhausted:
            return self.decide(machine, Done([self._results[i] for i in range(self._entered)]))
        return None

    def _let_in(self, machine: Machine) -> bool:
        """Take items from the source while the first queue has room."""
        queue, before = self._lanes[0].queue, self._entered
        while len(queue) < self._node.buffer and self._source.ready:
            queue.append((self._entered, self._source.take()))
            self._entered += 1
        if self._entered > before:
            self._source.refill(machine, self._entered - before)
        return self._entered > before

    def _forward(self, stage: int) -> bool:
        """Move done items to the next queue, as it has room; frees their slots."""
        if stage == len(self._lanes) - 1:
            return False
        lane, queue, moved = self._lanes[stage], self._lanes[stage + 1].queue, False
        while lane.done and len(queue) < self._node.buffer:
            queue.append(lane.done.popleft())
            lane.busy -= 1
            moved = True
        return moved

    def _can_begin(self, stage: int) -> bool:
        lane = self._lanes[stage]
        return bool(lane.queue) and lane.busy < self._node.stages[stage].concurrency

    def _begin(self, machine: Machine, stage: int) -> Outcome | None:
        lane, node = self._lanes[stage], self._node.stages[stage]
        place, value = lane.queue.popleft()
        lane.busy += 1
        key = f"{self.key}[{place}].{node.id}"
        scope = Scope({self._node.bind: value}, self._scope, parallel=True)
        try:
            started = node.body.begin(machine, self, key, scope)
        except Fault as fault:
            started = Failed(fault.value(), key)
        if isinstance(started, Frame):
            self.active[started] = place
            self._stage_of[started] = stage
            return None
        return self._left(machine, place, stage, started)

    def _left(self, machine: Machine, place: int, stage: int, outcome: Outcome) -> Outcome | None:
        """An item is done with a stage; gives an outcome only with a verdict."""
        lane = self._lanes[stage]
        if isinstance(outcome, Done) and stage < len(self._lanes) - 1:
            lane.done.append((place, outcome.value))
            return None
        lane.busy -= 1
        if isinstance(outcome, Done | Returned):
            self._results[place] = outcome.value
            return None
        return self.decide(machine, outcome)


class ListSource:
    """A list as source."""

    __slots__ = ("_items", "_next")

    def __init__(self, items: list[Json]) -> None:
        self._items = items
        self._next = 0

    @property
    def ready(self) -> bool:
        """Whether an item can be taken now."""
        return self._next < len(self._items)

    @property
    def exhausted(self) -> bool:
        """Whether none will come any more."""
        return not self.ready

    def take(self) -> Json:
        """The next item."""
        self._next += 1
        return self._items[self._next - 1]

    def refill(self, machine: Machine, count: int) -> None:
        """A list needs no asking."""


class StreamSource:
    """A function as source: it gives values when there is demand, and `flow` takes them."""

    __slots__ = ("_buffered", "_call", "_demand", "_given", "_key", "_scope", "attempt", "ended")

    def __init__(self, call: CallNode, key: str, scope: Scope, demand: int) -> None:
        self._call = call
        self._key = key
        self._scope = scope
        self._demand = demand
        self.attempt = 1
        self._given = 0
        self._buffered: deque[Json] = deque()
        self.ended = False

    @property
    def ready(self) -> bool:
        """Whether a value can be taken now."""
        return bool(self._buffered)

    @property
    def exhausted(self) -> bool:
        """Whether none will come any more."""
        return self.ended and not self._buffered

    def take(self) -> Json:
        """The next value."""
        return self._buffered.popleft()

    def refill(self, machine: Machine, count: int) -> None:
        """Let as many values come as were taken."""
        if not self.ended:
            self._demand += count
            machine.issue(Demand(self._key, count))

    def accept(self, values: list[Json]) -> None:
        """Keep values that came."""
        self._given += len(values)
        self._demand -= len(values)
        self._buffered.extend(values)

    def reopens(self, error: Json) -> bool:
        """Whether a stream that broke is opened once more, where it broke."""
        policy = self._call.policy
        lost = error["name"] == "WorkerLost" and self.attempt < CRASH_BUDGET
        if not lost and (policy is None or not policy.allows(error, self.attempt)):
            return False
        self.attempt += 1
        return True

    def command(self) -> OpenStream:
        """What opens it, behind the values already given."""
        call = self._call
        return OpenStream(
            self._key,
            self.attempt,
            call.function,
            call.arguments(self._scope),
            self._demand,
            self._given,
            call.limit(self._scope),
            call.resources,
        )
