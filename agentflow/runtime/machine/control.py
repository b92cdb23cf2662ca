"""Steps that choose and repeat: set, switch, loop, try, states, raise, return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Fault, Json, fault_value
from agentflow.runtime.machine.block import BlockFrame, BlockNode, truth
from agentflow.runtime.machine.frames import (
    NOTHING,
    STOPPED,
    Done,
    Failed,
    Frame,
    Node,
    Outcome,
    Parent,
    Returned,
    Started,
    Stopped,
    Unwinding,
)
from agentflow.runtime.machine.times import matches
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine

Evaluator = Callable[[Scope], Json]


@dataclass(frozen=True, slots=True)
class SetNode:
    """Bind names; all values are computed before any is bound."""

    names: tuple[tuple[str, Evaluator], ...]

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        values = [(name, evaluate(scope)) for name, evaluate in self.names]
        for name, value in values:
            scope.assign(name, value)
        return NOTHING


@dataclass(frozen=True, slots=True)
class RaiseNode:
    """Fail with an error value."""

    error: Evaluator

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        given = self.error(scope)
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise Fault("TypeMismatch", "`raise` needs an object with a `name`")
        message = given.get("message")
        return Failed(
            fault_value(
                given["name"],
                message if isinstance(message, str) else "",
                given.get("data"),
                given.get("cause"),
            ),
            key,
        )


@dataclass(frozen=True, slots=True)
class ReturnNode:
    """End the nearest branch or item, or else the workflow."""

    value: Evaluator

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        return Returned(self.value(scope))


@dataclass(frozen=True, slots=True)
class SwitchNode:
    """The first case that holds; it needs no frame of its own."""

    cases: tuple[tuple[Evaluator, BlockNode], ...]
    otherwise: BlockNode | None

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        for condition, block in self.cases:
            if truth(condition(scope), "`when`"):
                return block.begin(machine, parent, key, scope)
        if self.otherwise is None:
            return NOTHING
        return self.otherwise.begin(machine, parent, key, scope)


@dataclass(frozen=True, slots=True)
class LoopNode:
    """`while`, `until` or `for`, at most `max` rounds."""

    block: BlockNode
    condition: Evaluator | None
    until: bool
    items: Evaluator | None
    bind: str | None
    index: str | None
    max: int

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        items: Json = None
        if self.items is not None:
            items = as_list(self.items(scope), "`for`")
            if len(items) > self.max:
                raise Fault("LoopLimit", f"{len(items)} items are more than `max: {self.max}`")
        frame = LoopFrame(self, parent, key, scope, items)
        outcome = frame.run(machine)
        return frame if outcome is None else outcome


class LoopFrame(Parent):
    """The rounds of a loop."""

    __slots__ = ("_block", "_items", "_node", "_round", "_scope", "_value")

    def __init__(
        self, node: LoopNode, parent: Parent, key: str, scope: Scope, items: list[Json] | None
    ) -> None:
        super().__init__(parent, key)
        self._node = node
        self._scope = scope
        self._items = items
        self._round = 0
        self._value: Json = None
        self._block: BlockFrame | None = None

    def run(self, machine: Machine) -> Outcome | None:
        """Begin rounds until one does not end at once."""
        while self._goes_on():
            names: dict[str, Json] = {}
            if self._items is not None and self._node.bind is not None:
                names[self._node.bind] = self._items[self._round]
            if self._node.index is not None:
                names[self._node.index] = self._round
            self._block = BlockFrame(
                self._node.block, self, f"{self.key}[{self._round}]", Scope(names, self._scope)
            )
            outcome = self._block.run(machine)
            if outcome is None:
                return None
            if not isinstance(outcome, Done):
                return outcome
            if self._ended(outcome):
                break
        return Done(self._value)

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        if not isinstance(outcome, Done):
            return outcome
        return Done(self._value) if self._ended(outcome) else self.run(machine)

    def cancel(self, machine: Machine) -> Outcome | None:
        return STOPPED if self._block is None else self._block.cancel(machine)

    def _goes_on(self) -> bool:
        node = self._node
        if self._items is not None:
            return self._round < len(self._items)
        checked_before = None if node.until else node.condition
        if checked_before is not None and not truth(checked_before(self._scope), "`while`"):
            return False
        if self._round >= node.max:
            raise Fault("LoopLimit", f"the loop did not end within `max: {node.max}` rounds")
        return True

    def _ended(self, outcome: Done) -> bool:
        """Keep a round's value; whether `until` now holds. It may read the round's own names."""
        self._value = outcome.value
        self._round += 1
        node = self._node
        if not node.until or node.condition is None or self._block is None:
            return False
        return truth(node.condition(self._block.scope), "`until`")


@dataclass(frozen=True, slots=True)
class Handler:
    """One `catch`."""

    on: tuple[str, ...]
    bind: str | None
    block: BlockNode


@dataclass(frozen=True, slots=True)
class TryNode:
    """A body, handlers for its errors, and steps that run whatever happened."""

    body: Node
    handlers: tuple[Handler, ...]
    final: BlockNode | None

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        frame = TryFrame(self, parent, key, scope)
        outcome = frame.run(machine)
        return frame if outcome is None else outcome


class TryFrame(Unwinding):
    """A body, then perhaps a handler, then perhaps the final steps."""

    __slots__ = ("_handled", "_node", "_scope")

    def __init__(self, node: TryNode, parent: Parent, key: str, scope: Scope) -> None:
        super().__init__(parent, key)
        self._node = node
        self._scope = scope
        self._handled = False

    def run(self, machine: Machine) -> Outcome | None:
        """Begin the body."""
        try:
            started = self._node.body.begin(machine, self, self.key, self._scope)
        except Fault as fault:
            started = Failed(fault.value(), self.key)
        return self.follow(machine, started)

    def follow(self, machine: Machine, started: Started) -> Outcome | None:
        node = self._node
        while True:
            if isinstance(started, Frame):
                self._child = started
                return None
            if self._verdict is not None:
                return started if self._replaces(started) else self._verdict
            handler = self._handler(started)
            if handler is not None:
                started = self._handle(machine, handler, started)
            elif node.final is not None:
                self._verdict = started
                started = node.final.begin(machine, self, self.key, self._scope)
            else:
                return started

    def _replaces(self, outcome: Outcome) -> bool:
        """Whether what the final steps came to takes the place of the verdict."""
        return isinstance(outcome, Failed | Returned) and not isinstance(self._verdict, Stopped)

    def _handler(self, outcome: Outcome) -> Handler | None:
        if self._handled or not isinstance(outcome, Failed):
            return None
        name = outcome.error["name"]
        return next((h for h in self._node.handlers if matches(h.on, name)), None)

    def _handle(self, machine: Machine, handler: Handler, outcome: Outcome) -> Started:
        assert isinstance(outcome, Failed)
        self._handled = True
        names = {} if handler.bind is None else {handler.bind: outcome.error}
        return handler.block.begin_in(machine, self, self.key, Scope(names, self._scope))


@dataclass(frozen=True, slots=True)
class StateNode:
    """A state's steps and where they lead."""

    block: BlockNode
    next: tuple[tuple[Evaluator | None, str], ...]


