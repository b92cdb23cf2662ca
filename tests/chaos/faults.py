"""What is done to a campaign: a table of faults, and the one who deals them out by chance."""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.fleet import Orchestrator, RayHead
from tests.chaos.processes import Seen
from tests.servers import PostgresServer, RedisServer

KILLED_ORCHESTRATOR = "orchestrator SIGKILL"
WORKER = "agentflow.runtime.executors.worker"
HOST = "ray::Host"
LEASE_SECONDS = 10.0
SPARED = 0.97
"""How often an orchestrator is spared that has just come, or on which all depends."""
_HAS_WORKED = 1.0
"""Seconds of work after which it has no longer just come."""


@dataclass(frozen=True, slots=True)
class Blow:
    """A fault that was dealt."""

    kind: str
    at: float
    target: str = ""
    next: str = ""
    """What takes the place of an orchestrator that was killed."""


@dataclass(eq=False)
class Targets:
    """What can be hit. What a campaign has none of stays `None`."""

    orchestrators: list[Orchestrator] = field(default_factory=list)
    ray: RayHead | None = None
    postgres: PostgresServer | None = None
    redis: RedisServer | None = None


class Killer:
    """Deals faults at a mean rate (in a second), and knows which it dealt."""

    def __init__(self, targets: Targets, chance: random.Random, rate: float) -> None:
        self.targets = targets
        self.chance = chance
        self.blows: list[Blow] = []
        self._rate = rate
        self._busy: set[object] = set()
        self._threads = ThreadPoolExecutor()

    async def run(self, seconds: float) -> None:
        """Deal faults for so long, then wait until the lasting ones are over."""
        due = time.monotonic()
        until = due + seconds
        async with asyncio.TaskGroup() as group:
            while (due := due + self.chance.expovariate(self._rate)) < until:
                await asyncio.sleep(due - time.monotonic())
                self._deal(group)
        self._threads.shutdown()

    def counts(self) -> Counter[str]:
        """How many of each kind."""
        return Counter(blow.kind for blow in self.blows)

    def hit(self, kind: str, target: str = "", next: str = "") -> None:
        """Note a fault at the moment it is dealt."""
        self.blows.append(Blow(kind, time.time(), target, next))

    @contextmanager
    def holding(self, subject: object) -> Iterator[None]:
        """Keep other faults away from a subject for a block."""
        self._busy.add(subject)
        try:
            yield
        finally:
            self._busy.discard(subject)

    async def outside(self, do: Callable[..., object], *arguments: object) -> None:
        """Do something that blocks, in threads that nobody else can keep busy.

        Clients that wait for a store must not keep it from being started.
        """
        await asyncio.get_running_loop().run_in_executor(self._threads, do, *arguments)

    def _deal(self, group: asyncio.TaskGroup) -> None:
        """One fault, of a kind for which there is something to hit now."""
        if self.targets.ray in self._busy:
            return  # all that there is comes up anew
        possible = [(kind, self._free(kind)) for kind in FAULTS]
        possible = [(kind, subjects) for kind, subjects in possible if subjects]
        if not possible:
            return
        ((kind, subjects),) = self.chance.choices(possible, [kind.weight for kind, _ in possible])
        group.create_task(kind.deal(self, self.chance.choice(subjects)))

    def _free(self, kind: Kind) -> list[Any]:
        found = kind.subjects(self.targets, self.chance)
        return [subject for subject in found if subject is not None and subject not in self._busy]


# --- orchestrators --------------------------------------------------------------------------------


def _orchestrators(targets: Targets, chance: random.Random) -> Sequence[Orchestrator]:
    """Mostly those that others can stand in for: who kills all of them stops everything."""
    every = targets.orchestrators
    at_work = [each for each in every if each.working_seconds > _HAS_WORKED]
    spared = len(every) > 1 and len(at_work) < len(every)
    return [each for each in every if (each in at_work and not spared) or chance.random() > SPARED]


async def _kill_orchestrator(killer: Killer, victim: Orchestrator) -> None:
    """The fleet starts the next one."""
    if victim.send(signal.SIGKILL):
        killer.hit(KILLED_ORCHESTRATOR, victim.name, victim.next_name)


async def _freeze_orchestrator(killer: Killer, victim: Orchestrator) -> None:
    await _freeze(killer, victim, "orchestrator SIGSTOP", killer.chance.uniform(0.2, 4))


async def _make_zombie(killer: Killer, victim: Orchestrator) -> None:
    """Stop it for longer than its lease: when it wakes up, others have its executions."""
    seconds = killer.chance.uniform(1.2, 1.8) * LEASE_SECONDS
    await _freeze(killer, victim, "orchestrator SIGSTOP past its lease", seconds)


async def _freeze(killer: Killer, victim: Orchestrator, kind: str, seconds: float) -> None:
    name = victim.name
    with killer.holding(victim):
        if victim.send(signal.SIGSTOP):
            killer.hit(kind, name)
            await asyncio.sleep(seconds)
            if victim.name == name:
                victim.send(signal.SIGCONT)


# --- workers --------------------------------------------------------------------------------------


