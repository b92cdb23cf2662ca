"""What an engine is to the journal: known as alive, and the owner of executions."""

from __future__ import annotations

from collections.abc import Sequence

from agentflow.runtime.blocking import Blocking
from agentflow.runtime.journal import Journal
from agentflow.runtime.journal.owner import owner_id


class Lease:
    """One engine's. Any of its methods raises `Unavailable` when the store stays away."""

    def __init__(self, journal: Journal, blocking: Blocking) -> None:
        self._journal = journal
        self._blocking = blocking
        self.owner = owner_id()
        """What the journal calls the engine."""

    async def begin(self) -> None:
        """Be known as alive, for a while."""
        await self._blocking.write(self._journal.enlist, self.owner)

    async def renew(self) -> bool:
        """Stay known as alive; `False` if that comes too late, and others may have taken over."""
        return await self._blocking.write(self._journal.renew, self.owner)

    async def end(self) -> None:
        """Give everything up, for others to take over at once."""
        await self._blocking.write(self._journal.retire, self.owner)

    async def owned(self) -> dict[str, int]:
        """The executions it owns that have not ended, with their epochs."""
        return await self._blocking.read(self._journal.owned, self.owner)

    async def claim(self, id: str) -> int:
        """Own an execution that nobody runs; gives its new epoch.

        Raises:
            NotFound: there is no such execution.
            Conflict: an engine that is alive owns it.
        """
        return await self._blocking.write(self._journal.claim, id, self.owner)

    async def claim_many(self, ids: Sequence[str]) -> dict[str, int]:
        """Own what of these is still free; gives their new epochs."""
        return await self._blocking.write(self._journal.claim_many, ids, self.owner)

    async def release(self, id: str) -> None:
        """Own an execution no longer, if it was owned."""
        await self._blocking.write(self._journal.release, id, self.owner)
