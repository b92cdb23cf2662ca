"""A batch run from its caller's side: results, failures, stopping and cancelling."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentflow.errors import (
    AgentFlowError,
    ExecutionCancelled,
    ExecutionFailed,
    Json,
    Unavailable,
)
from agentflow.runtime.batch.combining import Combining
from agentflow.runtime.batch.driver import Driver, Stopped
from agentflow.runtime.batch.feed import Feed
from agentflow.runtime.batch.history import Failure, History
from agentflow.runtime.batch.importing import Reference
from agentflow.runtime.batch.ledger import Description, Ledger
from agentflow.runtime.batch.options import Options
from agentflow.runtime.batch.progress import Bar
from agentflow.runtime.batch.results import Outbox
from agentflow.runtime.batch.session import session
from agentflow.runtime.batch.sizing import TARGET_SECONDS, Sizing
from agentflow.runtime.batch.sources import Source
from agentflow.runtime.batch.spill import Spill
from agentflow.runtime.batch.tally import Tally
from agentflow.runtime.batch.work import Tasks
from agentflow.runtime.executors.protocol import Executor
from agentflow.runtime.journal.protocol import ENDED, StoredExecution
from agentflow.runtime.logs import log_folder

_HEAVY_SECONDS = 5.0
"""How long a chunk should take that is a Ray task of its own, with a process of its own."""
_SHOWN = 80
"""Characters of an input in a message."""
_REPLAYED = 64
"""Chunks whose recorded results may wait to be taken."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch run as its caller asked for it."""

    id: str
    source: Source
    function: Reference
    reduce: Reference | None
    initial: dict[str, Json] | None
    """A parcel."""
    options: Options
    root: Path
    executor: str | Executor = "ray"
    store: str | None = None
    only_failed: bool = False
    watched: bool = False

    @property
    def description(self) -> Description:
        """What the journal says of it."""
        return Description(
            "map" if self.reduce is None else "map-reduce",
            self.function.path,
            self.reduce.path if self.reduce is not None else None,
            self.initial,
            self.source.described(),
            self.options.described(),
            self.root,
        )


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
        self._driver: Driver | None = None
        self._session = session()
        self._bar = Bar(plan.description.workflow, self._tally) if plan.watched else None
        self._over: Future[Any] = self._session.ask(self._carry_out())

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
        return self._patiently(self._over.result)

    def stop(self) -> None:
        """Stop, and wait until chunks that are under way are recorded, for some seconds.

        Nothing is cancelled: the same call with the same id goes on where this one stopped.
        """
        self._tell(lambda driver: driver.stop())
        self._await_end()

    def cancel(self) -> None:
        """End the run as cancelled, and wait until that is recorded."""
        self._tell(lambda driver: driver.cancel())
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
            self._tell(lambda driver: driver.stop())

    async def _result_async(self) -> Any:
        if self._plan.reduce is None:
            return [value async for value in self]
        try:
            return await asyncio.wrap_future(self._over)
        except asyncio.CancelledError:
            self._tell(lambda driver: driver.stop())
            raise

    def _patiently(self, work: Callable[[], Any]) -> Any:
        """Wait; Ctrl-C stops the run, and once more cancels it."""
        try:
            return work()
        except KeyboardInterrupt:
            self._interrupt()
            raise

    def _interrupt(self) -> None:
        self._tell(lambda driver: driver.stop())
        try:
            _note("\nStopping: what is under way is finished first. Ctrl-C again cancels the run.")
            self._await_end()
        except KeyboardInterrupt:
            self.cancel()
            _note(f"Cancelled · {self.id}")
            return
        done = f"{self._tally.items:,} items are kept"
        _note(f"Stopped · {self.id}: {done}; the same call with id={self.id!r} goes on.")

    def _tell(self, act: Callable[[Driver], None]) -> None:
        """Have the driver do something; a run that has not begun yet is given up."""

        def tell() -> None:
            if self._driver is not None:
                act(self._driver)
            elif not self._over.done():
                self._over.cancel()

        with suppress(RuntimeError):  # the session is closed, and the run is over with it
            self._session.loop.call_soon_threadsafe(tell)

    def _await_end(self) -> None:
        with suppress(AgentFlowError, CancelledError, Exception):
            self._over.exception()

    # --- in the session's loop ----------------------------------------------------------------

    async def _carry_out(self) -> Any:
        error: BaseException | None = None
        try:
            return await self._attempt()
        except BaseException as raised:
            error = self._explained(raised)
            if error is raised:
                raise
            raise error from None
        finally:
            self._driver = None
            if self._bar is not None:
                await asyncio.to_thread(self._bar.close)
            self._outbox.close(error)

    async def _attempt(self) -> Any:
        plan = self._plan
        store = await self._session.store(plan.store, plan.root)
        ledger = Ledger(store, plan.id)
        parallel = os.cpu_count() or 1
        history, stored = await ledger.open(
            plan.description, parallel, only_failed=plan.only_failed
        )
        try:
            if stored.status in ENDED and not plan.only_failed:
                return await self._recorded(ledger, history, stored)
            return await self._drive(ledger, history)
        finally:
            with suppress(AgentFlowError):
                await ledger.release()

    async def _drive(self, ledger: Ledger, history: History) -> Any:
        plan = self._plan
        options = plan.options
        workers = options.concurrency
        if workers is not None and workers <= (os.cpu_count() or 1):
            workers = None
        self._tally.phase = "starting Ray" if plan.executor == "ray" else None
        crew = await self._session.join(plan.executor, workers, plan.root, plan.id)
        self._tally.phase = None
        # Workers of a Ray that was started here are here; those of a cluster may be anywhere.
        spill = Spill() if getattr(crew.executor, "owns_ray", False) else None
        try:
            tasks = Tasks(
                plan.id,
                plan.description.workflow,
                str(plan.root),
                plan.function,
                plan.reduce,
                options,
                None if ledger.place is None else {"blobs": ledger.place},
                ends_items=plan.executor != "inline",
                spill=spill,
            )
            sizing = Sizing(
                crew.executor.parallel,
                plan.source.total,
                fixed=options.chunk,
                target=TARGET_SECONDS if options.resources is None else _HEAVY_SECONDS,
            )
            loop = asyncio.get_running_loop()
            feed = Feed(
                plan.source,
                sizing,
                history,
                only_failed=plan.only_failed or history.round > 1,
                on_ready=self._pump,
            )
            combining = None
            if plan.reduce is not None:
                combining = Combining(
                    tasks,
                    crew.executor,
                    ledger,
                    history,
                    arity=options.arity,
                    initial=plan.initial,
                )
            self._driver = driver = Driver(
                ledger,
                crew.executor,
                tasks,
                feed,
                sizing,
                options=options,
                tally=self._tally,
                outbox=self._outbox,
                combining=combining,
                printed=self._printed,
            )
            crew.takers[plan.id] = driver
            self._outbox.on_taken = lambda: loop.call_soon_threadsafe(self._pump)
            parcel = await driver.carry_out()
            return None if parcel is None else await ledger.value(parcel)
        finally:
            if spill is not None:
                spill.close()
            await self._session.leave(crew, plan.id)

    def _pump(self) -> None:
        if self._driver is not None:
            self._driver.pump()

    async def _recorded(self, ledger: Ledger, history: History, stored: StoredExecution) -> Any:
        """The results of a run that is over."""
        for done in history.ordered():
            for chunk in (done.first, *done.again):
                self._tally.done(chunk)
        if stored.status == "failed":
            raise ExecutionFailed(self.id, stored.error)
        if stored.status == "cancelled":
            raise ExecutionCancelled(self.id)
        if self._plan.reduce is not None:
            parcel = history.result or self._plan.initial
            return None if parcel is None else await ledger.value(parcel)
        room = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._outbox.on_taken = lambda: loop.call_soon_threadsafe(room.set)
        for done in history.ordered():
            while len(self._outbox) >= _REPLAYED:
                room.clear()
                await room.wait()
            values = await ledger.results(done)
            self._outbox.put(done.first.start, done.first.stop, values)
        return None

    def _explained(self, error: BaseException) -> BaseException:
        """The error, with what to do next."""
        again = f"the same call with id={self.id!r}"
        match error:
            case Stopped() | asyncio.CancelledError():
                return Unavailable(f"batch run {self.id} was stopped", help=f"{again} goes on")
            case ExecutionFailed():
                first = self.failures[0] if self.failures else None
                what = "" if first is None else f"item {first.index} is {_shortened(first.input)}; "
                error.help = f"{what}{again} and only_failed=True tries what failed again"
            case ExecutionCancelled() | AgentFlowError():
                pass
            case Exception():
                error.add_note(f"Batch run {self.id} was stopped by this error; {again} goes on.")
        return error

    def _printed(self, key: str, lines: Sequence[str]) -> None:
        """Keep what a function printed where `agentflow logs` finds it."""
        if self._bar is not None:
            self._bar.printed(key, lines)
        folder = log_folder(self._plan.root)
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        with (folder / f"{self.id}.log").open("a", encoding="utf-8") as file:
            file.writelines(f"{now.replace('+00:00', 'Z')} {key} {line}\n" for line in lines)


def _shortened(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _note(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201  # the person at the keyboard waits
