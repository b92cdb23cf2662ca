"""Steps that wait for the world: a time, a message, a child workflow, an event's publication."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Fault, Json, fault_value
from agentflow.runtime.machine.frames import (
    NOTHING,
    STOPPED,
    Awaiting,
    Done,
    Failed,
    Outcome,
    Parent,
    Started,
)
from agentflow.runtime.machine.protocol import (
    AwaitMessage,
    ChildEnded,
    Command,
    EmitEvent,
    Event,
    MessageReceived,
    StartChild,
    StartTimer,
)
from agentflow.runtime.machine.times import due
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine

Evaluator = Callable[[Scope], Json]


class AskFrame(Awaiting):
    """One command, one answer."""

    __slots__ = ("_command", "_name")

    def __init__(self, parent: Parent, key: str, command: Command, name: str) -> None:
        super().__init__(parent, key)
        self._command = command
        self._name = name

    def ask(self, machine: Machine) -> AskFrame:
        """Issue the command."""
        machine.ask(self, self._name, self._command)
        return self

    def receive(self, machine: Machine, event: Event) -> Outcome | None:
        machine.answered(self._name)
        match event:
            case MessageReceived():
                return Done(event.data)
            case ChildEnded(status="succeeded"):
                return Done(event.value)
            case ChildEnded(status="failed"):
                return Failed(event.error, self.key)
            case ChildEnded():
                return Failed(fault_value("Cancelled", "the child was cancelled"), self.key)
        return NOTHING

    def cancel(self, machine: Machine) -> Outcome | None:
        machine.withdraw(self._name)
        return STOPPED

    def outstanding(self, machine: Machine, key: str) -> Iterator[Command]:
        yield self._command


@dataclass(frozen=True, slots=True)
class WaitNode:
    """Wait for a time."""

    until: Evaluator

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        moment = due(self.until(scope), machine.at)
        if moment <= machine.at:
            return NOTHING
        name = key + "@wait"
        return AskFrame(parent, key, StartTimer(name, moment), name).ask(machine)


@dataclass(frozen=True, slots=True)
class ListenNode:
    """Wait for a message."""

    name: str | None
    correlation: Evaluator
    form: Json
    prompt: Evaluator

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        command = AwaitMessage(
            key, self.name or key, self.correlation(scope), self.form, self.prompt(scope)
        )
        return AskFrame(parent, key, command, key).ask(machine)


@dataclass(frozen=True, slots=True)
class EmitNode:
    """Publish a CloudEvent."""

    type: Evaluator
    data: Evaluator
    source: Evaluator
    subject: Evaluator

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        type_ = self.type(scope)
        if not isinstance(type_, str) or not type_:
            raise Fault("TypeMismatch", "`emit` needs a text as `type`")
        command = EmitEvent(key, type_, self.data(scope), self.source(scope), self.subject(scope))
        return AskFrame(parent, key, command, key).ask(machine)


@dataclass(frozen=True, slots=True)
class RunNode:
    """Run another workflow."""

    workflow: str
    input: Evaluator

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        return AskFrame(parent, key, StartChild(key, self.workflow, self.input(scope)), key).ask(
            machine
        )
