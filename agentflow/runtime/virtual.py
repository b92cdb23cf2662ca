"""Run a workflow on the machine alone, in virtual time: nothing is recorded, and nothing waits.

For trying what a workflow means: when no call is under way, the clock jumps to the next timer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentflow.errors import Fault, Json, fault_value
from agentflow.functions.agents import PREFIX
from agentflow.functions.context import Context
from agentflow.functions.hosts.agents import CallAgent
from agentflow.runtime.executors.calls import item_key
from agentflow.runtime.machine import Machine, compile_workflow
from agentflow.runtime.machine import protocol as p

if TYPE_CHECKING:
    from agentflow.spec.load import Loaded

Call: TypeAlias = Callable[[str, Json, Context], Json]
"""Calls a function by its import path, with its arguments; a stream gives the list of its values.
Raises Fault."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended; `waiting` is for a message that nobody sends."""

    status: Literal["succeeded", "failed", "cancelled", "waiting"]
    output: Json = None
    error: Json = None


@dataclass(frozen=True, slots=True)
class World:
    """What a workflow can reach."""

    call: Call
    messages: Mapping[str, Json]
    """What comes to those who listen, by name."""
    started_at: float
    execution: str = "execution"
    """Its id."""
    call_agent: CallAgent | None = None
    """Without it, calls of agents fail."""


def run(loaded: Loaded, input: Json, world: World) -> Outcome:
    """Run a workflow to its end."""
    machine = Machine(compile_workflow(loaded.workflow))
    events: deque[p.Event] = deque([p.Started(world.started_at, world.execution, input)])
    clock = _Clock(world.started_at)
    bus = _Bus()
    while machine.finished is None:
        if not events:
            fired = clock.next()
            if fired is None:
                return Outcome("waiting")
            events.append(fired)
        for command in machine.advance(events.popleft()):
            if isinstance(command, p.StartTimer | p.Withdraw):
                clock.take(command)
                bus.listening.pop(command.key, None)
                continue
            if isinstance(command, p.AwaitMessage) and command.name not in world.messages:
                bus.listening[command.key] = command
            if isinstance(command, p.EmitEvent):
                bus.events.append(command)
            events.extend(_answers(command, clock.now, loaded, world))
            events.extend(bus.deliver(clock.now))
    finish = machine.finished
    return Outcome(finish.status, finish.output, finish.error)


class _Clock:
    """The timers that run; the time is that of the last one that rang."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._due: dict[str, float] = {}

    def take(self, command: p.StartTimer | p.Withdraw) -> None:
        if isinstance(command, p.StartTimer):
            self._due[command.key] = command.due
        else:
            self._due.pop(command.key, None)

    def next(self) -> p.TimerFired | None:
        if not self._due:
            return None
        key = min(self._due, key=lambda each: (self._due[each], each))
        self.now = max(self.now, self._due.pop(key))
        return p.TimerFired(self.now, key)


class _Bus:
    """Events of an execution, and its steps that listen; an event is for one of them."""

    def __init__(self) -> None:
        self.listening: dict[str, p.AwaitMessage] = {}
        self.events: list[p.EmitEvent] = []

    def deliver(self, now: float) -> Iterator[p.Event]:
        """Give events to who listens for them; the others are kept."""
        for event in self.events.copy():
            for key, each in self.listening.items():
                if each.name == event.type and each.correlation in (None, event.subject):
                    self.events.remove(event)
                    del self.listening[key]
                    yield p.MessageReceived(now, key, f"event {event.key}", event.data)
                    break


def _answers(command: p.Command, now: float, loaded: Loaded, world: World) -> Iterator[p.Event]:
    match command:
        case p.Invoke(key, attempt, function, arguments):
            told = _called(
                world, function, arguments, _context(world, key, attempt), command.agent_key
            )
            if "error" in told:
                yield p.CallFailed(now, key, attempt, told["error"])
            else:
                yield p.CallCompleted(now, key, attempt, told["value"])
        case p.InvokeBatch(key, attempt, function, calls):
            outcomes = [
                _called(world, function, each, _context(world, item_key(key, n), attempt))
                for n, each in enumerate(calls)
            ]
            yield p.BatchCompleted(now, key, attempt, outcomes, 0.01)
        case p.OpenStream(key, attempt, function, arguments):
            told = _called(world, function, arguments, _context(world, key, attempt))
            if "error" in told:
                yield p.CallFailed(now, key, attempt, told["error"])
            else:
                yield p.StreamYielded(now, key, attempt, told["value"])
                yield p.CallCompleted(now, key, attempt, None)
        case p.AwaitMessage(key, name) if name in world.messages:
            yield p.MessageReceived(now, key, f"message {name}", world.messages[name])
        case p.EmitEvent(key):
            yield p.EventEmitted(now, key)
        case p.StartChild(key, name, given):
            yield _child(key, _named(loaded, name), given, replace(world, started_at=now))
        case p.RecordStart(key, attempt):
            yield p.CallStarted(now, key, attempt)
        case _:
            return


def _context(world: World, step: str, attempt: int) -> Context:
    return Context(world.execution, step=step, attempt=attempt)


def _called(
    world: World, function: str, arguments: Json, context: Context, key: str | None = None
) -> dict[str, Json]:
    try:
        if world.call_agent is not None and function.startswith(PREFIX):
            return {"value": world.call_agent(function, key, arguments, context)}
        return {"value": world.call(function, arguments, context)}
    except Fault as fault:
        return {"error": fault.value()}


def _named(loaded: Loaded, name: str) -> Loaded:
    """A child as it was read, or one that a rewriting took out of the workflow."""
    if name in loaded.children:
        return loaded.children[name]
    return replace(loaded, workflow=loaded.workflow.children[name])


def _child(key: str, child: Loaded, given: Json, world: World) -> p.Event:
    ended = run(child, given, world)
    error = ended.error
    if ended.status == "waiting":
        error = fault_value("Timeout", f"`{child.workflow.name}` waits for a message")
    status = "failed" if ended.status == "waiting" else ended.status
    return p.ChildEnded(world.started_at, key, status, ended.output, error)
