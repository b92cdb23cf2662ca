from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.ray import RayExecutor
from tests.executors.executor_bench import Bench, PoolExecutor, started

os.environ["TRIALS_SECRET"] = "hush"
os.environ["AGENTFLOW_TRIALS"] = str(os.getpid())


@pytest_asyncio.fixture(loop_scope="session")
async def inline() -> AsyncIterator[Bench]:
    """An inline executor of two threads."""
    async with started(InlineExecutor(parallel=2)) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def started_pool() -> AsyncIterator[Bench]:
    """A pool of two worker processes, without Ray, for all tests."""
    async with started(PoolExecutor(parallel=2)) as bench:
        yield bench


@pytest.fixture
def pool(started_pool: Bench) -> Bench:
    """The pool, with nothing reported yet."""
    started_pool.reports.clear()
    return started_pool


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def started_ray() -> AsyncIterator[Bench]:
    """A Ray executor of two workers, for all tests."""
    async with started(RayExecutor(parallel=2)) as bench:
        yield bench


@pytest.fixture
def ray(started_ray: Bench) -> Bench:
    """The Ray executor, with nothing reported yet."""
    started_ray.reports.clear()
    return started_ray
