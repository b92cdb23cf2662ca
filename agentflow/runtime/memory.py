"""The state of agents: what is recorded with their calls, and what new instances begin with.

A state is recorded in the transaction that records the result of the call it follows. It belongs
to an instance: to that of one execution, or to that of a project under a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentflow.functions.encoding import decode, dump
from agentflow.functions.instances import AgentState
from agentflow.runtime.blocking import Blocking
from agentflow.runtime.executors.protocol import KeptState, Report, Task
from agentflow.runtime.journal.protocol import KEPT, Record
from agentflow.runtime.live import Live
from agentflow.runtime.machine.protocol import CallCompleted, CallFailed, Event

if TYPE_CHECKING:
    from agentflow.runtime.journal.store import Journal


class AgentMemory:
    """What one engine knows of the state of agents: all that its journal has, and what it brings.

    Between report and commit a state is in nobody's journal; an instance that is made in that
    moment must not begin without it.
    """

    def __init__(self, journal: Journal, blocking: Blocking) -> None:
        self.store = journal.name
        self._journal = journal
        self._blocking = blocking
        self._reported: dict[tuple[str, str, int], KeptState] = {}
        """By execution, key and attempt of the call."""
        self._fresh: dict[str, tuple[str, AgentState]] = {}
        """The project's root and the state of instances whose state is being recorded, by step."""

    async def last(self, task: Task, agent: str) -> AgentState | None:
        """The last recorded state of the instance that a task reaches."""
        step = step_of(agent, task.agent_key, task.execution)
        record = await self._blocking.read(self._journal.agent_state, step, task.root)
        root, fresh = self._fresh.get(step, ("", None))
        known = 0 if record is None or record.attempt is None else record.attempt
        if fresh is not None and root == task.root and fresh.version > known:
            return fresh
        return None if record is None else AgentState(known, dump(record.data["state"]))

    def reported(self, live: Live, report: Report) -> None:
        """A call ended with a state."""
        kept = report.state
        if kept is not None:
            self._reported[report.execution, report.key, report.attempt] = kept
            step = step_of(kept.agent, kept.key, live.id)
            self._fresh[step] = (str(live.spec.root), kept.state)

    def taken(self, live: Live, event: Event) -> list[Record]:
        """What is to be recorded before the end of a call, which the machine takes."""
        if not isinstance(event, CallCompleted | CallFailed):
            return []
        kept = self._reported.pop((live.id, event.key, event.attempt), None)
        if kept is None:
            return []
        step = step_of(kept.agent, kept.key, live.id)
        return [live.state(step, kept.state.version, decode(kept.state.value), event.at)]

    def turned(self) -> None:
        """A turn was taken: what it did not take came too late and will not be recorded."""
        for (execution, _, _), kept in self._reported.items():
            self._settle(step_of(kept.agent, kept.key, execution), kept.state.version)
        self._reported.clear()

    def recorded(self, records: Sequence[Record]) -> None:
        """These records are written, or given up."""
        if self._fresh:
            for record in records:
                if record.type == KEPT:
                    self._settle(record.step or "", record.attempt or 0)

    def _settle(self, step: str, version: int) -> None:
        _, state = self._fresh.get(step, ("", None))
        if state is not None and state.version <= version:
            del self._fresh[step]


def step_of(agent: str, key: str | None, execution: str) -> str:
    """What states of an instance are recorded under."""
    return f"agent:{agent}@{execution}" if key is None else f"agent:{agent}/{key}"


def is_own_state(record: Record) -> bool:
    """Whether a record is a state of an execution's own instance, not of one under a key."""
    return record.type == KEPT and "@" in (record.step or "").partition("/")[0]


def moved(record: Record, execution: str) -> Record:
    """A state of an execution's own instance as that of another execution; others as they are."""
    if not is_own_state(record):
        return record
    agent, _, _ = (record.step or "").partition("@")
    return replace(record, step=f"{agent}@{execution}")
