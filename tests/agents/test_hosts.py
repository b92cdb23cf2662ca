"""Agents on Ray: what dies, who finds whom, and calls that are asked for twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agentflow.runtime.executors.agents import NoMemory
from agentflow.runtime.executors.agents_ray import RayAgents
from agentflow.runtime.executors.ray_agents import NAMESPACE
from tests.agents.conftest import ask
from tests.executors.executor_bench import Bench, exists

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


class Another:
    """Another engine's way to agents, on the Ray that is there."""

    phase = None

    def __init__(self) -> None:
        self.bench = Bench(self)
        agents = RayAgents(self.bench.take, NoMemory, lambda: None)
        self.withdraw, self.close = agents.withdraw, agents.close
        self._agents = agents

    def submit(self, tasks):
        for task in tasks:
            self._agents.submit(task)


@pytest_asyncio.fixture(loop_scope="session")
async def another(ray_bench: Bench) -> AsyncIterator[Bench]:
    """A second engine's bench."""
    ray_bench.reports.clear()
    engine = Another()
    yield engine.bench
    await engine.close()


async def test_a_crash_is_named_and_the_next_call_has_a_new_instance(ray_bench: Bench) -> None:
    await ray_bench.outcome(ask("counter.add", "1", key="crash"))
    died = await ray_bench.outcome(ask("counter.die", "2", key="crash"))
    assert died.error["name"] == "WorkerLost"
    assert "SIGKILL" in died.error["message"]
    assert (await ray_bench.outcome(ask("counter.add", "3", key="crash"))).value == 1


async def test_a_killed_actor_is_a_lost_worker_and_is_made_anew(
    ray_bench: Bench, tmp_path: Path
) -> None:
    import ray

    ray_bench.executor.submit([ask("counter.hang", "1", key="kill", mark=str(tmp_path / "m"))])
    await exists(tmp_path / "m")
    before = set(named())
    for name in before:
        if name.startswith("counter-"):
            ray.kill(ray.get_actor(name, namespace=NAMESPACE))
    await ray_bench.until(lambda: "1" in ray_bench.ended())
    assert ray_bench.ended()["1"].error["name"] == "WorkerLost"
    assert (await ray_bench.outcome(ask("counter.add", "2", key="kill"))).value == 1


def named() -> list[str]:
    """The actors of agents."""
    from ray.util import list_named_actors

    return [
        actor["name"]
        for actor in list_named_actors(all_namespaces=True)
        if actor["namespace"] == NAMESPACE
    ]


async def test_two_engines_reach_the_same_instance_at_once(
    ray_bench: Bench, another: Bench
) -> None:
    both = await asyncio.gather(
        ray_bench.outcome(ask("counter.add", "1", key="race")),
        another.outcome(ask("counter.add", "2", key="race", execution="e2")),
    )
    assert sorted(report.value for report in both) == [1, 2]


async def test_a_call_that_is_asked_for_again_is_made_once(
    ray_bench: Bench, another: Bench, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    task = ask("crowd.wait", "1", key="twice", mark=str(tmp_path / "m"), path=str(go))
    ray_bench.executor.submit([task])
    await exists(tmp_path / "m")
    (tmp_path / "m").unlink()
    another.executor.submit([task])
    await asyncio.to_thread(go.write_text, "go")
    await ray_bench.until(lambda: "1" in ray_bench.ended())
    await another.until(lambda: "1" in another.ended())
    later = await another.outcome(task)
    assert [ray_bench.ended()["1"].value, later.value] == ["done", "done"]
    assert not (tmp_path / "m").exists()


async def test_the_end_of_one_engine_leaves_the_instance_to_the_other(ray_bench: Bench) -> None:
    engine = Another()
    assert (await engine.bench.outcome(ask("counter.add", "1", key="left"))).value == 1
    await engine.close()
    assert (await ray_bench.outcome(ask("counter.add", "2", key="left"))).value == 2
