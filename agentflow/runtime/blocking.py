"""Where the journal's blocking calls run, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Blocking(Protocol):
    """Runs calls that block. Writes happen one after another, in the order they are asked for."""

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that writes."""
        ...

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that only reads."""
        ...

    def close(self) -> None:
        """Wait for what runs."""
        ...


class InThreads:
    """One thread that writes, and the event loop's own pool for reading."""

    def __init__(self) -> None:
        self._writer = ThreadPoolExecutor(1, "agentflow-journal")

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that writes, after those before it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: work(*args, **kwargs))

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that only reads."""
        return await asyncio.to_thread(work, *args, **kwargs)

    def close(self) -> None:
        """Wait for what runs."""
        self._writer.shutdown()
