"""What an engine does beside its executions: stays known as alive, hears others, takes over.

Each duty is a small loop. Hints make them quick where there is a Redis; without, they look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from agentflow.errors import AgentFlowError, Json, Unavailable
from agentflow.runtime.archive import Archive
from agentflow.runtime.bus import Bus
from agentflow.runtime.journal.ownership import LEASE_SECONDS
from agentflow.runtime.lease import Lease
from agentflow.runtime.orchestrator import Orchestrator

log = logging.getLogger(__name__)

INBOX_SECONDS = 0.2
"""How often messages from other processes are looked for: one indexed read."""
ORPHAN_SECONDS = 1.0
"""How often executions that nobody runs are looked for."""
ORPHANS = 500
"""How many are taken over at once."""

Adopt = Callable[[Sequence[str]], Awaitable[dict[str, AgentFlowError]]]
"""Takes executions over and goes on with them; says which of them cannot be continued, and why."""


class Upkeep:
    """The duties of one engine; they run in its event loop."""

    def __init__(
        self, lease: Lease, archive: Archive, *, bus: Bus, orchestrator: Orchestrator
    ) -> None:
        self._lease = lease
        self._archive = archive
        self._bus = bus
        self._orchestrator = orchestrator
        self._enlisting = asyncio.Lock()
        self._is_enlisted = False
        self._cursor = 0
        """How far the messages from other processes were read."""
        self._inbox = asyncio.Event()
        self._orphans = asyncio.Event()
        self._hopeless: set[str] = set()
        """Orphans that cannot be continued, so that one of them does not fill the log."""

    def duties(self, adopt: Adopt | None) -> list[Coroutine[Any, Any, None]]:
        """The loops, to be run side by side until cancelled.

        Orphans are taken over where there is an `adopt`. A loop ends with an `AgentFlowError` when
        the journal cannot be used any more.
        """
        loops = [self._stay_alive(), self._read_inbox(), self._carry_hints()]
        return loops if adopt is None else [*loops, self._adopt_orphans(adopt)]

    async def enlist(self) -> None:
        """Get a lease, unless there is one.

        Before anything is owned: of an engine on another machine that has none, nobody can say
        that it died. Messages are heard from here on; who begins to listen looks for older ones.
        """
        async with self._enlisting:
            if not self._is_enlisted:
                self._cursor = await self._archive.cursor()
                await self._lease.begin()
                self._is_enlisted = True

    async def _stay_alive(self) -> None:
        """Renew the lease well before it runs out."""
        await self.enlist()
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            if not await self._lease.renew():
                log.warning("this engine was not heard of for too long; others may have taken over")
                await self._lease.begin()
                await self._let_go()

    async def _let_go(self) -> None:
        """Stop working for what others took over meanwhile; the rest goes on."""
        served = self._orchestrator.lives
        owned = await self._lease.owned()
        self._orchestrator.lose([live for live in served if owned.get(live.id) != live.epoch])

    async def _carry_hints(self) -> None:
        """Without hints everything is found by looking, a little later."""
        try:
            await self._bus.run(self._hinted)
        except Exception:
            log.exception("hints are no longer carried")

    def _hinted(self, hint: dict[str, Json]) -> None:
        if hint.get("kind") in {"message", "connected"}:
            self._inbox.set()
        if hint.get("kind") in {"open", "connected"}:
            self._orphans.set()

    async def _read_inbox(self) -> None:
        await self.enlist()
        while True:
            await _set_or_late(self._inbox, INBOX_SECONDS)
            if not self._orchestrator.lives:
                continue
            for position, message in await self._archive.inbox(self._cursor):
                self._orchestrator.deliver(message)
                self._cursor = position
            await self._look_for_children()

    async def _look_for_children(self) -> None:
        """Children that other processes run tell their parents nothing when they end."""
        elsewhere = {
            child: (live.id, key)
            for live in self._orchestrator.lives
            for key, child in live.children.items()
            if self._orchestrator.live(child) is None
        }
        for child in await self._archive.ended(elsewhere):
            self._orchestrator.tell_parent(*elsewhere[child], child)

    async def _adopt_orphans(self, adopt: Adopt) -> None:
        """Take over what nobody runs: its process died, or it was created for whoever comes."""
        while True:
            # Those that cannot be continued stay orphans, and must not hide the others.
            limit = ORPHANS + len(self._hopeless)
            found = await self._archive.orphans(limit)
            wanted = [id for id in found if self._wants(id)]
            if wanted:
                self.note(await adopt(wanted))
            if len(wanted) < ORPHANS:
                await _set_or_late(self._orphans, ORPHAN_SECONDS)

    def _wants(self, id: str) -> bool:
        return id not in self._hopeless and self._orchestrator.live(id) is None

    def note(self, failures: dict[str, AgentFlowError]) -> None:
        """Remember what cannot be continued; a journal that was away is worth another try."""
        for id, error in failures.items():
            if not isinstance(error, Unavailable):
                log.warning("execution %s cannot be continued: %s", id, error.message)
                self._hopeless.add(id)


async def _set_or_late(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer than that; it is unset afterwards."""
    # Not `wait_for`: on Python 3.11 it swallows a cancellation that comes with the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()
