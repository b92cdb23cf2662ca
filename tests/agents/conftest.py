from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agentflow.runtime.executors.inline import InlineExecutor
from agentflow.runtime.executors.protocol import Task
from agentflow.runtime.executors.ray import RayExecutor
from tests.executors.executor_bench import Bench, started

PROJECT = str(Path(__file__).parent / "project")


def ask(
    function: str,
    step: str = "s",
    /,
    *,
    key: str | None = None,
    execution: str = "e1",
    attempt: int = 1,
    timeout: float | None = None,
    **arguments: Any,
) -> Task:
    """A call of an agent of `project/desk.py`."""
    return Task(
        execution, step, attempt, "call", f"agent:{function}", [arguments], PROJECT, "w",
        timeout=timeout, agent_key=key,
    )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def inline_bench() -> AsyncIterator[Bench]:
    async with started(InlineExecutor(parallel=2)) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="session", scope="package")
async def ray_bench() -> AsyncIterator[Bench]:
    async with started(RayExecutor(parallel=1)) as bench:
        yield bench


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.slow)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """An executor of each kind, with nothing reported yet."""
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    found.reports.clear()
    return found
