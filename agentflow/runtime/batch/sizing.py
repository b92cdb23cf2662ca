"""How large the next chunk is.

A chunk should take long enough that its way there and back and its place in the journal do not
count, and no longer than it would be a pity to lose. What is known of the time of an item decides;
what is left decides too: chunks shrink towards the end, so that all cores finish together.
"""

from __future__ import annotations

import math

TARGET_SECONDS = 0.25
"""The longest a chunk should take."""
LEAST_SECONDS = 0.02
"""The shortest; chunks are not made smaller for the sake of finishing together."""
_SHARES = 2
"""Chunks for each worker that a run has at least, however short they are."""
BUDGET = 2.0
"""A chunk that has taken so many times the target gives the rest of its items back."""
FIRST_UNKNOWN = 1024
"""Units of the first chunks where nothing is known of them, nor how many there will be."""
_GROWTH = 8
_CHUNKS = 16_384
"""Chunks that a run of known length may have, for the sake of its history."""
_DOUBLE = 4096
"""Chunks after which the least size doubles where the length is not known."""
_REMEMBERED = 0.7


class Sizing:
    """Sizes of chunks, in units of the source."""

    def __init__(
        self,
        parallel: int,
        total: int | None,
        *,
        fixed: int | None = None,
        target: float = TARGET_SECONDS,
    ) -> None:
        self._parallel = parallel
        self._total = total
        self._fixed = fixed
        self._target = target
        self._seconds_per_unit = 0.0
        self._largest = 0
        self._given = 0

    @property
    def budget(self) -> float | None:
        """Seconds that a chunk may take; none where its size is the user's."""
        return None if self._fixed is not None else BUDGET * self._target

    def next(self, position: int) -> int:
        """The size of the next chunk, which starts at `position`."""
        self._given += 1
        if self._fixed is not None:
            return self._fixed
        size = max(self._by_time(), self._least())
        if self._total is not None:
            share = math.ceil(self._total / (_SHARES * self._parallel))
            size = min(size, share, self._shared(self._total - position))
        self._largest = max(self._largest, size)
        return size

    def again(self, units: int) -> int:
        """The size of chunks that are made of units which a chunk gave back."""
        if self._fixed is not None:
            return self._fixed
        return max(1, min(self._by_time(), self._shared(units)))

    def learn(self, units: int, seconds: float) -> None:
        """A chunk took so long."""
        if units <= 0:
            return
        new = max(seconds, 1e-9) / units
        old = self._seconds_per_unit or new
        self._seconds_per_unit = _REMEMBERED * new + (1 - _REMEMBERED) * old

    def _shared(self, left: int) -> int:
        """Half of what is left, shared out, as in guided self-scheduling; but not too short."""
        if not self._seconds_per_unit:
            return left
        shared = math.ceil(left / (2 * self._parallel))
        return max(shared, self._least(), self._units(LEAST_SECONDS))

    def _by_time(self) -> int:
        if self._seconds_per_unit:
            return max(1, min(self._units(self._target), _GROWTH * max(1, self._largest)))
        return FIRST_UNKNOWN if self._total is None else self._total

    def _units(self, seconds: float) -> int:
        if not self._seconds_per_unit:
            return 1
        return int(seconds / self._seconds_per_unit)

    def _least(self) -> int:
        if self._total is not None:
            return max(1, math.ceil(self._total / _CHUNKS))
        return 1 << min(self._given // _DOUBLE, 30)
