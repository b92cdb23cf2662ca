"""A batch run from the session's side: it is opened, carried out, and told to stop or to cancel."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from agentflow.errors import (
    AgentFlowError,
    ExecutionCancelled,
    ExecutionFailed,
    InputError,
    Json,
    Unavailable,
)
from agentflow.runtime.batch.combining import Combining
from agentflow.runtime.batch.driver import Driver, Stopped
from agentflow.runtime.batch.feed import Feed
from agentflow.runtime.batch.history import History
from agentflow.runtime.batch.importing import Reference
from agentflow.runtime.batch.ledger import Description, Ledger
from agentflow.runtime.batch.options import Options
from agentflow.runtime.batch.passing import Passing
from agentflow.runtime.batch.progress import Bar
from agentflow.runtime.batch.results import Outbox
from agentflow.runtime.batch.session import Session
from agentflow.runtime.batch.sizing import TARGET_SECONDS, Sizing
from agentflow.runtime.batch.sources import Source
from agentflow.runtime.batch.spill import Spill
from agentflow.runtime.batch.tally import Tally
from agentflow.runtime.batch.work import Tasks
from agentflow.runtime.executors.protocol import Executor, OnRay
from agentflow.runtime.journal.protocol import ENDED, StoredExecution
from agentflow.runtime.logs import keep_lines, log_folder
from agentflow.runtime.machine.protocol import Ended

T = TypeVar("T")

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


class Attempt:
    """One process's attempt at a run. Used in the session's loop, but for its results."""

    def __init__(
        self, plan: Plan, session: Session, tally: Tally, outbox: Outbox, bar: Bar | None
    ) -> None:
        self._plan = plan
        self._session = session
        self._tally = tally
        self._outbox = outbox
        self._bar = bar
        self._driver: Driver | None = None
        self._waiting: asyncio.Task[Any] | None = None
        self._given_up: Literal["stop", "cancel"] | None = None
        """What was asked for while nothing was handed out."""

    async def carry_out(self) -> Any:
        """Work until the end; gives the combined result.

        Raises:
            AgentFlowError: as for `BatchRun.results`.
            Exception: whatever the caller's iterable raises.
        """
        error: BaseException | None = None
        try:
            return await self._carried_out()
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

    def stop(self) -> None:
        """Stop; what is recorded stays."""
        if self._driver is not None:
            self._driver.stop()
        else:
            self._give_up("stop")

    def cancel(self) -> None:
        """End the run as cancelled."""
        if self._driver is not None:
            self._driver.cancel()
        else:
            self._give_up("cancel")

    def _give_up(self, how: Literal["stop", "cancel"]) -> None:
        """Nothing is handed out yet: what can be cut short, is."""
        self._given_up = how
        if self._waiting is not None:
            self._waiting.cancel()

    async def _unless_given_up(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something that may be cut short, as writing to the journal may not.

        Raises:
            CancelledError: it was.
        """
        self._waiting = waiting = asyncio.get_running_loop().create_task(work)
        if self._given_up is not None:
            waiting.cancel()
        try:
            return await waiting
        finally:
            self._waiting = None

    async def _carried_out(self) -> Any:
        plan = self._plan
        store = await self._session.store(plan.store, plan.root)
        ledger = Ledger(store, plan.id)
        with self._session.only(store, plan.id):
            try:
                return await self._opened(ledger)
            except asyncio.CancelledError:
                if self._given_up != "cancel" or not ledger.is_owned:
                    raise
                await ledger.record(end=Ended(time.time(), "cancelled"))
                raise ExecutionCancelled(plan.id) from None
            finally:
                with suppress(AgentFlowError):
                    await ledger.release()

    async def _opened(self, ledger: Ledger) -> Any:
        plan = self._plan
        parallel = os.cpu_count() or 1
        history, stored = await ledger.open(
            plan.description, parallel, only_failed=plan.only_failed
        )
        if stored.status in ENDED and not plan.only_failed:
            return await self._unless_given_up(self._recorded(ledger, history, stored))
        return await self._drive(ledger, history)

    async def _drive(self, ledger: Ledger, history: History) -> Any:
        plan = self._plan
        workers = plan.options.concurrency
        if workers is not None and workers <= (os.cpu_count() or 1):
            workers = None
        self._tally.phase = "starting Ray" if plan.executor == "ray" else None
        joining = self._session.join(plan.executor, workers, plan.root, plan.id)
        crew = await self._unless_given_up(joining)
        self._tally.phase = None
        executor = crew.executor
        # Workers of a Ray that was started here are here; those of a cluster may be anywhere.
        spill = Spill() if isinstance(executor, OnRay) and executor.owns_ray else None
        passing = Passing(ledger, executor, is_combined=plan.reduce is not None)
        try:
            driver = self._made(ledger, history, executor, passing, spill)
            loop = asyncio.get_running_loop()
            self._driver = passing.hearer = driver
            crew.takers[plan.id] = passing
            self._outbox.on_taken = lambda: loop.call_soon_threadsafe(self._pump)
            parcel = await driver.carry_out()
            return None if parcel is None else await ledger.value(parcel)
        finally:
            if spill is not None:
                spill.close()
            await passing.close()
            await self._session.leave(crew, plan.id)

    def _made(
        self,
        ledger: Ledger,
        history: History,
        executor: Executor,
        passing: Passing,
        spill: Spill | None,
    ) -> Driver:
        """The driver, with everything it needs."""
        plan, options = self._plan, self._plan.options
        tasks = self._tasks(passing, spill)
        sizing = Sizing(
            executor.parallel,
            plan.source.total,
            fixed=options.chunk,
            target=TARGET_SECONDS if options.resources is None else _HEAVY_SECONDS,
        )
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
                executor,
                ledger,
                passing,
                history,
                arity=options.arity,
                initial=plan.initial,
            )
        return Driver(
            ledger,
            executor,
            tasks,
            feed,
            sizing,
            options=options,
            tally=self._tally,
            outbox=self._outbox,
            combining=combining,
            printed=self._printed,
        )

    def _tasks(self, passing: Passing, spill: Spill | None) -> Tasks:
        """What makes tasks of chunks."""
        plan = self._plan
        return Tasks(
            plan.id,
            plan.description.workflow,
            str(plan.root),
            plan.function,
            plan.reduce,
            plan.options,
            passing.place,
            ends_items=plan.executor != "inline",
            spill=spill,
        )

    def _pump(self) -> None:
        if self._driver is not None:
            self._driver.pump()

    async def _recorded(self, ledger: Ledger, history: History, stored: StoredExecution) -> Any:
        """The results of a run that is over."""
        for done in history.ordered():
            for chunk in (done.first, *done.again):
                self._tally.done(chunk)
        if stored.status == "failed":
            raise ExecutionFailed(self._plan.id, stored.error)
        if stored.status == "cancelled":
            raise ExecutionCancelled(self._plan.id)
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
        id = self._plan.id
        again = f"the same call with id={id!r}"
        match error:
            case Stopped() | asyncio.CancelledError():
                return Unavailable(f"batch run {id} was stopped", help=f"{again} goes on")
            case ExecutionFailed():
                first = next(iter(self._tally.failures), None)
                what = "" if first is None else f"item {first.index} is {_shortened(first.input)}; "
                error.help = f"{what}{again} and only_failed=True tries what failed again"
            case InputError() if self._tally.items:
                error.help += f"; with others, {again} and only_failed=True goes on"
            case ExecutionCancelled() | AgentFlowError():
                pass
            case Exception():
                error.add_note(f"Batch run {id} was stopped by this error; {again} goes on.")
        return error

    def _printed(self, key: str, lines: Sequence[str]) -> None:
        """Keep what a function printed where `agentflow logs` finds it."""
        if self._bar is not None:
            self._bar.printed(key, lines)
        keep_lines(log_folder(self._plan.root), self._plan.id, key, lines)


def _shortened(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
