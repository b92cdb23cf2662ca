"""How fast the engine is back: `python -m tests.chaos.recovery`.

Functions run in the orchestrator's process, so that the figures hold nothing of Ray's start.

restart     kill the orchestrator of 1,000 open executions; the next process continues them
take-over   the same with another orchestrator standing by, which sees that the process is gone
lease       the owner is stopped instead, as if its machine were lost: its lease must run out
crashes     kill the process again and again until 1,000 concurrent executions have ended
rebuild     read, verify and replay the history of an execution of 10,000 steps
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from agentflow import Engine
from agentflow.errors import Json
from agentflow.runtime.journal.store import Journal
from agentflow.runtime.machine import compile_workflow
from agentflow.runtime.recovery import rebuild
from agentflow.spec.load import Loaded, loads
from tests.chaos import ledger
from tests.chaos.campaign import prepare
from tests.chaos.checks import check
from tests.chaos.clients import Order
from tests.chaos.fleet import Orchestrator, Site
from tests.chaos.ledger import Fact
from tests.chaos.result import Plan, percentile
from tests.chaos.shapes import CHAIN
from tests.servers import postgres_server

ENDLESS = """
workflow: endless
do:
  - id: l
    loop:
      for: ${ range(900) }
      as: r
      do: [{id: a, call: steps.slow_step, with: {x: "${ r }", seconds: 0.1}}]
"""
LONG = """
workflow: long
do:
  - {id: m, map: "${ range(input.n) }", call: steps.instant, with: {x: "${ item }"}}
  - {id: l, listen: never}
