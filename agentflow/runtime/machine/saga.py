"""Sagas: what was done is undone, in reverse order, when something later fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow.errors import Fault, Json
from agentflow.runtime.machine.block import BlockNode
from agentflow.runtime.machine.frames import (
    Failed,
    Frame,
    Outcome,
    Parent,
    Started,
    Stopped,
    Undo,
    Unwinding,
    keep_undo,
)
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine


@dataclass(frozen=True, slots=True)
class SagaNode:
    """Steps whose calls may have compensations."""

    block: BlockNode

    def begin(self, machine: Machine, parent: Parent, key: str, scope: Scope) -> Started:
        frame = SagaFrame(parent, key)
        started = self.block.begin(machine, frame, key, scope)
        outcome = frame.follow(machine, started)
        return frame if outcome is None else outcome


class SagaFrame(Unwinding):
    """First the steps; then, if they failed, their compensations."""

    __slots__ = ("_failures", "_undo")

    def __init__(self, parent: Parent, key: str) -> None:
        super().__init__(parent, key)
        self._undo: list[Undo] = []
        self._failures: list[Json] = []

    def collect(self, child: Frame, undo: Undo) -> bool:
        if self._verdict is None:
            self._undo.append(undo)
        return True

    def follow(self, machine: Machine, started: Started) -> Outcome | None:
        while not isinstance(started, Frame):
            if self._verdict is None:
                if not isinstance(started, Failed | Stopped):
                    for undo in self._undo:
                        keep_undo(self, undo)
                    return started
                self._verdict = started
            elif isinstance(started, Failed):
                self._failures.append({"step": started.origin, "error": started.error})
            if not self._undo:
                return self._conclude()
            started = self._compensate(machine)
        self._child = started
        return None

    def _compensate(self, machine: Machine) -> Started:
        undo = self._undo.pop()
        if isinstance(undo.arguments, Fault):
            return Failed(undo.arguments.value(), undo.key)
        try:
            return undo.node.begin_with(undo.arguments, machine, self, undo.key, undo.scope)
        except Fault as fault:
            return Failed(fault.value(), undo.key)

    def _conclude(self) -> Outcome:
        verdict = self._verdict
        assert verdict is not None
        if not self._failures or not isinstance(verdict, Failed):
            return verdict
        data = verdict.error["data"]
        kept = data if isinstance(data, dict) else {} if data is None else {"value": data}
        error = {**verdict.error, "data": {**kept, "compensation_failures": self._failures}}
        return Failed(error, verdict.origin)
