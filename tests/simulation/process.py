"""A simulated process: a real host, and the doors through which it reaches the world.

Every door is a place to die: before and after a write, before each COMMIT within it, before and
between the calls that are handed to workers, and before every step of a coroutine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from unittest.mock import patch

from agentflow.errors import AgentFlowError, Unavailable
from agentflow.runtime.host import Host
from agentflow.runtime.journal.errors import AlreadyRecorded
from agentflow.runtime.logs import LogBook
from agentflow.runtime.notices import Notice
from tests.simulation.loop import Crash, Life
from tests.simulation.store import EPOCH
from tests.simulation.workers import Port

if TYPE_CHECKING:
    from tests.simulation.world import World

P = ParamSpec("P")
T = TypeVar("T")


class Gone(Exception):
    """The process died before it could answer."""


class Process:
    """One incarnation of an orchestrator's process."""

    def __init__(self, world: World, number: int, slot: int) -> None:
        self.world = world
        self.name = f"p{number}"
        self.slot = slot
        self.journal = world.store.journals[slot]
        self.owner = f"machine:{number}:simulated"
        self.skew = world.rng.uniform(-1, 1) * world.weather.skew
        self.frozen_until = 0.0
        self.life = Life(lambda: self.point("step"))
        self.port = Port(self, world.workers, world.rng.randint(1, 3))
        self.host: Host
        self._closing = False

    def boot(self) -> None:
        """Come to life."""
        self.world.note(f"{self.name} boots")
        self.life.spawn(self._run())

    async def _run(self) -> None:
        with patch("agentflow.runtime.lease.owner_id", lambda: self.owner):
            self.host = Host(
                self.journal,
                self.port,
                LogBook(Path("unused"), _unwatched),
                _unwatched,
                self.port.parallel,
                adopt=self.world.adopts,
                blocking=Door(self),
                clock=self.clock,
            )
        self._serving = asyncio.get_running_loop().create_task(self.host.serve())
        self._serving.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait({self._serving})
        if not self._serving.cancelled():
            await self._give_up()

    async def _give_up(self) -> None:
        """What the engine does when it can serve no more; then the process ends."""
        group = self._serving.exception()
        assert isinstance(group, ExceptionGroup)
        error = group.exceptions[0]
        self.world.note(f"{self.name} gives up: {error!r}")
        if not isinstance(error, AgentFlowError):
            self.world.problems.append(f"the engine broke: {error!r}")
        self._closing = True
        self.host.orchestrator.abandon(error)
        await asyncio.sleep(self.world.rng.random())  # what it had asked for goes on
        self.kill()

    @property
    def is_up(self) -> bool:
        """Whether it can be asked for something."""
        return not self.life.ended and not self._closing and hasattr(self, "host")

    def clock(self) -> float:
        """What this process takes for the time."""
        return EPOCH + self.world.loop.now + self.skew

    def kill(self) -> None:
        """SIGKILL."""
        if not self.life.ended:
            self.life.end()
            self.world.buried(self)

    def close(self) -> None:
        """End in an orderly way."""
        self._closing = True

        async def shut_down() -> None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
            await self.host.close()
            self.kill()

        self.life.spawn(shut_down())

    async def ask(self, question: Callable[[Host], Awaitable[T]]) -> T:
        """Ask the host for something, as a user's thread or another program does.

        Raises:
            Gone: the process died before it answered.
        """

        async def put() -> T:
            return await question(self.host)

        task = self.life.spawn(put())
        await asyncio.wait({task})
        if task.cancelled():
            raise Gone
        return task.result()

    def point(self, kind: str) -> None:
        """A place to die. Raises `Crash` when the world wants it."""
        if not self.life.ended and self.world.kills(kind):
            self.world.count(f"crash: {kind}")
            self.life.end()
            self.world.buried(self)
            raise Crash


class Door:
    """The way to the journal: one write after another, any of which may fail."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._order = asyncio.Lock()

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that writes."""
        process, world = self._process, self._process.world
        async with self._order:
            await self._wait()
            process.point("write")
            if world.chance(world.weather.write_refused):
                world.count("write refused")
                raise Unavailable("simulated: not written")
            is_group = work == process.journal.append
            group: Any = args[0] if is_group else ()
            if is_group and world.chance(world.weather.contradiction):
                world.count("contradiction")
                refused = world.rng.choice(group)
                raise AlreadyRecorded(refused.execution, refused.step, "simulated: an event")
            with world.store.committing(process, group):
                result = work(*args, **kwargs)
            process.point("written")
            await self._wait()
            if world.chance(world.weather.write_unanswered):
                world.count("write unanswered")
                raise Unavailable("simulated: written, but nobody said so")
            return result

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that only reads."""
        world = self._process.world
        await self._wait()
        if world.chance(world.weather.read_refused):
            world.count("read refused")
            raise Unavailable("simulated: not read")
        return work(*args, **kwargs)

    def close(self) -> None:
        """Nothing runs in the background."""

    async def _wait(self) -> None:
        """Take some time; if the process is frozen, until it thaws. Others act meanwhile."""
        world = self._process.world
        if world.weather.latency:
            await asyncio.sleep(world.rng.random() * world.weather.latency)
        while self._process.frozen_until > world.loop.now:
            await asyncio.sleep(self._process.frozen_until - world.loop.now)
        if self._process.life.ended:
            raise asyncio.CancelledError


def _unwatched(notice: Notice) -> None:
    """Nobody watches."""
