"""Python's cycle collector, while engines run.

An engine makes many objects and next to no cycles. By default Python looks for cycles whenever 700
objects more exist than before; with thousands of open executions that is a third of all CPU time
(measured with 1,000 executions of three steps: 171 of 521 µs each).
"""

from __future__ import annotations

import gc
import threading

THRESHOLDS = (10_000, 20, 50)
"""As `gc.set_threshold` takes them."""


class Relaxed:
    """Has the collector look less often. Counted, as several engines may overlap in a process."""

    _lock = threading.Lock()
    _count = 0
    _before: tuple[int, int, int] | None = None

    @classmethod
    def begin(cls) -> None:
        """An engine starts. Who has chosen to collect as seldom, or never, is left alone."""
        with cls._lock:
            cls._count += 1
            if cls._count == 1 and 0 < gc.get_threshold()[0] < THRESHOLDS[0]:
                cls._before = gc.get_threshold()
                gc.set_threshold(*THRESHOLDS)

    @classmethod
    def end(cls) -> None:
        """An engine has ended: after the last one all is as it was, unless changed since."""
        with cls._lock:
            cls._count -= 1
            if cls._count == 0 and cls._before is not None:
                if gc.get_threshold() == THRESHOLDS:
                    gc.set_threshold(*cls._before)
                cls._before = None
