"""Results on their way from the run to whoever asks for them, from one thread to another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from agentflow.errors import AgentFlowError, UsageError
from agentflow.runtime.patience import GLANCE


class Outbox:
    """Results of chunks that nobody has taken yet.

    Taken in the order of the items, or as they come. How many there are tells the run when to wait:
    the results of a long run need not fit into memory.
    """

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._chunks: dict[int, tuple[int, list[Any]]] = {}
        self._position = 0
        self._is_over = False
        self._error: BaseException | None = None
        self._is_taken = False
        self.on_taken: Callable[[], object] = lambda: None
        """Called when there is more room, in the thread of whoever took results."""

    def __len__(self) -> int:
        return len(self._chunks)

    def put(self, start: int, stop: int, values: list[Any]) -> None:
        """Results of a chunk, which may be handed out from now on."""
        with self._ready:
            self._chunks[start] = (stop, values)
            self._ready.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """Nothing more will come; `error` says why, if that is not as it should be."""
        with self._ready:
            self._is_over = True
            self._error = error
            self._ready.notify_all()

    def open(self) -> None:
        """Results are about to be taken, which can be done once.

        Raises:
            UsageError: they were.
        """
        if self._is_taken:
            raise UsageError(
                "the results of this run were taken already",
                help="keep them, as with list(run); or make the same call with the run's id again",
            )
        self._is_taken = True

    def take(self, *, ordered: bool) -> list[Any] | None:
        """The results of the next chunk; `None` at the end. Waits for them.

        Raises:
            BaseException: what the run ended with.
        """
        with self._ready:
            while (start := self._next(ordered=ordered)) is None and not self._is_over:
                self._ready.wait(GLANCE)  # so that Ctrl-C is heard, see `patience`
            if start is None:
                if self._error is not None:
                    raise _fresh(self._error)
                return None
            stop, values = self._chunks.pop(start)
            self._position = stop
        self.on_taken()
        return values

    def _next(self, *, ordered: bool) -> int | None:
        if ordered:
            return self._position if self._position in self._chunks else None
        return next(iter(self._chunks), None)


def _fresh(error: BaseException) -> BaseException:
    """The error, with a traceback that does not grow each time it is raised."""
    return error.with_traceback(None) if isinstance(error, AgentFlowError) else error
