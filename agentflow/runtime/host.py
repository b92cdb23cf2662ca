"""What an engine does in its event loop: starts, takes over, retries and cancels executions.

It is what the orchestrator calls `Store` and `Children`: the journal behind a writer's thread, and
the way to other executions.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from agentflow.errors import AgentFlowError, Conflict, Json, NotFound, Unavailable
from agentflow.runtime.archive import Archive, Past
from agentflow.runtime.blocking import Blocking, InThreads
from agentflow.runtime.bus import Bus, NoBus
from agentflow.runtime.catalog import Catalog, require_workflow, start_row
from agentflow.runtime.custody import Custody
from agentflow.runtime.exchange import child_id
from agentflow.runtime.executors.protocol import Executor, Remembers
from agentflow.runtime.forking import check_same, prefix, renamed
from agentflow.runtime.ids import new_id
from agentflow.runtime.journal import Journal
from agentflow.runtime.journal.protocol import (
    CANCEL,
    ENDED,
    FORKED,
    RETRIED,
    Change,
    Message,
    Record,
    StoredExecution,
)
from agentflow.runtime.lease import Lease
from agentflow.runtime.live import Live
from agentflow.runtime.logs import LogBook
from agentflow.runtime.machine.protocol import CancelRequested, ChildEnded, StartChild, Started
from agentflow.runtime.memory import AgentMemory
from agentflow.runtime.notices import Phase, Watcher
from agentflow.runtime.orchestrator import Orchestrator
from agentflow.runtime.recovery import kept_by, rebuild, require_open, retry_point
from agentflow.runtime.starter import Starter
from agentflow.runtime.upkeep import Upkeep
from agentflow.spec.inputs import check_input
from agentflow.spec.load import Loaded


@dataclass(frozen=True, slots=True)
class Held:
    """An execution, and how this process has it: not at all when `live` is None."""

    stored: StoredExecution
    live: Live | None
    created: bool = False


class Host:
    """The executions of one engine. All methods run in its event loop."""

    def __init__(
        self,
        journal: Journal,
        executor: Executor,
        logs: LogBook,
        watch: Watcher,
        parallel: int | None,
        *,
        adopt: bool = False,
        bus: Bus | None = None,
        blocking: Blocking | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._executor = executor
        self._watch = watch
        self._bus = bus or NoBus()
        self._blocking = blocking or InThreads()
        self._clock = clock
        self._parallel = parallel or os.cpu_count() or 1
        self._catalog = Catalog(journal)
        self._archive = Archive(journal, self._blocking, self._catalog)
        self._starter = Starter(journal, self._blocking, self._catalog)
        self._lease = Lease(journal, self._blocking)
        self._starting = asyncio.Lock()
        self._is_started = False
        memory = AgentMemory(journal, self._blocking)
        if isinstance(executor, Remembers):
            executor.memory = memory
        self.orchestrator = Orchestrator(
            self, executor, self, memory=memory, watch=watch, printed=logs.printed, clock=clock
        )
        self._adopts = adopt
        self._upkeep = Upkeep(
            self._lease, self._archive, bus=self._bus, orchestrator=self.orchestrator
        )
        self._custody = Custody(
            self._lease,
            self._archive,
            catalog=self._catalog,
            upkeep=self._upkeep,
            orchestrator=self.orchestrator,
            watch=watch,
        )

    async def append(
        self,
        records: Sequence[Record],
        changes: Sequence[Change],
        epochs: dict[str, int],
        consumed: Sequence[tuple[str, str, str]],
    ) -> None:
        """Write one group of events, in the writer's thread."""
        await self._blocking.write(self._journal.append, records, changes, epochs, consumed)
        for execution in epochs:
            self._bus.send({"kind": "events", "execution": execution})

    async def post(self, message: Message) -> bool:
        """Keep a message, in the writer's thread."""
        new = await self._blocking.write(self._journal.post, message)
        self._bus.send({"kind": "message"})
        return new

    async def messages(self, execution: str, name: str) -> list[Message]:
        """What was sent to an execution under a name and that it has not taken."""
        return await self._archive.messages(execution, name)

    async def set_right(self, live: Live, error: AgentFlowError) -> None:
        """Go on with an execution that was dropped, if it is still ours."""
        await self._custody.set_right(live, error)

    async def start_child(self, parent: Live, key: str, workflow: str, input: Json) -> bool:
        """See to it that the child execution of a `run` step runs; False when it has ended."""
        loaded = parent.spec.children[workflow]
        value = check_input(loaded.workflow, input)
        id = child_id(parent.id, key)
        async with self._custody.alone(id):
            stored, event, created = await self._record_start(
                loaded, value, id, owner=self._lease.owner, parent=(parent.id, key)
            )
            if created:
                self._custody.begin(loaded, stored, event)
            elif stored.status not in ENDED and not await self._custody.runs_elsewhere(stored):
                with suppress(Conflict):  # another process was faster
                    await self._custody.take_over(id)
            return stored.status not in ENDED

    async def cancel_child(self, child: str, reason: str) -> None:
        """Unwind the child execution of a `run` step, unless it has ended."""
        if self.orchestrator.live(child) is not None:
            self.orchestrator.cancel(child, reason)
            return
        with suppress(Conflict):
            await self.cancel(child, reason)

    async def revive(self, child: str) -> bool:
        """Retry a child that was cancelled for its parent's sake, as the parent wants it again."""
        if not await self._archive.was_unwanted(child):
            return False
        with suppress(Conflict):  # its saga was undone, or another process was faster
            await self.retry(child)
            return True
        return False

    async def child_ended(self, child: str, key: str) -> ChildEnded:
        """How a child ended, as the event of its parent's step."""
        stored = await self._archive.execution(child)
        return ChildEnded(self._clock(), key, stored.status, stored.output, stored.error)

    # --- for the engine -----------------------------------------------------------------------

    async def start(self, loaded: Loaded, input: Json, id: str | None) -> Held:
        """Start an execution, or find the one with this id."""
        await self._start_executor()
        id = id or new_id()
        async with self._custody.alone(id):
            stored, event, created = await self._record_start(
                loaded, input, id, owner=self._lease.owner
            )
            if created:
                return Held(stored, self._custody.begin(loaded, stored, event), created=True)
            if stored.status in ENDED or await self._custody.runs_elsewhere(stored):
                return self.held(stored)
            return Held(stored, await self._custody.take_over(id))

    async def create(self, loaded: Loaded, input: Json, id: str | None) -> Held:
        """Write an execution's start, for whoever will run it."""
        stored, _, created = await self._record_start(loaded, input, id or new_id(), owner=None)
        self._bus.send({"kind": "open"})
        return Held(stored, None, created)

    def held(self, stored: StoredExecution) -> Held:
        """How this process has an execution."""
        return Held(stored, self.orchestrator.live(stored.id))

    async def _record_start(
        self,
        loaded: Loaded,
        input: Json,
        id: str,
        *,
        owner: str | None,
        parent: tuple[str, str] | None = None,
    ) -> tuple[StoredExecution, Started, bool]:
        """Write an execution's first event, unless it has one."""
        event = Started(self._clock(), id, input, self._parallel)
        stored, created = await self._starter.start(loaded, event, owner=owner, parent=parent)
        return stored, event, created

    async def resume(self, id: str) -> Held:
        """Go on with an execution that nobody runs."""
        stored = await self._archive.execution(id)
        require_workflow(stored.digest)
        require_open(stored)
        await self._start_executor()
        async with self._custody.alone(id):
            stored = await self._archive.execution(id)
            require_open(stored)
            return Held(stored, await self._custody.take_over(id))

    async def _adopt(self, ids: Sequence[str]) -> dict[str, AgentFlowError]:
        """Take over what of these is still free; gives what cannot be continued."""
        await self._start_executor()
        return await self._custody.adopt(ids)

    async def retry(self, id: str) -> Held:
        """Go on with an execution from where it failed or was cancelled."""
        past = await self._archive.past(id)
        point = retry_point(past.stored, past.records)
        seq, data = past.records[-1].seq + 1, {"forgives": point.forgives}
        record = Record(id, seq, RETRIED, self._clock(), data=data)
        await self._start_executor()
        if point.child is not None:
            await self.retry(child_id(id, point.child))
        await self._retry_children(past, [*kept_by(point, past.records), record])
        async with self._custody.alone(id):
            epoch = await self._lease.claim(id)
            await self._blocking.write(self._journal.supersede, id, point.from_seq, epoch, record)
            return Held(await self._archive.execution(id), await self._custody.take_over(id))

    async def _retry_children(self, parent: Past, kept: Sequence[Record]) -> None:
        """Retry what failed of the children that the parent asks for again, beside its failure."""
        if not parent.loaded.children:
            return
        machine = rebuild(self._catalog.program(parent.loaded), kept)
        for command in machine.outstanding():
            if isinstance(command, StartChild):
                child = child_id(parent.stored.id, command.key)
                with suppress(NotFound, Conflict):  # it has not begun, or would fail the same way
                    if (await self._archive.execution(child)).status == "failed":
                        await self.retry(child)

    async def fork(self, id: str, step: str, input: Json, spec: Loaded | None) -> Held:
        """Start an execution with the history of another one up to `step`.

        `input` of `...` means the other one's.
        """
        past = await self._archive.past(id)
        old, loaded = past.loaded, spec or past.loaded
        records = prefix(self._catalog.program(old), past.records, step)
        value = check_input(loaded.workflow, past.stored.input if input is ... else input)
        await self._start_executor()
        new = new_id()
        kept = renamed(records, new, input=value, parallel=self._parallel)
        check_same(self._catalog.program(old), self._catalog.program(loaded), kept, step)
        now, source = self._clock(), {"execution": id, "step": step}
        kept.append(Record(new, len(kept) + 1, FORKED, now, data=source))
        start = replace(
            start_row(loaded, value, new, now),
            labels={**loaded.workflow.labels, "forked_from": f"{id}@{step}"},
            owner=self._lease.owner,
        )

        def write() -> None:
            self._catalog.register(loaded)
            self._journal.create(start, kept[0])
            self._journal.append(kept[1:], [], {new: start.epoch})

        async with self._custody.alone(new):
            await self._blocking.write(self._journal.atomically, write)
            live = await self._custody.take_over(new)
            return Held(await self._archive.execution(new), live, created=True)

    async def cancel(self, id: str, reason: str) -> Held:
        """Unwind an execution, or ask the process that runs it to do so."""
        require_open(await self._archive.execution(id))
        # The request is kept first: it must not be lost when its taker dies.
        request = Message(f"{id}/cancel/{new_id()}", CANCEL, None, reason, self._clock(), id)
        await self.post(request)
        async with self._custody.alone(id):
            stored = await self._archive.execution(id)
            live = self.orchestrator.live(id)
            is_nobodys = live is None and stored.status not in ENDED
            if is_nobodys and not await self._custody.runs_elsewhere(stored):
                with suppress(Conflict):  # another process was faster, and finds the request
                    live = await self._take_over_to_cancel(id)
        self.orchestrator.deliver(request)
        return Held(stored, live)

    async def _take_over_to_cancel(self, id: str) -> Live | None:
        """Own an execution, starting the executor only if its clean-up calls functions."""
        past = await self._archive.past(id)
        probe = rebuild(self._catalog.program(past.loaded), past.records)
        probe.advance(CancelRequested(self._clock()))
        if probe.finished is None:
            await self._start_executor()
        return await self._custody.take_over(id)

    async def _start_executor(self) -> None:
        async with self._starting:
            if self._is_started:
                return
            begun = asyncio.get_running_loop().create_task(
                self._executor.start(self.orchestrator.take_reports)
            )
            if self._executor.phase is not None:
                self._watch(Phase(self._executor.phase))
            try:
                await begun
            except BaseException:
                self._watch(Phase(None, failed=True))
                raise
            if self._executor.phase is not None:
                self._watch(Phase(None))
            self._parallel = self._executor.parallel
            self._is_started = True

    async def serve(self) -> None:
        """Take turns and do what an engine does beside them, until cancelled.

        Raises:
            AgentFlowError: the journal cannot be used any more; executions stay as recorded.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.orchestrator.serve())
            for duty in self._upkeep.duties(self._adopt if self._adopts else None):
                group.create_task(duty)

    async def close(self) -> None:
        """Give every execution up, so that any engine can resume it, and stop the executor."""
        self.orchestrator.abandon(
            Unavailable("the engine was closed", help="`agentflow resume ID` goes on")
        )
        if self._is_started:
            await self._executor.close()
        with suppress(AgentFlowError):
            await self._lease.end()
        self._bus.send({"kind": "open"})
        self._blocking.close()
