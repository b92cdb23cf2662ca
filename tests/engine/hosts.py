"""Hosts without an engine around them, on journals and executors that do what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from agentflow import Unavailable
from agentflow.runtime.blocking import InThreads
from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Report
from agentflow.runtime.host import Held, Host
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.logs import LogBook
from agentflow.runtime.machine.protocol import Ended

ELSEWHERE = "another-machine:1:x"
"""An owner of whom nobody here can tell whether it lives: it counts as alive."""


class Unreliable(InThreads):
    """A journal whose calls with these names fail once; what they write is kept or not."""

    def __init__(self, *names: str, acknowledges: bool = True) -> None:
        super().__init__()
        self.names = list(names)
        self.acknowledges = acknowledges

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        if self.acknowledges:
            self._perhaps(work)
        result = await super().write(work, *args, **kwargs)
        self._perhaps(work)
        return result

    async def read(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        self._perhaps(work)
        return await super().read(work, *args, **kwargs)

    def _perhaps(self, work: Any) -> None:
        name = getattr(work, "__name__", "")
        if name in self.names:
            self.names.remove(name)
            raise Unavailable("the database is away")


class Idle:
    """An executor whose workers never answer: the test reports for them."""

    parallel = 4
    phase = None

    def __init__(self) -> None:
        self.withdrawn: list[tuple[str, str]] = []

    async def start(self, report: Callable[[list[Report]], None]) -> None:
        self.report = report

    def submit(self, tasks: object) -> None: ...

    def withdraw(self, execution: str, key: str) -> None:
        self.withdrawn.append((execution, key))

    def demand(self, execution: str, key: str, count: int) -> None: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def serving(root: Path, **options: Any) -> AsyncIterator[tuple[Host, Journal]]:
    """A host that serves, on the project's journal; it stops when the block ends."""
    journal = Journal.open(None, root)
    executor = options.pop("executor", None) or InlineExecutor()
    host = Host(journal, executor, LogBook(root / "logs", print), lambda _: None, 4, **options)
    work = asyncio.create_task(host.serve())
    try:
        yield host, journal
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError, ExceptionGroup):
            await work
        await host.close()
        journal.close()


async def until(condition: Callable[[], object]) -> None:
    """Let others run until something is so."""
    async with asyncio.timeout(60):
        while not condition():  # what is waited for has no event of its own
            await asyncio.sleep(0.001)


async def ended(held: Held) -> Ended:
    """How an execution that is served here ends."""
    assert held.live is not None
    how = await asyncio.wait_for(asyncio.wrap_future(held.live.ended), 60)
    assert how is not None
    return how
