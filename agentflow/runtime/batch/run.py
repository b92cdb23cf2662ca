"""A batch run from its caller's side: results, failures, stopping and cancelling."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from agentflow.runtime.batch.attempt import Attempt, Plan
from agentflow.runtime.batch.history import Failure
from agentflow.runtime.batch.progress import Bar
from agentflow.runtime.batch.results import Outbox
from agentflow.runtime.batch.session import session
from agentflow.runtime.batch.tally import Tally
from agentflow.runtime.patience import result_of


class BatchRun:
    """A batch run that is under way, or over.

    Iterating, also with `async for`, gives the results in the order of the items while the run goes
    on; `None` stands for items that failed and are tolerated. A run whose results nobody takes
    waits. Leaving the iteration early stops the run: what is recorded stays, and the same call
    with the same id goes on with it.
    """

    def __init__(self, plan: Plan) -> None:
        self.id = plan.id
        """The execution's id, as in `agentflow show ID`."""
        self._plan = plan
        self._tally = Tally()
        self._tally.total = plan.source.total
        self._tally.is_counted = plan.source.kind != "lines"
        self._outbox = Outbox()
        self._session = session()
        bar = Bar(plan.description.workflow, self._tally) if plan.watched else None
        self._attempt = Attempt(plan, self._session, self._tally, self._outbox, bar)
        self._over: Future[Any] = self._session.ask(self._attempt.carry_out())

    def __repr__(self) -> str:
        return f"<BatchRun {self.id} of {self._plan.function.path}>"

    # --- for callers --------------------------------------------------------------------------

    @property
    def failures(self) -> list[Failure]:
        """The items that failed so far, in their order, each with its error and its input."""
        return self._tally.failures

    def __iter__(self) -> Iterator[Any]:
        return self._values(ordered=True)

    def as_completed(self) -> Iterator[Any]:
        """The results as they come, in no particular order."""
        return self._values(ordered=False)

    def results(self) -> list[Any]:
        """Wait for the end and give the results in the order of the items.

        Raises:
            ExecutionFailed: more items failed than are tolerated, or the reduce did.
            ExecutionCancelled: somebody cancelled it.
            InputError: an item cannot be sent.
            Unavailable: Ray or the journal cannot be reached; what is recorded stays.
        """
        return list(self)

    def result(self) -> Any:
        """Wait for the end: the combined result of a run with a reduce, else the list of results.

        Raises:
            AgentFlowError: as for `results`.
        """
        if self._plan.reduce is None:
            return self.results()
        return self._patiently(lambda: result_of(self._over))

    def stop(self) -> None:
        """Stop, and wait until chunks that are under way are recorded, for some seconds.

        Nothing is cancelled: the same call with the same id goes on where this one stopped.
        """
        self._tell(self._attempt.stop)
        self._await_end()

    def cancel(self) -> None:
        """End the run as cancelled, and wait until that is recorded."""
        self._tell(self._attempt.cancel)
        self._await_end()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._values_async()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result_async().__await__()

    # --- waiting ------------------------------------------------------------------------------

    def _values(self, *, ordered: bool) -> Iterator[Any]:
        self._outbox.open()
        try:
            while True:
                values = self._patiently(lambda: self._outbox.take(ordered=ordered))
                if values is None:
                    break
                yield from values
        finally:
            if not self._over.done():
                self.stop()

    async def _values_async(self) -> AsyncIterator[Any]:
        self._outbox.open()
        try:
            while True:
                values = await asyncio.to_thread(self._outbox.take, ordered=True)
                if values is None:
                    break
                for value in values:
                    yield value
        finally:
            self._tell(self._attempt.stop)

    async def _result_async(self) -> Any:
        if self._plan.reduce is None:
            return [value async for value in self]
        try:
            return await asyncio.wrap_future(self._over)
        except asyncio.CancelledError:
            self._tell(self._attempt.stop)
            raise

    def _patiently(self, work: Callable[[], Any]) -> Any:
        """Wait; Ctrl-C stops the run, and once more cancels it."""
        try:
            return work()
        except KeyboardInterrupt:
            self._interrupt()
            raise

    def _interrupt(self) -> None:
        self._tell(self._attempt.stop)
        try:
            _note("\nStopping: what is under way is finished first. Ctrl-C again cancels the run.")
            self._await_end()
        except KeyboardInterrupt:
            self.cancel()
            _note(f"Cancelled · {self.id}")
            return
        done = f"{self._tally.items:,} items are kept"
        _note(f"Stopped · {self.id}: {done}; the same call with id={self.id!r} goes on.")

    def _tell(self, act: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the session is closed, and the run is over with it
            self._session.loop.call_soon_threadsafe(act)

    def _await_end(self) -> None:
        with suppress(Exception):  # whoever takes the results is told
            result_of(self._over)


def _note(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201  # the person at the keyboard waits
