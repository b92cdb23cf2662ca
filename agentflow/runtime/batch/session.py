"""What the batch runs of a process share: a thread with an event loop, executors, open journals.

Ray takes seconds to start, and workers a part of one. So they are kept for the next run of the
process, and end with it.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from agentflow.errors import AgentFlowError, Conflict, UsageError
from agentflow.runtime.batch.store import Store
from agentflow.runtime.executors.protocol import Executor, OnRay, Report
from agentflow.runtime.settings import load_settings

T = TypeVar("T")


class Taker(Protocol):
    """Whoever takes the reports of one run."""

    def take(self, reports: Sequence[Report]) -> None:
        """Take reports; called in the session's loop."""
        ...


class Crew:
    """A started executor, and which run each report is for."""

    def __init__(self, executor: Executor, *, kept: bool) -> None:
        self.executor = executor
        self.kept = kept
        """Whether it stays when no run needs it."""
        self.takers: dict[str, Taker | None] = {}
        self._starting: asyncio.Task[None] | None = None
        self.is_started = False

    async def start(self) -> None:
        """Start the executor, once; whoever gives up waiting does not keep others from it.

        Raises:
            Unavailable: it cannot be started.
        """
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        await self.executor.start(self._take)
        self.is_started = True
        # A Ray that somebody else started may end before we do.
        self.kept = self.kept and isinstance(self.executor, OnRay) and self.executor.owns_ray

    def _take(self, reports: Sequence[Report]) -> None:
        by_run: dict[str, list[Report]] = {}
        for report in reports:
            by_run.setdefault(report.execution, []).append(report)
        for run, own in by_run.items():
            taker = self.takers.get(run)
            if taker is not None:
                taker.take(own)


class Session:
    """The thread, and what is kept in it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._crews: dict[object, Crew] = {}
        self._stores: dict[object, Store] = {}
        self._runs: set[tuple[Store, str]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._thread = threading.Thread(target=self._serve, name="agentflow-batch", daemon=True)
        self._thread.start()

    def ask(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the session's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def join(
        self, executor: str | Executor, workers: int | None, root: Path, run: str
    ) -> Crew:
        """A started executor, which stays until `run` leaves it.

        Raises:
            UsageError: there is none of this name.
            Unavailable: it cannot be started.
        """
        # A Ray of our own runs where the project is; a cluster is given a copy of it.
        key = (executor, workers, root if os.environ.get("RAY_ADDRESS") else None)
        crew = self._crews.get(key)
        if crew is None:
            crew = self._crews[key] = _crew(executor, workers, root)
        crew.takers[run] = None
        try:
            await crew.start()
        except asyncio.CancelledError:
            leaving = self.loop.create_task(self._leave_when_started(crew, run))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            raise
        except BaseException:
            crew.takers.pop(run, None)
            self._crews.pop(key, None)
            raise
        return crew

    async def leave(self, crew: Crew, run: str) -> None:
        """A run needs its executor no longer."""
        crew.takers.pop(run, None)
        if not crew.kept and not crew.takers:
            for key in [key for key, known in self._crews.items() if known is crew]:
                del self._crews[key]
            await crew.executor.close()

    async def _leave_when_started(self, crew: Crew, run: str) -> None:
        with suppress(AgentFlowError):
            await crew.start()
            await self.leave(crew, run)

    async def store(self, url: str | None, root: Path) -> Store:
        """An open journal.

        Raises:
            Unavailable: it cannot be reached or written.
        """
        url = url or load_settings().database_url
        key = (url, root)
        async with self._opening:
            if key not in self._stores:
                self._stores[key] = await asyncio.to_thread(Store, url, root)
            return self._stores[key]

    @contextmanager
    def only(self, store: Store, run: str) -> Iterator[None]:
        """Be the only one who runs this run in this process.

        Raises:
            Conflict: somebody does.
        """
        if (store, run) in self._runs:
            raise Conflict(
                f"batch run {run} is under way in this process",
                help="wait for its end, stop it, or choose another id",
            )
        self._runs.add((store, run))
        try:
            yield
        finally:
            self._runs.remove((store, run))

    def close(self) -> None:
        """End everything. Closing twice is harmless."""
        if self.loop.is_closed():
            return
        self.ask(self._close()).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _close(self) -> None:
        for crew in self._crews.values():
            if crew.is_started:
                await crew.executor.close()
        for store in self._stores.values():
            await store.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


_lock = threading.Lock()
_current: Session | None = None


def session() -> Session:
    """The session of this process."""
    global _current  # noqa: PLW0603  # there is one in a process, as there is one Ray
    with _lock:
        if _current is None:
            _current = Session()
        return _current


def close_session() -> None:
    """End what is kept for further batch runs: workers, a Ray of our own, open journals."""
    global _current
    with _lock:
        current, _current = _current, None
    if current is not None:
        current.close()


def _crew(executor: str | Executor, workers: int | None, root: Path) -> Crew:
    match executor:
        case "inline":
            from agentflow.runtime.executors.inline import InlineExecutor

            return Crew(InlineExecutor(parallel=workers), kept=False)
        case "ray":
            from agentflow.runtime.executors.ray import RayExecutor

            return Crew(RayExecutor(parallel=workers, root=root), kept=True)
        case str():
            raise UsageError(f"there is no executor `{executor}`", help="choose `ray` or `inline`")
        case _:
            return Crew(executor, kept=False)


def _at_exit() -> None:
    with suppress(Exception):
        close_session()


def _forget() -> None:
    """In a process that was forked the session's thread does not run: it has none yet."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
# Closing needs threads, and Python gives none any more when it calls what `atexit` knows.
getattr(threading, "_register_atexit", atexit.register)(_at_exit)
