from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.ray import RayExecutor
from tests.executors.executor_bench import Bench, PoolExecutor

os.environ["TRIALS_SECRET"] = "hush"
os.environ["AGENTFLOW_TRIALS"] = str(os.getpid())


@pytest_asyncio.fixture(loop_scope="session")
async def inline() -> AsyncIterator[Bench]:
    """An inline executor of two threads."""
    executor = InlineExecutor(parallel=2)
    bench = Bench(executor)
    await executor.start(bench.take)
    yield bench
    await executor.close()


@pytest_asyncio.fixture(loop_scope="session")
async def pool() -> AsyncIterator[Bench]:
    """A pool of two worker processes, without Ray."""
    executor = PoolExecutor(parallel=2)
    bench = Bench(executor)
    await executor.start(bench.take)
    yield bench
    await executor.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def started_ray() -> AsyncIterator[Bench]:
    """A Ray executor of two workers, for all tests."""
    executor = RayExecutor(parallel=2)
    bench = Bench(executor)
    await executor.start(bench.take)
    yield bench
    await executor.close()


@pytest.fixture
def ray(started_ray: Bench) -> Bench:
    """The Ray executor, with nothing reported yet."""
    started_ray.reports.clear()
    return started_ray
