"""How far a batch run has come, and what has failed; read from other threads."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Sequence
from dataclasses import replace

from agentflow.errors import Json, fault_value
from agentflow.runtime.batch.history import Chunk, Failure
from agentflow.runtime.batch.options import Options


class Tally:
    """Counts of one run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[tuple[int, int], Failure] = {}
        """By where their chunk starts, and their place in it."""
        self._counts: list[tuple[int, int]] = []
        """Items of chunks by where these start; kept where a unit is not an item."""
        self.total: int | None = None
        """Units in all."""
        self.is_counted = True
        """Whether a unit is an item."""
        self.units = 0
        """Units that are done."""
        self.items = 0
        """Items that are done."""
        self.phase: str | None = None
        """What it does before it begins, such as "starting Ray"."""

    def done(self, chunk: Chunk) -> None:
        """A chunk is recorded."""
        with self._lock:
            if chunk.only is None:
                self.units += chunk.stop - chunk.start
                self.items += chunk.count
                if not self.is_counted:
                    insort(self._counts, (chunk.start, chunk.count))
        self.forgive(chunk.start, chunk.only or ())
        with self._lock:
            for failure in chunk.failures:
                self._failures[chunk.start, failure.at] = failure

    def forgive(self, start: int, offsets: Sequence[int]) -> None:
        """Items of the chunk that starts there have not failed, or are tried again."""
        with self._lock:
            for at in offsets:
                self._failures.pop((start, at), None)

    @property
    def failures(self) -> list[Failure]:
        """The items that failed, in their order."""
        with self._lock:
            found = [(*place, self._failures[place]) for place in sorted(self._failures)]
            counts = list(self._counts)
        if self.is_counted:
            return [failure for _, _, failure in found]
        before, numbers = 0, {}
        for start, count in counts:
            numbers[start] = before
            before += count
        complete = self.units == self.total
        return [
            replace(failure, index=numbers[start] + at if complete else None)
            for start, at, failure in found
        ]

    @property
    def failed_count(self) -> int:
        """How many items failed."""
        return len(self._failures)

    def verdict(self, options: Options, *, is_over: bool) -> tuple[dict[str, Json], str] | None:
        """The error that a run ends with if too many items failed, and the item it came from."""
        failed = self.failed_count
        if not failed:
            return None
        total = self.items if is_over else (self.total if self.is_counted else None)
        if isinstance(options.tolerate, float) and total is None:
            return None  # a share of what is not known yet
        if options.tolerates(failed, total or 0):
            return None
        first = self.failures[0]
        origin = f"items[{first.index}]" if first.index is not None else "items"
        if options.tolerate == 0:
            return first.error, origin
        allowed = options.tolerate
        words = f"{allowed:.3g} of them" if isinstance(allowed, float) else f"{allowed}"
        message = f"{failed:,} items failed, {words} may"
        return fault_value("TooManyFailures", message, cause=first.error), origin
