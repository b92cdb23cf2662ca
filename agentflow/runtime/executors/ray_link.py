"""The executor's side of a host: what it has been given, what is on the way, what came back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.executors.ray_exchange import Exchanges, answered, said
from agentflow.runtime.executors.ray_socket import HEARTBEAT, connect
from agentflow.runtime.executors.reports import report_of
from agentflow.runtime.executors.wire import COUNT, Frame, Job, Kind, frame

_LONG = 1024 * 1024
"""Bytes of frames that are worth reading in another thread."""
_LAST = frozenset({Kind.COMPLETED, Kind.FAILED, Kind.BATCH, Kind.RETURNED})
"""Kinds of frames after which a task is no longer with its host."""
_NO_REPORT = frozenset({Kind.RETURNED, Kind.BEAT})


class Given:
    """A task that was given to a host."""

    __slots__ = ("id", "job", "losses", "task")

    def __init__(self, id: int, task: Task, job: Job) -> None:
        self.id = id
        self.task = task
        self.job = job
        self.losses = 0
        """How many hosts were lost with it."""


Found: TypeAlias = tuple[Given | None, Kind, bytes]
"""A frame with the task it is about, unless that was withdrawn."""


class Way(Protocol):
    """How commands reach a host."""

    def send(self, commands: bytes) -> None:
        """Have the host obey."""
        ...

    def close(self) -> None:
        """Hear no more of it."""
        ...


class Link:
    """A host, and the way to it: found when the first command is to be sent."""

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
        self._way: Way | None = None
        self._opening: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Wait until the host answers.

        Raises:
            Exception: whatever Ray raises when it cannot be started.
        """
        await self._open(await self.actor.ready.remote())

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

        self._leave()
        self.given.clear()
        with suppress(Exception):  # it may be dead already
            await asyncio.wait_for(self.actor.close.remote(), HEARTBEAT)
        ray.kill(self.actor)

    # --- saying ---

    def _say(self, command: bytes) -> None:
        if not self._outbox:
            self._loop.call_soon(self.send)
        self._outbox.append(command)

    def send(self) -> None:
        """Send now what else goes out at the end of this turn of the loop."""
        if not self._outbox:
            return
        if self._way is not None:
            commands = b"".join(self._outbox)
            self._outbox.clear()
            self._way.send(commands)
        elif self._opening is None:
            self._opening = self._loop.create_task(self._find_way())

    async def _find_way(self) -> None:
        try:
            await self._open(await answered(self.actor.ready.remote()))
        except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
            self._lose(said(error))

    async def _open(self, address: bytes) -> None:
        self._way = await connect(address, self._take, self._lose) or Exchanges(
            self.actor, self._take, self._lose, is_waiting=lambda: bool(self.given)
        )
        self.send()

    def _leave(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._way is not None:
            self._way.close()

    # --- hearing ---

    def _take(self, arrived: list[Frame]) -> Coroutine[Any, Any, None] | None:
        found = [(self.given.get(id), kind, payload) for kind, id, payload in arrived]
        if sum(len(payload) for _, _, payload in found) >= _LONG:
            return self._take_long(found)
        self._pass_on(found, _reports(found))
        return None

    async def _take_long(self, found: list[Found]) -> None:
        self._pass_on(found, await asyncio.to_thread(_reports, found))

    def _pass_on(self, found: list[Found], reports: list[tuple[Given, Report]]) -> None:
        # What was withdrawn meanwhile is not there any more, and reports nothing.
        wanted = [report for given, report in reports if given.id in self.given]
        for given, kind, _ in found:
            if given is not None and kind in _LAST:
                self.given.pop(given.id, None)
        self._on_reports(wanted)
        for given, kind, _ in found:
            if given is not None and kind is Kind.RETURNED:
                self._on_returned(given)

    def _lose(self, reason: str) -> None:
        import ray

        self._leave()
        with suppress(Exception):
            ray.kill(self.actor)
        self._on_loss(self, reason)


def died(error: Exception) -> bool:
    """Whether a host is gone, or its node, and not unable to start at all."""
    from ray.exceptions import RayActorError

    return isinstance(error, RayActorError) and not error.actor_init_failed


def _reports(found: list[Found]) -> list[tuple[Given, Report]]:
    return [
        (given, report_of(given.task, kind, payload))
        for given, kind, payload in found
        if given is not None and kind not in _NO_REPORT
    ]