"""
EXPERIMENTS = ("restart", "take-over", "lease", "crashes", "rebuild")
INPUT = 7
_PATIENCE = 120.0


@dataclass(frozen=True)
class Figure:
    """Seconds measured several times."""

    what: str
    values: Sequence[float]

    def row(self) -> str:
        """For people."""
        p50, p99 = (percentile(sorted(self.values), share) for share in (0.5, 0.99))
        return f"{self.what:52} p50 {p50:6.2f} s   p99 {p99:6.2f} s   n {len(self.values)}"

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        p50, p99 = (percentile(sorted(self.values), share) for share in (0.5, 0.99))
        return {"what": self.what, "p50": p50, "p99": p99, "values": list(self.values)}


class Scene:
    """A store with open executions, and places for orchestrators."""

    def __init__(self, site: Site, journal: Journal) -> None:
        self.site = site
        self.journal = journal
        self._places: list[Orchestrator] = []

    async def orchestrator(self) -> Orchestrator:
        """A new one, which is ready."""
        label = f"{chr(ord('a') + len(self._places) % 26)}{len(self._places)}-"
        place = Orchestrator(self.site, label, None, lambda who, words: None)
        self._places.append(place)
        await place.start()
        await self.until(lambda: place.is_ready)
        return place

    def facts(self, what: str, who: str) -> list[Fact]:
        """What an orchestrator did."""
        return [f for f in ledger.facts(self.site.facts) if f.what == what and f.who == who]

    async def first_call(self, who: str) -> float:
        """When an orchestrator first asked for a call."""
        await self.until(lambda: bool(self.facts("dispatch", who)))
        return self.facts("dispatch", who)[0].at

    async def serves(self, who: str, count: int) -> float:
        """When an orchestrator had that many executions."""
        await self.until(lambda: len(self.facts("served", who)) >= count)
        return self.facts("served", who)[count - 1].at

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(_PATIENCE):
            while not holds():  # other processes can be watched only by files
                await asyncio.sleep(0.2)

    def is_open(self) -> bool:
        """Whether some execution has not ended."""
        return any(self.journal.executions(status, limit=1) for status in ("running", "waiting"))

    async def end(self) -> None:
        """Kill all orchestrators."""
        await asyncio.gather(*(place.end() for place in self._places))


@asynccontextmanager
async def scene(store: str, text: str, count: int) -> AsyncIterator[Scene]:
    """A store of its own with so many executions that nobody runs yet."""
    folder = Path(tempfile.mkdtemp(prefix="agentflow-recovery-"))
    server = postgres_server() if store == "postgres" else nullcontext()
    with server as postgres:
        site = prepare(folder, Plan(store=store, executor="inline"), postgres)
        create(site, loads(text, root=site.root), [f"x{number}" for number in range(count)])
        journal = Journal.open(site.store, site.root)
        here = Scene(site, journal)
        try:
            yield here
        finally:
            await here.end()
            journal.close()
            shutil.rmtree(folder)


def create(site: Site, workflow: Loaded, ids: Sequence[str]) -> None:
    """Record the start of executions, for whoever comes."""
    with Engine(executor="inline", root=site.root, store=site.store) as engine:
        for id in ids:
            engine.create(workflow, {"n": INPUT}, id=id)


async def restarts(store: str, count: int, times: int) -> list[Figure]:
    """Kill the only orchestrator; the next process is started at once."""
    first, every = [], []
    async with scene(store, ENDLESS, count) as here:
        owner = await here.orchestrator()
        await here.serves(owner.name, count)
        for _ in range(times):
            successor = owner.next_name
            owner.send(signal.SIGKILL)
            killed = time.time()
            first.append(await here.first_call(successor) - killed)
            every.append(await here.serves(successor, count) - killed)
    return [
        Figure(f"restart, {count} open: kill to next call", first),
        Figure(f"restart, {count} open: kill to all continued", every),
    ]


async def takeovers(store: str, count: int, times: int, *, frozen: bool) -> list[Figure]:
    """End the owner, or stop it; another orchestrator is there already."""
    first, every = [], []
    async with scene(store, ENDLESS, count) as here:
        owner = await here.orchestrator()
        await here.serves(owner.name, count)
        for _ in range(times):
            heir = await here.orchestrator()
            hit = time.time()
            if frozen:
                owner.send(signal.SIGSTOP)
            else:
                await owner.end()
            first.append(await here.first_call(heir.name) - hit)
            every.append(await here.serves(heir.name, count) - hit)
            await owner.end()
            owner = heir
    name = "lease runs out" if frozen else "take-over"
    return [
        Figure(f"{name}, {count} open: to next call", first),
        Figure(f"{name}, {count} open: to all continued", every),
    ]


async def crashes(store: str, count: int, seed: int) -> tuple[Figure, list[str]]:
    """Kill the process every other second until all executions have ended; check everything."""
    chance = random.Random(seed)
    async with scene(store, CHAIN.text, count) as here:
        owner = await here.orchestrator()
        began, kills = time.time(), 0
        while here.is_open():
            await asyncio.sleep(chance.uniform(0.5, 2))
            kills += owner.send(signal.SIGKILL)
            successor = owner.next_name
            await here.until(lambda: owner.name == successor and owner.is_ready)  # noqa: B023  # at once
        took = time.time() - began
        await here.end()
        orders = {f"x{n}": Order(f"x{n}", CHAIN, INPUT, started_at=0.0) for n in range(count)}
        marks, facts = ledger.marks(here.site.ledger), ledger.facts(here.site.facts)
        verdict = check(here.journal, orders, marks, facts)
        repeated = f"{verdict.repeated} of {verdict.invocations} calls repeated"
        what = f"{count} concurrent, {kills} crashes, {repeated}: to all ended"
        return Figure(what, [took]), verdict.violations


async def rebuilds(store: str, steps: int, times: int) -> Figure:
    """Bring an execution with a long history back, as whoever resumes it does."""
    async with scene(store, LONG, 0) as here:
        workflow = loads(LONG, root=here.site.root)
        with Engine(executor="inline", root=here.site.root, store=here.site.store) as engine:
            execution = engine.start(workflow, {"n": steps})
            await here.until(lambda: execution.status == "waiting")
        program = compile_workflow(workflow.workflow)
        values = []
        for _ in range(times):
            began = time.perf_counter()
            records = here.journal.history(execution.id)
            rebuild(program, records)
            values.append(time.perf_counter() - began)
    return Figure(f"rebuild of {steps} steps ({len(records)} events)", values)


def main() -> int:
    """Measure what the arguments ask for; 1 if something was lost or done twice."""
    arguments = _parser().parse_args()
    figures, violations = asyncio.run(measure(arguments))
    if arguments.json:
        found = [figure.as_json() for figure in figures]
        print(json.dumps({"store": arguments.store, "figures": found, "violations": violations}))
    else:
        print("\n".join([*(figure.row() for figure in figures), f"{len(violations)} violations"]))
    return 1 if violations else 0


async def measure(arguments: argparse.Namespace) -> tuple[list[Figure], list[str]]:
    """One experiment after the other."""
    store, count, times = arguments.store, arguments.executions, arguments.times
    figures: list[Figure] = []
    violations: list[str] = []
    for experiment in arguments.only or EXPERIMENTS:
        print(f"{experiment} …", file=sys.stderr, flush=True)
        match experiment:
            case "restart":
                figures += await restarts(store, count, times)
            case "take-over":
                figures += await takeovers(store, count, times, frozen=False)
            case "lease":
                figures += await takeovers(store, count, times, frozen=True)
            case "crashes":
                figure, violations = await crashes(store, count, arguments.seed)
                figures.append(figure)
            case "rebuild":
                figures.append(await rebuilds(store, 10 * count, times))
    return figures, violations


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.recovery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("only", nargs="*", choices=[*EXPERIMENTS, []], help="default: all")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--executions", type=int, default=1000, help="open at the same time")
    parser.add_argument("--times", type=int, default=10, help="repetitions")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
