"""Steps in order, and what any step may carry: a condition, a time limit, retries."""

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
    Frame,
    Node,
    Outcome,
    Parent,
    Started,
)
from agentflow.runtime.machine.protocol import Command, Event, StartTimer, TimerFired
from agentflow.runtime.machine.times import Policy, seconds
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine


@dataclass(frozen=True, slots=True)
class BlockNode:
    """Steps in order; `steps` are pairs of id and node."""

    steps: tuple[tuple[str, Node], ...]

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        return self.begin_in(machine, parent, key, Scope({}, scope))

    def begin_in(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        """Begin with `scope` as the block's own."""
        frame = BlockFrame(self, parent, key, scope)
        outcome = frame.run(machine)
        return frame if outcome is None else outcome


class BlockFrame(Parent):
    """A block under way: where it stands, and what its steps gave."""

    __slots__ = ("_child", "_position", "_prefix", "_steps", "_value", "scope")

    def __init__(self, node: BlockNode, parent: Parent, key: str, scope: Scope) -> None:
        super().__init__(parent, key)
        self._steps = node.steps
        self._prefix = key + "." if key else ""
        self._position = 0
        self._value: Json = None
        self._child: Frame | None = None
        self.scope = scope

    def run(self, machine: Machine) -> Outcome | None:
        """Begin steps until one does not end at once."""
        steps = self._steps
        while self._position < len(steps):
            id, node = steps[self._position]
            key = self._prefix + id
            machine.budget -= 1
            if machine.budget < 0:
                return Failed(
                    fault_value("LimitExceeded", "too many steps without a call; endless loop?"),
                    key,
                )
            try:
                started = node.begin(machine, self, key, self.scope)
            except Fault as fault:
                return Failed(fault.value(), key)
            if isinstance(started, Frame):
                self._child = started
                return None
            if not isinstance(started, Done):
                return started
            self._bind(id, started.value)
        return Done(self._value)

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        self._child = None
        if not isinstance(outcome, Done):
            return outcome
        self._bind(self._steps[self._position][0], outcome.value)
        return self.run(machine)

    def cancel(self, machine: Machine) -> Outcome | None:
        if self._child is None:
            return STOPPED
        return self._child.cancel(machine)

    def _bind(self, id: str, value: Json) -> None:
        self.scope.names[id] = value
        self._value = value
        self._position += 1


@dataclass(frozen=True, slots=True)
class ConditionNode:
    """`if`: the step runs when the condition holds; else its result is null."""

    condition: Callable[[Scope], Json]
    body: Node

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        if not truth(self.condition(scope), "`if`"):
            return NOTHING
        return self.body.begin(machine, parent, key, scope)


@dataclass(frozen=True, slots=True)
class GuardNode:
    """`timeout` and `retry` of a step that is not a call: each attempt runs all of it again."""

    body: Node
    timeout: Callable[[Scope], Json] | None
    policy: Policy | None

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        frame = GuardFrame(self, parent, key, scope)
        outcome = frame.attempt(machine)
        return frame if outcome is None else outcome


class GuardFrame(Parent, Awaiting):
    """The attempts of one step."""

    __slots__ = ("_child", "_due", "_limit", "_node", "_scope", "_stopping", "_tries", "_verdict")

    def __init__(self, node: GuardNode, parent: Parent, key: str, scope: Scope) -> None:
        super().__init__(parent, key)
        self._node = node
        self._scope = scope
        self._child: Frame | None = None
        self._tries = 0
        self._limit: float | None = None
        self._due = 0.0
        self._verdict: Failed | None = None
        self._stopping = False

    def attempt(self, machine: Machine) -> Outcome | None:
        """Begin attempts until one does not end at once."""
        while True:
            outcome = self._begin(machine)
            if outcome is None or not self._again(machine, outcome):
                return outcome
            if self._retry_key in machine.pending:
                return None

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        self._child = None
        machine.withdraw(self._timeout_key)
        if self._stopping:
            return STOPPED
        outcome = self._verdict or outcome
        if not self._again(machine, outcome):
            return outcome
        return None if self._retry_key in machine.pending else self.attempt(machine)

    def receive(self, machine: Machine, event: Event) -> Outcome | None:
        assert isinstance(event, TimerFired)
        machine.answered(event.key)
        if event.key == self._retry_key:
            return self.attempt(machine)
        assert self._child is not None
        if machine.forgiving:
            self._start_timer(machine)
            return None
        child = self._child
        self._verdict = Failed(
            fault_value("Timeout", f"step `{self.key}` took longer than its `timeout`"), self.key
        )
        outcome = child.cancel(machine)
        return None if outcome is None else self.settle(machine, child, outcome)

    def cancel(self, machine: Machine) -> Outcome | None:
        machine.withdraw(self._retry_key)
        if self._child is None:
            return STOPPED
        machine.withdraw(self._timeout_key)
        self._stopping = True
        return self._child.cancel(machine)

    def outstanding(self, machine: Machine, key: str) -> Iterator[Command]:
        yield StartTimer(key, self._due)

    def renew(self, machine: Machine, key: str) -> None:
        if self._limit is not None and key == self._timeout_key:
            self._due = machine.at + self._limit

    @property
    def _attempt_key(self) -> str:
        return self.key if self._tries == 1 else f"{self.key}~{self._tries}"

    @property
    def _timeout_key(self) -> str:
        return self._attempt_key + "@timeout"

    @property
    def _retry_key(self) -> str:
        return self.key + "@retry"

    def _begin(self, machine: Machine) -> Outcome | None:
        self._tries += 1
        self._verdict = None
        try:
            timeout = self._node.timeout
            self._limit = None if timeout is None else seconds(timeout(self._scope))
            started = self._node.body.begin(machine, self, self._attempt_key, self._scope)
        except Fault as fault:
            return Failed(fault.value(), self._attempt_key)
        if not isinstance(started, Frame):
            return started
        self._child = started
        self._start_timer(machine)
        return None

    def _start_timer(self, machine: Machine) -> None:
        if self._limit is not None:
            self._due = machine.at + self._limit
            machine.ask(self, self._timeout_key, StartTimer(self._timeout_key, self._due))

    def _again(self, machine: Machine, outcome: Outcome) -> bool:
        """Whether another attempt follows: at once, or by a timer that is now pending."""
        policy = self._node.policy
        if policy is None or not isinstance(outcome, Failed):
            return False
        if not policy.allows(outcome.error, self._tries):
            return False
        delay = policy.delay(self._tries, f"{machine.execution}/{self.key}")
        if delay > 0:
            self._due = machine.at + delay
            machine.ask(self, self._retry_key, StartTimer(self._retry_key, self._due))
        return True


def truth(value: Json, what: str) -> bool:
    """The value of a condition, which must be a boolean."""
    if value is True or value is False:
        return bool(value)
    raise Fault("TypeMismatch", f"{what} needs true or false, got {type(value).__name__}")
