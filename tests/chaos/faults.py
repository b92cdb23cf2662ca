"""What is done to a campaign: a table of faults, and the one who deals them out by chance.

What never comes up proves nothing. So chance decides when a kind of fault comes up, and how often,
but not whether it does.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Container, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.chaos.fleet import Orchestrator, RayHead
from tests.chaos.processes import Seen
from tests.servers import PostgresServer, RedisServer, Server

KILLED_ORCHESTRATOR = "orchestrator SIGKILL"
WORKER = "agentflow.runtime.executors.worker"
HOST = "ray::Host"
LEASE_SECONDS = 10.0
SPARED = 0.97
"""How often an orchestrator is spared that has just come, or on which all depends."""
_LATE = 0.5
"""The part of a campaign after which what has not come up yet goes first."""
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


Subjects = Callable[[Targets, random.Random, bool], Sequence[Any]]


class Killer:
    """Deals faults at a mean rate (in a second), and knows which it dealt."""

    def __init__(self, targets: Targets, chance: random.Random, rate: float) -> None:
        self.targets = targets
        self.chance = chance
        self.blows: list[Blow] = []
        self._rate = rate
        self._share = 0.0
        """Of the time in which there are faults, how much has gone."""
        self._busy: set[object] = set()
        self._threads = ThreadPoolExecutor()

    async def run(self, seconds: float) -> None:
        """Deal faults for so long, then wait until the lasting ones are over."""
        due = time.monotonic()
        until = due + seconds
        async with asyncio.TaskGroup() as group:
            while (due := due + self.chance.expovariate(self._rate)) < until:
                await asyncio.sleep(due - time.monotonic())
                self._share = 1 - (until - due) / seconds
                self._deal(group)
        self._threads.shutdown()

    def counts(self) -> Counter[str]:
        """How many of each kind."""
        return Counter(blow.kind for blow in self.blows)

    def missing(self) -> list[str]:
        """The kinds that have not come up although there is what they are for."""
        seen = self.counts()
        kinds = [kind for kind in FAULTS if getattr(self.targets, kind.of)]
        return [kind.name for kind in kinds if kind.name not in seen]

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
        comes_anew = self.targets.ray in self._busy  # and all that hangs on it
        seen = self.counts()
        is_late = self._share >= _LATE
        possible = {
            kind: subjects
            for kind in (_OF_SERVERS if comes_anew else FAULTS)
            if (subjects := self._free(kind, is_due=is_late and kind.name not in seen))
        }
        if possible:
            kind = drawn(list(possible), seen, self._share, self.chance)
            group.create_task(kind.deal(self, kind.name, self.chance.choice(possible[kind])))

    def _free(self, kind: Kind, *, is_due: bool) -> list[Any]:
        found = kind.subjects(self.targets, self.chance, is_due)
        return [subject for subject in found if subject is not None and subject not in self._busy]


# --- orchestrators --------------------------------------------------------------------------------


def _orchestrators(
    targets: Targets,
    chance: random.Random,
    is_due: bool,
) -> Sequence[Orchestrator]:
    """Mostly those that others can stand in for: who kills all of them stops everything."""
    every = targets.orchestrators
    at_work = [each for each in every if each.working_seconds > _HAS_WORKED]
    spared = len(every) > 1 and len(at_work) < len(every) and not is_due
    return [each for each in every if (each in at_work and not spared) or chance.random() > SPARED]


async def _kill_orchestrator(killer: Killer, kind: str, victim: Orchestrator) -> None:
    """The fleet starts the next one."""
    if victim.send(signal.SIGKILL):
        killer.hit(kind, victim.name, victim.next_name)


async def _freeze_orchestrator(killer: Killer, kind: str, victim: Orchestrator) -> None:
    await _freeze(killer, kind, victim, killer.chance.uniform(0.2, 4))


async def _make_zombie(killer: Killer, kind: str, victim: Orchestrator) -> None:
    """Stop it for longer than its lease: when it wakes up, others have its executions."""
    await _freeze(killer, kind, victim, killer.chance.uniform(1.2, 1.8) * LEASE_SECONDS)


async def _freeze(killer: Killer, kind: str, victim: Orchestrator, seconds: float) -> None:
    name = victim.name
    with killer.holding(victim):
        if victim.send(signal.SIGSTOP):
            killer.hit(kind, name)
            await asyncio.sleep(seconds)
            if victim.name == name:
                victim.send(signal.SIGCONT)


# --- parts of Ray ---------------------------------------------------------------------------------


def _parts(command: str, needed: Callable[[Iterable[bool]], bool] = any) -> Subjects:
    """Processes of Ray with these words in their command line, while any or all are at work."""

    def parts(
        targets: Targets,
        chance: random.Random,
        is_due: bool,
    ) -> Sequence[Seen]:
        at_work = [each.is_ready for each in targets.orchestrators]
        if targets.ray is None or not (any(at_work) if is_due else needed(at_work)):
            return []
        return targets.ray.parts(command)

    return parts


async def _kill_part(killer: Killer, kind: str, victim: Seen) -> None:
    if victim.send(signal.SIGKILL):
        killer.hit(kind, str(victim.pid))


def _freeze_part(*lengths: float) -> Callable[[Killer, str, Seen], Coroutine[Any, Any, None]]:
    async def freeze(killer: Killer, kind: str, victim: Seen) -> None:
        with killer.holding(victim):
            if victim.send(signal.SIGSTOP):
                killer.hit(kind, str(victim.pid))
                await asyncio.sleep(killer.chance.choice(lengths))
                victim.send(signal.SIGCONT)

    return freeze


async def _kill_ray(killer: Killer, kind: str, victim: Seen) -> None:
    """Kill a part without which Ray is lost, and start all that hangs on it anew.

    That is what whoever supervises a cluster does. Until it has, everything goes on as it can.
    """
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


# --- stores ---------------------------------------------------------------------------------------


async def _shut_postgres_down(killer: Killer, kind: str, server: PostgresServer) -> None:
    """An immediate shutdown, as `pg_ctl stop -m immediate` asks for it."""
    with killer.holding(server):
        killer.hit(kind)
        await killer.outside(_quit, server)
        await killer.outside(server.restart)


async def _kill_postgres(killer: Killer, kind: str, server: PostgresServer) -> None:
    with killer.holding(server):
        killer.hit(kind)
        await killer.outside(server.restart)


def _quit(server: PostgresServer) -> None:
    descriptor = os.pidfd_open(server.pid)
    os.kill(server.pid, signal.SIGQUIT)
    select.select([descriptor], [], [], 10)  # until it has ended
    os.close(descriptor)


async def _kill_redis(killer: Killer, kind: str, server: RedisServer) -> None:
    """It is back, empty, some seconds later."""
    with killer.holding(server):
        killer.hit(kind)
        await killer.outside(server.kill)
        await asyncio.sleep(killer.chance.uniform(0, 3))
        await killer.outside(server.start)


def _freeze_server(longest: float) -> Callable[[Killer, str, Server], Coroutine[Any, Any, None]]:
    """Connections stay, nobody answers."""

    async def freeze(killer: Killer, kind: str, server: Server) -> None:
        with killer.holding(server):
            killer.hit(kind)
            server.freeze()
            await asyncio.sleep(killer.chance.uniform(0.5, longest))
            server.thaw()

    return freeze


async def _flush_redis(killer: Killer, kind: str, server: RedisServer) -> None:
    with suppress(OSError):
        await killer.outside(_flush, server.port)
        killer.hit(kind)


def _flush(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        connection.recv(16)


# --- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table."""

    name: str
    of: Literal["orchestrators", "ray", "postgres", "redis"]
    """Of the `Targets`, what it is for."""
    weight: float
    subjects: Subjects
    """What can be hit now; more than usual if this kind is due, because it has not come up yet."""
    deal: Callable[[Killer, str, Any], Coroutine[Any, Any, None]]


