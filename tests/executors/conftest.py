from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from executor_bench import Bench, PoolExecutor

from agentflow.runtime.executors.inline import InlineExecutor


@pytest.fixture
async def inline() -> AsyncIterator[Bench]:
    """An inline executor of two threads."""
    executor = InlineExecutor(parallel=2)
    bench = Bench(executor)
    await executor.start(bench.take)
    yield bench
    await executor.close()


@pytest.fixture
async def pool() -> AsyncIterator[Bench]:
    """A pool of two worker processes, without Ray."""
    executor = PoolExecutor(parallel=2)
    bench = Bench(executor)
    await executor.start(bench.take)
    yield bench
    await executor.close()
