"""A campaign: servers, orchestrators, clients and faults for some minutes, then peace, then truth."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from agentflow.runtime.journal.store import Journal
from tests.chaos import ledger
from tests.chaos.checks import check
from tests.chaos.clients import Clients
from tests.chaos.faults import Killer, Targets
from tests.chaos.fleet import Orchestrator, RayHead, Site
from tests.chaos.result import Plan, Result, longest_outage, recoveries
from tests.chaos.shapes import PROJECT
from tests.servers import PostgresServer, RedisServer, postgres_server, redis_server

CLIENT_PATIENCE = 120.0
"""Seconds the clients' own connection waits for the store."""
_START_SECONDS = 120.0

Tell = Callable[[str], None]


async def wage(plan: Plan, folder: Path, tell: Tell = lambda line: None) -> Result:
    """Carry a campaign out in an empty folder."""
    with _servers(plan) as (postgres, redis):
        site = prepare(folder, plan, postgres, redis)
        targets = Targets(postgres=postgres, redis=redis)
        async with _company(site, plan, targets) as (clients, journal):
            killer = Killer(targets, random.Random(plan.seed), plan.faults_a_minute / 60)
            telling = asyncio.create_task(_tell_progress(clients, killer, tell))
            began = time.time()
            await killer.run(plan.seconds)
            healed = time.time()
            clients.is_satisfied = True
            await _until(lambda: not clients.open, plan.healing_seconds)
            ended = time.time()
            telling.cancel()
            await asyncio.gather(*(each.end() for each in targets.orchestrators))
            marks, facts = ledger.marks(site.ledger), ledger.facts(site.facts)
            return Result(
                plan=plan,
                faults=killer.counts(),
                missing=killer.missing(),
                seconds=healed - began,
                orders=len(clients.orders),
                acknowledged=sum(o.started_at is not None for o in clients.orders.values()),
                recoveries=recoveries(killer.blows, facts),
                longest_outage=longest_outage(marks, began, healed),
                healing=ended - healed,
                verdict=check(journal, clients.orders, marks, facts),
            )


def prepare(
    folder: Path,
    plan: Plan,
    postgres: PostgresServer | None = None,
    redis: RedisServer | None = None,
) -> Site:
    """Lay out the project, the empty ledger and the address of the store."""
    shutil.copytree(PROJECT, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    store = f"sqlite:///{folder / 'journal.db'}" if postgres is None else postgres.url
    environment = {} if redis is None else {"REDIS_URL": redis.url}
    site = Site(folder, store, plan.executor, environment)
    site.ledger.touch()
    site.facts.touch()
    return site


@contextmanager
def _servers(plan: Plan) -> Iterator[tuple[PostgresServer | None, RedisServer | None]]:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server()) if plan.store == "postgres" else None
        redis = stack.enter_context(redis_server()) if plan.has_redis else None
        yield postgres, redis


@asynccontextmanager
async def _company(
    site: Site, plan: Plan, targets: Targets
) -> AsyncIterator[tuple[Clients, Journal]]:
    """Ray, orchestrators and clients, at work; all of them end with the block."""
    journal = Journal.open(site.store, site.root, wait_seconds=CLIENT_PATIENCE)
    if plan.executor == "ray":
        targets.ray = RayHead(site)
        await targets.ray.start()
    clients = Clients(
        journal,
        targets.orchestrators,
        random.Random(plan.seed),
        limit=plan.limit,
        rate=plan.starts_a_second,
    )
    for number in range(plan.orchestrators):
        label = chr(ord("a") + number)
        targets.orchestrators.append(Orchestrator(site, label, targets.ray, clients.hear))
    living = asyncio.create_task(clients.run())
    try:
        await asyncio.gather(*(each.start() for each in targets.orchestrators))
        await _until(lambda: all(each.is_ready for each in targets.orchestrators), _START_SECONDS)
        yield clients, journal
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        await asyncio.gather(*(each.end() for each in targets.orchestrators))
        if targets.ray is not None:
            await targets.ray.end()
        journal.close()


async def _until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds, at most so long."""
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:  # many things make it hold
        await asyncio.sleep(0.1)


async def _tell_progress(clients: Clients, killer: Killer, tell: Tell) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(10)
        open_now = len(clients.open)
        tell(
            f"{time.monotonic() - began:.0f} s: {len(killer.blows)} faults, "
            f"{len(clients.orders) - open_now} executions ended, {open_now} open"
        )
