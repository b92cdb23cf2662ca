"""Calls of functions, one at a time or many in one invocation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Fault, Json, fault_value
from agentflow.functions.agents import LONGEST_KEY
from agentflow.runtime.machine.frames import (
    STOPPED,
    Awaiting,
    Done,
    Failed,
    Frame,
    Outcome,
    Parent,
    Started,
    Undo,
    keep_undo,
)
from agentflow.runtime.machine.protocol import (
    BatchCompleted,
    CallCompleted,
    CallFailed,
    CallStarted,
    Command,
    Event,
    Invoke,
    InvokeBatch,
    RecordStart,
    StartTimer,
    TimerFired,
)
from agentflow.runtime.machine.times import INTERRUPTED, Policy, seconds
from agentflow.spec.expressions import Scope
from agentflow.spec.expressions.types import describe
from agentflow.spec.model import Resources

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine

CRASH_BUDGET = 3
"""How often a call may take its worker down before that is its own failure."""


@dataclass(frozen=True, slots=True)
class CallNode:
    """A call: which function, with what, how often."""

    function: str
    arguments: Callable[[Scope], Json]
    policy: Policy | None = None
    timeout: Callable[[Scope], Json] | None = None
    resources: Resources | None = None
    compensate: CallNode | None = None
    id: str = ""
    """The name its result has for its compensation."""
    at_most_once: bool = False
    key: Callable[[Scope], Json] | None = None
    """Which instance of an agent it reaches; `None`: the execution's own."""

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        return self.begin_with(self.arguments(scope), machine, parent, key, scope)

    def begin_with(
        self, arguments: Json, machine: Machine, parent: Parent, key: str, scope: Scope
    ) -> Frame:
        """Begin with arguments that were evaluated before."""
        frame = CallFrame(self, parent, key, scope, arguments)
        frame.invoke(machine)
        return frame

    def limit(self, scope: Scope) -> float | None:
        """Seconds an attempt may take."""
        return None if self.timeout is None else seconds(self.timeout(scope))

    def agent_key(self, scope: Scope) -> str | None:
        """The key of the agent's instance.

        Raises:
            Fault: it is no text, or one that is empty or too long.
        """
        if self.key is None:
            return None
        key = self.key(scope)
        if not isinstance(key, str):
            raise Fault("TypeMismatch", f"the key of an agent is text, not {describe(key)}")
        if not 0 < len(key) <= LONGEST_KEY:
            message = f"the key of an agent has 1 to {LONGEST_KEY} characters, not {len(key):,}"
            raise Fault("LimitExceeded", message)
        return key

    def completed(self, frame: Frame, key: str, value: Json, scope: Scope) -> None:
        """Keep the compensation of a call that gave `value`, if it has one."""
        if self.compensate is not None:
            inner = Scope({self.id: value}, scope).frozen()
            arguments: Json | Fault
            try:
                arguments = self.compensate.arguments(inner)
            except Fault as fault:  # what it undoes may never have to be undone
                arguments = fault
            keep_undo(frame, Undo(key + ".compensate", self.compensate, inner, arguments))


