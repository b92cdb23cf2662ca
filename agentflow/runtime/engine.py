"""Runs workflows in this process: opens the journal, starts an executor, serves executions.

The engine has a thread with an event loop of its own. Its methods may be called from any other
thread, and from coroutines: they return when the thing asked for is in the journal, which takes
milliseconds, and waiting for results is `Execution`'s affair.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from agentflow.errors import AgentFlowError, Json, UsageError
from agentflow.runtime.bus import Bus, NoBus, RedisBus
from agentflow.runtime.execution import POLL_SECONDS, Execution
from agentflow.runtime.executors.protocol import Executor
from agentflow.runtime.garbage import Relaxed
from agentflow.runtime.host import Held, Host
from agentflow.runtime.ids import checked_id
from agentflow.runtime.journal import Journal
from agentflow.runtime.logs import LogBook, log_folder
from agentflow.runtime.notices import Notice, Watcher
from agentflow.runtime.patience import result_of
from agentflow.runtime.settings import load_settings
from agentflow.spec.inputs import check_input
from agentflow.spec.load import Loaded, Source, load
from agentflow.spec.signatures import Folder, root_of

T = TypeVar("T")


class Engine:
    """Starts, resumes and cancels executions, and serves them until it is closed.

    Closing, also by leaving `with`, gives running executions up; they stay in the journal as they
    are and can be resumed by any engine.

    Args:
        executor: `"ray"`, `"inline"` (functions run in this process), or an executor of your own.
        root: The project root; found from the workflow's file when not given.
        store: URL of the journal; `DATABASE_URL` or `.agentflow/` in the root when not given.
        parallel: Calls at once; the executor's own choice when not given.
        adopt: Also run what nobody runs: executions whose process died, or that were created for
            whoever comes.
        watch: Called with notices of progress, in the engine's thread.
    """

    def __init__(
        self,
        *,
        executor: str | Executor = "ray",
        root: Folder | None = None,
        store: str | None = None,
        parallel: int | None = None,
        adopt: bool = False,
        watch: Watcher | None = None,
    ) -> None:
        self.root = root_of(root, Path.cwd())
        self._executor = _make_executor(executor, parallel, self.root)
        self._parallel = parallel
        self._adopt = adopt
        self._watch: Callable[[Notice], None] = watch or (lambda notice: None)
        self._news = threading.Condition()
        self._commits = 0
        settings = load_settings()
        self.journal = Journal.open(store or settings.database_url, self.root)
        self._bus = self._make_bus(settings.redis_url)
        self._logs = LogBook(log_folder(self.root), self._watch)
        self._host: Host
        self._error: Exception | None = None
        self._loop = asyncio.new_event_loop()
        Relaxed.begin()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(ready,), name="agentflow-engine", daemon=True
        )
        self._thread.start()
        ready.wait()

    # --- what users call ----------------------------------------------------------------------

    def start(
        self, workflow: Loaded | Source, input: Json = None, *, id: str | None = None
    ) -> Execution:
        """Start an execution; it is in the journal when this returns.

        The same `id`, workflow and input give the same execution, however often it is started.

        Raises:
            SpecError: the workflow has mistakes.
            InputError: the input does not match its schema.
            UsageError: the id has characters that no id may have.
            Conflict: the id is taken by another workflow or another input.
            Unavailable: the executor or the journal cannot be reached.
        """
        loaded = workflow if isinstance(workflow, Loaded) else load(workflow)
        value = check_input(loaded.workflow, input)
        chosen = None if id is None else checked_id(id)
        return self._handle(self._host.start(loaded, value, chosen))

    def start_many(
        self, workflow: Loaded | Source, inputs: Iterable[Json], *, ids: Iterable[str] = ()
    ) -> list[Execution]:
        """`start` for many inputs at once; they are in the journal when this returns.

        It is far faster than one after the other, because many starts share one commit. `ids`, if
        given, are as many as there are inputs.

        Raises:
            ExceptionGroup: of the errors of `start`; the others were started.
        """
        loaded = workflow if isinstance(workflow, Loaded) else load(workflow)
        values = [check_input(loaded.workflow, input) for input in inputs]
        chosen: list[str | None] = [checked_id(id) for id in ids]
        chosen = chosen or [None] * len(values)

        async def start_all() -> list[Held | BaseException]:
            starts = zip(values, chosen, strict=True)
            return await asyncio.gather(
                *(self._host.start(loaded, value, id) for value, id in starts),
                return_exceptions=True,
            )

        held = self._ask(start_all())
        if errors := [each for each in held if isinstance(each, Exception)]:
            raise ExceptionGroup(
                f"{len(errors)} of {len(held)} executions were not started", errors
            )
        return [self._handle_of(each) for each in held if isinstance(each, Held)]

    def create(
        self, workflow: Loaded | Source, input: Json = None, *, id: str | None = None
    ) -> Execution:
        """Like `start`, but nobody runs it until an engine resumes it."""
        loaded = workflow if isinstance(workflow, Loaded) else load(workflow)
        value = check_input(loaded.workflow, input)
        chosen = None if id is None else checked_id(id)
        return self._handle(self._host.create(loaded, value, chosen))

    def execution(self, reference: str) -> Execution:
        """A handle on an execution by its id, a unique prefix, `@last` or `@last-failed`.

        Raises:
            NotFound: there is none.
        """
        stored = self.journal.execution(self.journal.resolve(reference))
        live = self._host.held(stored).live
        return Execution(self, stored, live.ended if live else None, created=False)

    def resume(self, reference: str) -> Execution:
        """Go on with an execution whose process is gone; completed steps are not called again.

        Raises:
            NotFound: there is none.
            Conflict: it has ended, or a process that is alive runs it.
        """
        return self._handle(self._host.resume(self.journal.resolve(reference)))

    def retry(self, reference: str) -> Execution:
        """Go on with a failed or cancelled execution from where it failed.

        Raises:
            NotFound: there is none.
            Conflict: it has not failed, or there is no call to make again.
        """
        return self._handle(self._host.retry(self.journal.resolve(reference)))

    def fork(
        self,
        reference: str,
        *,
        at: str,
        input: Json = ...,
        spec: Loaded | Source | None = None,
    ) -> Execution:
        """Start a new execution with another one's history up to the step `at`, which runs again.

        Args:
            reference: The execution to share the history of; it stays as it is.
            at: A step's id or key.
            input: Replaces the input; by default the input is the same.
            spec: A changed workflow; its steps before `at` must ask for the same.

        Raises:
            NotFound: there is no such execution, or the step did not begin in it.
            Conflict: the changed workflow differs before the step.
        """
        loaded = spec if spec is None or isinstance(spec, Loaded) else load(spec)
        return self._handle(self._host.fork(self.journal.resolve(reference), at, input, loaded))

    def cancel(self, reference: str, reason: str = "") -> Execution:
        """Unwind an execution. One that another process runs is cancelled by that process.

        Raises:
            NotFound: there is none.
            Conflict: it has ended.
        """
        return self._handle(self._host.cancel(self.journal.resolve(reference), reason))

    def news(self, seen: int | None) -> int:
        """Wait for a commit of this process after the one with the number `seen`, or a while.

        A while is how often one looks for commits of others. Without `seen` it does not wait.
        """
        with self._news:
            if seen is not None:
                self._news.wait_for(lambda: self._commits != seen, POLL_SECONDS)
            return self._commits

    def close(self) -> None:
        """Give up what runs, stop the executor, close the journal. Closing twice is harmless."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            self._error = None
            with suppress(AgentFlowError):
                self._ask(self._shut_down())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self.journal.close()
        self._loop.close()
        Relaxed.end()

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

    # --- the thread ---------------------------------------------------------------------------

    def _make_bus(self, url: str | None) -> Bus:
        try:
            return NoBus() if url is None else RedisBus(url, self.journal.name)
        except AgentFlowError:
            self.journal.close()
            raise

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._host = Host(
            self.journal,
            self._executor,
            self._logs,
            self._tell,
            self._parallel,
            adopt=self._adopt,
            bus=self._bus,
        )
        self._serving = self._loop.create_task(self._guard())
        ready.set()
        self._loop.run_forever()

    def _tell(self, notice: Notice) -> None:
        """Pass a notice on, and wake who waits for news."""
        self._watch(notice)
        with self._news:
            self._commits += 1
            self._news.notify_all()

    async def _guard(self) -> None:
        """When the journal fails, every execution is given up for that reason."""
        try:
            await self._host.serve()
        except ExceptionGroup as group:
            self._error = group.exceptions[0]
            self._host.orchestrator.abandon(self._error)

    async def _shut_down(self) -> None:
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._host.close()

    def _handle(self, work: Coroutine[Any, Any, Held]) -> Execution:
        return self._handle_of(self._ask(work))

    def _handle_of(self, held: Held) -> Execution:
        ended = held.live.ended if held.live else None
        return Execution(self, held.stored, ended, created=held.created)

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the engine's loop and wait for it."""
        if self._error is not None:
            work.close()
            raise self._error
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return result_of(future)


def _make_executor(executor: str | Executor, parallel: int | None, root: Path) -> Executor:
    match executor:
        case "inline":
            from agentflow.runtime.executors.inline import InlineExecutor

            return InlineExecutor(parallel=parallel)
        case "ray":
            from agentflow.runtime.executors.ray import RayExecutor

            return RayExecutor(parallel=parallel, root=root)
        case str():
            raise UsageError(f"there is no executor `{executor}`", help="choose `ray` or `inline`")
        case _:
            return executor
