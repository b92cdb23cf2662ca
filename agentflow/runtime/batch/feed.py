"""What is to be done next: chunks that came back, chunks that failed before, and new ones.

A run that goes on passes over what is recorded. Each recorded chunk is recognised by its place and
by the digest of its items; if they are others, nothing is guessed.
"""

from __future__ import annotations

import asyncio
import bisect
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from agentflow.errors import Conflict
from agentflow.runtime.batch.history import Done, History, chunk_key
from agentflow.runtime.batch.sizing import Sizing
from agentflow.runtime.batch.sources import Source
from agentflow.runtime.batch.work import Work
from agentflow.runtime.executors.threads import Threads


@dataclass(frozen=True, slots=True)
class Recognised:
    """A chunk that is recorded, and what is to be tried again of it."""

    done: Done
    again: Work | None


class Feed:
    """The next things to do, in the order of the items. Used in one event loop.

    A source that may take long has a thread of its own, which is one piece ahead. It may block for
    good without keeping the process from its end.
    """

    def __init__(
        self,
        source: Source,
        sizing: Sizing,
        history: History,
        *,
        only_failed: bool,
        on_ready: Callable[[], None],
    ) -> None:
        self._source = source
        self._sizing = sizing
        self._history = history
        self._starts = sorted(history.chunks)
        self._only_failed = only_failed
        self._on_ready = on_ready
        self._again: deque[Work] = deque()
        self._threads = Threads(1) if source.blocks else None
        self._ahead: Future[Work | Recognised | None] | None = None
        self.is_over = False
        """Whether the source has no more."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing more to do."""
        return self.is_over and not self._again

    @property
    def has_returned(self) -> bool:
        """Whether there is work that was given back."""
        return bool(self._again)

    def give_back(self, work: list[Work]) -> None:
        """Have work done before anything else, in this order."""
        self._again.extendleft(reversed(work))

    def next(self) -> Work | Recognised | None:
        """What is next; `None` if there is nothing now.

        Raises:
            Conflict: the items are not those that the run began with.
            InputError: an item cannot be sent.
            Exception: whatever the caller's iterable raises.
        """
        if self._again:
            return self._again.popleft()
        if self.is_over:
            return None
        found = self._advance() if self._threads is None else self._from(self._threads)
        if found is None and self._ahead is None:
            self.is_over = True
        return found

    def close(self) -> None:
        """Ask the source for nothing more."""
        if self._threads is not None:
            self._threads.close()

    def _from(self, threads: Threads) -> Work | Recognised | None:
        found = None
        if self._ahead is not None:
            if not self._ahead.done():
                return None
            ahead, self._ahead = self._ahead, None
            found = ahead.result()
            if found is None:
                return None
        self._ahead = ahead = Future()
        loop = asyncio.get_running_loop()

        def read() -> bool:
            try:
                ahead.set_result(self._advance())
            except BaseException as error:  # noqa: BLE001  # the caller's iterable may raise anything
                ahead.set_exception(_passable(error))
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._on_ready)
            return True

        threads.put(read)
        return found

    def _advance(self) -> Work | Recognised | None:
        position = self._source.position
        place = bisect.bisect_left(self._starts, position)
        following = self._starts[place] if place < len(self._starts) else None
        if following == position:
            return self._recognise(self._history.chunks[position])
        size = self._sizing.next(position)
        if following is not None:
            size = min(size, following - position)
        piece = self._source.take(size)
        if piece is None:
            if following is not None:
                raise self._changed(self._history.chunks[following], "are not there any more")
            return None
        _ = piece.digest  # what encoding costs is paid here, where it may take long
        return Work(piece)

    def _recognise(self, done: Done) -> Recognised:
        first = done.first
        piece = self._source.take(first.stop - first.start, exactly=True)
        if piece is None or piece.stop != first.stop:
            raise self._changed(done, "are not there any more")
        if piece.digest != first.digest:
            raise self._changed(done, "are not the same any more")
        if not self._only_failed:
            return Recognised(done, None)
        tried = {
            at
            for chunk in done.again
            if chunk.round == self._history.round
            for at in chunk.only or ()
        }
        failed = [failure.at for failure in done.failures if failure.at not in tried]
        again = Work(piece, failed, self._history.round) if failed else None
        return Recognised(done, again)

    def _changed(self, done: Done, how: str) -> Conflict:
        return Conflict(
            f"{chunk_key(done.first.start, done.first.stop)} of this run {how}: it was begun with "
            "other items",
            help="give it the items it was begun with, or choose another id",
        )


def _passable(error: BaseException) -> Exception:
    """The error in a form that can leave an event loop."""
    if isinstance(error, Exception):
        return error
    return RuntimeError(f"the items raised {type(error).__name__}: {error}")