@dataclass(frozen=True, slots=True)
class StatesNode:
    """A state machine."""

    start: str
    states: Mapping[str, StateNode]
    max: int

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        frame = StatesFrame(self, parent, key, scope)
        outcome = frame.run(machine)
        return frame if outcome is None else outcome


class StatesFrame(Parent):
    """The state a machine is in."""

    __slots__ = ("_block", "_entered", "_name", "_node", "_scope")

    def __init__(self, node: StatesNode, parent: Parent, key: str, scope: Scope) -> None:
        super().__init__(parent, key)
        self._node = node
        self._scope = scope
        self._name: str | None = node.start
        self._entered = 0
        self._block: BlockFrame | None = None

    def run(self, machine: Machine) -> Outcome | None:
        """Enter states until one does not end at once."""
        while True:
            if self._entered >= self._node.max:
                raise Fault("LoopLimit", f"more than `max: {self._node.max}` states were entered")
            assert self._name is not None
            key = f"{self.key}[{self._entered}].{self._name}"
            self._entered += 1
            block = self._node.states[self._name].block
            self._block = BlockFrame(block, self, key, Scope({}, self._scope))
            outcome = self._block.run(machine)
            if outcome is None or not isinstance(outcome, Done) or self._leave():
                return outcome

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        if not isinstance(outcome, Done) or self._leave():
            return outcome
        return self.run(machine)

    def cancel(self, machine: Machine) -> Outcome | None:
        return STOPPED if self._block is None else self._block.cancel(machine)

    def _leave(self) -> bool:
        """Choose the next state, reading the names of the one just left; True at an end."""
        assert self._name is not None
        assert self._block is not None
        for condition, to in self._node.states[self._name].next:
            if condition is None or truth(condition(self._block.scope), "`when`"):
                self._name = to
                return False
        return True


def as_list(value: Json, what: str) -> list[Json]:
    """A value that must be a list."""
    if isinstance(value, list):
        return value
    raise Fault("TypeMismatch", f"{what} needs a list, got {type_name(value)}")


def type_name(value: Json) -> str:
    """The JSON type of a value, as messages name it."""
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "string", list: "list"}.get(
        type(value), "object"
    )
