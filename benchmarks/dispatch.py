"""Calls a second through the Ray executor, beside one Ray task for each call in the same Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from agentflow.runtime.executors.protocol import Report, Task
from agentflow.runtime.executors.ray import RayExecutor
from benchmarks.figures import scaled

CALLS = 10_000
"""Calls through the executor, each a task of its own."""
RAW = 2_000
"""Ray tasks for comparison."""
SINGLE = 300
"""Calls one after another, for the round trip."""

_ROOT = str(Path(__file__).parent.parent)


def nothing() -> None:
    """What is called."""


def run(scale: float = 1.0) -> dict[str, float]:
    """Rates, their ratio, and the time from submitting a call to its report."""
    return asyncio.run(_run(scale))


async def _run(scale: float) -> dict[str, float]:
    calls, raw_calls, single = (scaled(n, scale) for n in (CALLS, RAW, SINGLE))
    executor = RayExecutor()
    news: asyncio.Queue[int] = asyncio.Queue()

    def take(reports: Sequence[Report]) -> None:
        news.put_nowait(len(reports))

    async def carry_out(first: int, count: int) -> float:
        tasks = [_task(n) for n in range(first, first + count)]
        began = time.perf_counter()
        executor.submit(tasks)
        while count:
            count -= await news.get()
        return time.perf_counter() - began

    began = time.perf_counter()
    await executor.start(take)
    started = time.perf_counter() - began
    try:
        await carry_out(0, 1_000)  # every worker has imported the function
        round_trips = sorted([await carry_out(n, 1) for n in range(single)])
        rate = calls / await carry_out(0, calls)
        raw = raw_calls / await asyncio.to_thread(_raw, raw_calls)
    finally:
        await executor.close()
    return {
        "start of Ray, s": started,
        "round trip p50, ms": round_trips[single // 2] * 1000,
        "calls/s": rate,
        "Ray tasks/s": raw,
        "calls/s / Ray tasks/s": rate / raw,
    }


def _task(number: int) -> Task:
    return Task("e", f"m[{number}]", 1, "call", "benchmarks.dispatch.nothing", [{}], _ROOT)


def _raw(calls: int) -> float:
    import ray

    function = ray.remote(max_retries=0, retry_exceptions=False)(nothing)
    ray.get([function.remote() for _ in range(100)])
    began = time.perf_counter()
    ray.get([function.remote() for _ in range(calls)])
    return time.perf_counter() - began