def drawn(
    possible: Sequence[Kind], seen: Container[str], share: float, chance: random.Random
) -> Kind:
    """A kind by its weight; the later it is, the more likely one that has not come up yet.

    When it is late (`share` is how much of the time has gone), those go first. Some are seldom
    possible, because everything has to be at work, and would be left to luck otherwise.
    """
    new = [kind for kind in possible if kind.name not in seen]
    if new and chance.random() < share / _LATE:
        return chance.choice(new)
    return chance.choices(possible, [kind.weight for kind in possible])[0]


def _postgres(targets: Targets, *_ignored: object) -> Sequence[PostgresServer | None]:
    return [targets.postgres]


def _redis(targets: Targets, *_ignored: object) -> Sequence[RedisServer | None]:
    return [targets.redis]


_RAYLET, _GCS = "raylet/raylet", "gcs/gcs_server"

FAULTS = (
    Kind(KILLED_ORCHESTRATOR, "orchestrators", 45, _orchestrators, _kill_orchestrator),
    Kind("orchestrator SIGSTOP", "orchestrators", 3, _orchestrators, _freeze_orchestrator),
    Kind("orchestrator SIGSTOP past its lease", "orchestrators", 4, _orchestrators, _make_zombie),
    Kind("worker SIGKILL", "ray", 32, _parts(WORKER), _kill_part),
    Kind("worker SIGSTOP", "ray", 5, _parts(WORKER), _freeze_part(0.5, 4, 14)),
    Kind("actor SIGKILL", "ray", 4, _parts(HOST, all), _kill_part),
    Kind("actor SIGSTOP", "ray", 1, _parts(HOST, all), _freeze_part(2, 6, 36)),
    Kind("raylet SIGKILL", "ray", 6, _parts(_RAYLET, all), _kill_ray),
    Kind("raylet SIGSTOP", "ray", 2, _parts(_RAYLET), _freeze_part(0.5, 3, 8)),
    Kind("GCS SIGKILL", "ray", 3, _parts(_GCS, all), _kill_ray),
    Kind("GCS SIGSTOP", "ray", 2, _parts(_GCS), _freeze_part(0.5, 3, 8)),
    Kind("PostgreSQL immediate shutdown", "postgres", 5, _postgres, _shut_postgres_down),
    Kind("PostgreSQL SIGKILL", "postgres", 5, _postgres, _kill_postgres),
    Kind("PostgreSQL SIGSTOP", "postgres", 2, _postgres, _freeze_server(12)),
    Kind("Redis SIGKILL", "redis", 3, _redis, _kill_redis),
    Kind("Redis SIGSTOP", "redis", 2, _redis, _freeze_server(5)),
    Kind("Redis FLUSHALL", "redis", 2, _redis, _flush_redis),
)

_OF_SERVERS = tuple(kind for kind in FAULTS if kind.of in {"postgres", "redis"})
