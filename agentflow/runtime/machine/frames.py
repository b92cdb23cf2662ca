"""What the parts of the machine agree on: outcomes, nodes, frames.

A node is a step of the program and never changes. A frame is a node under way. Rules:

- `Node.begin` and `Parent.settle` may raise `Fault`; it is the frame's own failure. They must do
  so only when no child of theirs is active.
- A frame that returned an outcome is over: nothing is pending under its keys any more.
- `cancel` withdraws what is outstanding. It returns an outcome, or `None` while clean-up
  (`finally`, compensations) still runs; then the outcome comes by `settle`, as always.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow.errors import Fault, Json
    from agentflow.runtime.machine.calls import CallNode
    from agentflow.runtime.machine.machine import Machine
    from agentflow.runtime.machine.protocol import Command, Event
    from agentflow.spec.expressions.scope import Scope


@dataclass(slots=True)
class Done:
    """The step has a result."""

    value: Json


@dataclass(slots=True)
class Returned:
    """A `return` was met; it ends the nearest branch or item, else the workflow."""

    value: Json


@dataclass(slots=True)
class Failed:
    """A named error travels up; `origin` is the key of the step it came from."""

    error: dict[str, Json]
    origin: str


@dataclass(slots=True)
class Stopped:
    """The frame was cancelled from outside. No `catch` sees it."""


Outcome: TypeAlias = Done | Returned | Failed | Stopped

STOPPED = Stopped()
NOTHING = Done(None)


class Frame(ABC):
    """A node under way."""

    __slots__ = ("key", "parent")

    def __init__(self, parent: Parent | None, key: str) -> None:
        self.parent = parent
        self.key = key

    @abstractmethod
    def cancel(self, machine: Machine) -> Outcome | None:
        """Stop this frame and all below it."""


class Parent(Frame):
    """A frame with others below it."""

    __slots__ = ()

    @abstractmethod
    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        """A child is over; say what that makes of this frame."""

    def collect(self, child: Frame, undo: Undo) -> bool:
        """Keep a compensation for later; False when this frame does not keep any."""
        return False


class Unwinding(Parent):
    """A frame that cleans up behind its steps. Once that has begun, nothing interrupts it."""

    __slots__ = ("_child", "_verdict")

    def __init__(self, parent: Parent, key: str) -> None:
        super().__init__(parent, key)
        self._child: Frame | None = None
        self._verdict: Outcome | None = None
        """Set once the clean-up has begun: what the frame comes to after it."""

    @abstractmethod
    def follow(self, machine: Machine, started: Started) -> Outcome | None:
        """Take what was begun, or what it came to, and go on as far as possible."""

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        return self.follow(machine, outcome)

    def cancel(self, machine: Machine) -> Outcome | None:
        assert self._child is not None
        if self._verdict is not None:
            self._verdict = STOPPED
            return None
        outcome = self._child.cancel(machine)
        return None if outcome is None else self.follow(machine, outcome)


class Awaiting(Frame):
    """A frame that waits for answers."""

    __slots__ = ()

    @abstractmethod
    def receive(self, machine: Machine, event: Event) -> Outcome | None:
        """An event came for a key this frame has pending."""

    @abstractmethod
    def outstanding(self, machine: Machine, key: str) -> Iterator[Command]:
        """The commands that ask again for what this frame awaits under `key`."""

    def renew(self, machine: Machine, key: str) -> None:
        """Somebody said `retry`: a time limit that is pending under `key` counts from now on."""

    def interrupt(self, machine: Machine) -> Outcome | None:
        """The process that worked for this frame is gone: what that comes to, if it is decisive."""
        return None


Started: TypeAlias = Outcome | Frame
"""What beginning a node gives: an outcome at once, or a frame that will have one."""


class Node(Protocol):
    """A step of the program."""

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        """Start; `key` is this node's place in the execution."""
        ...


@dataclass(slots=True)
class Undo:
    """A completed call's compensation, with its arguments as they were when it completed."""

    key: str
    node: CallNode
    scope: Scope
    arguments: Json | Fault
    """Or what was wrong with them."""


def keep_undo(frame: Frame, undo: Undo) -> None:
    """Hand a compensation to the nearest frame that keeps them: a saga, or a branch within one."""
    child: Frame = frame
    parent = frame.parent
    while parent is not None and not parent.collect(child, undo):
        child, parent = parent, parent.parent
