"""Runs workflows in this process: opens the journal, starts an executor, serves executions.

The engine has a thread with an event loop of its own. Its methods may be called from any other
thread, and from coroutines: they return when the thing asked for is in the journal, which takes
milliseconds, and waiting for results is `Execution`'s affair.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from agentflow.errors import AgentFlowError, Conflict, Json, Unavailable, UsageError
from agentflow.runtime.catalog import Catalog
from agentflow.runtime.execution import Execution
from agentflow.runtime.executors.protocol import Executor
from agentflow.runtime.ids import new_id
from agentflow.runtime.journal.owner import is_alive, owner_id
from agentflow.runtime.journal.protocol import (
    CANCEL,
    ENDED,
    Change,
    Message,
    Record,
    StoredExecution,
)
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.live import Live
from agentflow.runtime.logs import LogBook
from agentflow.runtime.machine import Machine
from agentflow.runtime.machine.protocol import CancelRequested as CancelEvent
from agentflow.runtime.machine.protocol import (
    ChildEnded,
    Invoke,
    InvokeBatch,
    OpenStream,
    Resumed,
    Started,
    payload,
)
from agentflow.runtime.notices import Notice, Phase, Watcher
from agentflow.runtime.orchestrator import Orchestrator, child_id
from agentflow.runtime.recovery import RETRIED, rebuild, retry_point
from agentflow.spec.inputs import check_input
from agentflow.spec.load import Loaded, find_root, load

T = TypeVar("T")

INBOX_SECONDS = 0.2
"""How often messages from other processes are looked for: one indexed read."""


class Engine:
    """Starts, resumes and cancels executions, and serves them until it is closed.

    Closing, also by leaving `with`, gives running executions up; they stay in the journal as they
    are and can be resumed by any engine.

    Args:
        executor: `"ray"`, `"inline"` (functions run in this process), or an executor of your own.
        root: The project root; found from the workflow's file when not given.
        store: URL of the journal; `DATABASE_URL` or `.agentflow/` in the root when not given.
        parallel: Calls at once; the executor's own choice when not given.
        watch: Called with notices of progress, in the engine's thread.
    """

    def __init__(
        self,
        *,
        executor: str | Executor = "ray",
        root: Path | None = None,
        store: str | None = None,
        parallel: int | None = None,
        watch: Watcher | None = None,
    ) -> None:
        self.root = root or find_root(Path.cwd())
        self._executor = _make_executor(executor, parallel)
        self._parallel = parallel or os.cpu_count() or 1
        self._watch: Callable[[Notice], None] = watch or (lambda notice: None)
        self._owner = owner_id()
        self.journal = Journal.open(store, self.root)
        self._logs = LogBook(self.root / ".agentflow" / "logs", self._watch)
        self._writer = ThreadPoolExecutor(1, "agentflow-journal")
        self._catalog = Catalog(self.journal)
        self._orchestrator: Orchestrator
        self._executor_started: asyncio.Lock
        self._is_started = False
        self._error: AgentFlowError | None = None
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(ready,), name="agentflow-engine", daemon=True
        )
        self._thread.start()
        ready.wait()

    # --- what users call ----------------------------------------------------------------------

    def start(
        self, workflow: Loaded | str | Path, input: Json = None, *, id: str | None = None
    ) -> Execution:
        """Start an execution; it is in the journal when this returns.

        The same `id`, workflow and input give the same execution, however often it is started.

        Raises:
            SpecError: the workflow has mistakes.
            InputError: the input does not match its schema.
            Conflict: the id is taken by another workflow or another input.
            Unavailable: the executor or the journal cannot be reached.
        """
        loaded = workflow if isinstance(workflow, Loaded) else load(workflow)
        value = check_input(loaded.workflow, input)
        return self._ask(self._start(loaded, value, id))

    def create(
        self, workflow: Loaded | str | Path, input: Json = None, *, id: str | None = None
    ) -> Execution:
        """Like `start`, but nobody runs it until an engine resumes it."""
        loaded = workflow if isinstance(workflow, Loaded) else load(workflow)
        value = check_input(loaded.workflow, input)
        stored, _, created = self._ask(self._record_start(loaded, value, id, owner=None))
        return Execution(self, stored, None, created=created)

    def execution(self, reference: str) -> Execution:
        """A handle on an execution by its id, a unique prefix, `@last` or `@last-failed`.

        Raises:
            NotFound: there is none.
        """
        stored = self.journal.execution(self.journal.resolve(reference))
        live = self._orchestrator.live(stored.id)
        return Execution(self, stored, live.ended if live else None, created=False)

    def resume(self, reference: str) -> Execution:
        """Go on with an execution whose process is gone; completed steps are not called again.

        Raises:
            NotFound: there is none.
            Conflict: it has ended, or a process that is alive runs it.
        """
        return self._ask(self._resume(self.journal.resolve(reference)))

    def retry(self, reference: str) -> Execution:
        """Go on with a failed or cancelled execution from where it failed.

        Raises:
            NotFound: there is none.
            Conflict: it has not failed, or there is no call to make again.
        """
        return self._ask(self._retry(self.journal.resolve(reference)))

    def cancel(self, reference: str, reason: str = "") -> Execution:
        """Unwind an execution. One that another process runs is cancelled by that process.

        Raises:
            NotFound: there is none.
            Conflict: it has ended.
        """
        return self._ask(self._cancel(self.journal.resolve(reference), reason))

    def close(self) -> None:
        """Give up what runs, stop the executor, close the journal. Closing twice is harmless."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            with suppress(AgentFlowError):
                self._ask(self._shut_down())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._writer.shutdown()
        self.journal.close()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    # --- for the orchestrator -----------------------------------------------------------------

    async def append(
        self,
        records: Sequence[Record],
        changes: Sequence[Change],
        epochs: dict[str, int],
        consumed: Sequence[tuple[str, str, str]],
    ) -> None:
        """Write one group of events, in the writer's thread."""
        await self._write(self.journal.append, records, changes, epochs, consumed)

    async def post(self, message: Message) -> bool:
        """Keep a message, in the writer's thread."""
        return await self._write(self.journal.post, message)

    async def start_child(self, parent: Live, key: str, workflow: str, input: Json) -> Live | None:
        """The child execution of a `run` step; None when it has ended already."""
        loaded = parent.spec.children[workflow]
        value = check_input(loaded.workflow, input)
        id = child_id(parent.id, key)
        stored, event, created = await self._record_start(
            loaded, value, id, owner=self._owner, parent=(parent.id, key)
        )
        if stored.status in ENDED:
            return None
        live = self._orchestrator.live(id)
        if live is not None:
            return live
        if not created:
            return await self._take_over(stored)
        return self._begin(loaded, stored, event)

    def child_ended(self, child: str, key: str, at: float) -> ChildEnded:
        """How a child ended, as the event of its parent's step."""
        stored = self.journal.execution(child)
        return ChildEnded(at, key, stored.status, stored.output, stored.error)

    # --- in the loop --------------------------------------------------------------------------

    async def _start(self, loaded: Loaded, input: Json, id: str | None) -> Execution:
        await self._start_executor()
        stored, event, created = await self._record_start(loaded, input, id, owner=self._owner)
        if created:
            live = self._begin(loaded, stored, event)
            return Execution(self, stored, live.ended, created=True)
        live_or_none = self._orchestrator.live(stored.id)
        if live_or_none is None and stored.status not in ENDED and not _is_owned(stored):
            live_or_none = await self._take_over(stored)
        return Execution(self, stored, live_or_none.ended if live_or_none else None, created=False)

    async def _record_start(
        self,
        loaded: Loaded,
        input: Json,
        id: str | None,
        *,
        owner: str | None,
        parent: tuple[str, str] | None = None,
    ) -> tuple[StoredExecution, Started, bool]:
        """Write an execution's first event, unless it has one."""
        workflow = loaded.workflow
        id = id or new_id()
        event = Started(time.time(), id, input, self._parallel)
        execution = StoredExecution(
            id=id,
            workflow=workflow.name,
            version=workflow.version,
            digest=workflow.digest,
            root=str(loaded.root),
            status="running",
            input=input,
            started_at=event.at,
            owner=owner,
            epoch=1,
            parent=parent[0] if parent else None,
            parent_key=parent[1] if parent else None,
            labels=workflow.labels,
        )
        record = Record(id, 1, "execution.started", event.at, data=payload(event))

        def write() -> tuple[StoredExecution, bool]:
            with self.journal.group():
                self._catalog.register(loaded)
                return self.journal.create(execution, record)

        stored, created = await self._write(write)
        return stored, event, created

    def _begin(self, loaded: Loaded, stored: StoredExecution, event: Started) -> Live:
        live = Live(
            stored.id,
            loaded,
            Machine(self._catalog.program(loaded)),
            stored.epoch,
            1,
            parent=_parent(stored),
        )
        self._orchestrator.begin(live, event)
        return live

    async def _resume(self, id: str) -> Execution:
        stored = self.journal.execution(id)
        live = self._orchestrator.live(id)
        if live is None:
            if stored.status in ENDED:
                raise Conflict(
                    f"execution {id} has already {stored.status}",
                    help=f"agentflow show {id}",
                )
            await self._start_executor()
            live = await self._take_over(stored)
        return Execution(self, stored, live.ended, created=False)

    async def _take_over(self, stored: StoredExecution) -> Live:
        """Own an execution that nobody runs, and ask again for what it waits for."""
        live = await self._claim(stored)
        self._orchestrator.adopt(live)
        self._orchestrator.post(live.id, Resumed(time.time()))
        for message in self.journal.messages_for(live.id, CANCEL):
            self._orchestrator.deliver(message)
        return live

    async def _claim(self, stored: StoredExecution) -> Live:
        epoch = await self._write(self.journal.claim, stored.id, self._owner)
        loaded = self._catalog.started_with(stored)
        records = self.journal.history(stored.id)
        machine = rebuild(self._catalog.program(loaded), records)
        return Live(
            stored.id,
            loaded,
            machine,
            epoch,
            records[-1].seq,
            status=stored.status,
            parent=_parent(stored),
        )

    async def _retry(self, id: str) -> Execution:
        stored = self.journal.execution(id)
        records = self.journal.history(id)
        point = retry_point(stored, records)
        await self._start_executor()
        if point.child is not None:
            await self._retry(child_id(id, point.child))
        epoch = await self._write(self.journal.claim, id, self._owner)
        record = Record(
            id, records[-1].seq + 1, RETRIED, time.time(), data={"forgives": point.forgives}
        )
        await self._write(self.journal.supersede, id, point.from_seq, epoch, record)
        live = await self._take_over(self.journal.execution(id))
        return Execution(self, stored, live.ended, created=False)

    async def _cancel(self, id: str, reason: str) -> Execution:
        stored = self.journal.execution(id)
        if stored.status in ENDED:
            raise Conflict(f"execution {id} has already {stored.status}")
        live = self._orchestrator.live(id)
        if live is not None:
            self._orchestrator.cancel(id, reason)
        elif _is_owned(stored):
            await self.post(
                Message(f"{id}/cancel/{new_id()}", CANCEL, None, reason, time.time(), id)
            )
        else:
            live = await self._claim(stored)
            probe = rebuild(live.machine.program, self.journal.replay(id))
            commands = probe.advance(CancelEvent(time.time(), reason))
            if any(isinstance(c, Invoke | InvokeBatch | OpenStream) for c in commands):
                await self._start_executor()
            self._orchestrator.adopt(live)
            self._orchestrator.cancel(id, reason)
        return Execution(self, stored, live.ended if live else None, created=False)

    async def _start_executor(self) -> None:
        async with self._executor_started:
            if self._is_started:
                return
            begun = asyncio.get_running_loop().create_task(
                self._executor.start(self._orchestrator.take_reports)
            )
            if self._executor.phase is not None:
                self._watch(Phase(self._executor.phase))
            try:
                await begun
            finally:
                if self._executor.phase is not None:
                    self._watch(Phase(None))
            self._parallel = self._executor.parallel
            self._is_started = True

    async def _write(self, write: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, write, *args)

    # --- the thread ---------------------------------------------------------------------------

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._executor_started = asyncio.Lock()
        self._orchestrator = Orchestrator(
            self, self._executor, self, watch=self._watch, printed=self._logs.printed
        )
        self._orchestrator.mailbox.early = lambda live, name: self.journal.messages_for(
            live.id, name
        )
        self._tasks = [
            self._loop.create_task(self._guard(self._orchestrator.serve())),
            self._loop.create_task(self._guard(self._read_inbox())),
        ]
        ready.set()
        self._loop.run_forever()

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """When the journal fails, every execution is given up with that reason."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # handed to whoever waits for a result
            self._error = error if isinstance(error, AgentFlowError) else None
            self._orchestrator.abandon(error)

    async def _read_inbox(self) -> None:
        cursor = self.journal.cursor()
        while True:
            await asyncio.sleep(INBOX_SECONDS)
            if not self._orchestrator.lives:
                continue
            for position, message in self.journal.inbox(cursor):
                self._orchestrator.deliver(message)
                cursor = position

    async def _shut_down(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        lives = self._orchestrator.lives
        self._orchestrator.abandon(
            Unavailable("the engine was closed", help="agentflow resume ID goes on")
        )
        if self._is_started:
            await self._executor.close()
        for live in lives:
            with suppress(AgentFlowError):
                await self._write(self.journal.release, live.id, self._owner)

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the engine's loop and wait for it."""
        if self._error is not None:
            work.close()
            raise self._error
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()


def _make_executor(executor: str | Executor, parallel: int | None) -> Executor:
    match executor:
        case "inline":
            from agentflow.runtime.executors.inline import InlineExecutor

            return InlineExecutor(parallel=parallel)
        case "ray":
            from agentflow.runtime.executors.ray import RayExecutor

            return RayExecutor(parallel=parallel)
        case str():
            raise UsageError(f"there is no executor `{executor}`", help="choose `ray` or `inline`")
        case _:
            return executor


def _is_owned(stored: StoredExecution) -> bool:
    return stored.owner is not None and is_alive(stored.owner)


def _parent(stored: StoredExecution) -> tuple[str, str] | None:
    if stored.parent is None or stored.parent_key is None:
        return None
    return stored.parent, stored.parent_key
