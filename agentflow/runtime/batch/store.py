"""A journal that this process keeps open for its batch runs, with the lease that they need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from agentflow.errors import AgentFlowError
from agentflow.runtime.blocking import InThreads
from agentflow.runtime.journal.owner import owner_id
from agentflow.runtime.journal.ownership import LEASE_SECONDS
from agentflow.runtime.journal.store import Journal

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Store:
    """An open journal, a writer's thread, and an owner that stays known as alive.

    Used in one event loop.
    """

    def __init__(self, url: str | None, root: Path) -> None:
        self.journal = Journal.open(url, root)
        self.owner = owner_id()
        self._threads = InThreads()
        self._renewing: asyncio.Task[None] | None = None
        self._enlisting = asyncio.Lock()

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write to the journal, after what was asked for before."""
        return await self._threads.write(work, *args, **kwargs)

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read from the journal."""
        return await self._threads.read(work, *args, **kwargs)

    async def enlist(self) -> None:
        """Get a lease, before anything is owned."""
        async with self._enlisting:
            if self._renewing is None or self._renewing.done():
                await self.write(self.journal.enlist, self.owner)
                self._renewing = asyncio.get_running_loop().create_task(self._renew())

    async def close(self) -> None:
        """Give up what is owned, and close the journal."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(AgentFlowError):
                await self.write(self.journal.retire, self.owner)
        self._threads.close()
        self.journal.close()

    async def _renew(self) -> None:
        """Who cannot renew its lease may be taken from; the journal decides who may write."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            try:
                if not await self.write(self.journal.renew, self.owner):
                    log.warning("this process was not heard of for too long; runs may be lost")
                    await self.write(self.journal.enlist, self.owner)
            except AgentFlowError as error:
                log.warning("the lease cannot be renewed: %s", error.message)
