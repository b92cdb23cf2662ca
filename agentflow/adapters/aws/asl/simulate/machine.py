"""The interpreter: events in, effects out.

It reads no clock and does no I/O. Random values depend on the identity of the execution only, so
the same events give the same effects and the same history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agentflow.adapters.aws.asl import model
from agentflow.adapters.aws.asl.errors import StateError
from agentflow.adapters.aws.asl.simulate.execution import Bodies, Execution, Identity, Place
from agentflow.adapters.aws.asl.simulate.maps import run_map, run_parallel
from agentflow.adapters.aws.asl.simulate.protocol import (
    Cancel,
    Effect,
    Event,
    Fired,
    HistoryEvent,
    Outcome,
    StartTimer,
    Status,
    Stopped,
)
from agentflow.adapters.aws.asl.simulate.states import SIMPLE, run_machine
from agentflow.adapters.aws.asl.simulate.strands import Scheduler, Strand
from agentflow.adapters.aws.asl.simulate.tasks import run_task
from agentflow.errors import Json

_BODIES: Final[Bodies] = {
    **SIMPLE,
    model.Task: run_task,
    model.Map: run_map,
    model.Parallel: run_parallel,
}
LONGEST: Final = 365 * 24 * 3600
"""Seconds that an execution lasts at most, whatever its machine says.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html (2026-08).
"""


class Interpreter:
    """One execution of a state machine; `outcome` says how it stands."""

    def __init__(self, machine: model.Machine, input: Json, identity: Identity) -> None:
        self.outcome = Outcome("RUNNING")
        self._machine = machine
        self._input = input
        self._identity = identity
        self._now = 0.0
        self._effects: list[Effect] = []
        self._scheduler = Scheduler(lambda key: self._effects.append(Cancel(key)))
        self._strand: Strand | None = None
        self._execution: Execution | None = None

    @property
    def history(self) -> Sequence[HistoryEvent]:
        """What has happened so far."""
        return () if self._execution is None else self._execution.history

    def start(self, at: float) -> list[Effect]:
        """Begin the execution."""
        self._now = at
        execution = Execution(
            self._identity, self._input, at, lambda: self._now, self._effects.append, _BODIES
        )
        self._execution = execution
        execution.record("ExecutionStarted", input=self._input)
        seconds = min(self._machine.timeout_seconds or LONGEST, LONGEST)
        self._effects.append(StartTimer(self._deadline, at + seconds))
        work = run_machine(self._machine, self._input, Place(execution, {}))
        strand = self._scheduler.start(work, self._ended)
        self._strand = strand
        return self._taken()

    def advance(self, event: Event) -> list[Effect]:
        """Take an event; gives what is to be done next."""
        if self.outcome.status != "RUNNING":
            return []
        self._now = max(self._now, event.at)
        if isinstance(event, Stopped):
            self._stop("ABORTED", event.error, event.cause)
        elif isinstance(event, Fired) and event.key == self._deadline:
            self._stop("TIMED_OUT", None, None)
        else:
            self._scheduler.deliver(event)
        return self._taken()

    @property
    def _deadline(self) -> str:
        return f"{self._identity.id}@deadline"

    def _taken(self) -> list[Effect]:
        effects = list(self._effects)
        self._effects.clear()
        return effects

    def _stop(self, status: Status, error: str | None, cause: str | None) -> None:
        if self._strand is not None:
            self._scheduler.stop(self._strand)
        self._close(status, None, error, cause)

    def _ended(self, output: Json, error: Exception | None) -> None:
        if isinstance(error, StateError):
            self._close("FAILED", None, error.name, error.cause)
        else:
            self._close("SUCCEEDED", output, None, None)
        self._effects.append(Cancel(self._deadline))

    def _close(self, status: Status, output: Json, error: str | None, cause: str | None) -> None:
        execution = self._execution
        assert execution is not None
        kind = {"TIMED_OUT": "TimedOut"}.get(status, status.capitalize())
        details = {"output": output} if status == "SUCCEEDED" else {"error": error, "cause": cause}
        execution.record(f"Execution{kind}", **details)
        self.outcome = Outcome(
            status, output, error, cause, tuple(execution.history), execution.started_at, self._now
        )
