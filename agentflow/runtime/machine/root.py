"""The frame at the top: input, the workflow's time limit, cancelling, and its output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentflow.errors import Fault, fault_value
from agentflow.runtime.machine.block import BlockFrame
from agentflow.runtime.machine.frames import STOPPED, Awaiting, Done, Failed, Frame, Outcome, Parent
from agentflow.runtime.machine.protocol import Command, Event, Started, StartTimer
from agentflow.runtime.machine.times import seconds
from agentflow.spec.expressions import Scope

if TYPE_CHECKING:
    from agentflow.runtime.machine.machine import Machine
    from agentflow.runtime.machine.program import Program

TIMEOUT = "@timeout"


class RootFrame(Parent, Awaiting):
    """The whole execution."""

    __slots__ = ("_block", "_due", "_limit", "_program", "_stopping", "_verdict")

    def __init__(self, machine: Machine, program: Program, event: Started) -> None:
        super().__init__(None, "")
        outer = Scope(
            {
                "input": event.input,
                "execution": {
                    "id": event.execution,
                    "workflow": program.name,
                    "version": program.version,
                    "started_at": machine.now(),
                },
            },
            recorded=machine,
        )
        self._program = program
        self._block = BlockFrame(program.block, self, "", Scope({}, outer))
        self._verdict: Outcome | None = None
        self._stopping = False
        self._limit = 0.0
        self._due = 0.0

    def run(self, machine: Machine) -> Outcome | None:
        """Begin the first step."""
        if self._program.timeout is not None:
            try:
                self._limit = seconds(self._program.timeout(self._block.scope))
            except Fault as fault:
                return Failed(fault.value(), "")
            self._start_timer(machine)
        outcome = self._block.run(machine)
        return None if outcome is None else self._end(machine, outcome)

    def settle(self, machine: Machine, child: Frame, outcome: Outcome) -> Outcome | None:
        return self._end(machine, outcome)

    def receive(self, machine: Machine, event: Event) -> Outcome | None:
        machine.answered(TIMEOUT)
        if machine.forgiving:
            self._start_timer(machine)
            return None
        self._verdict = Failed(
            fault_value("Timeout", "the workflow took longer than its `timeout`"), ""
        )
        return self._stop(machine)

    def cancel(self, machine: Machine) -> Outcome | None:
        if self._stopping:
            return None
        self._verdict = STOPPED
        return self._stop(machine)

    def outstanding(self, machine: Machine, key: str) -> Iterator[Command]:
        yield StartTimer(TIMEOUT, self._due)

    def renew(self, machine: Machine, key: str) -> None:
        self._due = machine.at + self._limit

    def _start_timer(self, machine: Machine) -> None:
        self._due = machine.at + self._limit
        machine.ask(self, TIMEOUT, StartTimer(TIMEOUT, self._due))

    def _stop(self, machine: Machine) -> Outcome | None:
        if self._stopping:
            return None
        self._stopping = True
        outcome = self._block.cancel(machine)
        return None if outcome is None else self._end(machine, outcome)

    def _end(self, machine: Machine, outcome: Outcome) -> Outcome:
        machine.withdraw(TIMEOUT)
        if self._verdict is not None:
            return self._verdict
        if isinstance(outcome, Done) and self._program.output is not None:
            try:
                return Done(self._program.output(self._block.scope))
            except Fault as fault:
                return Failed(fault.value(), "")
        return outcome
