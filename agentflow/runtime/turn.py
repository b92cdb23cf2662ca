"""What one turn of the orchestrator gathers, and whom it asks to carry it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentflow.errors import AgentFlowError, Json
from agentflow.runtime.journal.protocol import Change, Message, Record
from agentflow.runtime.live import Live
from agentflow.runtime.machine.protocol import ChildEnded, Command, Event


class Store(Protocol):
    """What the orchestrator asks of the journal; everything is done in other threads."""

    async def append(
        self,
        records: Sequence[Record],
        changes: Sequence[Change],
        epochs: dict[str, int],
        consumed: Sequence[tuple[str, str, str]],
    ) -> None:
        """Write one group, all or nothing. Raises `Fenced` or `Unavailable`."""
        ...

    async def post(self, message: Message) -> bool:
        """Keep a message; False when it is known already."""
        ...

    async def messages(self, execution: str, name: str) -> list[Message]:
        """What was sent to an execution under a name and that it has not taken, oldest first."""
        ...

    async def set_right(self, live: Live, error: AgentFlowError) -> None:
        """An execution is served no more because of an `error`: whoever waits for it is told.

        Where the journal refused what it came to, and it is still this process's, its history is
        read again and it is served on.
        """
        ...


class Children(Protocol):
    """Starts and finds child executions; the engine is one."""

    async def start_child(self, parent: Live, key: str, workflow: str, input: Json) -> bool:
        """See to it that a child runs, here or in another process; False when it has ended.

        Raises:
            Unavailable: the journal cannot be used, so nobody knows whether it runs.
            AgentFlowError: the child cannot start.
        """
        ...

    async def cancel_child(self, child: str, reason: str) -> None:
        """Unwind a child, whoever runs it, unless it has ended."""
        ...

    async def revive(self, child: str) -> bool:
        """Retry a child that was cancelled for its parent's sake, as the parent wants it again."""
        ...

    async def child_ended(self, child: str, key: str) -> ChildEnded:
        """How a child ended, as an event of its parent's step `key`."""
        ...


@dataclass(slots=True)
class Group:
    """What one turn commits and then carries out."""

    records: list[Record] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    epochs: dict[str, int] = field(default_factory=dict)
    consumed: list[tuple[str, str, str]] = field(default_factory=list)
    lives: dict[str, tuple[Live, list[Event], list[Command]]] = field(default_factory=dict)

    def apart(self) -> list[Group]:
        """A group for each of its executions; of their lives this one keeps none."""
        lives, self.lives = self.lives, {}
        return [
            Group(
                [record for record in self.records if record.execution == execution],
                [change for change in self.changes if change.execution == execution],
                {execution: epoch},
                [delivery for delivery in self.consumed if delivery[1] == execution],
                {execution: lives[execution]} if execution in lives else {},
            )
            for execution, epoch in self.epochs.items()
        ]

    def leave_out(self, executions: Sequence[str]) -> None:
        """Take everything of these executions out."""
        gone = set(executions)
        self.records = [r for r in self.records if r.execution not in gone]
        self.changes = [c for c in self.changes if c.execution not in gone]
        self.consumed = [c for c in self.consumed if c[1] not in gone]
        for execution in gone:
            self.epochs.pop(execution, None)
            self.lives.pop(execution, None)
