"""Branches side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Json
from agentflow.runtime.machine.block import BlockNode
from agentflow.runtime.machine.frames import (
    STOPPED,
    Done,
    Failed,
    Frame,
    Outcome,
    Parent,
    Returned,
    Started,
    Undo,
    keep_undo,
)
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine


class Parallel(Parent):
    """What fork, map and pipeline share: children with a place, and one verdict over them.

    A verdict is reached when too much has failed, when enough has succeeded, or when the frame is
    cancelled. Then the children left are cancelled, and the frame ends when the last has gone.
    """

    __slots__ = ("_undo", "_verdict", "active")

    def __init__(self, parent: Parent, key: str) -> None:
        super().__init__(parent, key)
        self.active: dict[Frame, int] = {}
        self._verdict: Outcome | None = None
        self._undo: dict[int, list[Undo]] = {}

    def collect(self, child: Frame, undo: Undo) -> bool:
        self._undo.setdefault(self.active.get(child, -1), []).append(undo)
        return True

    def cancel(self, machine: Machine) -> Outcome | None:
        if self._verdict is None:
            return self.decide(machine, STOPPED)
        self._verdict = STOPPED
        return None

    def decide(self, machine: Machine, verdict: Outcome) -> Outcome | None:
        """Reach a verdict and cancel who is left."""
        self._verdict = verdict
        for child in list(self.active):
            outcome = child.cancel(machine)
            if outcome is not None:
                del self.active[child]
        return self.conclude()

    def conclude(self) -> Outcome | None:
        """The verdict, once nobody is left."""
        if self.active or self._verdict is None:
            return None
        for place in sorted(self._undo):
            for undo in self._undo[place]:
                keep_undo(self, undo)
        self._undo.clear()
        return self._verdict


@dataclass(frozen=True, slots=True)
class ForkNode:
    """Named branches; `join` of them must succeed."""

    branches: tuple[tuple[str, BlockNode], ...]
    join: int

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        frame = ForkFrame(self, parent, key)
        outcome = frame.run(machine, scope)
        return frame if outcome is None else outcome


class ForkFrame(Parallel):
    """Branches under way."""

    __slots__ = ("_failed", "_node", "_values")

    def __init__(self, node: ForkNode, parent: Parent, key: str) -> None:
        super().__init__(parent, key)
        self._node = node
        self._values: dict[int, Json] = {}
        self._failed = 0

    def run(self, machine: Machine, scope: Scope) -> Outcome | None:
        """Begin the branches in order, until a verdict is reached."""
        for place, (name, block) in enumerate(self._node.branches):
            branch = BranchFrame(self, f"{self.key}.{name}")
            self.active[branch] = place
            inner = Scope({}, scope, parallel=True)
            outcome = branch.run(machine, block, inner)
            if outcome is not None:
                outcome = self.settle(machine, branch, outcome)
            if self._verdict is not None:
                return outcome
        return None

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        place = self.active.pop(child)
        if self._verdict is not None:
            return self.conclude()
        node = self._node
        if isinstance(outcome, Done | Returned):
            self._values[place] = outcome.value
            if len(self._values) < node.join:
                return None
            return self.decide(machine, Done(self._result()))
        assert isinstance(outcome, Failed)
        self._failed += 1
        if len(node.branches) - self._failed >= node.join:
            return None
        return self.decide(machine, outcome)

    def _result(self) -> dict[str, Json]:
        names = [name for name, _ in self._node.branches]
        return {names[place]: self._values[place] for place in sorted(self._values)}


class BranchFrame(Parent):
    """One branch or item with steps of its own; a `return` ends it."""

    __slots__ = ("_child",)

    def __init__(self, parent: Parent, key: str) -> None:
        super().__init__(parent, key)
        self._child: Frame | None = None

    def run(self, machine: Machine, block: BlockNode, scope: Scope) -> Outcome | None:
        """Begin its steps, with `scope` as their block's own."""
        started = block.begin_in(machine, self, self.key, scope)
        if isinstance(started, Frame):
            self._child = started
            return None
        return _closed(started)

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        return _closed(outcome)

    def cancel(self, machine: Machine) -> Outcome | None:
        return STOPPED if self._child is None else self._child.cancel(machine)


def _closed(outcome: Outcome) -> Outcome:
    return Done(outcome.value) if isinstance(outcome, Returned) else outcome
