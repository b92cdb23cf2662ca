"""A limit on the time that one call in a loop of calls may take.

In a worker's main thread a signal ends the call, wherever Python is in it. A call that is in C and
does not come back sees no signal; then the process ends, and whoever gave it the work looks for the
item. Elsewhere there are no signals: whoever calls gives one item at a time, under a limit of its
own.
"""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from agentflow.errors import Fault

GRACE = 1.0
"""Seconds after the limit at which the process ends."""
_RENEW = 0.5
"""Seconds for which the longer limit is left as it is: setting it takes as long as a small call."""


def limited(function: Callable[[Any], Any], seconds: float) -> Callable[[Any], Any]:
    """The function, whose calls fail with `Timeout` when they take longer."""
    if threading.current_thread() is not threading.main_thread():
        return function
    armed = False
    renewed = 0.0

    def ring(*_: object) -> None:
        if armed:
            raise _timeout(seconds)

    def call(item: Any) -> Any:
        nonlocal armed, renewed
        now = time.monotonic()
        if now - renewed > _RENEW:
            renewed = now
            file = sys.__stderr__ or sys.stderr
            faulthandler.dump_traceback_later(seconds + GRACE + _RENEW, exit=True, file=file)
        armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return function(item)
        finally:
            armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    signal.signal(signal.SIGALRM, ring)
    return call


def unlimited() -> None:
    """Nothing is limited any more."""
    if threading.current_thread() is threading.main_thread():
        faulthandler.cancel_dump_traceback_later()


def limited_async(
    function: Callable[[Any], Awaitable[Any]], seconds: float
) -> Callable[[Any], Awaitable[Any]]:
    """The same for a coroutine function."""

    async def call(item: Any) -> Any:
        try:
            async with asyncio.timeout(seconds) as limit:
                return await function(item)
        except TimeoutError:
            if limit.expired():
                raise _timeout(seconds) from None
            raise

    return call


def _timeout(seconds: float) -> Fault:
    return Fault("Timeout", f"took longer than {seconds:g} s")
