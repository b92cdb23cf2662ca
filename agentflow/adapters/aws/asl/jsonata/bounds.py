"""What one evaluation may use: time, depth, memory.

Source: limits measured on the service. A sum of 100 terms is evaluated there and one of 101 is not,
a text of 4 MiB is and one of 8 MiB is not, and a range of 873,782 numbers is and one more is not.
"""

from __future__ import annotations

import time
from typing import Any, Final

from agentflow.adapters.aws.asl.jsonata.upstream import JException

SECONDS: Final = 5.0
"""Of the processor, so that what else a machine does takes nothing of it; the service stops after
one second, and a laptop may be slower."""
MAX_DEPTH: Final = 100
"""Expressions that may stand within each other, calls included."""
MAX_BYTES: Final = 6_990_256
MAX_SEQUENCE: Final = MAX_BYTES // 8
"""Numbers that a sequence may have."""


class Bounds:
    """Watches one evaluation; the frame that is given tells it what begins and ends."""

    def __init__(self, frame: Any) -> None:
        self._ends = time.thread_time() + SECONDS
        self._depth = 0
        frame.set_evaluate_entry_callback(self._entered)
        frame.set_evaluate_exit_callback(self._left)

    def _entered(self, _: Any, __: Any, ___: Any) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise JException("D1011", -1)
        if time.thread_time() > self._ends:
            raise JException("D1012", -1)

    def _left(self, _: Any, __: Any, ___: Any, result: Any) -> None:
        self._depth -= 1
        if isinstance(result, str) and len(result) > MAX_BYTES:
            raise JException("D2014", -1, len(result))
