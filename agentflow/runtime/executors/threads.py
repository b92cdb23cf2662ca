"""Threads for calls that may have to be given up.

Python cannot stop a thread from outside for sure. So each call holds a *claim*: a list with one
token. Whoever takes the token first, the thread at the end of the call or the one that gives the
call up, decides; `list.pop` is atomic. A thread that lost its claim is sent `Stopped`, serves
nobody any more, and ends as soon as it runs Python again.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from agentflow.functions.failures import Stopped


class Claim:
    """The right to say how one call ended."""

    __slots__ = ("_token",)

    def __init__(self) -> None:
        self._token = [True]

    def take(self) -> bool:
        """Whether the caller is the first to ask."""
        try:
            return self._token.pop()
        except IndexError:
            return False


class Threads:
    """Up to `size` daemon threads, started as they are needed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._work: SimpleQueue[Callable[[], bool] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._serving = 0
        self._waiting = 0

    def put(self, work: Callable[[], bool]) -> None:
        """Run `work` in a thread; it says whether the thread may serve on."""
        with self._lock:
            self._waiting += 1
            self._add_thread()
        self._work.put(work)

    def stop(self, ident: int) -> None:
        """Stop a thread that lost its claim; another takes its place."""
        with self._lock:
            self._serving -= 1
            self._add_thread()
        interrupt(ident)

    def close(self) -> None:
        """Let the threads end when they have done what they are at."""
        with self._lock:
            for _ in range(self._serving):
                self._work.put(None)

    def _add_thread(self) -> None:
        if self._waiting > 0 and self._serving < self._size:
            self._serving += 1
            threading.Thread(target=self._serve, name="agentflow-call", daemon=True).start()

    def _serve(self) -> None:
        with suppress(Stopped):  # it may come late, when the claim was lost just before the end
            while (work := self._work.get()) is not None:
                with self._lock:
                    self._waiting -= 1
                if not work():
                    return


def interrupt(ident: int) -> None:
    """Raise `Stopped` in a thread, at the next step of Python it takes."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Stopped))


class LoopThread:
    """An event loop in a thread of its own, where coroutine functions run.

    They do not run in the orchestrator's loop, because one that blocks would stop its timers.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._serve, name="agentflow-coroutines", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the loop; coroutines that still run are cancelled."""
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()
