"""The long way to a host, which leads to every node: calls of its actor, called exchanges.

Commands go out with a call, frames come back with its answer. There is one exchange per turn of the
event loop that has commands, and one that waits as long as the host has something to do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from agentflow.runtime.executors.ray_socket import HEARTBEAT, LOOK, SILENT_BEATS, Take
from agentflow.runtime.executors.wire import frames

_LONG_ANSWER = 1024 * 1024
"""Bytes of an answer whose reading the host need not wait for."""


class Exchanges:
    """The executor's side.

    `is_waiting` says whether anything more is to come.
    """

    def __init__(
        self,
        actor: Any,
        take: Take,
        lost: Callable[[str], None],
        *,
        is_waiting: Callable[[], bool],
    ) -> None:
        self._actor = actor
        self._take = take
        self._lost = lost
        self._is_waiting = is_waiting
        self._answers: deque[Any] = deque()
        self._number = 0
        self._listener: asyncio.Task[None] | None = None

    def send(self, commands: bytes) -> None:
        """Have the host obey."""
        self._answers.append(self._actor.exchange.remote(self._number, commands))
        self._number += 1
        if self._listener is None:
            self._listener = asyncio.get_running_loop().create_task(self._listen())

    def close(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._listener.cancel()

    async def _listen(self) -> None:
        """Read answers in the order of the exchanges, as long as something is outstanding."""
        while self._answers:
            try:
                answer = await answered(self._answers.popleft())
            except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
                self._lost(said(error))
                return
            if len(answer) >= _LONG_ANSWER and not self._answers:
                self.send(b"")
            later = self._take(list(frames(answer)))
            if later is not None:
                await later
            if self._is_waiting() and not self._answers:
                self.send(b"")
        self._listener = None


async def answered(reference: Any) -> bytes:
    """Wait for the answer of a host, several beats long.

    Beats are waited for one by one, so that a process that was stopped itself (Ctrl-Z) does not
    take its own pause for the host's.

    Raises:
        TimeoutError: the host is silent.
    """
    waiting = asyncio.ensure_future(_bytes(reference))
    try:
        for _ in range(SILENT_BEATS):
            done, _ = await asyncio.wait({waiting}, timeout=LOOK)
            if done:
                return waiting.result()
    finally:
        waiting.cancel()
    raise TimeoutError(f"no answer for {SILENT_BEATS * HEARTBEAT:g} s")


async def _bytes(reference: Any) -> bytes:
    answer: bytes = await reference
    return answer


def said(error: Exception) -> str:
    """What Ray says about a failure of its own, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