def _parts(
    command: str, needed: Callable[[Iterable[bool]], bool] = any
) -> Callable[[Targets, random.Random], Sequence[Seen]]:
    """Processes of Ray with these words in their command line, while any or all are at work.

    What never comes up proves nothing.
    """

    def parts(targets: Targets, chance: random.Random) -> Sequence[Seen]:
        if targets.ray is None or not needed(each.is_ready for each in targets.orchestrators):
            return []
        return targets.ray.parts(command)

    return parts


def _kill_part(kind: str) -> Callable[[Killer, Seen], Coroutine[Any, Any, None]]:
    async def kill(killer: Killer, victim: Seen) -> None:
        if victim.send(signal.SIGKILL):
            killer.hit(kind, str(victim.pid))

    return kill


def _freeze_part(kind: str, *lengths: float) -> Callable[[Killer, Seen], Coroutine[Any, Any, None]]:
    async def freeze(killer: Killer, victim: Seen) -> None:
        with killer.holding(victim):
            if victim.send(signal.SIGSTOP):
                killer.hit(kind, str(victim.pid))
                await asyncio.sleep(killer.chance.choice(lengths))
                victim.send(signal.SIGCONT)

    return freeze


def _kill_ray(kind: str) -> Callable[[Killer, Seen], Coroutine[Any, Any, None]]:
    """Kill a part without which Ray is lost, and start all that hangs on it anew.

    That is what whoever supervises a cluster does. Until it has, everything goes on as it can.
    """

    async def kill(killer: Killer, victim: Seen) -> None:
        ray, orchestrators = killer.targets.ray, killer.targets.orchestrators
        assert ray is not None
        with killer.holding(ray):
            if not victim.send(signal.SIGKILL):
                return
            killer.hit(kind, str(victim.pid))
            await asyncio.sleep(killer.chance.uniform(0.5, 3))
            await asyncio.gather(*(orchestrator.end() for orchestrator in orchestrators))
            await ray.end()
            await ray.start()
            await asyncio.gather(*(orchestrator.start() for orchestrator in orchestrators))

    return kill


# --- stores ---------------------------------------------------------------------------------------


async def _shut_postgres_down(killer: Killer, server: PostgresServer) -> None:
    """An immediate shutdown, as `pg_ctl stop -m immediate` asks for it."""
    with killer.holding(server):
        killer.hit("PostgreSQL immediate shutdown")
        await killer.outside(_quit, server)
        await killer.outside(server.restart)


async def _kill_postgres(killer: Killer, server: PostgresServer) -> None:
    with killer.holding(server):
        killer.hit("PostgreSQL SIGKILL")
        await killer.outside(server.restart)


def _quit(server: PostgresServer) -> None:
    descriptor = os.pidfd_open(server.pid)
    os.kill(server.pid, signal.SIGQUIT)
    select.select([descriptor], [], [], 10)  # until it has ended
    os.close(descriptor)


async def _kill_redis(killer: Killer, server: RedisServer) -> None:
    """It is back, empty, some seconds later."""
    with killer.holding(server):
        killer.hit("Redis SIGKILL")
        await killer.outside(server.kill)
        await asyncio.sleep(killer.chance.uniform(0, 3))
        await killer.outside(server.start)


async def _freeze_redis(killer: Killer, server: RedisServer) -> None:
    """Connections stay, nobody answers."""
    with killer.holding(server):
        killer.hit("Redis SIGSTOP")
        server.freeze()
        await asyncio.sleep(killer.chance.uniform(0.5, 5))
        server.thaw()


async def _flush_redis(killer: Killer, server: RedisServer) -> None:
    with suppress(OSError):
        await killer.outside(_flush, server.port)
        killer.hit("Redis FLUSHALL")


def _flush(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        connection.recv(16)


# --- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table."""

    weight: float
    subjects: Callable[[Targets, random.Random], Sequence[Any]]
    deal: Callable[[Killer, Any], Coroutine[Any, Any, None]]


def _postgres(targets: Targets, chance: random.Random) -> Sequence[PostgresServer | None]:
    return [targets.postgres]


def _redis(targets: Targets, chance: random.Random) -> Sequence[RedisServer | None]:
    return [targets.redis]


FAULTS = (
    Kind(45, _orchestrators, _kill_orchestrator),
    Kind(3, _orchestrators, _freeze_orchestrator),
    Kind(4, _orchestrators, _make_zombie),
    Kind(32, _parts(WORKER), _kill_part("worker SIGKILL")),
    Kind(5, _parts(WORKER), _freeze_part("worker SIGSTOP", 0.5, 4, 14)),
    Kind(4, _parts(HOST, all), _kill_part("actor SIGKILL")),
    Kind(1, _parts(HOST, all), _freeze_part("actor SIGSTOP", 2, 6, 36)),
    Kind(6, _parts("raylet/raylet", all), _kill_ray("raylet SIGKILL")),
    Kind(2, _parts("gcs/gcs_server", all), _kill_ray("GCS SIGKILL")),
    Kind(5, _postgres, _shut_postgres_down),
    Kind(5, _postgres, _kill_postgres),
    Kind(3, _redis, _kill_redis),
    Kind(2, _redis, _freeze_redis),
    Kind(2, _redis, _flush_redis),
)
