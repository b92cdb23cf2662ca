"""The executor's side of a host: what it has been given, what is on the way, what came back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.executors.ray_host import HEARTBEAT
from agentflow.runtime.executors.reports import report_of
from agentflow.runtime.executors.wire import COUNT, Job, Kind, frame, frames

SILENT_BEATS = 6
"""Heartbeats without an answer after which a host counts as lost."""
_LONG_ANSWER = 1024 * 1024
"""Bytes of an answer that are worth reading in another thread."""


_LAST = frozenset({Kind.COMPLETED, Kind.FAILED, Kind.BATCH, Kind.RETURNED})
"""Kinds of frames after which a task is no longer with its host."""


class Given:
    """A task that was given to a host."""

    __slots__ = ("id", "job", "losses", "task")

    def __init__(self, id: int, task: Task, job: Job) -> None:
        self.id = id
        self.task = task
        self.job = job
        self.losses = 0
        """How many hosts were lost with it."""


class Link:
    """A host and the exchanges with it: one per turn of the event loop, and one that waits."""

    def __init__(
        self,
        actor: Any,
        size: int,
        *,
        on_reports: Callable[[Sequence[Report]], None],
        on_returned: Callable[[Given], None],
        on_loss: Callable[[Link, str], None],
    ) -> None:
        self.actor = actor
        self.size = size
        """Workers of its pool."""
        self.given: dict[int, Given] = {}
        self._on_reports = on_reports
        self._on_returned = on_returned
        self._on_loss = on_loss
        self._loop = asyncio.get_running_loop()
        self._outbox: list[bytes] = []
        self._answers: deque[Any] = deque()
        self._number = 0
        self._listener: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Wait until the host answers.

        Raises:
            Exception: whatever Ray raises when it cannot be started.
        """
        await self.actor.ready.remote()

    @property
    def load(self) -> float:
        """Tasks per worker."""
        return len(self.given) / max(1, self.size)

    def submit(self, given: Given) -> None:
        """Give a task."""
        self.given[given.id] = given
        self._say(frame(Kind.SUBMIT, given.id, given.job.pack()))

    def withdraw(self, id: int) -> None:
        """Take a task from it for good."""
        if self.given.pop(id, None) is not None:
            self._say(frame(Kind.WITHDRAW, id))

    def demand(self, id: int, count: int) -> None:
        """Allow a stream more values."""
        self._say(frame(Kind.DEMAND, id, COUNT.pack(count)))

    def recall(self, count: int) -> None:
        """Ask for tasks that have not begun; they come back as `RETURNED`."""
        self._say(frame(Kind.RECALL, 0, COUNT.pack(count)))

    async def close(self) -> None:
        """End the host and its workers."""
        import ray

        if self._listener is not None:
            self._listener.cancel()
        self.given.clear()
        with suppress(Exception):  # it may be dead already
            await asyncio.wait_for(self.actor.close.remote(), HEARTBEAT)
        ray.kill(self.actor)

    def _say(self, command: bytes) -> None:
        if not self._outbox:
            self._loop.call_soon(self._send)
        self._outbox.append(command)

    def _send(self) -> None:
        if self._outbox:
            self._exchange()

    def _exchange(self) -> None:
        commands = b"".join(self._outbox)
        self._outbox.clear()
        self._answers.append(self.actor.exchange.remote(self._number, commands))
        self._number += 1
        if self._listener is None:
            self._listener = self._loop.create_task(self._listen())

    async def _listen(self) -> None:
        """Read answers in the order of the exchanges, as long as something is outstanding."""
        while self._answers:
            try:
                answer = await _answer(self._answers.popleft())
            except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
                self._lose(said(error))
                return
            if len(answer) >= _LONG_ANSWER and not self._answers:
                self._exchange()  # the host need not wait until all this is read
            await self._take(answer)
            if self.given and not self._answers:
                self._exchange()
        self._listener = None

    async def _take(self, answer: bytes) -> None:
        found = [(self.given.get(id), kind, payload) for kind, id, payload in frames(answer)]
        if len(answer) < _LONG_ANSWER:
            reports = _reports(found)
        else:
            reports = await asyncio.to_thread(_reports, found)
        returned = [given for given, kind, _ in found if given and kind is Kind.RETURNED]
        # What was withdrawn meanwhile is not there any more, and reports nothing.
        wanted = [report for given, report in reports if given.id in self.given]
        for given, kind, _ in found:
            if given is not None and kind in _LAST:
                self.given.pop(given.id, None)
        self._on_reports(wanted)
        for given in returned:
            self._on_returned(given)

    def _lose(self, reason: str) -> None:
        import ray

        with suppress(Exception):
            ray.kill(self.actor)
        self._on_loss(self, reason)


def died(error: Exception) -> bool:
    """Whether a host is gone, or its node, and not unable to start at all."""
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError) and not error.actor_init_failed


def said(error: Exception) -> str:
    """What Ray says about a failure of its own, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


async def _answer(reference: Any) -> bytes:
    """Wait for an exchange, several beats long.

    Beats are waited for one by one, so that a process that was stopped itself (Ctrl-Z) does not
    take its own pause for the host's.

    Raises:
        TimeoutError: the host is silent.
    """
    waiting = asyncio.ensure_future(_bytes(reference))
    try:
        for _ in range(SILENT_BEATS):
            done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT + 1)
            if done:
                return waiting.result()
    finally:
        waiting.cancel()
    raise TimeoutError(f"no answer for {SILENT_BEATS * HEARTBEAT:g} s")


async def _bytes(reference: Any) -> bytes:
    answer: bytes = await reference
    return answer


def _reports(found: list[tuple[Given | None, Kind, bytes]]) -> list[tuple[Given, Report]]:
    return [
        (given, report_of(given.task, kind, payload))
        for given, kind, payload in found
        if given is not None and kind is not Kind.RETURNED
    ]