class CallFrame(Awaiting):
    """The attempts of one call."""

    __slots__ = (
        "_agent_key",
        "_arguments",
        "_attempt",
        "_begun",
        "_crashes",
        "_due",
        "_limit",
        "_node",
        "_scope",
        "_uncounted",
    )

    def __init__(
        self, node: CallNode, parent: Parent, key: str, scope: Scope, arguments: Json
    ) -> None:
        super().__init__(parent, key)
        self._node = node
        self._scope = scope
        self._arguments = arguments
        self._limit = node.limit(scope)
        self._agent_key = node.agent_key(scope)
        self._attempt = 1
        self._crashes = 0
        self._uncounted = 0
        """Attempts that the retry policy does not count: lost workers, forgiven failures."""
        self._due = 0.0
        self._begun = False
        """The start of an at-most-once call is recorded: it may have taken effect."""

    def invoke(self, machine: Machine) -> None:
        """Ask for the current attempt."""
        self._begun = False
        machine.invoke(self, self._command())

    def retry(self, machine: Machine, error: Json, tries: int) -> bool:
        """Begin with attempt `tries + 1`, an earlier invocation having failed with `error`."""
        self._attempt = tries
        return self._retry(machine, error)

    def receive(self, machine: Machine, event: Event) -> Outcome | None:
        if isinstance(event, TimerFired):
            machine.answered(event.key)
            self.invoke(machine)
            return None
        assert isinstance(event, CallStarted | CallCompleted | CallFailed)
        if event.attempt != self._attempt or not self._expects(event):
            machine.ignored += 1
            return None
        if isinstance(event, CallStarted):
            self._begun = True
            machine.issue(self._invocation())
            return None
        machine.answered(self.key)
        if isinstance(event, CallCompleted):
            self._node.completed(self, self.key, event.value, self._scope)
            return Done(event.value)
        if self._begun and event.error["name"] == "WorkerLost":
            return self._failed(machine, _interrupted(event.error))
        return self._failed(machine, event.error)

    def cancel(self, machine: Machine) -> Outcome | None:
        machine.withdraw(self.key)
        machine.withdraw(self.key + "@retry")
        return STOPPED

    def interrupt(self, machine: Machine) -> Outcome | None:
        if not self._begun or self.key not in machine.pending:
            return None
        machine.answered(self.key)
        return self._failed(machine, _interrupted())

    def outstanding(self, machine: Machine, key: str) -> Iterator[Command]:
        if key != self.key:
            yield StartTimer(key, self._due)
        elif not self._begun:
            yield self._command()

    def _expects(self, event: CallStarted | CallCompleted | CallFailed) -> bool:
        """An at-most-once call is recorded as started first; only then it has a result."""
        if not self._node.at_most_once:
            return not isinstance(event, CallStarted)
        return self._begun != isinstance(event, CallStarted)

    def _failed(self, machine: Machine, error: Json) -> Outcome | None:
        return None if self._retry(machine, error) else Failed(error, self.key)

    def _command(self) -> Invoke | RecordStart:
        """What asks for the current attempt."""
        if self._node.at_most_once:
            return RecordStart(self.key, self._attempt)
        return self._invocation()

    def _invocation(self) -> Invoke:
        node = self._node
        return Invoke(
            self.key,
            self._attempt,
            node.function,
            self._arguments,
            self._limit,
            node.resources,
            node.at_most_once,
            self._agent_key,
        )

    def _retry(self, machine: Machine, error: Json) -> bool:
        """Begin another attempt, or the wait before it, if policy or crash budget allow one."""
        policy = self._node.policy
        tries = self._attempt - self._uncounted
        delay = 0.0
        if machine.forgiving:
            self._uncounted = self._attempt
        elif error["name"] == "WorkerLost" and self._crashes + 1 < CRASH_BUDGET:
            self._crashes += 1
            self._uncounted += 1
        elif policy is not None and policy.allows(error, tries):
            delay = policy.delay(tries, f"{machine.execution}/{self.key}")
        else:
            return False
        self._attempt += 1
        if delay <= 0:
            self.invoke(machine)
        else:
            key = self.key + "@retry"
            self._due = machine.at + delay
            machine.ask(self, key, StartTimer(key, self._due))
        return True


class BatchFrame(Awaiting):
    """One invocation that carries several items. Its result is the event with their outcomes."""

    __slots__ = ("_calls", "_in_turn", "_limit", "_node", "start")

    def __init__(
        self,
        node: CallNode,
        parent: Parent,
        key: str,
        *,
        start: int,
        calls: list[Json],
        scope: Scope,
        in_turn: bool = False,
    ) -> None:
        super().__init__(parent, key)
        self._node = node
        self._calls = calls
        self._in_turn = in_turn
        self._limit = node.limit(scope)
        self.start = start

    @property
    def size(self) -> int:
        """How many items it carries."""
        return len(self._calls)

    def invoke(self, machine: Machine) -> None:
        """Ask for it."""
        machine.invoke(self, self._command())

    def receive(self, machine: Machine, event: Event) -> Outcome | None:
        machine.answered(self.key)
        if isinstance(event, BatchCompleted):
            return Done(event)
        assert isinstance(event, CallFailed)
        return Failed(event.error, self.key)

    def cancel(self, machine: Machine) -> Outcome | None:
        machine.withdraw(self.key)
        return STOPPED

    def outstanding(self, machine: Machine, key: str) -> Iterator[Command]:
        yield self._command()

    def _command(self) -> InvokeBatch:
        node = self._node
        return InvokeBatch(
            self.key, 1, node.function, self._calls, self._limit, node.resources, self._in_turn
        )


def _interrupted(cause: Json = None) -> dict[str, Json]:
    return fault_value(
        INTERRUPTED,
        "the call was under way when its process died; whether it took effect is unknown",
        cause=cause,
    )


def start_call(
    machine: Machine, node: CallNode, parent: Parent, key: str, scope: Scope
) -> CallFrame | Failed:
    """Begin a call, with a fault in its arguments as an outcome."""
    try:
        frame = CallFrame(node, parent, key, scope, node.arguments(scope))
    except Fault as fault:
        return Failed(fault.value(), key)
    frame.invoke(machine)
    return frame
