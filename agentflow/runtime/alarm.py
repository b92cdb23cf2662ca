"""Timers of many executions behind one alarm of the event loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

LONGEST = 3600.0
"""Seconds the loop's alarm is set for at most; clocks may jump while it waits."""


class Alarm:
    """Rings for `(due, execution, key)`, never early; a withdrawn timer rings for nobody."""

    def __init__(self, clock: Callable[[], float], ring: Callable[[float, str, str], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timers: list[tuple[float, str, str]] = []
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due: float, execution: str, key: str) -> None:
        """Ring at `due`, in Unix seconds."""
        timer = (due, execution, key)
        heapq.heappush(self._timers, timer)
        if self._timers[0] is timer:
            self._arm()

    def stop(self) -> None:
        """Ring no more."""
        self._timers.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        delay = max(0.0, self._timers[0][0] - self._clock())
        self._handle = asyncio.get_running_loop().call_later(min(delay, LONGEST), self._due)

    def _due(self) -> None:
        self._handle = None
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            self._ring(*heapq.heappop(self._timers))
        if self._timers:
            self._arm()
