"""A handle on one execution."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, TypeGuard

from agentflow.errors import ExecutionCancelled, ExecutionFailed, Json
from agentflow.runtime.journal.protocol import ENDED, Record, Status, StoredExecution
from agentflow.runtime.machine.protocol import Ended
from agentflow.runtime.patience import result_of
from agentflow.runtime.results import ResultStream

if TYPE_CHECKING:
    from agentflow.runtime.engine import Engine

POLL_SECONDS = 0.2


class Execution:
    """One run of a workflow: ask for its status, wait for its result, cancel it."""

    def __init__(
        self,
        engine: Engine,
        stored: StoredExecution,
        ended: concurrent.futures.Future[Ended | None] | None,
        *,
        created: bool,
    ) -> None:
        self._engine = engine
        self._ended = ended
        self.id = stored.id
        self.workflow = stored.workflow
        self.version = stored.version
        self.created = created
        """False when an execution with this id existed already."""

    def __repr__(self) -> str:
        return f"<Execution {self.id} of {self.workflow} {self.version}>"

    @property
    def status(self) -> Status:
        """What the journal says: running, waiting, succeeded, failed or cancelled."""
        return self.record().status

    def record(self) -> StoredExecution:
        """All the journal has about it, beside its history."""
        return self._engine.journal.execution(self.id)

    def events(self) -> list[Record]:
        """Its history so far, verified."""
        return self._engine.journal.history(self.id)

    def stream(self, step: str) -> ResultStream:
        """The results of a pipeline, in source order, each as soon as it is in the journal.

        Iterate over it with `for` or `async for`, while the execution runs or later. `step` is the
        pipeline's id; of one inside another step, its key (`outer.pages`, `rounds[3].pages`).

        Raises:
            UsageError: the workflow has no such pipeline.
            ExecutionFailed: while iterating: it ended with an error.
            ExecutionCancelled: while iterating: it was cancelled.
            Unavailable: while iterating: the engine had to give it up; it can be resumed.
        """
        return ResultStream(
            self._engine.journal,
            self.record(),
            step,
            ended=self._ended,
            news=self._engine.news,
            conclude=lambda: self._output(self.record()),
        )

    def cancel(self, reason: str = "") -> None:
        """Ask for it to be unwound: `finally` blocks and compensations run."""
        self._engine.cancel(self.id, reason)

    def result(self, timeout: float | None = None) -> Json:
        """Wait until it ends, at most `timeout` seconds, and give its output.

        Raises:
            ExecutionFailed: it ended with an error.
            ExecutionCancelled: it was cancelled.
            TimeoutError: it has not ended yet; it goes on.
            Unavailable: the engine had to give it up; it can be resumed.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        end = None if self._ended is None else result_of(self._ended, timeout)
        if _is_final(end):
            return end.output
        while (stored := self.record()).status not in ENDED:
            if limit is not None and time.monotonic() >= limit:
                raise TimeoutError(f"execution {self.id} has not ended yet")
            time.sleep(POLL_SECONDS)
        return self._output(stored)

    def __await__(self) -> Generator[object, None, Json]:
        return self._wait().__await__()

    async def _wait(self) -> Json:
        end = None if self._ended is None else await asyncio.wrap_future(self._ended)
        if _is_final(end):
            return end.output
        # In a thread: the caller's event loop does not wait for a store.
        while (stored := await asyncio.to_thread(self.record)).status not in ENDED:  # noqa: ASYNC110  # elsewhere
            await asyncio.sleep(POLL_SECONDS)
        return self._output(stored)

    def _output(self, stored: StoredExecution) -> Json:
        if stored.status == "failed":
            raise ExecutionFailed(self.id, stored.error)
        if stored.status == "cancelled":
            raise ExecutionCancelled(self.id)
        return stored.output


def _is_final(end: Ended | None) -> TypeGuard[Ended]:
    """Whether nobody can have gone on since, so that the journal need not be asked."""
    return end is not None and end.status == "succeeded"
