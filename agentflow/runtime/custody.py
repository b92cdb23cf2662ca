"""Which executions an engine owns: taking them over, giving them back, and setting them right.

What is owned is served. Owned and not served, an execution would be out of everybody's reach for as
long as its engine lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from agentflow.errors import AgentFlowError, Conflict, Unavailable
from agentflow.runtime.archive import Archive, Past
from agentflow.runtime.catalog import Catalog
from agentflow.runtime.journal.protocol import ENDED, StoredExecution
from agentflow.runtime.lease import Lease
from agentflow.runtime.live import Live
from agentflow.runtime.machine import Machine
from agentflow.runtime.machine.protocol import Ended, Started
from agentflow.runtime.notices import TakenOver, Watcher
from agentflow.runtime.orchestrator import Orchestrator
from agentflow.runtime.recovery import brought_back, parent_of
from agentflow.runtime.upkeep import Upkeep
from agentflow.spec.load import Loaded

REREADS = 3
"""How often a history is read again in a row without an event that came of it."""


class Custody:
    """The executions of one engine, as the journal has them. Its methods run in its event loop."""

    def __init__(
        self,
        lease: Lease,
        archive: Archive,
        *,
        catalog: Catalog,
        upkeep: Upkeep,
        orchestrator: Orchestrator,
        watch: Watcher,
    ) -> None:
        self._lease = lease
        self._archive = archive
        self._catalog = catalog
        self._upkeep = upkeep
        self._orchestrator = orchestrator
        self._watch = watch
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def alone(self, id: str) -> AsyncIterator[None]:
        """For the time in which an execution begins to be served here: once, and with a lease.

        If the block fails and it is not served, it is given back.
        """
        await self._upkeep.enlist()
        async with self._locks.setdefault(id, asyncio.Lock()):
            with self._orchestrator.expecting(id):
                try:
                    yield
                except AgentFlowError:
                    if self._orchestrator.live(id) is None:
                        await self._give_back(id)
                    raise

    async def runs_elsewhere(self, stored: StoredExecution) -> bool:
        """Whether another process that is alive runs it."""
        return stored.owner != self._lease.owner and await self._archive.is_owned(stored)

    def begin(self, loaded: Loaded, stored: StoredExecution, event: Started) -> Live:
        """Serve a new execution, whose first event is recorded."""
        machine = Machine(self._catalog.program(loaded))
        live = Live(stored.id, loaded, machine, stored.epoch, 1, parent=parent_of(stored))
        self._orchestrator.begin(live, event)
        return live

    async def take_over(self, id: str) -> Live | None:
        """Own an execution that nobody runs, and ask again for what it waits for.

        Gives `None` if it has ended by now.
        """
        live = self._orchestrator.live(id)
        if live is not None:
            return live
        epoch = await self._lease.claim(id)
        past = await self._archive.past(id)
        if past.stored.status in ENDED:
            await self._give_back(id)
            return None
        return self._serve(past, epoch)

    async def adopt(self, ids: Sequence[str]) -> dict[str, AgentFlowError]:
        """Take over what of these is still free, all at once; gives what cannot be continued."""
        failures: dict[str, AgentFlowError] = {}
        async with AsyncExitStack() as stack:
            for id in ids:
                await stack.enter_async_context(self.alone(id))
            free = [id for id in ids if self._orchestrator.live(id) is None]
            epochs = await self._lease.claim_many(free)
            for id, epoch in epochs.items():
                try:
                    self._serve(await self._archive.past(id), epoch)
                except AgentFlowError as error:
                    await self._give_back(id)
                    failures[id] = error
        return failures

    async def set_right(self, live: Live, error: AgentFlowError) -> None:
        """Go on with an execution that was dropped, as the journal refused what it came to.

        Whoever waits for it goes on waiting. They are told the `error` if it is another engine's by
        now, or if it gets nowhere here; then it is given back.
        """
        try:
            async with self.alone(live.id):
                served = self._orchestrator.live(live.id) or await self._read_again(live, error)
        except BaseException as reason:
            if not live.ended.done():
                live.ended.set_exception(reason if isinstance(reason, AgentFlowError) else error)
            if isinstance(reason, Unavailable) or not isinstance(reason, AgentFlowError):
                raise
        else:
            _pass_on(served, live.ended)

    async def _read_again(self, live: Live, error: AgentFlowError) -> Live | None:
        """Serve it from its history, unless it is not ours or that has not helped before."""
        stored = await self._archive.execution(live.id)
        if stored.status in ENDED:
            return None
        if stored.owner != self._lease.owner:
            raise error
        has_progressed = stored.head > live.since + 1  # one event says that it goes on
        rereads = 1 if has_progressed else live.rereads + 1
        if rereads > REREADS or not isinstance(error, Conflict):
            self._upkeep.note({live.id: error})
            raise error
        served = await self.take_over(live.id)
        if served is not None:
            served.rereads = rereads
        return served

    async def _give_back(self, id: str) -> None:
        """Own an execution no longer, if it was owned. If even that fails, so does the engine."""
        try:
            await self._lease.release(id)
        except AgentFlowError as error:
            self._orchestrator.give_up(error)

    def _serve(self, past: Past, epoch: int) -> Live:
        """Go on with an execution whose past was read under an epoch of our own."""
        program = self._catalog.program(past.loaded)
        live = brought_back(past.stored, epoch, past.loaded, program, past.records)
        live.received.update(past.settled)  # of those, the inbox may bring some only now
        self._watch(TakenOver(live.id, past.loaded, past.records))
        self._orchestrator.resume(live, past.requests)
        return live


def _pass_on(served: Live | None, waiting: Future[Ended | None]) -> None:
    """Tell who waits for a dropped execution what comes of it now; `None`: the journal knows."""

    def tell(ended: Future[Ended | None]) -> None:
        if waiting.done():  # nobody waits any more
            return
        error = ended.exception()
        if error is None:
            waiting.set_result(ended.result())
        else:
            waiting.set_exception(error)

    if served is not None:
        served.ended.add_done_callback(tell)
    elif not waiting.done():
        waiting.set_result(None)
