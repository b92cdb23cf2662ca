"""Recorded chunks of which failed items are tried again, until all of these are there."""

from __future__ import annotations

from agentflow.runtime.batch.history import Chunk, Done


class Amending:
    """Holds such chunks; true while there are any."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[Done, int]] = {}
        """By where they start, with how many of the items are missing."""

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self, done: Done, missing: int) -> None:
        """Keep a chunk until so many items of it have come again."""
        self._held[done.first.start] = (done, missing)

    def take(self, chunk: Chunk) -> Done | None:
        """The chunk with everything about it, unless more of it is to come."""
        if chunk.only is None:
            return Done(chunk)
        done, missing = self._held.pop(chunk.start)
        done.again.append(chunk)
        if missing > len(chunk.only):
            self._held[chunk.start] = (done, missing - len(chunk.only))
            return None
        return done
