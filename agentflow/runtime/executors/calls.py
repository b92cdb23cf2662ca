"""What a worker must know of a task, apart from its arguments, and the errors executors make."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable
from dataclasses import dataclass

from agentflow.errors import Json, fault_value
from agentflow.functions.context import Context
from agentflow.functions.invoke import Outcome

_BATCH_KEY = re.compile(r"(.*)\[(\d+):\d+\](.*)")


@dataclass(frozen=True, slots=True)
class Call:
    """One call, or a batch of calls of one function, as a worker sees it."""

    function: str
    root: str
    execution: str
    workflow: str
    key: str
    attempt: int
    secrets: tuple[str, ...] = ()
    timeout: float | None = None
    """Seconds each call may take."""

    def context(self, index: int | None = None, *, bounded: bool = True) -> Context:
        """The context of the call, or of item `index` of the batch, that begins now.

        A stream has no deadline (`bounded=False`): the time it waits for demand does not count.
        """
        deadline = time.time() + self.timeout if bounded and self.timeout is not None else None
        step = self.key if index is None else item_key(self.key, index)
        return Context(
            self.execution, self.workflow, step, self.attempt, deadline, tuple(self.secrets)
        )


def item_key(batch: str, index: int) -> str:
    """The key of one item of a batch: the one it would have if it were called alone.

    >>> item_key("counts[64:128]", 3)
    'counts[67]'
    >>> item_key("pages[64:128].parse", 3)
    'pages[67].parse'
    """
    match = _BATCH_KEY.fullmatch(batch)
    return f"{match[1]}[{int(match[2]) + index}]{match[3]}" if match else f"{batch}[{index}]"


async def within(seconds: float | None, run: Awaitable[Outcome]) -> Outcome:
    """The outcome of a coroutine function's call, or that it took too long."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(seconds):
            return await run
    except TimeoutError:
        assert seconds is not None
        elapsed = time.perf_counter() - began
        return Outcome(error=timeout_error(seconds), trace=[], elapsed=elapsed)


def timeout_error(seconds: float) -> dict[str, Json]:
    """The error of a call that took too long."""
    return fault_value("Timeout", f"took longer than {seconds:g} s")


def lost_error(reason: str) -> dict[str, Json]:
    """The error of a call whose worker died."""
    return fault_value("WorkerLost", f"the worker died while it ran this: {reason}")


def failure(error: Json, trace: Json = None) -> dict[str, Json]:
    """A failed outcome of a batch's item."""
    return {"error": error, "trace": trace or []}
