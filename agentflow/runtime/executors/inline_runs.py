"""Tasks under way in this process; see `inline` for the executor they belong to.

What runs in which thread is marked: a run's own thread or loop only ever posts to the executor.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Protocol

from agentflow.errors import Json
from agentflow.functions.context import Context
from agentflow.functions.encoding import decode, duplicate
from agentflow.functions.failures import Stopped
from agentflow.functions.invoke import Outcome, Stream, invoke, invoke_async, is_async
from agentflow.runtime.executors.calls import failure, timeout_error
from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.executors.reports import call_of
from agentflow.runtime.executors.threads import Claim, Threads, interrupt

ASYNC_ITEMS = 64
"""Items of one batch that an async function works on at once."""


class Home(Protocol):
    """What a run needs of its executor."""

    threads: Threads

    @property
    def coroutines(self) -> asyncio.AbstractEventLoop:
        """The loop of coroutine functions."""
        ...

    def after(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something later, in the executor's loop."""
        ...

    def post(self, message: Callable[[], None]) -> None:
        """Have something done in the executor's loop, soon, in order; from any thread."""
        ...

    def tell(self, run: Run, report: Report) -> None:
        """Report, unless the run was withdrawn; in the executor's loop."""
        ...


@dataclass(eq=False)
class Run(ABC):
    """A task that is under way."""

    executor: Home
    task: Task
    stopped: bool = False

    def __post_init__(self) -> None:
        self.call = call_of(self.task)

    @abstractmethod
    def begin(self) -> None:
        """Start the work."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the work; nothing of it is reported any more."""

    def printed(self, line: str) -> None:
        """Pass on a line that the function printed; from any thread."""
        report = self.report("printed", lines=(line,))
        self.executor.post(lambda: self.executor.tell(self, report))

    def report(self, kind: str, **fields: Json) -> Report:
        """A report about this task."""
        return Report(self.task.execution, self.task.key, self.task.attempt, kind, **fields)  # type: ignore[arg-type]  # the literal is the caller's

    def fail(self, error: Json) -> None:
        """Report that it failed for a reason of the executor's own; in the executor's loop."""
        self.executor.tell(self, self.report("failed", error=error, trace=[]))


@dataclass(eq=False)
class Item:
    """A call that has begun: one of the batch's, or the only one."""

    index: int
    interrupt: Callable[[], None]
    claim: Claim = field(default_factory=Claim)
    timer: asyncio.TimerHandle | None = None


class CallRun(Run):
    """A call, or a batch of calls.

    A thread takes the items of a plain function one after another; when one of them times out,
    another thread goes on behind it. Items of a coroutine function run side by side.
    """

    def begin(self) -> None:
        self.outcomes: dict[int, Json] = {}
        self.items: dict[int, Item] = {}
        self.began = 0.0
        self.tasks: set[asyncio.Task[None]] = set()
        if self.task.calls:
            self.executor.threads.put(lambda: self._serve(0))
        else:
            self.executor.tell(self, self._result(0.0))

    def stop(self) -> None:
        self.stopped = True
        for item in list(self.items.values()):
            if item.claim.take():
                item.interrupt()
        for item in list(self.items.values()):
            if item.timer is not None:
                item.timer.cancel()

    # --- in a thread ---

    def _serve(self, first: int) -> bool:
        self.began = self.began or time.perf_counter()
        if self.stopped:
            return True
        if is_async(self.call.function, self.call.root):
            self.executor.post(self._begin_coroutines)
            return True
        ident = threading.get_ident()
        for index in range(first, len(self.task.calls)):
            item = Item(index, lambda: self.executor.threads.stop(ident))
            self._enter(item)
            if self.stopped:
                return item.claim.take()
            try:
                outcome = invoke(
                    self.call.function,
                    self.call.root,
                    duplicate(self.task.calls[index]),
                    self._context(index),
                    printed=self.printed,
                )
            except Stopped:
                return False
            if not item.claim.take():
                return False
            self._leave(item, outcome)
        return True

    def _enter(self, item: Item) -> None:
        self.items[item.index] = item
        if self.task.timeout is not None:
            self.executor.post(lambda: self._watch(item))

    def _leave(self, item: Item, outcome: Outcome) -> None:
        if outcome.error is None:
            assert outcome.value is not None
            value = {"value": decode(outcome.value)}
        else:
            value = failure(outcome.error, outcome.trace)
        self.executor.post(lambda: self._finish(item, value))

    def _context(self, index: int) -> Context:
        return self.call.context(index if self.task.kind == "batch" else None)

    # --- in the coroutines' loop ---

    def _begin_coroutines(self) -> None:
        loop = self.executor.coroutines
        loop.call_soon_threadsafe(self._open_coroutines, loop)

    def _open_coroutines(self, loop: asyncio.AbstractEventLoop) -> None:
        free = asyncio.Semaphore(1 if self.task.in_turn else ASYNC_ITEMS)
        for index in range(len(self.task.calls)):
            task = loop.create_task(self._await(index, free))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _await(self, index: int, free: asyncio.Semaphore) -> None:
        async with free:
            task = asyncio.current_task()
            assert task is not None
            loop = asyncio.get_running_loop()
            item = Item(index, lambda: cancel(loop, task))
            self._enter(item)
            if self.stopped:
                return
            outcome = await invoke_async(
                self.call.function,
                self.call.root,
                duplicate(self.task.calls[index]),
                self._context(index),
                printed=self.printed,
            )
            if item.claim.take():
                self._leave(item, outcome)

    # --- in the executor's loop ---

    def _watch(self, item: Item) -> None:
        if not self.stopped and item.index not in self.outcomes:
            assert self.task.timeout is not None
            item.timer = self.executor.after(self.task.timeout, lambda: self._expire(item))

    def _expire(self, item: Item) -> None:
        if not item.claim.take():
            return
        item.interrupt()
        assert self.task.timeout is not None
        self._finish(item, failure(timeout_error(self.task.timeout)))
        following = item.index + 1
        if not self.tasks and following < len(self.task.calls):
            self.executor.threads.put(lambda: self._serve(following))

    def _finish(self, item: Item, outcome: Json) -> None:
        if item.timer is not None:
            item.timer.cancel()
        self.items.pop(item.index, None)
        self.outcomes[item.index] = outcome
        if len(self.outcomes) == len(self.task.calls):
            self.executor.tell(self, self._result(time.perf_counter() - self.began))

    def _result(self, elapsed: float) -> Report:
        if self.task.kind == "batch":
            outcomes = [self.outcomes[index] for index in range(len(self.outcomes))]
            return self.report("batch", values=outcomes, elapsed=elapsed)
        outcome = self.outcomes[0]
        if "value" in outcome:
            return self.report("completed", value=outcome["value"], elapsed=elapsed)
        error, trace = outcome["error"], outcome["trace"]
        return self.report("failed", error=error, trace=trace, elapsed=elapsed)


def cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    """Cancel a coroutine that runs in another thread's loop."""
    with suppress(RuntimeError):  # the loop is closed, and the task with it
        loop.call_soon_threadsafe(task.cancel)


class StreamRun(Run):
    """A stream, in a thread of its own, which sleeps while nobody asks for values.

    The timeout bounds the time the function itself takes, not the time it waits for demand.
    """

    def begin(self) -> None:
        self.allowed: SimpleQueue[int] = SimpleQueue()
        self.allowed.put(self.task.demand)
        self.item: Item | None = None
        self.used = 0.0
        threading.Thread(target=self._serve, name="agentflow-stream", daemon=True).start()

    def demand(self, count: int) -> None:
        """Allow `count` more values."""
        self.allowed.put(count)

    def stop(self) -> None:
        self.stopped = True
        self.allowed.put(0)
        item = self.item
        if item is not None and item.claim.take():
            item.interrupt()

    # --- in its thread ---

    def _serve(self) -> None:
        with suppress(Stopped):
            stream = Stream(
                self.call.function,
                self.call.root,
                duplicate(self.task.calls[0]),
                self.call.context(bounded=False),
                skip=self.task.skip,
                printed=self.printed,
            )
            while self._allowed() and self._next(stream):
                pass
            stream.close()

    def _allowed(self) -> bool:
        """Wait for demand; False when the stream was stopped."""
        count = 0
        while not count and not self.stopped:
            count = self.allowed.get()
        if count > 1:
            self.allowed.put(count - 1)
        return not self.stopped

    def _next(self, stream: Stream) -> bool:
        ident = threading.get_ident()
        item = self.item = Item(0, lambda: interrupt(ident))
        if self.task.timeout is not None:
            self.executor.post(lambda: self._watch(item))
        began = time.perf_counter()
        outcome = stream.next()
        self.used += time.perf_counter() - began
        if not item.claim.take():
            return False
        self.executor.post(lambda: self._unwatch(item))
        report = self._report(outcome)
        self.executor.post(lambda: self.executor.tell(self, report))
        return report.kind == "yielded"

    def _report(self, outcome: Outcome | None) -> Report:
        if outcome is None:
            return self.report("completed", elapsed=self.used)
        if outcome.error is not None:
            return self.report("failed", error=outcome.error, trace=outcome.trace)
        assert outcome.value is not None
        return self.report("yielded", values=[decode(outcome.value)])

    # --- in the executor's loop ---

    def _watch(self, item: Item) -> None:
        assert self.task.timeout is not None
        left = max(0.0, self.task.timeout - self.used)
        item.timer = self.executor.after(left, lambda: self._expire(item))

    def _unwatch(self, item: Item) -> None:
        if item.timer is not None:
            item.timer.cancel()

    def _expire(self, item: Item) -> None:
        if item.claim.take():
            item.interrupt()
            assert self.task.timeout is not None
            self.fail(timeout_error(self.task.timeout))
