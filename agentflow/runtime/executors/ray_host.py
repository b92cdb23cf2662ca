"""What runs inside Ray's own worker processes: hosts of worker pools.

There is one host actor on each node, with a pool of workers for light calls. A call that asks for
resources is a Ray task of its own, in which a pool of one runs it; a stream that does, an actor.
No function ever runs in these processes, so what they send can be trusted to be plain bytes.

They keep no truth: every task and actor is declared with Ray's retries off, and only the journal
decides about another attempt.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentflow.runtime.executors.pool import WorkerPool
from agentflow.runtime.executors.ray_socket import HEARTBEAT, Door
from agentflow.runtime.executors.wire import COUNT, Frame, Job, Kind, frame, frames
from agentflow.runtime.executors.worker import WORKER_ROOT

_GATHER = 0.001
"""Seconds to wait for more results while other calls run, so that one answer carries many."""
_ANSWER_BYTES = 32 * 1024 * 1024
"""An answer is not made longer than this by further frames."""


class Host:
    """A worker pool that is reached through a door, or by exchanges: commands in, frames out.

    Exchanges are numbered, because Ray does not keep the order of calls to an async actor. One
    waits here at a time; a newer one sends the one before it home, with all there is to say by
    then: answers are read in the order of the numbers, so frames must leave in that order too.
    """

    def __init__(self, size: int, inside: str | None = None) -> None:
        self._size = size
        self._inside = inside
        self._pool: WorkerPool | None = None
        self._door = Door(self._obey, self._leave)
        self._expected = 0
        self._early: dict[int, asyncio.Future[None]] = {}
        self._outbox: deque[bytes] = deque()
        self._waiting: asyncio.Future[bytes] | None = None
        self._gathering = False

    async def ready(self) -> bytes:
        """Start the workers; gives the address of the door."""
        self._workers()
        await self._door.open()
        return self._door.address

    async def exchange(self, number: int, commands: bytes) -> bytes:
        """Carry out commands; answer when there are results, or after a while with nothing."""
        if number != self._expected:
            self._early[number] = asyncio.get_running_loop().create_future()
            await self._early[number]
        self._expected += 1
        following = self._early.pop(self._expected, None)
        if following is not None:
            following.set_result(None)
        self._obey(frames(commands))
        self._release()
        if self._outbox:
            return self._answer()
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        await asyncio.wait([waiting], timeout=HEARTBEAT)
        if not waiting.done():
            self._release()
        return waiting.result()

    async def close(self) -> None:
        """Kill the workers."""
        self._door.close()
        if self._pool is not None:
            await self._pool.close()

    def _leave(self) -> None:
        """The executor is gone, and Ray will end this process."""
        self._ending = asyncio.get_running_loop().create_task(self.close())

    def _workers(self) -> WorkerPool:
        if self._pool is None:
            self._pool = WorkerPool(self._size, self._put, environment(self._inside))
            self._pool.start()
        return self._pool

    def _obey(self, commands: Iterable[Frame]) -> None:
        pool = self._workers()
        for kind, id, payload in commands:
            match kind:
                case Kind.SUBMIT:
                    pool.submit(Job.unpack(payload))
                case Kind.WITHDRAW:
                    pool.withdraw(id)
                case Kind.DEMAND:
                    pool.demand(id, *COUNT.unpack(payload))
                case Kind.RECALL:
                    for given_up in pool.recall(*COUNT.unpack(payload)):
                        self._put(frame(Kind.RETURNED, given_up))

    def _put(self, data: bytes) -> None:
        self._outbox.append(data)
        if self._gathering or not (self._door.is_used or self._waiting is not None):
            return
        if self._pool is None or not self._pool.outstanding:
            self._release()
            return
        self._gathering = True
        loop = asyncio.get_running_loop()
        if self._door.is_used:
            loop.call_soon(self._release)
        else:
            loop.call_later(_GATHER, self._release)

    def _release(self) -> None:
        self._gathering = False
        if self._door.is_used:
            self._door.say(b"".join(self._outbox))
            self._outbox.clear()
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer())
        self._waiting = None

    def _answer(self) -> bytes:
        parts, size = [], 0
        while self._outbox and size < _ANSWER_BYTES:
            parts.append(self._outbox.popleft())
            size += len(parts[-1])
        return b"".join(parts)


def run_alone(packed: bytes, inside: str | None = None) -> bytes:
    """Carry out one job in a process of its own; gives its frames."""
    return asyncio.run(_run_alone(Job.unpack(packed), inside))


async def _run_alone(job: Job, inside: str | None) -> bytes:
    answers: list[bytes] = []
    ended = asyncio.Event()

    def put(data: bytes) -> None:
        answers.append(data)
        if not pool.outstanding:
            ended.set()

    pool = WorkerPool(0, put, environment(inside))
    pool.start()
    job.apart = True
    pool.submit(job)
    await ended.wait()
    await pool.close()
    return b"".join(answers)


def environment(inside: str | None = None) -> dict[str, str]:
    """What workers inherit; a function in them may join this Ray by `ray.init()`.

    `inside` is where the project is below the folder that Ray has put it into on this node.
    """
    import ray

    context = ray.get_runtime_context()
    root = {} if inside is None else {WORKER_ROOT: str(Path.cwd() / inside)}
    return {**os.environ, **root, "RAY_ADDRESS": context.gcs_address}


def host_class() -> Any:
    """`Host` as a class of Ray actors."""
    import ray

    return ray.remote(max_restarts=0, max_task_retries=0, num_cpus=0)(Host)


def alone_function() -> Any:
    """`run_alone` as a Ray task."""
    import ray

    return ray.remote(max_retries=0, retry_exceptions=False)(run_alone)
