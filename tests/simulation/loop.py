"""An event loop whose time is virtual, and processes within it that can die at any await.

The loop never sleeps and opens no file: when nothing is ready it moves its clock to the next
timer. Tasks belong to a `Life`; when that ends, each of them is cancelled where it stands. What a
`finally` block does then reaches nobody: the doors to the world are closed by whoever made them.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any


class Stalled(Exception):
    """Nothing is ready and nothing is scheduled: everybody waits for somebody."""


class Crash(BaseException):
    """The process dies here. No `except Exception` of the engine must stop it."""


class VirtualLoop(BaseEventLoop):
    """Runs ready callbacks; when there are none, lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._selector = self  # what the base class asks for events while nothing is ready
        self._clock_resolution = 1e-9
        self.set_task_factory(_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now

    def select(self, timeout: float | None) -> list[object]:
        """Let `timeout` virtual seconds pass."""
        if timeout is None:
            raise Stalled
        if timeout > 0:
            self.now = max(self.now, self._scheduled[0].when())  # type: ignore[attr-defined]  # the exact time, not a sum
        return []

    def _process_events(self, events: list[object]) -> None:
        pass

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody has to be woken."""


class Life:
    """The tasks of one simulated process, from its start to its death."""

    def __init__(self, before_step: Callable[[], None]) -> None:
        self.before_step = before_step
        """Called before each step of each task; may raise `Crash`."""
        self.ended = False
        self._tasks: dict[asyncio.Task[Any], None] = {}

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine, and all tasks that it starts, as part of this life."""
        context = contextvars.copy_context()
        context.run(_life.set, self)
        return context.run(asyncio.get_running_loop().create_task, work)

    def end(self) -> None:
        """Die: every task is cancelled where it stands."""
        self.ended = True
        for task in list(self._tasks):
            task.cancel()

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Keep a task of this life until it is done."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))


_life: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine that asks before each of its steps whether it still lives."""

    def __init__(self, work: Coroutine[Any, Any, Any], life: Life) -> None:
        self._work = work
        self._life = life

    def send(self, value: Any) -> Any:
        """Take a step."""
        return self._step(lambda: self._work.send(value))

    def throw(
        self,
        kind: Any,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
    ) -> Any:
        """Take a step that begins with an exception."""
        return self._step(lambda: self._work.throw(kind))

    def close(self) -> None:
        """End the coroutine where it stands."""
        self._work.close()

    def _step(self, take: Callable[[], Any]) -> Any:
        life = self._life
        if not life.ended:
            try:
                life.before_step()
            except Crash:
                life.end()
        if life.ended:
            return self._work.throw(asyncio.CancelledError())
        try:
            return take()
        except Crash:
            life.end()
            raise asyncio.CancelledError from None

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self._work.__await__())


def _task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    life = _life.get()
    if life is None:
        return asyncio.Task(work, loop=loop, **options)
    task: asyncio.Task[Any] = asyncio.Task(_Steps(work, life), loop=loop, **options)
    life.adopt(task)
    return task
