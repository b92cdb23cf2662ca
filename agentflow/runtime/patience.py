"""Waiting in a thread that Ctrl-C must reach."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")

GLANCE: Final = 0.5
"""Seconds after which a wait looks up, see `result_of`."""


def result_of(future: Future[T], timeout: float | None = None) -> T:
    """What `future.result(timeout)` gives, in a wait that a signal always ends.

    A signal that comes while a thread gives the interpreter's lock away, on its way into a wait
    without end, is not looked at before that wait is over: on a busy process one Ctrl-C in ten had
    no effect.

    Raises:
        TimeoutError: there is no result yet.
        BaseException: what the work ended with.
    """
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        left = GLANCE if until is None else min(GLANCE, until - time.monotonic())
        try:
            return future.result(max(0.0, left))
        except TimeoutError:
            if future.done():
                return future.result()
            if until is not None and time.monotonic() >= until:
                raise
