"""What runs inside Ray's own worker processes for agents: one named actor for each instance.

The actor supervises the process that the instance lives in; no method of an agent ever runs in
the actor itself, so what it sends can be trusted to be plain bytes. Any engine that reaches the
same Ray finds it by name. It ends by itself when it was idle for as long as the agent says, and
it outlives the engine that made it: another one may be using it.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from agentflow.functions.agents import AgentOptions
from agentflow.runtime.executors.agents import Reached
from agentflow.runtime.executors.agents_seat import AgentSeat
from agentflow.runtime.executors.agents_wire import RETURNED
from agentflow.runtime.executors.ray_host import environment

NAMESPACE = "agentflow-agents"
_LINGER = 1.0
"""Seconds an actor that is ending still answers, so that nobody takes the end for a crash."""
_CALLS = 100_000
"""Calls that may wait in an actor; how many run is bounded by the agent."""


class AgentHost:
    """Supervises one instance."""

    def __init__(self, max_concurrency: int, idle_timeout: float, inside: str | None) -> None:
        self._options = AgentOptions("", max_concurrency=max_concurrency, idle_timeout=idle_timeout)
        self._inside = inside
        self._seat: AgentSeat | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._is_ending = False

    async def is_there(self) -> bool:
        """Whether it takes calls; also shows that it is alive."""
        self._rest()
        return not self._is_ending

    async def call(self, packed: bytes) -> bytes:
        """Make a call; gives the frames of its answer, or `RETURNED` if it has not begun."""
        if self._is_ending:
            return RETURNED
        if self._seat is None:
            self._seat = AgentSeat(self._options, environment(self._inside))
        try:
            return await self._seat.call(packed)
        finally:
            self._rest()

    async def withdraw(self, token: str) -> None:
        """Nobody wants a call any more."""
        if self._seat is not None:
            self._seat.withdraw(token)

    def _rest(self) -> None:
        """Begin to count the time without calls anew."""
        if self._idle is not None:
            self._idle.cancel()
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._options.idle_timeout, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if self._seat is not None and not self._seat.is_free:
            self._rest()
            return
        self._is_ending = True
        if self._seat is not None:
            self._seat.close()
        asyncio.get_running_loop().call_later(_LINGER, _end_actor)


def _end_actor() -> None:
    import ray

    ray.kill(ray.get_runtime_context().current_actor)


def host_of(reached: Reached, store: str, inside: str | None) -> Any:
    """The actor of an instance, made if nobody has made it; blocks while Ray answers.

    Raises:
        Exception: whatever Ray raises when it cannot be asked.
    """
    import ray

    root, agent, key = reached.place
    digest = hashlib.blake2b(f"{store}\0{root}\0{key}".encode(), digest_size=12).hexdigest()
    named = {"name": f"{agent}-{digest}", "namespace": NAMESPACE, "get_if_exists": True}
    kind = ray.remote(max_restarts=0, max_task_retries=0, num_cpus=0)(AgentHost)
    options = kind.options(
        max_restarts=0,
        max_task_retries=0,
        max_concurrency=_CALLS,
        lifetime="detached",
        scheduling_strategy="SPREAD",
        **named,
    )
    return options.remote(reached.options.max_concurrency, reached.options.idle_timeout, inside)
