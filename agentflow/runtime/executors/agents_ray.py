"""Agents on Ray: finds or makes the named actor of an instance and carries calls to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agentflow.errors import Fault
from agentflow.runtime.executors.agents import Directory, Place, Reached
from agentflow.runtime.executors.agents_wire import RETURNED, asked_for, packed, reports_of
from agentflow.runtime.executors.calls import lost_error
from agentflow.runtime.executors.protocol import Memory, Report, Task
from agentflow.runtime.executors.ray_agents import host_of
from agentflow.runtime.executors.ray_exchange import said
from agentflow.runtime.executors.ray_socket import HEARTBEAT, SILENT_BEATS
from agentflow.runtime.executors.reports import failed

_PAUSE = 0.1
"""Seconds until the name of an actor that is ending is asked for again."""
_PATIENCE = 600
"""How often it is asked for: a minute."""


@dataclass(slots=True)
class Line:
    """The way to one instance."""

    actor: Any
    calls: int = 0
    """Of this engine, under way."""


class RayAgents:
    """The calls of agents that one executor has under way."""

    def __init__(
        self,
        tell: Callable[[Sequence[Report]], None],
        memory: Callable[[], Memory],
        inside: Callable[[], str | None],
    ) -> None:
        self._tell = tell
        self._memory = memory
        self._inside = inside
        self._directory = Directory()
        self._reading = asyncio.Lock()
        self._lines: dict[Place, asyncio.Task[Line]] = {}
        self._calls: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()

    def submit(self, task: Task) -> None:
        """Take a task; return at once."""
        work = asyncio.get_running_loop().create_task(self._carry_out(task))
        self._calls[task.execution, task.key] = work

    def withdraw(self, execution: str, key: str) -> None:
        """Stop a task for good, if there is one."""
        work = self._calls.pop((execution, key), None)
        if work is not None:
            work.cancel()

    async def close(self) -> None:
        """Stop what this engine wanted; the instances stay for others until they are idle."""
        calls = list(self._calls.values())
        for execution, key in list(self._calls):
            self.withdraw(execution, key)
        await asyncio.gather(*calls, *self._background, return_exceptions=True)

    async def _carry_out(self, task: Task) -> None:
        try:
            async with self._reading:
                reached = await asyncio.to_thread(self._directory.find, task)
            answer = await self._call(task, reached)
        except Fault as fault:
            self._end(task, [failed(task, fault.value())])
        except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
            self._end(task, [failed(task, lost_error(f"its host was lost: {said(error)}"))])
        else:
            self._end(task, list(reports_of(task, reached, answer)))

    def _end(self, task: Task, reports: Sequence[Report]) -> None:
        if self._calls.get((task.execution, task.key)) is asyncio.current_task():
            del self._calls[task.execution, task.key]
            self._tell(reports)

    async def _call(self, task: Task, reached: Reached) -> bytes:
        """Make a call, again if it came back without having begun."""
        while True:
            line = await self._line(reached)
            memory = self._memory()
            known = await memory.last(task, reached.options.name) if reached.keeps_state else None
            line.calls += 1
            try:
                answer = await _answered(line.actor, packed(task, reached, known))
            except asyncio.CancelledError:
                self._forsake(line, asked_for(task))
                raise
            except Exception:
                self._lines.pop(reached.place, None)
                raise
            finally:
                line.calls -= 1
            if answer != RETURNED:
                return answer

    def _forsake(self, line: Line, token: str) -> None:
        async def withdraw() -> None:
            with suppress(Exception):  # it may be gone
                await line.actor.withdraw.remote(token)

        work = asyncio.get_running_loop().create_task(withdraw())
        self._background.add(work)
        work.add_done_callback(self._background.discard)

    async def _line(self, reached: Reached) -> Line:
        """A way to an instance that takes calls.

        Raises:
            Fault: `AgentNotStarted`, if none can be made.
        """
        problem = "its actor does not end"
        for _ in range(_PATIENCE):
            if reached.place not in self._lines:
                made = asyncio.get_running_loop().create_task(self._open(reached))
                self._lines[reached.place] = made
            opening = self._lines[reached.place]
            try:
                line = await asyncio.shield(opening)
                if line.calls or await _bool(line.actor.is_there.remote()):
                    return line
            except Exception as error:  # noqa: BLE001  # Ray raises whatever it raises
                problem = said(error)
            if self._lines.get(reached.place) is opening:
                del self._lines[reached.place]
            await asyncio.sleep(_PAUSE)
        message = f"agent {reached.options.name} cannot start on Ray: {problem}"
        raise Fault("AgentNotStarted", message)

    async def _open(self, reached: Reached) -> Line:
        store, inside = self._memory().store, self._inside()
        return Line(await asyncio.to_thread(host_of, reached, store, inside))


async def _answered(actor: Any, job: bytes) -> bytes:
    """Wait for the answer of a call, as long as its actor shows that it is alive.

    Raises:
        TimeoutError: the actor is silent.
    """
    waiting = asyncio.ensure_future(_bytes(actor.call.remote(job)))
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT)
            if done:
                return waiting.result()
            await asyncio.wait_for(_bool(actor.is_there.remote()), SILENT_BEATS * HEARTBEAT)
    finally:
        waiting.cancel()


async def _bytes(reference: Any) -> bytes:
    answer: bytes = await reference
    return answer


async def _bool(reference: Any) -> bool:
    answer: bool = await reference
    return answer
