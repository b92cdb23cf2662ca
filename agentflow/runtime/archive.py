"""What the journal knows of executions, read in threads: the event loop never waits for a store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agentflow.runtime.blocking import Blocking
from agentflow.runtime.catalog import Catalog
from agentflow.runtime.exchange import unwanted_by
from agentflow.runtime.journal import Journal
from agentflow.runtime.journal.protocol import CANCEL, ENDED, Message, Record, StoredExecution
from agentflow.runtime.recovery import cancel_reason
from agentflow.spec.load import Loaded


@dataclass(frozen=True, slots=True)
class Past:
    """All that is needed to go on with an execution."""

    stored: StoredExecution
    loaded: Loaded
    """The workflow it was started with."""
    records: Sequence[Record]
    requests: Sequence[Message]
    """To cancel it; nobody has acted on them."""
    settled: Collection[str]
    """The ids of those that were acted on, or dropped by a retry."""


class Archive:
    """Reads for one engine. Any of its methods raises `Unavailable` when the store stays away."""

    def __init__(self, journal: Journal, blocking: Blocking, catalog: Catalog) -> None:
        self._journal = journal
        self._blocking = blocking
        self._catalog = catalog

    async def execution(self, id: str) -> StoredExecution:
        """One execution's row.

        Raises:
            NotFound: there is none.
        """
        return await self._blocking.read(self._journal.execution, id)

    async def is_owned(self, stored: StoredExecution) -> bool:
        """Whether somebody runs it who may not be taken from."""
        return await self._blocking.read(self._journal.is_owned, stored)

    async def messages(self, id: str, name: str) -> list[Message]:
        """What was sent to an execution under a name, and that it has not taken."""
        return await self._blocking.read(self._journal.messages_for, id, name)

    async def cursor(self) -> int:
        """Where to begin to read the `inbox`: behind its newest message."""
        return await self._blocking.read(self._journal.cursor)

    async def inbox(self, after: int) -> list[tuple[int, Message]]:
        """The messages after a cursor, each with its own."""
        return await self._blocking.read(self._journal.inbox, after)

    async def orphans(self, limit: int) -> list[str]:
        """Executions that run or wait and that nobody alive owns, oldest first."""
        return await self._blocking.read(self._journal.orphans, limit)

    async def past(self, id: str) -> Past:
        """An execution with its history.

        Raises:
            NotFound: there is none.
            Corrupt: its history is not what was written.
            SpecError: this version of AgentFlow cannot read its workflow.
        """
        return await self._blocking.read(self._past, id)

    async def was_unwanted(self, child: str) -> bool:
        """Whether a child ended because its parent had no use for it any more."""
        return await self._blocking.read(self._was_unwanted, child)

    async def ended(self, ids: Collection[str]) -> list[str]:
        """Which of these executions have ended."""
        if not ids:
            return []
        return await self._blocking.read(self._ended, ids)

    def _past(self, id: str) -> Past:
        stored = self._journal.execution(id)
        return Past(
            stored,
            self._catalog.started_with(stored),
            self._journal.history(id),
            self._journal.messages_for(id, CANCEL),
            self._journal.delivered(id, CANCEL),
        )

    def _was_unwanted(self, child: str) -> bool:
        stored = self._journal.execution(child)
        if stored.status != "cancelled" or stored.parent is None:
            return False
        return cancel_reason(self._journal.replay(child)) == unwanted_by(stored.parent)

    def _ended(self, ids: Collection[str]) -> list[str]:
        return [id for id in ids if self._journal.execution(id).status in ENDED]
